/* Compiling conditions: from text to a tree, if all of it needs no Lua.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "describe.h"
#include "expression_private.h"
#include "mm.h"

const char *const expression_text_types[NR_TEXT_TYPES] = {"zone", "ctx", "wmark", "place",
                                                          "slablist"};

/* ---- globals ---- */

static const char *const api_names[] = {"zone", "machine", "vmstat", "pfn_to_page"};
enum { NR_API_NAMES = sizeof api_names / sizeof *api_names };
static const char originals; /* its address is the registry's key of what they were */

void expression_open(lua_State *L)
{
    lua_newtable(L);
    for (int i = 0; i < NR_API_NAMES; i++) {
        lua_getglobal(L, api_names[i]);
        lua_setfield(L, -2, api_names[i]);
    }
    lua_pushglobaltable(L);
    lua_getmetatable(L, -1);
    lua_getfield(L, -1, "__index");
    lua_setfield(L, -4, "__index");
    lua_setfield(L, -3, "__metatable");
    lua_pop(L, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &originals);
}

/* Is the API's own global of that name still there? */
static bool is_original(lua_State *L, const char *name)
{
    const int top = lua_gettop(L);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &originals);
    lua_getfield(L, -1, name);
    lua_pushglobaltable(L);
    lua_pushstring(L, name);
    lua_rawget(L, -2);
    const bool same = !lua_isnil(L, -1) && lua_rawequal(L, -1, -3);
    lua_settop(L, top);
    return same;
}

/* Does a name that is no global still go where the console sends it? */
static bool lookup_is_original(lua_State *L)
{
    const int top = lua_gettop(L);
    bool same = false;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &originals);
    lua_getfield(L, -1, "__metatable");
    lua_getfield(L, -2, "__index");
    lua_pushglobaltable(L);
    if (lua_getmetatable(L, -1)) {
        lua_pushliteral(L, "__index");
        lua_rawget(L, -2);
        same = lua_rawequal(L, -1, -4) && lua_rawequal(L, -2, -5);
    }
    lua_settop(L, top);
    return same;
}

/* A global that is a plain value or not there. False: it is something else. It is left on
 * the stack. */
static bool read_global(lua_State *L, const char *name, struct value *v)
{
    lua_pushglobaltable(L);
    lua_pushstring(L, name);
    lua_rawget(L, -2);
    lua_remove(L, -2);
    switch (lua_type(L, -1)) {
    case LUA_TNIL:
        *v = (struct value){.type = VALUE_NIL};
        return true;
    case LUA_TBOOLEAN:
        *v = (struct value){.type = VALUE_BOOL, .u.truth = lua_toboolean(L, -1)};
        return true;
    case LUA_TNUMBER:
        if (lua_isinteger(L, -1)) {
            *v = (struct value){.type = VALUE_INT, .u.number = lua_tointeger(L, -1)};
        } else {
            *v = (struct value){.type = VALUE_FLOAT, .u.real = lua_tonumber(L, -1)};
        }
        return true;
    default:
        return false;
    }
}

static bool same_plain(const struct value *a, const struct value *b)
{
    return a->type == b->type &&
           (a->type == VALUE_NIL ? true
            : a->type == VALUE_BOOL
                ? a->u.truth == b->u.truth
                : memcmp(&a->u.number, &b->u.number, sizeof a->u.number) == 0);
}

bool expression_holds(const struct expression *e, lua_State *L)
{
    bool good = lookup_is_original(L);
    for (uint8_t i = 0; good && i < e->nr_globals; i++) {
        const struct used_global *g = &e->global[i];
        struct value now;
        if (g->api) {
            good = is_original(L, g->name);
        } else {
            good = read_global(L, g->name, &now) && same_plain(&now, &g->value);
            lua_pop(L, 1);
        }
    }
    return good;
}

/* ---- reading the text ---- */

enum token {
    T_END,
    T_NUMBER,
    T_STRING,
    T_NAME,
    T_OTHER /* op holds it */
};

struct parser {
    struct expression *e;
    lua_State *L;
    const struct machine *m;
    const char *at;
    enum token token;
    char op[3];
    char name[NAME_ROOM]; /* T_NAME */
    struct value value;   /* T_NUMBER, T_STRING */
    int depth;
    bool failed;
};

static uint8_t fail(struct parser *p)
{
    p->failed = true;
    p->token = T_END;
    return 0;
}

static void read_string(struct parser *p)
{
    struct expression *e = p->e;
    const char quote = *p->at++;
    const char *end = p->at;
    while (*end && *end != quote && *end != '\\' && *end != '\n' && *end != '\r') {
        end++;
    }
    const size_t len = (size_t)(end - p->at);
    if (*end != quote || e->nr_string_bytes + len + 1 > sizeof e->strings) {
        fail(p);
        return;
    }
    char *copy = e->strings + e->nr_string_bytes;
    memcpy(copy, p->at, len);
    copy[len] = 0;
    e->nr_string_bytes += len + 1;
    p->at = end + 1;
    p->token = T_STRING;
    p->value = (struct value){.type = VALUE_TEXT, .u.text = copy};
}

/* As Lua's lexer: digits, letters, points, and signs behind an exponent. */
static void read_number(struct parser *p)
{
    char text[40];
    size_t len = 0;
    const char *exponent =
        *p->at == '0' && (p->at[1] == 'x' || p->at[1] == 'X') ? "pP" : "eE";
    while (isalnum((unsigned char)*p->at) || *p->at == '.' || *p->at == '_' ||
           (len && (*p->at == '+' || *p->at == '-') && strchr(exponent, text[len - 1]))) {
        if (len + 1 == sizeof text) {
            fail(p);
            return;
        }
        text[len++] = *p->at++;
    }
    text[len] = 0;
    if (!lua_stringtonumber(p->L, text)) {
        fail(p);
        return;
    }
    p->token = T_NUMBER;
    if (lua_isinteger(p->L, -1)) {
        p->value = (struct value){.type = VALUE_INT, .u.number = lua_tointeger(p->L, -1)};
    } else {
        p->value = (struct value){.type = VALUE_FLOAT, .u.real = lua_tonumber(p->L, -1)};
    }
    lua_pop(p->L, 1);
}

static void read_name(struct parser *p)
{
    size_t len = 0;
    while (isalnum((unsigned char)*p->at) || *p->at == '_') {
        if (len + 1 == NAME_ROOM) {
            fail(p);
            return;
        }
        p->name[len++] = *p->at++;
    }
    p->name[len] = 0;
    p->token = T_NAME;
}

static void next_token(struct parser *p)
{
    static const char *const pairs[] = {"==", "~=", "<=", ">=", "<<", ">>", "//"};
    if (p->failed) {
        return;
    }
    p->at += strspn(p->at, " \t");
    const char *at = p->at;
    if (!*at) {
        p->token = T_END;
    } else if (*at == '"' || *at == '\'') {
        read_string(p);
    } else if (isdigit((unsigned char)*at) ||
               (*at == '.' && isdigit((unsigned char)at[1]))) {
        read_number(p);
    } else if (isalpha((unsigned char)*at) || *at == '_') {
        read_name(p);
    } else if ((at[0] == '-' && at[1] == '-') || (at[0] == '.' && at[1] == '.') ||
               (at[0] == ':' && at[1] == ':') || !strchr("+-*/%&~|<>()[].:,=", *at)) {
        fail(p); /* a comment, or what we do not know */
    } else {
        p->token = T_OTHER;
        p->op[0] = *at;
        p->op[1] = p->op[2] = 0;
        for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
            if (!strncmp(at, pairs[i], 2)) {
                memcpy(p->op, pairs[i], 3);
            }
        }
        p->at += strlen(p->op);
    }
}

static bool is_op(const struct parser *p, const char *op)
{
    return p->token == T_OTHER && !strcmp(p->op, op);
}

static bool is_word(const struct parser *p, const char *word)
{
    return p->token == T_NAME && !strcmp(p->name, word);
}

static bool take(struct parser *p, const char *op)
{
    if (!is_op(p, op)) {
        fail(p);
        return false;
    }
    next_token(p);
    return !p->failed;
}

static bool is_reserved(const char *name)
{
    static const char *const words[] = {
        "and",    "break",  "do",   "else",  "elseif", "end",   "false", "for",
        "if",     "goto",   "in",   "local", "nil",    "not",   "or",    "function",
        "repeat", "return", "then", "true",  "until",  "while", "_ENV"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!strcmp(words[i], name)) {
            return true;
        }
    }
    return false;
}

/* ---- nodes ---- */

static uint8_t add_node(struct parser *p, struct node n)
{
    struct expression *e = p->e;
    if (p->failed || e->nr_nodes == MAX_NODES) {
        return fail(p);
    }
    e->node[e->nr_nodes] = n;
    return e->nr_nodes++;
}

static uint8_t add_const(struct parser *p, struct value v)
{
    return add_node(p, (struct node){.operation = O_CONST, .value = v});
}

static struct used_global *add_global(struct parser *p, const char *name)
{
    struct expression *e = p->e;
    if (e->nr_globals == MAX_GLOBALS) {
        fail(p);
        return NULL;
    }
    struct used_global *g = &e->global[e->nr_globals++];
    *g = (struct used_global){0};
    memcpy(g->name, name, strlen(name) + 1);
    return g;
}

static void set_form(struct slot *s, uint16_t kind, uint32_t arg, const char *type)
{
    s->arg[kind] = (uint8_t)arg;
    s->form[kind] = !strcmp(type, "pfn")     ? FORM_PAGE
                    : !strcmp(type, "bool")  ? FORM_BOOL
                    : !strcmp(type, "cache") ? FORM_OTHER
                                             : FORM_NUMBER;
    for (uint8_t i = 0; i < NR_TEXT_TYPES; i++) {
        if (!strcmp(type, expression_text_types[i])) {
            s->form[kind] = FORM_TEXT;
            s->text_type[kind] = i;
        }
    }
}

/* Where in each kind of event the name is: of several the first; as ev's field the last
 * one, which is what setting them in turn leaves. */
static void find_arguments(struct slot *s)
{
    char name[32], type[32];
    for (uint16_t kind = 1; kind < NR_EVENTS; kind++) {
        const struct event_info *info = event_info(kind);
        for (uint32_t i = 0;
             info && i < PROBE_ARGS && arg_describe(info->args, i, name, type); i++) {
            if (!strcmp(name, s->name) && (s->of_ev || s->form[kind] == FORM_NONE)) {
                set_form(s, kind, i, type);
            }
        }
    }
}

static uint8_t add_slot(struct parser *p, const char *name, bool of_ev)
{
    static const struct {
        const char *name;
        enum own_field own;
    } owns[] = {{"event", OWN_EVENT},
                {"on_cpu", OWN_CPU},
                {"context", OWN_CONTEXT},
                {"n", OWN_N},
                {"depth", OWN_DEPTH}};
    struct expression *e = p->e;
    uint8_t i = 0;
    while (i < e->nr_slots &&
           (strcmp(e->slot[i].name, name) != 0 || e->slot[i].of_ev != of_ev)) {
        i++;
    }
    if (i == MAX_SLOTS || (of_ev && !strcmp(name, "stack"))) {
        return fail(p);
    }
    if (i == e->nr_slots) {
        struct slot *s = &e->slot[e->nr_slots++];
        memcpy(s->name, name, strlen(name) + 1);
        s->of_ev = of_ev;
        for (size_t k = 0; of_ev && k < sizeof owns / sizeof *owns; k++) {
            s->own = strcmp(owns[k].name, name) ? s->own : owns[k].own;
        }
        find_arguments(s);
    }
    return add_node(p, (struct node){.operation = O_SLOT, .left = i});
}

/* ---- names and what follows them ---- */

/* A constant number in a call's arguments. */
static bool take_number(struct parser *p, uint32_t below, uint32_t *n)
{
    struct value v = p->value;
    if (p->token == T_NAME && !is_reserved(p->name)) { /* MIGRATE_MOVABLE */
        struct used_global *g = add_global(p, p->name);
        const bool plain = g && read_global(p->L, p->name, &v);
        lua_pop(p->L, g != NULL);
        if (plain) {
            g->value = v;
        }
        if (!plain) {
            v.type = VALUE_NIL;
        }
    } else if (p->token != T_NUMBER) {
        v.type = VALUE_NIL;
    }
    if (v.type != VALUE_INT || v.u.number < 0 || v.u.number >= below) {
        fail(p);
        return false;
    }
    *n = (uint32_t)v.u.number;
    next_token(p);
    return !p->failed;
}

/* Behind zone.NAME: .field, :nr_free(...), :pcp_count(...) */
static uint8_t parse_zone(struct parser *p)
{
    static const char *const fields[] = {
#define NAME_(name, value) #name,
        ZONE_FIELDS(NAME_)
#undef NAME_
    };
    next_token(p);
    const uint32_t zone = p->token == T_NAME && !is_reserved(p->name)
                              ? zone_by_name(p->m, p->name)
                              : UINT32_MAX;
    struct node n = {.a = zone};
    next_token(p);
    const bool method = is_op(p, ":");
    if (zone == UINT32_MAX || (!method && !is_op(p, "."))) {
        return fail(p);
    }
    next_token(p);
    if (method && is_word(p, "nr_free")) {
        next_token(p);
        n.operation = O_NR_FREE;
        if (!take(p, "(") || !take_number(p, p->m->mm->max_order, &n.b)) {
            return fail(p);
        }
        if (is_op(p, ",")) {
            next_token(p);
            n.operation = O_FREELIST;
            if (!take_number(p, MIGRATE_TYPES, &n.c)) {
                return fail(p);
            }
        }
        take(p, ")");
        return add_node(p, n);
    }
    if (method && is_word(p, "pcp_count")) {
        uint32_t order = 0, mt = 0;
        next_token(p);
        n.operation = O_PCP_COUNT;
        if (!take(p, "(") || !take_number(p, p->m->mm->nr_cpus, &n.b) || !take(p, ",") ||
            !take_number(p, PAGE_ALLOC_COSTLY_ORDER + 1, &order) || !take(p, ",") ||
            !take_number(p, MIGRATE_PCPTYPES, &mt)) {
            return fail(p);
        }
        n.c = order * MIGRATE_PCPTYPES + mt;
        take(p, ")");
        return add_node(p, n);
    }
    for (uint32_t i = 0; !method && i < NR_ZONE_FIELDS; i++) {
        if (is_word(p, fields[i])) {
            n.operation = O_ZONE;
            n.b = i;
            next_token(p);
            return add_node(p, n);
        }
    }
    return fail(p);
}

static uint8_t parse_machine(struct parser *p)
{
    static const char *const fields[] = {
#define NAME_(name, value) #name,
        MACHINE_FIELDS(NAME_)
#undef NAME_
    };
    next_token(p);
    for (uint32_t i = 0; i < NR_MACHINE_FIELDS; i++) {
        if (is_word(p, fields[i])) {
            next_token(p);
            return add_node(p, (struct node){.operation = O_MACHINE, .a = i});
        }
    }
    return fail(p);
}

/* False: neither an event counter nor a row of /proc/vmstat has this name. */
static bool find_vmstat(const struct machine *m, const char *wanted, struct node *n)
{
    const char *event;
    char name[VMSTAT_NAME];
    for (uint32_t i = 0; (event = vmstat_name(m, i)) != NULL; i++) {
        if (!strcmp(event, wanted)) {
            *n = (struct node){.operation = O_VMSTAT, .a = i};
            return true;
        }
    }
    for (uint32_t i = 0; vmstat_row_name(name, sizeof name, m, i); i++) {
        if (!strcmp(name, wanted)) {
            *n = (struct node){.operation = O_VMSTAT_ROW, .a = i};
            return true;
        }
    }
    return false;
}

static uint8_t parse_vmstat(struct parser *p)
{
    const bool brackets = is_op(p, "(");
    struct node n;
    if (brackets) {
        next_token(p);
    }
    if (p->token != T_STRING || !find_vmstat(p->m, p->value.u.text, &n)) {
        return fail(p);
    }
    next_token(p);
    if (brackets) {
        take(p, ")");
    }
    return add_node(p, n);
}

static uint8_t parse_page(struct parser *p)
{
    uint32_t n;
    if (!take(p, "(") || p->token != T_NUMBER ||
        !take_number(p,
                     machine_max_pfn(p->m) < UINT32_MAX ? (uint32_t)machine_max_pfn(p->m)
                                                        : UINT32_MAX,
                     &n)) {
        return fail(p);
    }
    take(p, ")");
    return add_const(p, (struct value){.type = VALUE_PAGE, .u.pfn = n});
}

static uint8_t parse_name(struct parser *p)
{
    struct value v;
    char name[NAME_ROOM];
    memcpy(name, p->name, sizeof name);
    if (is_reserved(name)) {
        return fail(p);
    }
    struct used_global *g = add_global(p, name);
    if (!g) {
        return 0;
    }
    for (int i = 0; i < NR_API_NAMES; i++) {
        g->api |= !strcmp(name, api_names[i]) && is_original(p->L, name);
    }
    next_token(p);
    if (g->api) {
        return !strcmp(name, "zone") && is_op(p, ".")      ? parse_zone(p)
               : !strcmp(name, "machine") && is_op(p, ".") ? parse_machine(p)
               : !strcmp(name, "vmstat")                   ? parse_vmstat(p)
               : !strcmp(name, "pfn_to_page")              ? parse_page(p)
                                                           : fail(p);
    }
    const bool plain = read_global(p->L, name, &v);
    lua_pop(p->L, 1);
    if (!plain) {
        return fail(p);
    }
    g->value = v;
    if (v.type != VALUE_NIL) {
        return add_const(p, v);
    }
    if (strcmp(name, "ev") != 0) {
        return add_slot(p, name, false);
    }
    if (!is_op(p, ".")) {
        return fail(p);
    }
    next_token(p);
    memcpy(name, p->name, sizeof name);
    if (p->token != T_NAME || is_reserved(name)) {
        return fail(p);
    }
    next_token(p);
    return add_slot(p, name, true);
}

/* ---- expressions ---- */

static uint8_t parse_level(struct parser *p, int level);

static uint8_t parse_primary(struct parser *p)
{
    uint8_t n;
    struct value v = {.type = VALUE_NIL};
    if (p->token == T_NUMBER || p->token == T_STRING) {
        v = p->value;
        next_token(p);
        return add_const(p, v); /* ("text"):method() is none: what follows fails */
    }
    if (is_word(p, "true") || is_word(p, "false") || is_word(p, "nil")) {
        v.type = is_word(p, "nil") ? VALUE_NIL : VALUE_BOOL;
        if (v.type == VALUE_BOOL) {
            v.u.truth = is_word(p, "true");
        }
        next_token(p);
        return add_const(p, v);
    }
    if (is_op(p, "(")) {
        next_token(p);
        n = parse_level(p, 0);
        take(p, ")");
    } else if (p->token == T_NAME) {
        n = parse_name(p);
    } else {
        return fail(p);
    }
    while (is_op(p, ":")) { /* page:pfn() */
        next_token(p);
        if (!is_word(p, "pfn")) {
            return fail(p);
        }
        next_token(p);
        if (!take(p, "(") || !take(p, ")")) {
            return fail(p);
        }
        n = add_node(p, (struct node){.operation = O_PFN, .left = n});
    }
    return n;
}

/* Binary operators from the weakest on, as in Lua's manual. Concatenation and powers are
 * not among them. */
static const struct {
    const char *word;
    uint8_t level, operation;
} binaries[] = {{"or", 1, O_OR},  {"and", 2, O_AND}, {"<", 3, O_LT},   {">", 3, O_GT},
                {"<=", 3, O_LE},  {">=", 3, O_GE},   {"~=", 3, O_NE},  {"==", 3, O_EQ},
                {"|", 4, O_BOR},  {"~", 5, O_BXOR},  {"&", 6, O_BAND}, {"<<", 7, O_SHL},
                {">>", 7, O_SHR}, {"+", 8, O_ADD},   {"-", 8, O_SUB},  {"*", 9, O_MUL},
                {"/", 9, O_DIV},  {"//", 9, O_IDIV}, {"%", 9, O_MOD}};
enum { UNARY_LEVEL = 10 };

static uint8_t parse_unary(struct parser *p)
{
    const uint8_t operation = is_word(p, "not") ? O_NOT
                              : is_op(p, "-")   ? O_NEGATIVE
                              : is_op(p, "~")   ? O_COMPLEMENT
                                                : O_CONST;
    if (operation == O_CONST) {
        return parse_primary(p);
    }
    next_token(p);
    const uint8_t n = parse_level(p, UNARY_LEVEL);
    return add_node(p, (struct node){.operation = operation, .left = n});
}

/* An expression of operators that bind stronger than level. */
static uint8_t parse_level(struct parser *p, int level)
{
    if (p->failed || ++p->depth > MAX_DEPTH) {
        return fail(p);
    }
    uint8_t n = parse_unary(p);
    while (!p->failed) {
        size_t i = 0;
        while (i < sizeof binaries / sizeof *binaries &&
               !(is_op(p, binaries[i].word) || is_word(p, binaries[i].word))) {
            i++;
        }
        if (i == sizeof binaries / sizeof *binaries || binaries[i].level <= level) {
            break;
        }
        next_token(p);
        const uint8_t right = parse_level(p, binaries[i].level);
        n = add_node(
            p,
            (struct node){.operation = binaries[i].operation, .left = n, .right = right});
    }
    p->depth--;
    return n;
}

struct expression *expression_compile(struct session *s, lua_State *L, const char *text)
{
    struct expression *e = calloc(1, sizeof *e);
    struct slot *slots = calloc(MAX_SLOTS, sizeof *slots);
    if (!e || !slots || !s->timeline || !lookup_is_original(L)) {
        free(e);
        free(slots);
        return NULL;
    }
    e->session = s;
    e->slot = slots;
    struct parser p = {.e = e, .L = L, .m = timeline_machine(s->timeline), .at = text};
    next_token(&p);
    e->root = parse_level(&p, 0);
    if (p.failed || p.token != T_END) {
        expression_free(e);
        return NULL;
    }
    return e;
}

void expression_free(struct expression *e)
{
    if (e) {
        free(e->slot);
        free(e);
    }
}
