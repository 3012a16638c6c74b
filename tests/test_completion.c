/* What completes a line: commands, events, functions, names of Lua, addresses and page
 * frame numbers that are on the screen.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "tap.h"

static const char script[] = "return lesson {\n"
                             "    title = 'Completion',\n"
                             "    machine = { arch = 'i386', ram = '64M' },\n"
                             "    run = function()\n"
                             "        local block = alloc_pages(GFP_KERNEL, 4)\n"
                             "        local object = kmalloc(100, GFP_KERNEL)\n"
                             "        write_u32(object, 1)\n"
                             "    end,\n"
                             "}\n";

static struct app app;

struct words {
    char text[1 << 16];
    size_t nr;
};

static void keep(void *ctx, const char *word)
{
    struct words *w = ctx;
    const size_t len = strlen(w->text);
    snprintf(w->text + len, sizeof w->text - len, " %s ", word);
    w->nr++;
}

static const struct words *complete(const char *line)
{
    static struct words w;
    w = (struct words){.nr = 0};
    command_complete(&app, line, keep, &w);
    return &w;
}

static void offers(const char *line, const char *word)
{
    char padded[100];
    const struct words *w = complete(line);
    snprintf(padded, sizeof padded, " %s ", word);
    if (!ok(strstr(w->text, padded) != NULL, "\"%s\" may be %s", line, word)) {
        diag("offered:%.600s", w->text);
    }
}

static void offers_not(const char *line, const char *word)
{
    char padded[100];
    snprintf(padded, sizeof padded, " %s ", word);
    ok(!strstr(complete(line)->text, padded), "\"%s\" is not %s", line, word);
}

/* Every page that the free lists show can be typed by its beginning. */
static void check_pages(void)
{
    const struct machine *m = timeline_machine(app.t);
    const uint32_t zone = zone_by_type(m, ZONE_NORMAL);
    char word[32];
    for (uint32_t order = 4; order < 8; order++) {
        const pfn_t p = freelist_first(m, zone, order, MIGRATE_UNMOVABLE);
        if (!pfn_is_none(p)) {
            snprintf(word, sizeof word, "0x%llx", (unsigned long long)p.v);
            offers("find 0x", word);
            offers("why ", word);
            offers("print pfn_to_page(0x1", word);
        }
    }
    offers_not("find 0x", "0x0000");
    ok(!complete("find 0xfedcba98")->nr, "and nothing that is not there");
}

int main(void)
{
    char err[300];
    struct session *s = session_open_text("completion.lua", script,
                                          &(struct session_options){.keep_locals = true},
                                          err, sizeof err);
    if (!ok(s != NULL, "a session")) {
        diag("%s", err);
        return done_testing();
    }
    app_init(&app, s, GLYPHS_UTF8);
    app_resize(&app, 120, 40);
    app_command(&app, "break expand");
    app_command(&app, "continue");
    app_command(&app, "finish");

    offers("cont", "continue");
    offers("break buddy:sp", "buddy:split");
    offers("break exp", "expand");
    offers("print alloc_p", "alloc_pages");
    offers("print zone.Nor", "zone.Normal");
    offers("until zo", "zone");
    app_command(&app, "mark first");
    offers("goto fi", "first");
    check_pages();

    app_command(&app, "delete");
    app_command(&app, "continue");
    app_command(&app, "view hardware");
    uint64_t va = 0;
    for (size_t i = 0; i < app.model.view.nr; i++) {
        event_arg(&app.model.view.at[i], "addr", &va);
    }
    offers("kmem -s kmalloc-12", "kmalloc-128");
    char word[32];
    snprintf(word, sizeof word, "0x%llx", (unsigned long long)va);
    offers("x/4xw 0x", word);
    offers("vtop ", word);
    offers("memory physical 0", word);
    ok(command_completes_files("save x") && command_completes_files("export view x") &&
           !command_completes_files("save") && !command_completes_files("step x"),
       "names of files where they belong");

    app_free(&app);
    session_close(s);
    return done_testing();
}
