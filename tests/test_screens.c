/* Golden screens: what the screen shows after some keys, drawn into the grid without a
 * terminal.
 *
 * Each screen is tests/screens/NAME.txt: the rows, then a line for each run of cells that
 * the last step changed or that the cursor is on. To write them anew after a change that
 * is meant: GENERATE=1 build/tests/test_screens, and read the diff.
 *
 * Then every lesson is stepped through on screens of several sizes, and nothing may be
 * drawn that should not be.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _XOPEN_SOURCE 700
#include <locale.h>

#include "app.h"
#include "card.h"
#include "commands.h"
#include "host.h"
#include "keys.h"
#include "menu.h"
#include "prng.h"
#include "tap.h"
#include "trace_feed.h"

/* Keys are characters; these stand for others. */
enum {
    ENTER = '\r',
    TAB = '\t',
    UP = '\001',
    DOWN = '\002',
    LEFT = '\003',
    RIGHT = '\004',
    F1 = '\005'
};

struct screen {
    const char *name;
    int cols, rows;
    enum glyph_set glyphs;
    const char *keys;  /* NULL: the menu */
    const char *story; /* tests/screens/STORY.lua; NULL: story. "STORY:NAME=VALUE" sets an
                          option of its machine; "trace:NAME=VALUE" is the generated
                          trace, mmu=NAME with page tables of that architecture */
};

static const struct screen screens[] = {
    {"80x24-start", 80, 24, GLYPHS_UTF8, "", NULL},
    {"80x24-note", 80, 24, GLYPHS_UTF8, "s", NULL},
    {"80x24-split", 80, 24, GLYPHS_UTF8, "sssssssssss", NULL},
    {"80x24-back", 80, 24, GLYPHS_UTF8, "sssssssssssSS", NULL},
    {"80x24-done", 80, 24, GLYPHS_UTF8, "nnn", NULL},
    {"80x24-merge", 80, 24, GLYPHS_UTF8, "nnnnn", NULL},
    {"80x24-branch", 80, 24, GLYPHS_UTF8, "nnnnNNa\r", NULL},
    {"80x24-question", 80, 24, GLYPHS_UTF8, "cS", NULL},
    {"80x24-answer", 80, 24, GLYPHS_UTF8, "cS1", NULL},
    {"80x24-end", 80, 24, GLYPHS_UTF8, "cs", NULL},
    {"80x24-alloc", 80, 24, GLYPHS_UTF8, "na\4\4\2", NULL},
    {"80x24-page", 80, 24, GLYPHS_UTF8, "nnnn6++++++++++++\r", NULL},
    {"80x24-chain", 80, 24, GLYPHS_UTF8, "nnnn4\2\2\2\4\r\4", NULL},
    {"80x24-pcp", 80, 24, GLYPHS_UTF8, "nnnnnnnnn5\2\4", NULL},
    {"80x24-zones", 80, 24, GLYPHS_UTF8, "nnn7\r", NULL},
    {"80x24-events", 80, 24, GLYPHS_UTF8, "nnssssss8\1\1\r", NULL},
    {"80x24-calls", 80, 24, GLYPHS_UTF8, "nnssssss3\1\r", NULL},
    {"80x24-zoom", 80, 24, GLYPHS_UTF8, "nn4z", NULL},
    {"80x24-help", 80, 24, GLYPHS_UTF8, "?", NULL},
    {"80x24-leave", 80, 24, GLYPHS_UTF8, "q", NULL},
    {"80x24-ascii", 80, 24, GLYPHS_ASCII, "sssssssssss", NULL},
    {"80x24-braille", 80, 24, GLYPHS_BRAILLE, "sssssssssss", NULL},
    {"120x40-split", 120, 40, GLYPHS_UTF8, "sssssssssss", NULL},
    {"140x24-split", 140, 24, GLYPHS_UTF8, "sssssssssss", NULL},
    {"200x60-split", 200, 60, GLYPHS_UTF8, "sssssssssss", NULL},
    {"60x15-narrow", 60, 15, GLYPHS_UTF8, "sssssssssss4", NULL},
    {"59x10-small", 59, 10, GLYPHS_UTF8, "ss", NULL},
    {"hw-80x24-ram", 80, 24, GLYPHS_UTF8, "nnnS", "hardware"},
    {"hw-80x24-walk", 80, 24, GLYPHS_UTF8, "nnssss", "hardware"},
    {"hw-80x24-hit", 80, 24, GLYPHS_UTF8, "nnnn", "hardware"},
    {"hw-80x24-ascii", 80, 24, GLYPHS_ASCII, "nnssssss", "hardware"},
    {"hw-120x40-miss", 120, 40, GLYPHS_UTF8, "nnsssssss", "hardware"},
    {"hw-200x60-store", 200, 60, GLYPHS_UTF8, "nnnnssss", "hardware"},
    {"hw-80x24-counts", 80, 24, GLYPHS_UTF8, "nnnnnn5z", "hardware"},
    {"hw-80x24-vivt", 80, 24, GLYPHS_UTF8, "nnnS", "hardware:tags=vivt"},
    {"hw-80x24-vivt-hit", 80, 24, GLYPHS_UTF8, "nnnn", "hardware:tags=vivt"},
    {"hw-80x24-pipt", 80, 24, GLYPHS_UTF8, "nnnnnSS", "hardware:tags=pipt"},
    {"hw-120x40-x86-64", 120, 40, GLYPHS_UTF8, "nnssssssssss", "hardware:arch=x86_64"},
    {"hw-60x15-narrow", 60, 15, GLYPHS_UTF8, "nnsss4", "hardware"},
    {"sets-80x24-lines", 80, 24, GLYPHS_UTF8, "c5z+\2\2\2", "sets"},
    {"sets-80x24-line", 80, 24, GLYPHS_UTF8, "c5z\1\r", "sets"},
    {"sets-80x24-sets", 80, 24, GLYPHS_UTF8, "c5z\1\4", "sets"},
    {"sets-80x24-heat", 80, 24, GLYPHS_UTF8, "c5]z---\2", "sets"},
    {"sets-80x24-next", 80, 24, GLYPHS_UTF8, "nnnnnnnnNNN5z", "sets"},
    {"sets-120x40-l2", 120, 40, GLYPHS_UTF8, "nnnnnS5", "sets"},
    {"sets-200x60", 200, 60, GLYPHS_UTF8, "cN8\2\2", "sets"},
    {"sets-80x24-tlb", 80, 24, GLYPHS_UTF8, "cN6z", "sets"},
    {"sets-80x24-stale", 80, 24, GLYPHS_UTF8, "c6\2\2\r", "sets"},
    {"sets-80x24-stlb", 80, 24, GLYPHS_ASCII, "c6]z--\4", "sets"},
    {"sets-120x40-walk", 120, 40, GLYPHS_UTF8, "nnnnsssssssssssssssssssssss7z", "sets"},
    {"sets-80x24-tables", 80, 24, GLYPHS_UTF8, "c7z\2\2\2\2", "sets"},
    {"sets-80x24-fold", 80, 24, GLYPHS_ASCII, "c7z\3\3\4\2\2\3\r", "sets"},
    {"sets-80x24-memory", 80, 24, GLYPHS_UTF8, "c8z", "sets"},
    {"sets-80x24-bytes", 80, 24, GLYPHS_ASCII, "cNNNN8z\1\4\r", "sets"},
    {"sets-80x24-changed", 80, 24, GLYPHS_UTF8, "8znnnnn", "sets"},
    {"sets-120x40-memory", 120, 40, GLYPHS_UTF8, "c8NN]", "sets"},
    {"space-80x24", 80, 24, GLYPHS_UTF8, "nnnn4", "space"},
    {"space-80x24-walk", 80, 24, GLYPHS_ASCII, "c4z[[[\4+\2\2", "space"},
    {"space-120x40", 120, 40, GLYPHS_UTF8, "nnnnnn4[", "space"},
    {"space-200x60", 200, 60, GLYPHS_UTF8, "nnnnnn4[[\4", "space"},
    {"space-120x40-x86-64", 120, 40, GLYPHS_UTF8, "nnnnnn4", "space:arch=x86_64"},
    {"space-80x24-what", 80, 24, GLYPHS_UTF8, "cN4\r", "space"},
    {"space-120x40-page", 120, 40, GLYPHS_UTF8, "cNNN5]4--", "space"},
    {"space-80x24-windows", 80, 24, GLYPHS_UTF8, "cNNN5z", "space"},
    {"space-120x40-windows", 120, 40, GLYPHS_ASCII, "cNNN5]", "space"},
    {"objects-80x24", 80, 24, GLYPHS_UTF8, "nnnn", "objects"},
    {"objects-80x24-slabs", 80, 24, GLYPHS_ASCII, "cNNN5z\2\4", "objects"},
    {"objects-80x24-object", 80, 24, GLYPHS_UTF8, "cNNN5\2\2\r", "objects"},
    {"objects-80x24-caches", 80, 24, GLYPHS_UTF8, "cN4z]\2\2", "objects"},
    {"objects-120x40", 120, 40, GLYPHS_UTF8, "nnnnnnnn5\2\2", "objects"},
    {"objects-200x60", 200, 60, GLYPHS_UTF8, "nnnnnnnnnnnn", "objects"},
    {"objects-80x24-slub", 80, 24, GLYPHS_UTF8, "nnnn5", "objects:slab=slub"},
    {"objects-80x24-grow", 80, 24, GLYPHS_UTF8, "nnssssssssssssssss5z", "objects"},
    {"objects-80x24-opened", 80, 24, GLYPHS_UTF8, "cN4\1\1\r\2\2", "objects"},
    {"objects-80x24-chain", 80, 24, GLYPHS_ASCII, "cNN5z\2\4", "objects:slab=slub"},
    {"objects-120x40-chain", 120, 40, GLYPHS_UTF8, "nnnnn5z\2", "objects:slab=slub"},
    {"objects-120x40-freed", 120, 40, GLYPHS_UTF8, "cNNNNN5\2\r", "objects:slab=slub"},
    {"objects-80x24-new-slab", 80, 24, GLYPHS_UTF8, "nnssssssssssssss5z",
     "objects:slab=slub"},
    {"cost-80x24", 80, 24, GLYPHS_UTF8, "cN$", "objects"},
    {"cost-80x24-layers", 80, 24, GLYPHS_ASCII, "cN$   ", "objects:arch=x86_64"},
    {"cost-120x40-slub", 120, 40, GLYPHS_UTF8, "cN$", "objects:slab=slub"},
    {"cost-200x60", 200, 60, GLYPHS_UTF8, "cN$", "objects:arch=x86_64"},
    {"objects-120x40-x86-64", 120, 40, GLYPHS_UTF8, "nnssssssssssss",
     "objects:arch=x86_64"},
    {"80x24-menu", 80, 24, GLYPHS_UTF8, NULL, NULL},
    {"60x15-menu", 60, 15, GLYPHS_ASCII, NULL, NULL},
    {"trace-80x24-start", 80, 24, GLYPHS_UTF8, "", "trace:mode=W"},
    {"trace-80x24-next", 80, 24, GLYPHS_UTF8, "nnnn", "trace:mode=W"},
    {"trace-80x24-step", 80, 24, GLYPHS_UTF8, "nnnnnnsssS", "trace:mode=W"},
    {"trace-80x24-G1", 80, 24, GLYPHS_UTF8, "nnns", "trace:geometry=G1"},
    {"trace-80x24-T3", 80, 24, GLYPHS_UTF8, "nnnnnnnn6z", "trace:geometry=T3"},
    {"trace-80x24-lines", 80, 24, GLYPHS_UTF8, "nnnnnnnn5z+", "trace:geometry=P1"},
    {"trace-80x24-tables", 80, 24, GLYPHS_UTF8, "nnnnnnnn7", "trace:geometry=P1"},
    {"trace-80x24-mmu", 80, 24, GLYPHS_UTF8, "nnnnnnnn7z", "trace:mmu=x86_64"},
    {"trace-80x24-end", 80, 24, GLYPHS_UTF8, "cs", "trace:geometry=G3"},
};

static int key_of(char c)
{
    switch (c) {
    case UP:
        return K_UP;
    case DOWN:
        return K_DOWN;
    case LEFT:
        return K_LEFT;
    case RIGHT:
        return K_RIGHT;
    case F1:
        return K_F1;
    default:
        return (unsigned char)c;
    }
}

/* ---- the picture as text ---- */

struct text {
    char *at;
    size_t len, room;
};

static void add(struct text *t, const char *format, ...)
{
    va_list ap;
    if (t->len + 8192 > t->room) {
        t->room = 2 * t->room + 65536;
        t->at = realloc(t->at, t->room);
    }
    va_start(ap, format);
    t->len += (size_t)vsnprintf(t->at + t->len, t->room - t->len, format, ap);
    va_end(ap);
}

static void add_runs(struct text *t, const struct grid *g, int mark, const char *name)
{
    for (int y = 0; y < g->rows; y++) {
        for (int x = 0; x < g->cols; x++) {
            int end = x;
            while (end < g->cols && (g->cells[y * g->cols + end].marks & mark)) {
                end++;
            }
            if (end == x) {
                continue;
            }
            add(t, "%s row %d, %d-%d: ", name, y, x, end - 1);
            for (; x < end; x++) {
                char bytes[5] = "";
                uint32_t ch = g->cells[y * g->cols + x].ch;
                if (ch != GRID_TAIL) {
                    bytes[utf8_put(bytes, ch)] = 0;
                    add(t, "%s", bytes);
                }
            }
            while (t->len && t->at[t->len - 1] == ' ') {
                t->len--;
            }
            add(t, "\n");
        }
    }
}

static char *picture(const struct grid *g)
{
    struct text t = {0};
    for (int y = 0; y < g->rows; y++) {
        char row[2048];
        grid_row_text(g, y, row, sizeof row);
        add(&t, "%s\n", row);
    }
    add(&t, "----\n");
    add_runs(&t, g, MARK_CHANGED, "changed");
    add_runs(&t, g, MARK_SELECTED, "cursor");
    if (g->cursor_x >= 0) {
        add(&t, "the terminal's cursor: %d,%d\n", g->cursor_x, g->cursor_y);
    }
    return t.at;
}

static void first_difference(const char *got, const char *want)
{
    for (int line = 1; *got || *want; line++) {
        size_t a = strcspn(got, "\n"), b = strcspn(want, "\n");
        if (a != b || memcmp(got, want, a) != 0) {
            diag("line %d\n     got %.*s\nexpected %.*s", line, (int)a, got, (int)b,
                 want);
            return;
        }
        got += a + (got[a] == '\n');
        want += b + (want[b] == '\n');
    }
}

static void compare(const char *name, const char *got)
{
    char file[128], path[512], err[512];
    snprintf(file, sizeof file, "tests/screens/%s.txt", name);
    source_path(path, sizeof path, file);
    if (getenv("GENERATE")) {
        FILE *f = fopen(path, "w");
        if (!f || fputs(got, f) < 0 || fclose(f)) {
            bail_out("%s cannot be written", path);
        }
        diag("%s written", path);
        return;
    }
    char *want = host_read_file(path, 1 << 20, NULL, err, sizeof err);
    bool same = want && !strcmp(got, want);
    ok(same, "%s looks as it should", name);
    if (!same) {
        diag("%s", want ? "GENERATE=1 writes it anew, if the change is meant" : err);
        first_difference(got, want ? want : "");
    }
    free(want);
}

static struct session *open_story(const char *name)
{
    char file[128], path[512], err[512];
    name = name ? name : "story";
    const char *setting = strchr(name, ':');
    static const char *settings[2]; /* the session reads them as long as it lives */
    settings[0] = setting ? setting + 1 : NULL;
    const struct session_options o = {.settings = settings};
    snprintf(file, sizeof file, "tests/screens/%.*s.lua", (int)strcspn(name, ":"), name);
    struct session *s =
        session_open(source_path(path, sizeof path, file), &o, err, sizeof err);
    if (!s) {
        bail_out("%s", err);
    }
    return s;
}

static struct session *open_trace(const char *setting, struct trace_feed **feed)
{
    enum { REFERENCES = 12 };
    struct trace_setup setup;
    char name[32], err[512] = "";
    const char *value = strchr(setting, '=') + 1;
    snprintf(name, sizeof name, "%.*s", (int)(value - 1 - setting), setting);
    trace_setup_init(&setup);
    setup.machine.causes = true;
    setup.tables = !strcmp(name, "mmu");
    if (!trace_setup_set(&setup, setup.tables ? "arch" : name, value, err, sizeof err) ||
        !(*feed = trace_feed_open(&setup, NULL, REFERENCES, err, sizeof err))) {
        bail_out("%s", err);
    }
    struct timeline *t = trace_feed_timeline(*feed, NULL, err, sizeof err);
    struct session *s = t ? session_open_timeline(t, "the generated trace") : NULL;
    if (!s) {
        bail_out("%s", err);
    }
    session_set_feed(s, trace_feed_next, *feed);
    session_set_feed_ready(s, trace_feed_ready);
    session_set_feed_peek(s, trace_feed_peek);
    session_set_view(s, "hardware");
    return s;
}

static void test_golden(const struct screen *sc)
{
    struct trace_feed *feed = NULL;
    const bool trace = sc->story && !strncmp(sc->story, "trace:", 6);
    struct session *s = trace ? open_trace(sc->story + 6, &feed) : open_story(sc->story);
    struct app a;
    struct grid g;
    app_init(&a, s, sc->glyphs);
    app_resize(&a, sc->cols, sc->rows);
    grid_create(&g, sc->cols, sc->rows);
    for (const char *k = sc->keys; *k; k++) {
        app_key(&a, key_of(*k));
    }
    app_draw(&a, &g);
    char *got = picture(&g);
    compare(sc->name, got);
    free(got);
    grid_destroy(&g);
    app_free(&a);
    session_close(s);
    trace_feed_close(feed);
}

static void test_menu(const struct screen *sc)
{
    struct lesson two[] = {{"a", "01-one", "Splitting and merging",
                            "How a block is halved, and finds its buddy again."},
                           {"b", "02-two", "Per-CPU lists",
                            "A very long summary that goes on and on, so that it is "
                            "cut where the menu's column ends."}};
    struct lessons lessons = {two, 2, NULL};
    struct menu m;
    struct grid g;
    menu_init(&m, &lessons, sc->glyphs);
    m.cols = sc->cols;
    m.rows = sc->rows;
    grid_create(&g, m.cols, m.rows);
    menu_key(&m, K_DOWN);
    menu_draw(&m, &g);
    char *got = picture(&g);
    compare(sc->name, got);
    free(got);
    is_i64(menu_key(&m, K_ENTER), MENU_OPEN, "Enter opens");
    is_str(menu_selected(&m)->name, "02-two", "the one that is selected");
    is_i64(menu_key(&m, 'q'), MENU_QUIT, "q leaves");
    grid_destroy(&g);
}

/* More lessons than rows: what is not seen is announced, and pages turn. */
static void test_long_menu(void)
{
    struct lesson many[30];
    for (int i = 0; i < 30; i++) {
        many[i] = (struct lesson){"a", "00-many", "A lesson", "What it is about."};
    }
    struct lessons lessons = {many, 30, NULL};
    struct menu m;
    struct grid g;
    menu_init(&m, &lessons, GLYPHS_UTF8);
    m.cols = 80;
    m.rows = 24;
    grid_create(&g, m.cols, m.rows);
    menu_draw(&m, &g);
    char *got = picture(&g);
    ok(strstr(got, "16 more") && !strstr(got, "\u2191"), "16 more are below, none above");
    free(got);
    menu_key(&m, K_PAGE_DOWN);
    is_i64(m.selected, 15, "a page further");
    menu_key(&m, K_PAGE_DOWN);
    menu_key(&m, K_PAGE_DOWN);
    is_i64(m.selected, 30, "the sandbox is the last");
    menu_draw(&m, &g);
    got = picture(&g);
    ok(!strstr(got, " more ") && strstr(got, "\u2191"), "more are above, none below");
    free(got);
    menu_key(&m, K_PAGE_UP);
    menu_key(&m, K_PAGE_UP);
    menu_key(&m, K_PAGE_UP);
    is_i64(m.selected, 0, "and back to the first");
    grid_destroy(&g);
}

/* Lessons by number: the second digit, Enter, or a moment ends it. */
static void test_menu_numbers(void)
{
    enum { LESSONS = 28 };
    struct lesson many[LESSONS];
    char names[LESSONS][16];
    for (int i = 0; i < LESSONS; i++) {
        snprintf(names[i], sizeof names[i], "%02d-lesson", i + 1);
        many[i] = (struct lesson){"a", names[i], "A lesson", "What it is about."};
    }
    struct lessons lessons = {many, LESSONS, NULL};
    static const struct {
        const char *keys; /* T: nothing is typed for a moment */
        enum menu_answer answer;
        int selected; /* -1: as before */
        const char *shown;
    } cases[] = {
        {"14", MENU_OPEN, 13, NULL},      {"28", MENU_OPEN, 27, NULL},
        {"03", MENU_OPEN, 2, NULL},       {"3", MENU_OPEN, 2, NULL},
        {"9", MENU_OPEN, 8, NULL},        {"1T", MENU_OPEN, 0, NULL},
        {"2\r", MENU_OPEN, 1, NULL},      {"1", MENU_STAY, 0, "1_ lesson"},
        {"0", MENU_STAY, -1, "0_ les"},   {"0T", MENU_STAY, -1, "by number"},
        {"1\033", MENU_STAY, 0, "1..28"}, {"29", MENU_STAY, 1, "no lesson 29"},
        {"1j4", MENU_OPEN, 3, NULL},      {"00", MENU_STAY, -1, "no lesson 00"},
    };
    struct grid g;
    grid_create(&g, 60, 15);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct menu m;
        enum menu_answer answer = MENU_STAY;
        menu_init(&m, &lessons, GLYPHS_ASCII);
        m.cols = 60;
        m.rows = 15;
        m.selected = 5;
        for (const char *k = cases[i].keys; *k; k++) {
            answer = *k == 'T'      ? menu_timeout(&m)
                     : *k == '\r'   ? menu_key(&m, K_ENTER)
                     : *k == '\033' ? menu_key(&m, K_ESC)
                                    : menu_key(&m, *k);
        }
        menu_draw(&m, &g);
        char *got = picture(&g);
        ok(answer == cases[i].answer &&
               m.selected == (cases[i].selected < 0 ? 5 : cases[i].selected) &&
               (!cases[i].shown || strstr(got, cases[i].shown)),
           "the menu's digits, %zu", i);
        ok(menu_wait(&m) == -1 || m.typed >= 0, "it waits for a second digit only");
        free(got);
    }
    grid_destroy(&g);
}

/* ---- every lesson, on every kind of screen ---- */

static unsigned broken_cells(const struct grid *g, bool ascii)
{
    unsigned broken = 0;
    for (int y = 0; y < g->rows; y++) {
        for (int x = 0; x < g->cols; x++) {
            const struct cell *c = &g->cells[y * g->cols + x];
            bool tail = c->ch == GRID_TAIL;
            broken += c->style >= NR_STYLES || c->marks >= NR_MARK_SETS;
            broken += !tail && ch_width(c->ch) < 1;
            broken += tail && (x == 0 || ch_width(c[-1].ch) != 2);
            broken += ascii && c->ch >= 0x7f;
        }
    }
    return broken;
}

static void test_lesson(const struct lesson *lesson)
{
    static const struct {
        int cols, rows;
    } sizes[] = {{80, 24}, {120, 40}, {200, 60}, {60, 15}, {100, 30}, {30, 5}, {140, 24}};
    enum { NR_SIZES = sizeof sizes / sizeof sizes[0], MAX_STEPS = 1500 };
    char err[1024];
    struct session *s = session_open(lesson->path, NULL, err, sizeof err);
    if (!ok(s != NULL, "%s opens", lesson->name)) {
        return;
    }
    struct app a;
    struct grid g;
    unsigned broken = 0, steps = 0, back = 0;
    app_init(&a, s, GLYPHS_ASCII);
    grid_create(&g, 80, 24);
    uint64_t first = machine_digest(timeline_machine(a.t)), last = 0;
    struct position before;
    do {
        before = timeline_position(a.t);
        app_resize(&a, sizes[steps % NR_SIZES].cols, sizes[steps % NR_SIZES].rows);
        grid_resize(&g, a.cols, a.rows);
        app_show_view(&a, (int)(steps / 3) % NR_VIEWS);
        app_focus(&a,
                  view_pane(a.prefs.view, 1 + (int)steps % view_nr_panes(a.prefs.view)));
        app_command(&a, "step");
        app_draw(&a, &g);
        broken += broken_cells(&g, true);
        last = machine_digest(timeline_machine(a.t));
    } while (++steps < MAX_STEPS &&
             memcmp(&before, (struct position[]){timeline_position(a.t)}, sizeof before));
    ok(steps < MAX_STEPS ? session_state(s) == SESSION_DONE : true,
       "%s: %u steps lead to its end", lesson->name, steps);
    while (back < steps && timeline_position(a.t).op > 0) {
        app_command(&a, "step-back");
        app_resize(&a, sizes[back % NR_SIZES].cols, sizes[back % NR_SIZES].rows);
        grid_resize(&g, a.cols, a.rows);
        app_draw(&a, &g);
        broken += broken_cells(&g, true);
        back++;
    }
    is_u64(broken, 0, "%s: nothing is drawn that should not be", lesson->name);
    is_hex(machine_digest(timeline_machine(a.t)), first,
           "%s: %u steps back lead to the beginning", lesson->name, back);
    is_u64(timeline_nr_branches(a.t), 1, "%s: looking makes no branches", lesson->name);
    for (unsigned i = 0; i < back; i++) {
        app_command(&a, "step");
    }
    is_hex(machine_digest(timeline_machine(a.t)), last,
           "%s: and forward again to the same end", lesson->name);
    grid_destroy(&g);
    app_free(&a);
    session_close(s);
}

/* ---- any keys and commands, in any order ---- */

static void test_random(uint64_t seed, unsigned nr, bool sandbox)
{
    static const char *const args[] = {
        "",     "0",        "1",    "3 GFP_ATOMIC", "0x1800",      "next",
        "auto", "Normal",   "12.3", "alloc",        "free",        "99999999999",
        "all",  "zoneinfo", "list", "expand",       "buddy:split", "nonsense"};
    struct prng r = {seed};
    char err[512];
    struct session *s = sandbox ? session_open_sandbox(NULL, err, sizeof err)
                                : open_story(seed % 3 ? "hardware" : NULL);
    struct app a;
    struct grid g;
    unsigned broken = 0;
    app_init(&a, s, GLYPHS_ASCII);
    grid_create(&g, 80, 24);
    for (unsigned i = 0; i < nr; i++) {
        if (prng_one_in(&r, 40)) {
            app_resize(&a, 20 + (int)prng_below(&r, 200), 5 + (int)prng_below(&r, 60));
            grid_resize(&g, a.cols, a.rows);
        }
        if (prng_one_in(&r, 3)) {
            const struct command_row *c = command_row(prng_below(&r, commands_count()));
            if (!strcmp(c->name, "cost") && !prng_one_in(&r, 10)) {
                continue; /* a quarter of a second each */
            }
            char line[64];
            if (!strcmp(c->name, "save") || !strcmp(c->name, "record")) {
                continue; /* files where the test runs */
            }
            snprintf(line, sizeof line, "%s %s", c->name,
                     args[prng_below(&r, sizeof args / sizeof args[0])]);
            app_command(&a, line);
        } else if (prng_one_in(&r, 20)) {
            app_mouse(&a, (int)prng_below(&r, 220), (int)prng_below(&r, 70),
                      (int)prng_below(&r, 3) - 1);
        } else {
            const int code = key_row(prng_below(&r, keys_count())).code;
            if (code != '$' || prng_one_in(&r, 10)) {
                app_key(&a, code);
            }
        }
        a.prompt_open = false; /* no terminal: nobody types there */
        a.request = REQUEST_NONE;
        app_draw(&a, &g);
        broken += broken_cells(&g, true);
    }
    is_u64(broken, 0, "%u random keys, commands and clicks, seed %u, %s", nr,
           (unsigned)seed, sandbox ? "in the sandbox" : "in a script");
    ok(timeline_check(a.t) == NULL, "and the timeline is sound");
    grid_destroy(&g);
    app_free(&a);
    session_close(s);
}

/* ---- views ---- */

static const char view_story[] = "return lesson { view = \"hardware\", run = function()\n"
                                 "  say \"one\"\n"
                                 "  view \"pages\"\n"
                                 "  say \"two\"\n"
                                 "  view \"hardware\"\n"
                                 "  say \"three\"\n"
                                 "end }\n";

/* The view is a function of the position until the user chooses one. */
static void test_views(void)
{
    char err[512];
    struct session *s = session_open_text("views", view_story, NULL, err, sizeof err);
    if (!ok(s != NULL, "a lesson with views opens")) {
        diag("%s", err);
        return;
    }
    struct app a;
    app_init(&a, s, GLYPHS_ASCII);
    is_i64(a.prefs.view, VIEW_HARDWARE, "the lesson begins in the view that it asks for");
    app_command(&a, "step");
    app_command(&a, "step");
    is_i64(a.prefs.view, VIEW_PAGES, "view() shows another one");
    ok(a.model.is_note, "and a step goes on to what is said there");
    ok(view_number(VIEW_PAGES, a.focus), "the focus is in it");
    app_command(&a, "step");
    is_i64(a.prefs.view, VIEW_HARDWARE, "and another one");
    app_command(&a, "step-back");
    is_i64(a.prefs.view, VIEW_PAGES, "going back shows what was shown there");
    app_command(&a, "step-back");
    is_i64(a.prefs.view, VIEW_HARDWARE, "as far as the beginning");
    app_key(&a, K_F2);
    is_i64(a.prefs.view, VIEW_PAGES, "F2 is the user's choice");
    app_command(&a, "step");
    app_command(&a, "step");
    is_i64(a.prefs.view, VIEW_PAGES, "which no lesson takes away");
    is_i64(a.message_kind, MESSAGE_INFO, "but it may suggest");
    app_command(&a, "view auto");
    is_i64(a.prefs.view, VIEW_HARDWARE, "unless the user follows it again");
    app_key(&a, 'z');
    app_key(&a, 'v');
    ok(view_number(a.prefs.view, a.prefs.zoomed), "a zoomed pane is of the view");
    app_command(&a, "view hardware"); /* has no memory map */
    app_command(&a, "find 0x100");
    is_i64(a.prefs.view, VIEW_PAGES, "a pane that is asked for brings its view");
    app_free(&a);
    session_close(s);
    s = session_open_text("plain",
                          "return lesson { run = function() cpu_load(vmalloc(64), 4, "
                          "false) end }",
                          NULL, err, sizeof err);
    app_init(&a, s, GLYPHS_ASCII);
    app_command(&a, "next");
    is_i64(a.message_kind, MESSAGE_NONE, "vmalloc is no work of the hardware's");
    app_command(&a, "goto 2");
    ok(strstr(a.message, "F3") && a.message_kind == MESSAGE_INFO,
       "the first access says where the hardware can be seen");
    is_i64(a.prefs.view, VIEW_PAGES, "and that is all it does");
    app_free(&a);
    session_close(s);
    ok(!session_open_text("views", "return lesson { view = \"x\", run = print }", NULL,
                          err, sizeof err),
       "no view of that name");
    ok(strstr(err, "\"pages\", \"hardware\"") != NULL, "says which there are");
}

int main(void)
{
    if (!setlocale(LC_CTYPE, "C.UTF-8")) {
        setlocale(LC_CTYPE, "");
    }
    for (size_t i = 0; i < sizeof screens / sizeof screens[0]; i++) {
        if (screens[i].keys) {
            test_golden(&screens[i]);
        } else {
            test_menu(&screens[i]);
        }
    }
    if (getenv("GENERATE")) {
        return 0;
    }
    test_long_menu();
    test_menu_numbers();
    char dir[512];
    setenv("MMSCOPE_LESSONS", source_path(dir, sizeof dir, "lessons"), 1);
    struct lessons lessons = lessons_load();
    ok(lessons.nr > 0, "there are lessons");
    for (size_t i = 0; i < lessons.nr; i++) {
        test_lesson(&lessons.at[i]);
    }
    lessons_free(&lessons);
    test_views();
    for (uint64_t seed = 1; seed <= 6; seed++) {
        test_random(seed, 700, seed % 2);
    }
    return done_testing();
}
