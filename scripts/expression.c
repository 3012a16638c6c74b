/* Evaluating conditions without Lua.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "describe.h"
#include "expression_private.h"
#include "mm.h"
#include "vm.h"

struct moment {
    struct expression *e;
    const struct machine *m;
    const struct event *ev;
    bool over;
    bool ask; /* Lua has to say */
};

static const struct value nothing = {.type = VALUE_NIL};

static struct value ask(struct moment *at)
{
    at->ask = true;
    return nothing;
}

static struct value int_value(uint64_t n)
{
    return (struct value){.type = VALUE_INT, .u.number = (int64_t)n};
}

static struct value bool_value(bool truth)
{
    return (struct value){.type = VALUE_BOOL, .u.truth = truth};
}

static struct value text_value(const char *text)
{
    return (struct value){.type = VALUE_TEXT, .u.text = text};
}

static bool is_true(struct value v)
{
    return v.type != VALUE_NIL && (v.type != VALUE_BOOL || v.u.truth);
}

/* A local as the timeline keeps it: its text. */
static bool parse_local(struct slot *s, lua_State *L, const char *text, size_t len)
{
    const char *digits = text + (*text == '-');
    s->local = nothing;
    if (len == 3 && !memcmp(text, "nil", 3)) {
        return true;
    }
    if ((len == 4 && !memcmp(text, "true", 4)) ||
        (len == 5 && !memcmp(text, "false", 5))) {
        s->local = bool_value(*text == 't');
        return true;
    }
    if (len >= sizeof s->local_text) {
        return false;
    }
    memcpy(s->local_text, text, len);
    s->local_text[len] = 0;
    if (len > 7 && !memcmp(text, "page 0x", 7)) {
        s->local = (struct value){.type = VALUE_PAGE};
        s->local.u.pfn = strtoull(s->local_text + 5, NULL, 16);
        return s->local.u.pfn != PFN_NONE;
    }
    if (!isdigit((unsigned char)*digits) || len > 18 ||
        !lua_stringtonumber(L, s->local_text)) {
        return false;
    }
    if (lua_isinteger(L, -1)) {
        s->local = int_value((uint64_t)lua_tointeger(L, -1));
    } else {
        s->local = (struct value){.type = VALUE_FLOAT, .u.real = lua_tonumber(L, -1)};
    }
    lua_pop(L, 1);
    return true;
}

static struct value read_local(struct moment *at, struct slot *s)
{
    struct session *session = at->e->session;
    const struct position pos = timeline_position(session->timeline);
    const uint64_t op = pos.op + (at->ev ? !at->over : pos.event != 0);
    if (!s->local_known || s->local_op != op || s->local_branch != pos.branch) {
        size_t len;
        const char *text = session_local(session, op, 0, s->name, &len);
        s->local_known = true;
        s->local_op = op;
        s->local_branch = pos.branch;
        s->local = nothing;
        s->local_answers =
            !text || parse_local(s, session->console->sandbox.L, text, len);
    }
    return s->local_answers ? s->local : ask(at);
}

static struct value read_own(struct moment *at, enum own_field own)
{
    static const char *const contexts[] = {"process", "softirq", "hardirq"};
    const struct event *ev = at->ev;
    switch (own) {
    case OWN_EVENT:
        return text_value(event_info(ev->kind)->name);
    case OWN_CPU:
        return int_value(ev->cpu);
    case OWN_CONTEXT:
        return text_value(ev->ctx < 3 ? contexts[ev->ctx] : "?");
    case OWN_N:
        return int_value(ev->n);
    default:
        return int_value(ev->depth);
    }
}

static struct value read_slot(struct moment *at, struct slot *s)
{
    const struct event *ev = at->ev;
    if (!ev || !event_info(ev->kind)) {
        return s->of_ev ? ask(at) : read_local(at, s);
    }
    if (s->own) {
        return read_own(at, s->own);
    }
    const uint64_t value = ev->arg[s->arg[ev->kind]];
    switch ((enum arg_form)s->form[ev->kind]) {
    case FORM_NONE:
        return s->of_ev ? nothing : read_local(at, s);
    case FORM_NUMBER:
        return int_value(value);
    case FORM_BOOL:
        return bool_value(value != 0);
    case FORM_PAGE:
        return value == PFN_NONE ? nothing
                                 : (struct value){.type = VALUE_PAGE, .u.pfn = value};
    case FORM_TEXT: {
        const uint8_t type = s->text_type[ev->kind];
        if (!s->texts_known || s->texts_type != type || s->texts_value != value) {
            value_format(s->text, sizeof s->text, at->m, expression_text_types[type],
                         value);
            s->texts_known = true;
            s->texts_type = type;
            s->texts_value = value;
        }
        return text_value(s->text);
    }
    default:
        return ask(at);
    }
}

static uint64_t zone_field(const struct machine *m, uint32_t zone, uint32_t field)
{
    const struct zone *z = zone_r(m, zone);
    switch ((enum zone_field)field) {
#define READ_(name, value)                                                               \
    case ZONE_##name:                                                                    \
        return value;
        ZONE_FIELDS(READ_)
#undef READ_
    default:
        return 0;
    }
}

static uint64_t machine_field(const struct machine *m, uint32_t field)
{
    switch ((enum machine_field)field) {
#define READ_(name, value)                                                               \
    case MACHINE_##name:                                                                 \
        return value;
        MACHINE_FIELDS(READ_)
#undef READ_
    default:
        return 0;
    }
}

static bool is_number(struct value v)
{
    return v.type == VALUE_INT || v.type == VALUE_FLOAT;
}

/* As a float, if that loses nothing. */
static bool exact(struct value v, double *d)
{
    const int64_t most = INT64_C(1) << 53;
    if (v.type == VALUE_FLOAT) {
        *d = v.u.real;
        return true;
    }
    *d = (double)v.u.number;
    return v.type == VALUE_INT && v.u.number <= most && v.u.number >= -most;
}

static struct value equal(struct moment *at, struct value a, struct value b, bool wanted)
{
    double x, y;
    bool same = false;
    if (is_number(a) && is_number(b) && a.type != b.type) {
        if (!exact(a, &x) || !exact(b, &y)) {
            return ask(at);
        }
        same = x == y;
    } else if (a.type == b.type) {
        same = a.type == VALUE_NIL     ? true
               : a.type == VALUE_BOOL  ? a.u.truth == b.u.truth
               : a.type == VALUE_INT   ? a.u.number == b.u.number
               : a.type == VALUE_FLOAT ? a.u.real == b.u.real
               : a.type == VALUE_TEXT  ? strcmp(a.u.text, b.u.text) == 0
                                       : a.u.pfn == b.u.pfn;
    }
    return bool_value(same == wanted);
}

/* operation is O_LT or O_LE. */
static struct value order(struct moment *at, struct value a, struct value b,
                          bool or_equal)
{
    double x, y;
    if (a.type == VALUE_INT && b.type == VALUE_INT) {
        return bool_value(or_equal ? a.u.number <= b.u.number : a.u.number < b.u.number);
    }
    if (!is_number(a) || !is_number(b) || !exact(a, &x) || !exact(b, &y)) {
        return ask(at);
    }
    return bool_value(or_equal ? x <= y : x < y);
}

static struct value arithmetic(struct moment *at, enum operation o, struct value a,
                               struct value b)
{
    if (a.type == VALUE_INT && b.type == VALUE_INT && o != O_DIV) {
        const uint64_t x = (uint64_t)a.u.number, y = (uint64_t)b.u.number;
        if (o == O_ADD || o == O_SUB || o == O_MUL) {
            return int_value(o == O_ADD ? x + y : o == O_SUB ? x - y : x * y);
        }
        if (b.u.number == 0) {
            return ask(at);
        }
        if (b.u.number == -1) {
            return int_value(o == O_MOD ? 0 : 0 - x);
        }
        const int64_t rest = a.u.number % b.u.number;
        const bool down = rest != 0 && (rest ^ b.u.number) < 0;
        return int_value((uint64_t)(o == O_MOD ? rest + (down ? b.u.number : 0)
                                               : a.u.number / b.u.number - down));
    }
    if (!is_number(a) || !is_number(b) || o == O_MOD || o == O_IDIV) {
        return ask(at);
    }
    const double x = a.type == VALUE_INT ? (double)a.u.number : a.u.real;
    const double y = b.type == VALUE_INT ? (double)b.u.number : b.u.real;
    struct value v = {.type = VALUE_FLOAT};
    v.u.real = o == O_ADD ? x + y : o == O_SUB ? x - y : o == O_MUL ? x * y : x / y;
    return v;
}

static struct value bits(struct moment *at, enum operation o, struct value a,
                         struct value b)
{
    const uint64_t x = (uint64_t)a.u.number, y = (uint64_t)b.u.number;
    if (a.type != VALUE_INT || b.type != VALUE_INT) {
        return ask(at);
    }
    switch (o) {
    case O_BOR:
        return int_value(x | y);
    case O_BXOR:
        return int_value(x ^ y);
    case O_BAND:
        return int_value(x & y);
    default:
        return y > 63 ? ask(at) : int_value(o == O_SHL ? x << y : x >> y);
    }
}

static struct value eval(struct moment *at, uint8_t index)
{
    const struct node *n = &at->e->node[index];
    struct value a, b;
    switch ((enum operation)n->operation) {
    case O_CONST:
        return n->value;
    case O_SLOT:
        return read_slot(at, &at->e->slot[n->left]);
    case O_ZONE:
        return int_value(zone_field(at->m, n->a, n->b));
    case O_NR_FREE:
        return int_value(free_area_count(at->m, n->a, n->b));
    case O_FREELIST:
        return int_value(freelist_count(at->m, n->a, n->b, (enum migratetype)n->c));
    case O_PCP_COUNT:
        return int_value(pcp_list_count(at->m, n->a, n->b, n->c));
    case O_MACHINE:
        return int_value(machine_field(at->m, n->a));
    case O_VMSTAT:
        return int_value(vmstat_value(at->m, n->a));
    case O_VMSTAT_ROW:
        return int_value(vmstat_row_value(at->m, n->a));
    case O_AND:
        a = eval(at, n->left);
        return is_true(a) ? eval(at, n->right) : a;
    case O_OR:
        a = eval(at, n->left);
        return is_true(a) ? a : eval(at, n->right);
    case O_NOT:
        return bool_value(!is_true(eval(at, n->left)));
    case O_PFN:
        a = eval(at, n->left);
        return a.type == VALUE_PAGE ? int_value(a.u.pfn) : ask(at);
    case O_NEGATIVE:
        a = eval(at, n->left);
        if (a.type == VALUE_FLOAT) {
            a.u.real = -a.u.real;
            return a;
        }
        return a.type == VALUE_INT ? int_value(0 - (uint64_t)a.u.number) : ask(at);
    case O_COMPLEMENT:
        a = eval(at, n->left);
        return a.type == VALUE_INT ? int_value(~(uint64_t)a.u.number) : ask(at);
    default:
        break;
    }
    a = eval(at, n->left);
    b = eval(at, n->right);
    switch ((enum operation)n->operation) {
    case O_EQ:
    case O_NE:
        return equal(at, a, b, n->operation == O_EQ);
    case O_LT:
    case O_LE:
        return order(at, a, b, n->operation == O_LE);
    case O_GT:
    case O_GE:
        return order(at, b, a, n->operation == O_GE);
    case O_BOR:
    case O_BXOR:
    case O_BAND:
    case O_SHL:
    case O_SHR:
        return bits(at, (enum operation)n->operation, a, b);
    default:
        return arithmetic(at, (enum operation)n->operation, a, b);
    }
}

bool expression_value(struct expression *e, const struct machine *m,
                      const struct event *ev, bool over, struct value *v)
{
    struct moment at = {e, m, ev, over, false};
    *v = eval(&at, e->root);
    return !at.ask;
}
