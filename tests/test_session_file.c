/* Sessions saved and loaded: the same machine at every position, and files that are
 * damaged are refused.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session_file.h"
#include "tap.h"

static const char script[] = "return scenario {\n"
                             "  title = 'Saved',\n"
                             "  machine = { arch = 'i386', ram = '64M', cpus = 2 },\n"
                             "  run = function()\n"
                             "    local held = {}\n"
                             "    on('buddy:split', function(ev)\n"
                             "      if ev.order == 2 then interrupt(function()\n"
                             "        __free_page(alloc_page(GFP_ATOMIC)) end) end\n"
                             "    end)\n"
                             "    for i = 1, 30 do\n"
                             "      local page = on_cpu(random(2) - 1, alloc_pages,\n"
                             "        GFP_KERNEL, random(0, 3))\n"
                             "      held[#held + 1] = { page, page:order() }\n"
                             "      if i % 5 == 0 then say('\"note\" \\\\ ' .. i) end\n"
                             "      if random(3) == 1 then\n"
                             "        local h = table.remove(held, random(#held))\n"
                             "        __free_pages(h[1], h[2])\n"
                             "      end\n"
                             "    end\n"
                             "  end }\n";

static uint64_t seed = 1;
static uint64_t draw(uint64_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % below;
}

/* Somebody works with it: goes somewhere, does something, lets the script go on. */
static void work(struct session *s, int steps)
{
    struct timeline *t = session_timeline(s);
    char err[300], *out;
    static const char *const lines[] = {
        "alloc_pages(GFP_KERNEL, 2)", "with_spinlock('a lock', alloc_page, GFP_ATOMIC)",
        "on_cpu(1, drain_local_pages)", "say('typed\\nby hand')"};
    for (int i = 0; i < steps; i++) {
        const struct position at = timeline_position(t);
        const uint64_t nr = timeline_nr_ops(t, at.branch);
        switch (draw(6)) {
        case 0:
            timeline_seek(t, (struct position){(uint32_t)draw(timeline_nr_branches(t)),
                                               draw(nr + 1), draw(12)});
            break;
        case 1:
            session_console(s, lines[draw(4)], &out);
            free(out);
            break;
        case 2: {
            struct op op = {.kind = OP_ALLOC_PAGES, .origin = ORIGIN_USER};
            op.arg[0] = GFP_ATOMIC;
            timeline_interrupt(t, &op, 1, err, sizeof err);
            break;
        }
        default:
            for (uint64_t n = draw(6); n > 0; n--) {
                session_advance(s, NULL, NULL);
            }
            break;
        }
    }
}

static bool same_everywhere(struct session *a, struct session *b)
{
    struct timeline *ta = session_timeline(a), *tb = session_timeline(b);
    if (timeline_nr_branches(ta) != timeline_nr_branches(tb)) {
        return false;
    }
    for (int i = 0; i < 40; i++) {
        const uint32_t branch = (uint32_t)draw(timeline_nr_branches(ta));
        const struct position at = {branch, draw(timeline_nr_ops(ta, branch) + 1),
                                    draw(9)};
        if (timeline_nr_ops(ta, branch) != timeline_nr_ops(tb, branch)) {
            return false;
        }
        timeline_seek(ta, at);
        timeline_seek(tb, at);
        if (machine_digest(timeline_machine(ta)) !=
                machine_digest(timeline_machine(tb)) ||
            timeline_position(ta).event != timeline_position(tb).event) {
            diag("at branch %u, %llu.%llu", at.branch, (unsigned long long)at.op,
                 (unsigned long long)at.event);
            return false;
        }
    }
    return true;
}

static struct session *load(const char *text, size_t size, char *err)
{
    return session_file_load("it", text, size, &(struct session_options){0}, err, 600);
}

static void check_damage(const char *text)
{
    char err[600];
    const size_t size = strlen(text);
    char *copy = malloc(size + 1);
    bool refused = true, survived = true;
    for (size_t cut = 0; cut + 1 < size; cut += 1 + size / 97) {
        struct session *s = load(text, cut, err);
        refused = refused && !s && *err;
        session_close(s);
    }
    ok(refused, "cut anywhere, it is refused: %s", err);
    memcpy(copy, text, size + 1);
    char *digest = strstr(copy, "\ndigest ");
    char *digit = digest + strcspn(digest, "\0") - 1;
    digit = strchr(digest + 8, ' ') + 1;
    *digit = *digit == '0' ? '1' : '0';
    struct session *s = load(copy, size, err);
    ok(!s && strstr(err, "digest"), "another digest is refused: %s", err);
    session_close(s);
    for (int i = 0; i < 300; i++) {
        memcpy(copy, text, size + 1);
        for (uint64_t n = 1 + draw(3); n > 0; n--) {
            copy[draw(size)] = (char)(' ' + draw(95));
        }
        s = load(copy, size, err);
        survived = survived && (s || *err);
        session_close(s);
    }
    ok(survived, "bytes changed anywhere: loaded or refused with a reason");
    free(copy);
}

int main(void)
{
    char err[600];
    bool same = true, again = true;
    char *kept = NULL;
    for (int round = 0; round < 90 && same; round++) {
        seed = (uint64_t)round * 77 + 5;
        struct session *s =
            round % 3 == 2
                ? session_open_sandbox(&(struct session_options){0}, err, sizeof err)
                : session_open_text("saved", script, &(struct session_options){0}, err,
                                    sizeof err);
        if (!s) {
            bail_out("%s", err);
        }
        work(s, 40);
        char *text = session_file_make(s, "mark 0 1 2 here\nanother", err, sizeof err);
        struct session *loaded = text ? load(text, strlen(text), err) : NULL;
        if (!loaded) {
            diag("round %d: %s\n%s", round, err, text ? text : "");
            same = false;
        } else {
            char *second =
                session_file_make(loaded, session_notes(loaded), err, sizeof err);
            again = again && second && !strcmp(second, text);
            if (!again) {
                diag("%s\n---\n%s", text, second ? second : "");
            }
            free(second);
            same = same_everywhere(s, loaded);
            if (!same) {
                diag("round %d differs:\n%s", round, strstr(text, "\nbranch 0"));
            }
        }
        session_close(loaded);
        session_close(s);
        free(kept);
        kept = text;
    }
    ok(same, "the same machine at every position of every branch");
    ok(again, "saved again, the file is the same");
    struct session *s =
        session_open_text("saved", script, &(struct session_options){0}, err, sizeof err);
    work(s, 30);
    free(kept);
    kept = session_file_make(s, "", err, sizeof err);
    session_close(s);
    check_damage(kept);
    char path[1100];
    snprintf(path, sizeof path, "%s/no such folder/x", getenv("MMSCOPE_BUILD"));
    s = session_open_sandbox(&(struct session_options){0}, err, sizeof err);
    ok(!session_save(s, path, "", err, sizeof err) && *err, "no folder: %s", err);
    session_close(s);
    free(kept);
    done_testing();
}
