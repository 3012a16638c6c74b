/* Rows of the tables, as text.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "topics.h"

#include <stdio.h>
#include <string.h>

#include "api.h"
#include "commands.h"
#include "describe.h"
#include "keys.h"
#include "subcommands.h"

static const char *space_before(const char *text) { return text[0] ? " " : ""; }

static bool event_row(size_t i, struct topic_row *r)
{
    static const char *const levels[] = {
        [EVENT_STEP] = "step", [EVENT_DETAIL] = "detail", [EVENT_REPORT] = "report"};
    const struct event_info *e = event_info((uint16_t)(i + EV_NONE + 1));
    if (!e) {
        return false;
    }
    if (e->args[0]) {
        signature_format(r->head, sizeof r->head, e->name, e->args, NULL);
    } else {
        snprintf(r->head, sizeof r->head, "%s", e->name);
    }
    snprintf(r->note, sizeof r->note, "%s", levels[e->level]);
    event_sentence(r->own, sizeof r->own, (uint16_t)(i + EV_NONE + 1));
    r->text = r->own;
    return true;
}

static bool function_row(size_t i, struct topic_row *r)
{
    const struct fn_info *f = fn_info((uint16_t)(i + FN_NONE + 1));
    if (!f) {
        return false;
    }
    signature_format(r->head, sizeof r->head, f->name, f->args, NULL);
    snprintf(r->note, sizeof r->note, "%s", f->file);
    r->text = f->sentence;
    return true;
}

static bool operation_row(size_t i, struct topic_row *r)
{
    const struct op_info *op = op_info((uint16_t)i);
    if (!op) {
        return false;
    }
    signature_format(r->head, sizeof r->head, op->name, op->args, op->result);
    r->note[0] = 0;
    r->text = op->sentence;
    return true;
}

static bool machine_row(size_t i, struct topic_row *r)
{
    const struct config_option *o = config_options(i);
    if (!o) {
        return false;
    }
    snprintf(r->head, sizeof r->head, "%s = %s", o->name, o->values);
    r->note[0] = 0;
    r->text = o->meaning;
    return true;
}

static bool option_row(size_t i, struct topic_row *r)
{
    const struct option_info *o = option_info(i);
    if (!o) {
        return false;
    }
    char letter[5] = "";
    if (o->letter) {
        snprintf(letter, sizeof letter, "-%c, ", o->letter);
    }
    snprintf(r->head, sizeof r->head, "%s--%s%s%s", letter, o->name, o->arg[0] ? "=" : "",
             o->arg);
    bool everywhere = strcmp(o->subcommands, "*") == 0;
    snprintf(r->note, sizeof r->note, "%s", everywhere ? "" : o->subcommands);
    r->text = o->meaning;
    return true;
}

static bool subcommand_row(size_t i, struct topic_row *r)
{
    const struct subcommand *c = subcommand_info(i);
    if (!c) {
        return false;
    }
    snprintf(r->head, sizeof r->head, "mmscope %s%s%s", c->name, space_before(c->args),
             c->args);
    r->note[0] = 0;
    r->text = c->sentence;
    return true;
}

static bool api_row(size_t i, struct topic_row *r)
{
    const struct api_entry *e = session_api(i);
    if (!e) {
        return false;
    }
    api_signature(r->head, sizeof r->head, e);
    snprintf(r->note, sizeof r->note, "%s", e->group);
    r->text = e->help;
    return true;
}

static bool key_topic_row(size_t i, struct topic_row *r)
{
    if (i >= keys_count()) {
        return false;
    }
    struct key_row key = key_row(i);
    snprintf(r->head, sizeof r->head, "%s", key.shown);
    bool named = key.command[0] != 0;
    snprintf(r->note, sizeof r->note, "%s%s", named ? ":" : "", key.command);
    r->text = key.help;
    return true;
}

static bool command_topic_row(size_t i, struct topic_row *r)
{
    const struct command_row *c = command_row(i);
    if (!c) {
        return false;
    }
    snprintf(r->head, sizeof r->head, ":%s%s%s", c->name, space_before(c->args), c->args);
    r->note[0] = 0;
    r->text = c->help;
    return true;
}

static const struct topic topics[] = {
    {"events", "everything that the machine can announce", event_row},
    {"functions", "the kernel functions of the simulated call stack", function_row},
    {"operations", "the calls that change a machine", operation_row},
    {"keys", "the keys of the screen, and the commands that they run", key_topic_row},
    {"commands", "what can be typed after ':' on the screen", command_topic_row},
    {"api", "what a scenario's Lua code sees", api_row},
    {"machine", "the options of a machine, for --set and for scenarios", machine_row},
    {"options", "the options of the command line", option_row},
    {"subcommands", "the subcommands", subcommand_row},
};

const struct topic *topic_info(size_t i)
{
    return i < sizeof topics / sizeof *topics ? &topics[i] : NULL;
}

const struct topic *topic_find(const char *name)
{
    for (size_t i = 0; topic_info(i); i++) {
        if (strcmp(topics[i].name, name) == 0) {
            return &topics[i];
        }
    }
    return NULL;
}
