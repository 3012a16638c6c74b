/* A Lua state with the scenario API, and the one way by which its operations reach the
 * timeline.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "describe.h"
#include "prelude.h"
#include "script.h"

static const char hint_no_machine[] =
    "operations belong in the lesson's run function: there is no machine yet";

static int open_api(lua_State *L)
{
    open_constants(L);
    open_pages(L);
    open_inspect(L);
    open_hw(L);
    open_cost(L);
    open_slab(L);
    open_mempool(L);
    open_machine(L);
    open_space(L);
    open_ops(L);
    open_hooks(L);
    open_notes(L);
    if (sandbox_load(L, prelude_lua, prelude_lua_size, SANDBOX_OWN_CHUNK) != LUA_OK) {
        return lua_error(L);
    }
    lua_call(L, 0, 0);
    return 0;
}

struct script *script_create(struct session *s, bool console)
{
    struct script *sc = calloc(1, sizeof *sc);
    if (!sc) {
        return NULL;
    }
    sc->session = s;
    sc->console = console;
    sc->seed = s->config.seed;
    if (!sandbox_open(&sc->sandbox, sc->seed)) {
        free(sc);
        return NULL;
    }
    sc->sandbox.host = sc;
    lua_State *L = sc->sandbox.L;
    lua_pushcfunction(L, open_api);
    if (lua_pcall(L, 0, 0, 0) != LUA_OK) {
        buffer_printf(&s->error, "%s", sandbox_tostring(L, -1));
        script_destroy(sc);
        return NULL;
    }
    return sc;
}

void script_destroy(struct script *sc)
{
    if (sc) {
        script_close_other(sc);
        sandbox_close(&sc->sandbox);
        buffer_free(&sc->out);
        buffer_free(&sc->hook_error);
        buffer_free(&sc->scratch);
        buffer_free(&sc->mismatch);
        free(sc);
    }
}

/* ---- is what the script has behind it still what the branch says? ---- */

/* The oldest branch that has operations 0 .. nr_ops - 1 of this one. */
static uint32_t owner(const struct timeline *t, uint32_t branch, uint64_t nr_ops)
{
    while (true) {
        struct branch_info info = timeline_branch(t, branch);
        if (info.parent == branch || info.fork_op < nr_ops) {
            return branch;
        }
        branch = info.parent;
    }
}

bool script_in_step(const struct script *sc)
{
    const struct timeline *t = sc->session->timeline;
    uint32_t branch = timeline_position(t).branch;
    if (sc->cursor == 0) {
        return true;
    }
    if (owner(t, branch, sc->cursor) != owner(t, sc->branch, sc->cursor)) {
        return false;
    }
    /* An interrupt put into the branch's last operation afterwards may have changed its
     * answer. */
    struct op_record now;
    return timeline_op(t, branch, sc->cursor - 1, &now) &&
           now.result == sc->last.result && now.nr_injected == sc->last.nr_injected &&
           now.nr_events == sc->last.nr_events;
}

uint64_t script_next_recorded(const struct script *sc, uint32_t branch)
{
    const struct timeline *t = sc->session->timeline;
    uint64_t end = timeline_nr_ops(t, branch), at = sc->cursor;
    struct op_record r;
    while (at < end && timeline_op(t, branch, at, &r) && r.op.origin != ORIGIN_SCRIPT) {
        at++;
    }
    return at;
}

/* ---- issuing ---- */

static uint32_t site_here(lua_State *L, struct timeline *t)
{
    int level = 0;
    lua_Debug ar;
    if (!sandbox_script_frame(L, &level, &ar)) {
        return 0;
    }
    sandbox_traceback(L, L, level);
    uint32_t site =
        timeline_intern_site(t, *ar.source == '@' ? ar.source + 1 : ar.short_src,
                             (uint32_t)ar.currentline, lua_tostring(L, -1));
    lua_pop(L, 1);
    return site;
}

bool script_same_op(const struct op *a, const struct op *b)
{
    return a->kind == b->kind && a->cpu == b->cpu &&
           memcmp(a->arg, b->arg, sizeof a->arg) == 0;
}

/* The script, run again, does something else than before: that is never its fault. */
static void describe_mismatch(struct buffer *out, const struct machine *m, uint64_t at,
                              const struct op *was, const struct op *is)
{
    char a[256], b[256];
    op_format(a, sizeof a, m, was, NULL);
    op_format(b, sizeof b, m, is, NULL);
    buffer_printf(out,
                  "this is a bug of mmscope: run again, the script issues %s on CPU %u "
                  "as operation %llu, where it "
                  "had issued %s on CPU %u",
                  b, is->cpu, (unsigned long long)op_number(at), a, was->cpu);
}

static void remember(struct script *sc, uint32_t branch, uint64_t at)
{
    sc->branch = branch;
    sc->cursor = at + 1;
    timeline_op(sc->session->timeline, branch, at, &sc->last);
}

static void keep_locals(lua_State *L, struct timeline *t, uint64_t at)
{
    struct buffer *locals = &script_of(L)->scratch;
    buffer_clear(locals);
    locals_text(L, locals);
    timeline_set_locals(t, timeline_position(t).branch, at, buffer_of(locals));
}

/* Answer op from the record, or do it now. *mismatch is set to a text when the record
 * says otherwise. L: whose locals are kept; NULL:
 * those given, if any. */
static uint64_t answer_or_do(struct script *sc, lua_State *L, const char *locals,
                             const struct op *op, uint64_t *at, struct buffer *mismatch)
{
    struct timeline *t = sc->session->timeline;
    uint32_t branch = timeline_position(t).branch;
    struct op_record r;
    *at = script_next_recorded(sc, branch);
    sc->fresh = *at >= timeline_nr_ops(t, branch);
    if (!sc->fresh && timeline_op(t, branch, *at, &r)) {
        if (!script_same_op(&r.op, op)) {
            describe_mismatch(mismatch, timeline_machine(t), *at, &r.op, op);
            return 0;
        }
        remember(sc, branch, *at);
        return r.result;
    }
    struct position end = {branch, timeline_nr_ops(t, branch), 0};
    timeline_seek(t, end);
    if (L && sc->session->keep_locals) { /* before: conditions are tested while it runs */
        keep_locals(L, t, end.op);
    } else if (locals && sc->session->keep_locals) {
        timeline_set_locals(t, branch, end.op, locals);
    }
    hooks_arm(sc);
    uint64_t result = timeline_do(t, op);
    hooks_disarm(sc);
    *at = end.op; /* an interrupt of the user's that waited may have come behind it */
    remember(sc, timeline_position(t).branch, *at);
    return result;
}

static uint64_t do_for_user(struct script *sc, const struct op *op, uint64_t *at)
{
    struct timeline *t = sc->session->timeline;
    hooks_arm(sc);
    uint64_t result = timeline_do(t, op);
    hooks_disarm(sc);
    *at = timeline_position(t).op - 1;
    sc->fresh = true;
    return result;
}

uint64_t script_issue(lua_State *L, struct op *op)
{
    struct script *sc = script_of(L);
    struct timeline *t = sc->session->timeline;
    if (!t || !sc->may_operate) {
        luaL_error(L, "%s", hint_no_machine);
    }
    if (sc->looking) {
        luaL_error(L, "a condition may only look at the machine: this would change it");
    }
    op->cpu = (uint8_t)sc->cpu;
    op->origin = sc->console ? ORIGIN_USER : ORIGIN_SCRIPT;
    op->site = sc->console ? 0 : site_here(L, t);
    if (sc->other && op->kind != OP_NOTE) {
        return script_issue_other(L, op);
    }
    if (sc->hook_event) {
        return hook_nested(L, op);
    }
    sc->issuing = L;
    uint64_t at, result;
    if (sc->console) {
        result = do_for_user(sc, op, &at);
    } else {
        struct buffer *mismatch = &sc->mismatch; /* hooks write into scratch */
        buffer_clear(mismatch);
        result = answer_or_do(sc, L, NULL, op, &at, mismatch);
        if (mismatch->len) {
            sandbox_break(L, buffer_of(mismatch));
        }
        if (!sc->fresh) {
            hooks_replay(L, sc->branch, at);
        }
    }
    if (sc->console && sc->session->keep_locals) {
        keep_locals(L, t, at);
    }
    sandbox_charge(&sc->sandbox, 50);
    hooks_settle(L);
    return result;
}

int script_return(lua_State *L, int nresults)
{
    struct script *sc = script_of(L);
    if (sc->fresh && !sc->console && !sc->hook_event && sandbox_may_pause(L)) {
        return sandbox_pause(L, nresults);
    }
    return nresults;
}

void script_note(lua_State *L, enum note_kind kind, const char *text)
{
    struct script *sc = script_of(L);
    if (!sc->session->timeline || !sc->may_operate) {
        luaL_error(L, "%s", hint_no_machine);
    }
    if (hook_defers_note(L, kind, text)) {
        return;
    }
    struct op op = {.kind = OP_NOTE,
                    .arg = {kind, timeline_intern(sc->session->timeline, text)}};
    script_issue(L, &op);
}

void script_note_outside(struct script *sc, enum note_kind kind, const char *text,
                         const char *locals)
{
    struct timeline *t = sc->session->timeline;
    struct op op = {.kind = OP_NOTE,
                    .cpu = (uint8_t)sc->cpu,
                    .origin = ORIGIN_SCRIPT,
                    .arg = {kind, timeline_intern(t, text)}};
    struct buffer mismatch = {0};
    uint64_t at;
    sc->issuing = NULL;
    answer_or_do(sc, NULL, locals, &op, &at, &mismatch);
    buffer_free(&mismatch);
}

/* ---- looking ---- */

struct machine *script_machine(lua_State *L)
{
    struct script *sc = script_of(L);
    struct timeline *t = sc->session->timeline;
    if (sc->hook_machine) {
        return sc->hook_machine;
    }
    if (sc->other) {
        return timeline_machine(sc->other);
    }
    if (!t || !sc->may_operate) {
        luaL_error(L, "there is no machine yet: look at it in the lesson's run function");
    }
    if (!sc->console) {
        struct position now = timeline_position(t);
        struct position here = {now.branch, script_next_recorded(sc, now.branch), 0};
        if (now.op != here.op || now.event) {
            timeline_seek(t, here);
        }
    }
    return timeline_machine(t);
}
