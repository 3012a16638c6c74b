/* Conditions that need no Lua: expressions of the numbers, names, fields and counters
 * that people compare, compiled to a small tree.
 *
 * A breakpoint's condition is asked at each event, and entering Lua costs several times
 * what the event costs. So what can be is evaluated here:
 *
 *     numbers, strings, true, false, nil          and or not, == ~= < <= > >=
 *     + - * / // %  & | ~ << >>                   constants of the API and the console
 *     fields of the event (order), ev.FIELD       the script's locals
 *     zone.NAME.FIELD, zone.NAME:nr_free(N, MT), zone.NAME:pcp_count(CPU, ORDER, MT)
 *     machine.FIELD, vmstat("NAME"), pfn_to_page(N), PAGE:pfn()
 *
 * I1  The answer is Lua's or none: whatever is rare (an error, a string that is a number,
 *     a metamethod, a value of another type) is answered "ask Lua".
 * I2  What is compiled depends on Lua's globals only through expression_holds().
 *
 * tests/test_expression.c compares both on random expressions.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SCRIPTS_EXPRESSION_H
#define SCRIPTS_EXPRESSION_H

#include "script.h"

struct expression;

enum value_type { VALUE_NIL, VALUE_BOOL, VALUE_INT, VALUE_FLOAT, VALUE_TEXT, VALUE_PAGE };
struct value {
    enum value_type type;
    union {
        bool truth;
        int64_t number;
        double real;
        const char *text;
        uint64_t pfn;
    } u;
};

/* Keep what the API's globals are, to recognise them later. L: the console's state, when
 * nobody has touched it yet. */
void expression_open(lua_State *L);
/* NULL: it needs Lua (or there is no memory, or it is no expression). */
struct expression *expression_compile(struct session *s, lua_State *L, const char *text);
void expression_free(struct expression *e);
/* Do the globals that it was compiled with still mean the same? */
bool expression_holds(const struct expression *e, lua_State *L);
/* Its value at the event (NULL: between operations); over: the event's operation has
 * ended. False: ask Lua. Texts hold until the next call. */
bool expression_value(struct expression *e, const struct machine *m,
                      const struct event *ev, bool over, struct value *v);

#endif
