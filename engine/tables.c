/* The tables of events, functions and operations as data, and look-up in them.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "describe.h"

static const struct event_info events[NR_EVENTS] = {
#define EVENT(id, name, level, args, sentence)                                           \
    [EV_##id] = {#id, name, args, sentence, EVENT_##level},
#include "events.def"
#undef EVENT
};

static const struct fn_info functions[NR_FUNCTIONS] = {
#define FUNCTION(name, file, args, sentence) [FN_##name] = {#name, file, args, sentence},
#include "functions.def"
#undef FUNCTION
};

static const struct op_info operations[NR_OPS] = {
#define OP(id, name, args, result, sentence)                                             \
    [OP_##id] = {#id, name, args, result, sentence},
#include "ops.def"
#undef OP
};

const struct event_info *event_info(uint16_t kind)
{
    return kind < NR_EVENTS && events[kind].name ? &events[kind] : NULL;
}

const struct fn_info *fn_info(uint16_t fn)
{
    return fn < NR_FUNCTIONS && functions[fn].name ? &functions[fn] : NULL;
}

const struct op_info *op_info(uint16_t kind)
{
    return kind < NR_OPS ? &operations[kind] : NULL;
}

uint16_t event_kind_by_name(const char *name)
{
    for (uint16_t i = 1; i < NR_EVENTS; i++) {
        if (strcmp(events[i].name, name) == 0) {
            return i;
        }
    }
    return EV_NONE;
}

uint16_t op_kind_by_name(const char *name)
{
    for (uint16_t i = 0; i < NR_OPS; i++) {
        if (strcmp(operations[i].name, name) == 0) {
            return i;
        }
    }
    return UINT16_MAX;
}

/* Copy the bytes up to one of the stop characters, cut to 31; answers where it stopped.
 */
static const char *word(char to[32], const char *from, const char *stop)
{
    size_t len = strcspn(from, stop), kept = len < 31 ? len : 31;
    memcpy(to, from, kept);
    to[kept] = 0;
    return from + len;
}

uint32_t args_count(const char *args)
{
    uint32_t nr = 0;
    for (const char *at = args + strspn(args, " "); *at; at += strspn(at, " ")) {
        at += strcspn(at, " ");
        nr++;
    }
    return nr;
}

bool arg_describe(const char *args, uint32_t i, char name[32], char type[32])
{
    const char *at = args + strspn(args, " ");
    while (*at && i--) {
        at += strcspn(at, " ");
        at += strspn(at, " ");
    }
    name[0] = type[0] = 0;
    if (!*at) {
        return false;
    }
    at = word(name, at, ": ");
    if (*at == ':') {
        word(type, at + 1, " ");
    }
    return true;
}
