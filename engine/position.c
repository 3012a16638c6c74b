/* Positions in words.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "position.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

const char *position_format(char buf[POSITION_TEXT], struct position at)
{
    if (at.event) {
        snprintf(buf, POSITION_TEXT, "%" PRIu64 ".%" PRIu64, op_number(at.op), at.event);
    } else {
        snprintf(buf, POSITION_TEXT, "%" PRIu64, at.op);
    }
    return buf;
}

/* What follows the number, or NULL: it is none, or too large. */
static const char *parse_number(const char *text, uint64_t *n)
{
    const char *at = text;
    for (*n = 0; *at >= '0' && *at <= '9'; at++) {
        const unsigned digit = (unsigned)(*at - '0');
        if (*n > (UINT64_MAX - digit) / 10) {
            return NULL;
        }
        *n = *n * 10 + digit;
    }
    return at == text ? NULL : at;
}

const char *position_parse(const char *text, struct position *at)
{
    uint64_t number, event = 0;
    const char *rest = parse_number(text, &number);
    if (!rest || *rest != '.') {
        at->op = rest ? number : at->op;
        at->event = rest ? 0 : at->event;
        return rest;
    }
    rest = parse_number(rest + 1, &event);
    if (!rest || !number) { /* no operation has the number 0 */
        return NULL;
    }
    at->op = op_of_number(number);
    at->event = event;
    return rest;
}
