/* Constants of the API, and its table.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "api.h"
#include "describe.h"
#include "script.h"
#include "slab.h"

/* CONSTANT(name, value, meaning, group) */
#define MORE_CONSTANTS(X)                                                                \
    X(MIGRATE_UNMOVABLE, "pages that stay where they are: the kernel's own")             \
    X(MIGRATE_MOVABLE, "pages that can be moved: user space's")                          \
    X(MIGRATE_RECLAIMABLE, "pages that a shrinker can free")                             \
    X(MIGRATE_HIGHATOMIC, "pageblocks reserved for atomic requests")                     \
    X(MIGRATE_ISOLATE, "pageblocks that nothing may be taken from")                      \
    X(MIGRATE_PCPTYPES, "the number of migratetypes that per-CPU lists have")            \
    X(MIGRATE_TYPES, "the number of migratetypes")                                       \
    X(MAX_ORDER, "orders are below it (machine.max_order is this machine's)")            \
    X(PAGE_ALLOC_COSTLY_ORDER, "the highest order that per-CPU lists have")              \
    X(PAGE_SIZE, "bytes of a page")                                                      \
    X(PAGE_SHIFT, "its logarithm")

static const struct {
    const char *name;
    lua_Integer value;
} constants[] = {
#define GFP_ROW_(name, value, meaning) {#name, (lua_Integer)(value)},
#define ROW_(name, meaning) {#name, (lua_Integer)(name)},
    GFP_COMBINATIONS(GFP_ROW_) GFP_FLAGS(GFP_ROW_) MORE_CONSTANTS(ROW_)
        SLAB_FLAGS(GFP_ROW_)
#undef GFP_ROW_
#undef ROW_
};

void open_constants(lua_State *L)
{
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++) {
        lua_pushinteger(L, constants[i].value);
        lua_setglobal(L, constants[i].name);
    }
}

/* ---- the table: first what is written here, then the rows of other tables ---- */

static const struct api_entry entries[] = {
#define API(name, signature, group, help) {name, signature, help, group, NULL, NULL},
#include "api.def"
#undef API
#define OP(id, name, args, result, sentence)                                             \
    {name, NULL, sentence, "operations", args, result},
#include "ops.def"
#undef OP
#define GFP_ROW_(name, value, meaning) {#name, #name, meaning, "GFP flags", NULL, NULL},
#define ROW_(name, meaning) {#name, #name, meaning, "constants", NULL, NULL},
#define SLAB_ROW_(name, value, meaning) {#name, #name, meaning, "constants", NULL, NULL},
    GFP_COMBINATIONS(GFP_ROW_) GFP_FLAGS(GFP_ROW_) MORE_CONSTANTS(ROW_)
        SLAB_FLAGS(SLAB_ROW_)
#undef SLAB_ROW_
#undef GFP_ROW_
#undef ROW_
};

static const char *const groups[] = {
    "a scenario", "narration", "operations", "contexts",  "pages",     "objects",
    "looking",    "memory",    "hooks",      "workloads", "GFP flags", "constants"};

const struct api_entry *session_api(size_t i)
{
    for (size_t g = 0; g < sizeof groups / sizeof *groups; g++) {
        for (size_t at = 0; at < sizeof entries / sizeof *entries; at++) {
            /* The operation `note` is hidden: say, expect ... are made of it. */
            if (strcmp(entries[at].group, groups[g]) == 0 &&
                strcmp(entries[at].name, "note") != 0 && i-- == 0) {
                return &entries[at];
            }
        }
    }
    return NULL;
}

const struct api_entry *session_api_find(const char *name)
{
    const struct api_entry *e;
    for (size_t i = 0; (e = session_api(i)) != NULL; i++) {
        const char *colon = strchr(e->name, ':');
        if (strcmp(e->name, name) == 0 || (colon && strcmp(colon + 1, name) == 0)) {
            return e;
        }
    }
    return NULL;
}

int api_signature(char *buf, size_t size, const struct api_entry *e)
{
    return e->signature ? snprintf(buf, size, "%s", e->signature)
                        : signature_format(buf, size, e->name, e->args, e->result);
}
