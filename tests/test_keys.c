/* The tables of keys and commands: consistent with each other, and complete.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "keys.h"

#include "commands.h"
#include "pane.h"
#include "tap.h"
#include "views.h"

static bool sentence(const char *s)
{
    return *s && strlen(s) > 2 && s[strlen(s) - 1] == '.';
}

int main(void)
{
    unsigned twice = 0, no_help = 0, no_command = 0, bad_hint = 0;
    for (size_t i = 0; i < keys_count(); i++) {
        struct key_row k = key_row(i);
        for (size_t j = 0; j < i; j++) {
            twice += key_row(j).code == k.code || !strcmp(key_row(j).shown, k.shown);
        }
        no_help += !sentence(k.help);
        char name[32];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(k.command, " "), k.command);
        if (*k.command && !command_find(name)) {
            no_command++;
            diag("key %s: no command %s", k.shown, name);
        }
        bad_hint += (k.hints != 0) != (k.hint_len != 0);
    }
    is_u64(twice, 0, "no key stands in the table twice");
    is_u64(no_help, 0, "every key has its help");
    is_u64(no_command, 0, "every key runs a command that there is");
    is_u64(bad_hint, 0, "keys of the hint line, and only they, have words for it");

    unsigned twice_commands = 0, no_command_help = 0;
    for (size_t i = 0; i < commands_count(); i++) {
        const struct command_row *c = command_row(i);
        twice_commands += command_find(c->name) != c;
        no_command_help += !sentence(c->help) || !c->run;
    }
    is_u64(twice_commands, 0, "no command stands in the table twice");
    is_u64(no_command_help, 0, "every command has its help");

    char *help = help_text(NULL);
    unsigned absent = 0;
    for (size_t i = 0; i < keys_count(); i++) {
        absent += !strstr(help, key_row(i).help);
    }
    for (size_t i = 0; i < commands_count(); i++) {
        absent += !strstr(help, command_row(i)->help);
    }
    for (int i = 0; i < NR_PANES; i++) {
        absent += !strstr(help, pane_kind(i)->about);
    }
    for (int i = 0; i < NR_VIEWS; i++) {
        absent += !strstr(help, view_info(i)->about);
    }
    is_u64(absent, 0, "the help screen has every key, command, view and pane");
    static const char *const names[] = {
#define VIEW_NAME_(name) name,
        VIEW_NAMES(VIEW_NAME_)
#undef VIEW_NAME_
    };
    int nr_names = sizeof names / sizeof names[0];
    is_i64(nr_names, NR_VIEWS, "lessons know as many views as there are");
    for (int i = 0; i < nr_names && i < NR_VIEWS; i++) {
        is_str(names[i], view_info(i)->name, "and call them the same");
    }
    free(help);

    /* TECHNIQUES: what people's fingers already know */
    static const struct {
        int key;
        const char *command;
    } known[] = {{'i', "event"},         {'I', "event-back"},  {'s', "step"},
                 {'S', "step-back"},     {'n', "next"},        {'N', "next-back"},
                 {'f', "finish"},        {'F', "finish-back"}, {'c', "continue"},
                 {'C', "continue-back"}, {' ', "run"},         {'<', "slower"},
                 {'>', "faster"},        {'R', "restart"},     {'.', "now"},
                 {'b', "break"},         {'w', "watch"},       {'?', "help"},
                 {'q', "back"},          {':', "prompt"},      {'/', "search"},
                 {'z', "zoom"},          {'+', "scale-up"},    {'-', "scale-down"}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        is_str(key_command(known[i].key), known[i].command, "%c is %s", known[i].key,
               known[i].command);
    }
    return done_testing();
}
