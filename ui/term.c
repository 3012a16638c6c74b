/* The terminal: ncurses, signals, keys.
 *
 * ncurses keeps its own picture of the screen and sends the difference; we only give it
 * the cells that differ from the grid shown last, so that a step costs what it changes.
 *
 * Crash safety: what puts the terminal back (the string and the termios) is made once at
 * the start; the handler of deadly signals only calls write(), tcsetattr() and raise().
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _XOPEN_SOURCE 700
#define _DEFAULT_SOURCE
#define NCURSES_WIDECHAR 1
#include "term.h"

#include "key.h"

#include <curses.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

static struct {
    bool open, ended;
    SCREEN *screen;
    enum glyph_set glyphs;
    enum colour_depth depth;
    struct grid shown; /* what ncurses was given */
    bool everything;   /* draw all of it */
    bool mouse, raw;
    struct term_mouse event;
    int pairs[NR_STYLES][NR_MARK_SETS]; /* 0: not asked for yet */
} term;

/* What the signal handler needs; written before the handlers are installed, only read
 * afterwards. */
static char exit_string[512];
static size_t exit_length;
static struct termios saved_termios;
static unsigned char alternate_stack[16384];

static const int deadly[] = {SIGSEGV, SIGABRT, SIGBUS, SIGFPE,
                             SIGILL,  SIGTERM, SIGHUP, SIGQUIT};
enum { NR_DEADLY = sizeof deadly / sizeof deadly[0] };

/* ---- putting it back ---- */

static void restore_and_die(int sig)
{
    ssize_t ignored = write(STDOUT_FILENO, exit_string, exit_length);
    (void)ignored;
    tcsetattr(STDIN_FILENO, TCSANOW, &saved_termios);
    raise(sig); /* SA_RESETHAND: this time it is the default action, once we return */
}

static void add_exit(const char *capability)
{
    if (!capability || capability == (char *)-1) {
        return;
    }
    for (; *capability && exit_length + 1 < sizeof exit_string; capability++) {
        if (capability[0] == '$' &&
            capability[1] == '<') { /* padding: no terminal of today needs it */
            const char *close = strchr(capability, '>');
            if (close) {
                capability = close;
                continue;
            }
        }
        exit_string[exit_length++] = *capability;
    }
}

/* Terminals without a second screen are left empty: nobody wants to type over our
 * picture. */
static bool has_other_screen(void)
{
    const char *rmcup = tigetstr("rmcup");
    return rmcup && rmcup != (char *)-1;
}

static void build_exit_string(void)
{
    exit_length = 0;
    if (term.mouse) {
        add_exit("\033[?1006l\033[?1002l\033[?1000l");
    }
    add_exit(tigetstr("sgr0"));
    add_exit(tigetstr("op"));
    add_exit(tigetstr("cnorm"));
    add_exit(tigetstr("rmkx"));
    add_exit(tigetstr("rmcup"));
    if (!has_other_screen()) {
        add_exit(tigetstr("clear"));
    }
}

static void install_handlers(void)
{
    stack_t stack = {.ss_sp = alternate_stack, .ss_size = sizeof alternate_stack};
    sigaltstack(&stack, NULL);
    struct sigaction action = {.sa_handler = restore_and_die,
                               .sa_flags = (int)SA_RESETHAND | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < NR_DEADLY; i++) {
        struct sigaction old;
        sigaction(deadly[i], NULL, &old);
        if (old.sa_handler != SIG_IGN) { /* nohup stays nohup */
            sigaction(deadly[i], &action, NULL);
        }
    }
}

static void remove_handlers(void)
{
    for (int i = 0; i < NR_DEADLY; i++) {
        signal(deadly[i], SIG_DFL);
    }
}

/* ---- opening ---- */

static bool is_set(const char *name)
{
    const char *value = getenv(name);
    return value && *value;
}

static void take_mouse(bool on)
{
    mousemask(on ? BUTTON1_PRESSED | BUTTON4_PRESSED | BUTTON5_PRESSED : 0, NULL);
    mouseinterval(0);
    term.mouse = on;
}

bool term_open(const struct term_options *o, char *err, size_t err_size)
{
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
        snprintf(err, err_size,
                 "the screen needs a terminal: use mmscope run FILE for text");
        return false;
    }
    if (tcgetattr(STDIN_FILENO, &saved_termios)) {
        snprintf(err, err_size, "the terminal does not answer: %s", strerror(errno));
        return false;
    }
    term.screen = newterm(NULL, stdout, stdin);
    if (!term.screen) {
        const char *name = getenv("TERM");
        snprintf(err, err_size,
                 "the terminal type %s is not known here: try TERM=xterm, or vt100",
                 name && *name ? name : "(TERM is not set)");
        return false;
    }
    raw();
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    meta(stdscr, TRUE);
    set_escdelay(25);
    curs_set(0);
    idlok(stdscr, FALSE);
    leaveok(stdscr, FALSE);
    int colours = 0;
    if (has_colors() && start_color() == OK) {
        colours = use_default_colors() == OK || COLORS < 8 ? COLORS : 8;
    }
    term.depth = style_depth(colours, o->no_color || is_set("NO_COLOR"));
    term.glyphs = glyphs_choose(o->ascii);
    memset(term.pairs, 0, sizeof term.pairs);
    term.raw = false;
    term.everything = true;
    take_mouse(o->mouse);
    grid_create(&term.shown, 0, 0);
    build_exit_string();
    install_handlers();
    term.open = true;
    return true;
}

void term_close(void)
{
    if (!term.open) {
        return;
    }
    term.open = false;
    take_mouse(false);
    curs_set(1);
    if (!has_other_screen()) {
        clear();
        refresh();
    }
    endwin();
    delscreen(term.screen);
    tcsetattr(STDIN_FILENO, TCSANOW, &saved_termios);
    remove_handlers();
    grid_destroy(&term.shown);
}

void term_size(int *cols, int *rows)
{
    *cols = COLS;
    *rows = LINES;
}

enum glyph_set term_glyphs(void) { return term.glyphs; }
enum colour_depth term_depth(void) { return term.depth; }

/* ---- showing ---- */

static attr_t curses_attrs(unsigned attrs)
{
    return (attrs & ATTR_BOLD ? WA_BOLD : 0) | (attrs & ATTR_DIM ? WA_DIM : 0) |
           (attrs & ATTR_REVERSE ? WA_REVERSE : 0) |
           (attrs & ATTR_UNDERLINE ? WA_UNDERLINE : 0);
}

static struct look cell_look(const struct cell *c)
{
    return style_look(term.depth, c->style, c->marks);
}

/* Only its background shows: no background, nothing to see. */
static bool is_blank(const struct cell *c)
{
    struct look look = cell_look(c);
    return c->ch == ' ' && look.bg < 0 && !(look.attrs & (ATTR_REVERSE | ATTR_UNDERLINE));
}

/* The cell whose look a blank takes. One or two blanks between words of one look take
 * that look, so that the terminal need not be told to leave it and to come back: a
 * third of all bytes. */
static const struct cell *look_giver(const struct cell *row, int x, int cols)
{
    int left = x, right = x;
    while (left > 0 && x - left < 2 && is_blank(&row[left])) {
        left--;
    }
    while (right < cols - 1 && right - left < 3 && is_blank(&row[right])) {
        right++;
    }
    struct look a = cell_look(&row[left]), b = cell_look(&row[right]);
    bool between = !is_blank(&row[left]) && !is_blank(&row[right]) && right - left <= 3;
    bool plain = a.bg < 0 && !(a.attrs & (ATTR_REVERSE | ATTR_UNDERLINE));
    (void)b;
    return between && plain ? &row[left] : &row[x];
}

static void curses_cell(cchar_t *out, const struct cell *row, int x, int cols)
{
    const struct cell *c = &row[x], *giver = is_blank(c) ? look_giver(row, x, cols) : c;
    struct look look = cell_look(giver);
    int *pair = &term.pairs[giver->style][giver->marks % NR_MARK_SETS];
    if (!*pair && term.depth != DEPTH_MONO && (look.fg >= 0 || look.bg >= 0)) {
        *pair = alloc_pair(look.fg, look.bg);
        *pair = *pair < 0 ? 0 : *pair;
    }
    wchar_t text[2] = {(wchar_t)c->ch, 0};
    setcchar(out, text, curses_attrs(look.attrs), (short)(*pair > 0x7fff ? 0 : *pair),
             *pair > 255 ? pair : NULL);
}

static bool same_cell(const struct cell *a, const struct cell *b)
{
    return a->ch == b->ch && a->style == b->style && a->marks == b->marks;
}

static void show_row(const struct grid *g, int y, int cols)
{
    cchar_t run[256];
    for (int x = 0; x < cols;) {
        const struct cell *c = &g->cells[y * g->cols + x];
        if (!term.everything && same_cell(c, &term.shown.cells[y * g->cols + x])) {
            x++;
            continue;
        }
        if (c->ch == GRID_TAIL && x > 0) { /* the left half draws both */
            x--;
        }
        int nr = 0, start = x;
        while (x < cols && nr < 255) {
            c = &g->cells[y * g->cols + x];
            if (nr && !term.everything && c->ch != GRID_TAIL &&
                same_cell(c, &term.shown.cells[y * g->cols + x])) {
                break;
            }
            if (c->ch != GRID_TAIL) {
                curses_cell(&run[nr++], &g->cells[y * g->cols], x, cols);
            }
            x++;
        }
        mvadd_wchnstr(y, start, run, nr);
    }
}

void term_show(const struct grid *g)
{
    int cols = g->cols < COLS ? g->cols : COLS, rows = g->rows < LINES ? g->rows : LINES;
    if (term.shown.cols != g->cols || term.shown.rows != g->rows) {
        if (!grid_resize(&term.shown, g->cols, g->rows)) {
            return;
        }
        term.everything = true;
    }
    if (term.everything) {
        erase();
    }
    for (int y = 0; y < rows; y++) {
        show_row(g, y, cols);
    }
    term.everything = false;
    memcpy(term.shown.cells, g->cells,
           (size_t)g->cols * (size_t)g->rows * sizeof *g->cells);
    bool cursor = g->cursor_x >= 0 && g->cursor_y >= 0;
    if (cursor != (term.shown.cursor_x >= 0)) {
        curs_set(cursor);
        term.shown.cursor_x = cursor ? 0 : -1;
    }
    if (cursor) {
        move(g->cursor_y, g->cursor_x);
    }
    refresh();
}

void term_redraw(void)
{
    term.everything = true;
    clearok(stdscr, TRUE);
}

/* ---- keys ---- */

struct term_mouse term_mouse(void) { return term.event; }

bool term_toggle_mouse(void)
{
    take_mouse(!term.mouse);
    return term.mouse;
}

static int special_key(wint_t code)
{
    switch (code) {
    case KEY_UP:
        return K_UP;
    case KEY_DOWN:
        return K_DOWN;
    case KEY_LEFT:
        return K_LEFT;
    case KEY_RIGHT:
        return K_RIGHT;
    case KEY_PPAGE:
        return K_PAGE_UP;
    case KEY_NPAGE:
        return K_PAGE_DOWN;
    case KEY_HOME:
    case KEY_A1:
        return K_HOME;
    case KEY_END:
    case KEY_C1:
        return K_END;
    case KEY_BTAB:
        return K_BACKTAB;
    case KEY_ENTER:
        return K_ENTER;
    case KEY_BACKSPACE:
        return K_BACKSPACE;
    case KEY_F(1):
        return K_F1;
    case KEY_F(2):
        return K_F2;
    case KEY_F(3):
        return K_F3;
    case KEY_F(4):
        return K_F4;
    case KEY_F(5):
        return K_F5;
    case KEY_RESIZE:
        term.everything = true;
        return K_RESIZE;
    default:
        return K_NONE;
    }
}

static int mouse_key(void)
{
    MEVENT m;
    if (getmouse(&m) != OK) {
        return K_NONE;
    }
    int wheel = m.bstate & BUTTON4_PRESSED ? -1 : m.bstate & BUTTON5_PRESSED ? 1 : 0;
    term.event = (struct term_mouse){m.x, m.y, wheel};
    return K_MOUSE;
}

/* A key that ncurses has, or K_NONE. */
static int read_key(void)
{
    if (term.raw) { /* bytes, but resizes all the same */
        int c = getch();
        return c == ERR          ? K_NONE
               : c == KEY_RESIZE ? special_key(KEY_RESIZE)
               : c <= 0xff       ? (c ? c : K_TIMEOUT)
                                 : K_TIMEOUT;
    }
    wint_t c;
    switch (get_wch(&c)) {
    case KEY_CODE_YES:
        if (c == KEY_MOUSE) {
            int key = mouse_key();
            return key == K_NONE ? K_TIMEOUT : key;
        } else {
            int key = special_key(c);
            return key == K_NONE ? K_TIMEOUT : key;
        }
    case OK:
        return c == '\n' ? K_ENTER : c == 8 ? K_BACKSPACE : c ? (int)c : K_TIMEOUT;
    default:
        return K_NONE;
    }
}

int term_key(int timeout_ms)
{
    int key = read_key();
    if (key != K_NONE) {
        return key;
    }
    struct pollfd fd = {.fd = STDIN_FILENO, .events = POLLIN};
    int ready = poll(&fd, 1, timeout_ms);
    if (ready < 0 && errno != EINTR) {
        return K_HANGUP;
    }
    key = read_key(); /* also after EINTR: that may have been a resize */
    if (key != K_NONE) {
        return key;
    }
    /* readable and yet nothing to read: the other side is gone */
    if (ready > 0) {
        char byte;
        ssize_t n = read(STDIN_FILENO, &byte, 1);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
            return K_HANGUP;
        }
        if (n == 1) {
            return (unsigned char)byte;
        }
    }
    return K_TIMEOUT;
}

bool term_pending(void)
{
    struct pollfd fd = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&fd, 1, 0) > 0;
}

void term_raw_bytes(bool on)
{
    term.raw = on;
    keypad(stdscr, on ? FALSE : TRUE);
    static bool had_mouse;
    if (on) {
        had_mouse = term.mouse;
        take_mouse(false);
    } else if (had_mouse) {
        take_mouse(true);
    }
}

void term_suspend(void)
{
    raise(SIGTSTP); /* ncurses' handler leaves the screen, stops us, and comes back */
    term.everything = true;
    clearok(stdscr, TRUE);
}
