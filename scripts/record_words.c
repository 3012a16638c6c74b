/* Words, numbers and fields of a line, and errors that name it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record_private.h"

const char *const record_zone_names[MAX_NR_ZONES] = {"DMA", "DMA32", "Normal", "HighMem",
                                                     "Movable"};

/* ---- errors ---- */

void say_failed(struct parser *p, const char *format, ...)
{
    if (p->failed) {
        return;
    }
    p->failed = true;
    int n = snprintf(p->err, p->err_size, "%s:%u: ", p->name, p->line);
    if (n > 0 && (size_t)n < p->err_size) {
        va_list ap;
        va_start(ap, format);
        vsnprintf(p->err + n, p->err_size - (size_t)n, format, ap);
        va_end(ap);
    }
    for (char *c = p->err; p->err_size && *c; c++) {
        if ((unsigned char)*c < ' ' || (unsigned char)*c >= 0x7f) {
            *c = '?';
        }
    }
}

/* ---- growing tables ---- */

bool table_grow(struct parser *p, void **table, uint32_t nr, size_t size)
{
    /* Room is a power of two: full exactly when nr is one. */
    if (nr && (nr & (nr - 1))) {
        return true;
    }
    if (nr >= UINT32_MAX / 2) {
        return fail(p, "the record is too long");
    }
    void *bigger = realloc(*table, (nr ? (size_t)nr * 2 : 1) * size);
    if (!bigger) {
        return fail(p, "out of memory");
    }
    *table = bigger;
    return true;
}

/* ---- words and numbers ---- */

void skip_blanks(struct parser *p)
{
    while (p->at < p->end && *p->at == ' ') {
        p->at++;
    }
}

bool at_end(struct parser *p)
{
    skip_blanks(p);
    return p->at == p->end;
}

bool next_word(struct parser *p, struct word *w)
{
    *w = (struct word){p->at, 0};
    if (at_end(p)) {
        return fail(p, "the line ends early: it is cut off");
    }
    w->text = p->at;
    while (p->at < p->end && *p->at != ' ') {
        p->at++;
    }
    w->len = (size_t)(p->at - w->text);
    return true;
}

bool word_is(struct word w, const char *text)
{
    return w.len == strlen(text) && !memcmp(w.text, text, w.len);
}

bool to_number(struct word w, unsigned base, uint64_t most, uint64_t *out)
{
    uint64_t v = 0;
    if (!w.len || w.len > 20) {
        return false;
    }
    for (size_t i = 0; i < w.len; i++) {
        char c = w.text[i];
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                                                : 99;
        if (digit >= base || v > (UINT64_MAX - digit) / base) {
            return false;
        }
        v = v * base + digit;
    }
    *out = v;
    return v <= most;
}

bool bad_word(struct parser *p, struct word w, const char *wanted)
{
    return fail(p, "'%.*s' is not %s", (int)(w.len < 40 ? w.len : 40), w.text, wanted);
}

bool next_number(struct parser *p, unsigned base, uint64_t most, uint64_t *out)
{
    struct word w;
    if (!next_word(p, &w)) {
        return false;
    }
    return to_number(w, base, most, out) ||
           bad_word(p, w, base == 16 ? "a page frame number" : "a number in its bounds");
}

bool next_pfn(struct parser *p, uint32_t *out)
{
    uint64_t v;
    if (!next_number(p, 16, RECORD_NULL - 1, &v)) {
        return false;
    }
    *out = (uint32_t)v;
    return true;
}

bool end_of_line(struct parser *p)
{
    struct word w;
    return at_end(p) ||
           (next_word(p, &w) && bad_word(p, w, "expected here: the line should end"));
}

/* ---- key=value ---- */

/* Every field once, in any order, and nothing else. */
bool parse_fields(struct parser *p, const struct field *fields, size_t nr)
{
    uint64_t seen = 0;
    while (!at_end(p)) {
        struct word w;
        next_word(p, &w);
        const char *eq = memchr(w.text, '=', w.len);
        struct word key = {w.text, eq ? (size_t)(eq - w.text) : w.len};
        size_t i = 0;
        while (i < nr && !word_is(key, fields[i].key)) {
            i++;
        }
        if (!eq || i == nr) {
            return bad_word(p, w, "a field of this line");
        }
        if (seen & (uint64_t)1 << i) {
            return fail(p, "%s= stands twice", fields[i].key);
        }
        seen |= (uint64_t)1 << i;
        struct word value = {eq + 1, w.len - key.len - 1};
        bool negative = fields[i].signed_value && value.len && value.text[0] == '-';
        value.text += negative;
        value.len -= negative;
        uint64_t v;
        if (!to_number(value, 10, fields[i].most, &v)) {
            return bad_word(p, w, "a number in its bounds");
        }
        if (fields[i].signed_value) {
            *fields[i].signed_value = negative ? -(int32_t)v : (int32_t)v;
        } else {
            *fields[i].value = v;
        }
    }
    for (size_t i = 0; i < nr; i++) {
        if (!(seen & (uint64_t)1 << i)) {
            return fail(p, "%s= is missing: the line is cut off", fields[i].key);
        }
    }
    return true;
}
