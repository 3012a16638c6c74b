/* The help screen, made from the tables of keys, commands, panes and styles.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "commands.h"
#include "keys.h"
#include "pane.h"

#include <string.h>

#define KEY POPUP_TEXT_KEY
#define PLAIN POPUP_TEXT_NORMAL
#define DIM POPUP_TEXT_DIM
#define HEADING POPUP_TEXT_HEADING
#define HANG POPUP_TEXT_HANG

static void add_keys(struct text_buf *b)
{
    for (int group = 0; group < NR_KEY_GROUPS; group++) {
        text_add(b, HEADING "%s" PLAIN "\n", key_group_name((enum key_group)group));
        for (size_t i = 0; i < keys_count(); i++) {
            struct key_row k = key_row(i);
            if (k.group == (enum key_group)group) {
                text_add(b, KEY "%7s" PLAIN "  " HANG "%s\n", k.shown, k.help);
            }
        }
        text_add(b, "\n");
    }
}

static void add_command(struct text_buf *b, const struct command_row *c)
{
    text_add(b, KEY "  %s" DIM "%s%s\n" PLAIN "      %s\n", c->name, *c->args ? " " : "",
             c->args, c->help);
}

char *help_text(const char *command)
{
    struct text_buf b = {0};
    const struct command_row *one = command ? command_find(command) : NULL;
    if (one) {
        add_command(&b, one);
        return b.text;
    }
    text_add(&b, "mmscope shows a simulated machine whose kernel manages its memory as "
                 "Linux 6.1 does. It goes "
                 "forwards and backwards; nothing can be broken.\n\n"
                 "Small letters go forwards, " KEY "capitals backwards" PLAIN
                 ". What the last step changed is lit.\n\n");
    add_keys(&b);
    for (int view = 0; view < NR_VIEWS; view++) {
        const struct view_info *v = view_info(view);
        text_add(&b, "%s" HEADING "The view %s" PLAIN "\n%s\n", view ? "\n" : "",
                 v->title, v->about);
        for (int n = 1; n <= view_nr_panes(view); n++) {
            const struct pane_kind *p = pane_kind(view_pane(view, n));
            text_add(&b, KEY "%7d" PLAIN "  " HANG "%s: %s\n", n % 10, p->name, p->about);
        }
    }
    text_add(&b, "\n" HEADING "Commands, after :" PLAIN "\n" DIM
                 "Anything else is a line of Lua, run at the position.\n" PLAIN);
    for (size_t i = 0; i < commands_count(); i++) {
        add_command(&b, command_row(i));
    }
    return b.text;
}
