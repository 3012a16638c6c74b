/* Parsing traces, quickly where lines look as valgrind writes them, and exactly
 * everywhere: see trace_reader.h.
 *
 * The quick path takes eight hexadecimal digits at a time and gives every line that it
 * does not like, good or bad, to the exact one.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "trace_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stream.h"

/* ---- one line, exactly ---- */

static unsigned hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return (unsigned)(c - '0');
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 16;
}

/* A hexadecimal number at *at; false: no digit, or more than 64 bits. */
static bool hex_number(const char **at, const char *end, uint64_t *out)
{
    const char *p = *at;
    uint64_t v = 0;
    for (; p < end && hex_digit(*p) < 16; p++) {
        if (v >> 60) {
            return false;
        }
        v = v << 4 | hex_digit(*p);
    }
    bool any = p > *at;
    *at = p;
    *out = v;
    return any;
}

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

static const char *check_ref(const struct ref *r)
{
    if (r->size == 0 || r->size > TRACE_MAX_SIZE) {
        return "the size must be from 1 to 65536";
    }
    return r->va + (r->size - 1) < r->va ? "it reaches past the end of the address space"
                                         : NULL;
}

static const char *lackey_line(const char *p, const char *end, struct ref *to, bool *none)
{
    static const char kinds[] = "ILSM";
    if (end - p >= 2 && ((p[0] == '=' && p[1] == '=') || (p[0] == '-' && p[1] == '-'))) {
        *none = true; /* valgrind talks */
        return NULL;
    }
    if (end - p < 3 || p[2] != ' ') {
        return "neither I, L, S nor M";
    }
    const char *kind = p[0] == 'I' && p[1] == ' ' ? kinds
                       : p[0] == ' '              ? strchr(kinds + 1, p[1])
                                                  : NULL;
    if (!kind || !*kind) {
        return "neither I, L, S nor M";
    }
    p += 3;
    if (!hex_number(&p, end, &to->va)) {
        return "no address of up to 16 hexadecimal digits";
    }
    if (p == end || *p != ',') {
        return "no comma after the address";
    }
    uint32_t size = 0;
    const char *digits = ++p;
    for (; p < end && *p >= '0' && *p <= '9'; p++) {
        size = size > TRACE_MAX_SIZE ? size : size * 10 + (uint32_t)(*p - '0');
    }
    if (p == digits || p != end) {
        return "no decimal size after the comma";
    }
    to->size = size;
    to->kind = (uint32_t)(kind - kinds);
    return check_ref(to);
}

/* Blanks, perhaps 0x, then a number that ends at a blank or the line's end. */
static bool din_field(const char **at, const char *end, uint64_t *out)
{
    const char *p = *at;
    while (p < end && is_blank(*p)) {
        p++;
    }
    if (end - p > 2 && p[0] == '0' && (p[1] | 0x20) == 'x') {
        p += 2;
    }
    bool good = hex_number(&p, end, out) && (p == end || is_blank(*p));
    *at = p;
    return good;
}

static const char *din_line(const char *p, const char *end, struct ref *to)
{
    uint64_t label;
    if (!din_field(&p, end, &label)) {
        return "no label";
    }
    if (label > 3) {
        return "the label is none of 0 (read), 1 (write), 2 (fetch), 3 (read)";
    }
    if (!din_field(&p, end, &to->va)) {
        return "no address of up to 16 hexadecimal digits after the label";
    }
    to->va &= ~(uint64_t)3;
    to->size = 4;
    to->kind = label == 1 ? REF_STORE : label == 2 ? REF_FETCH : REF_LOAD;
    return NULL;
}

static const char *xdin_line(const char *p, const char *end, struct ref *to)
{
    while (p < end && is_blank(*p)) {
        p++;
    }
    char kind = p < end ? (char)(*p++ | 0x20) : 0;
    if (!kind || !strchr("rwim", kind) || p == end || !is_blank(*p)) {
        return "none of r, w, i, m";
    }
    uint64_t size = 0;
    if (!din_field(&p, end, &to->va)) {
        return "no address of up to 16 hexadecimal digits";
    }
    if (!din_field(&p, end, &size)) {
        return "no hexadecimal size";
    }
    to->size = size > TRACE_MAX_SIZE ? 0 : (uint32_t)size;
    to->kind = kind == 'w' ? REF_STORE : kind == 'i' ? REF_FETCH : REF_LOAD;
    return check_ref(to);
}

static enum trace_format guess_format(const char *p, const char *end)
{
    if (end - p >= 2 && ((p[0] == '=' && p[1] == '=') || (p[0] == '-' && p[1] == '-'))) {
        return TRACE_LACKEY;
    }
    if (end - p >= 3 && ((p[0] == 'I' && p[1] == ' ' && p[2] == ' ') ||
                         (p[0] == ' ' && strchr("LSM", p[1]) && p[1] && p[2] == ' '))) {
        return TRACE_LACKEY;
    }
    while (p < end && is_blank(*p)) {
        p++;
    }
    if (end - p < 3) {
        return TRACE_UNKNOWN;
    }
    if (p[0] >= '0' && p[0] <= '9') {
        return TRACE_DIN;
    }
    return strchr("rwimRWIM", p[0]) && p[0] && is_blank(p[1]) ? TRACE_XDIN
                                                              : TRACE_UNKNOWN;
}

/* Keep the beginning of a bad line for the message. */
static void keep_text(struct trace_parser *p, const char *from, const char *end)
{
    size_t n = 0;
    for (; from < end && n < TRACE_TEXT - 4; from++) {
        p->text[n++] = *from >= ' ' && *from <= '~' ? *from : '?';
    }
    memcpy(p->text + n, from < end ? "..." : "", from < end ? 4 : 1);
}

/* One line from p to end, without its line feed. False: malformed. */
static bool exact_line(struct trace_parser *t, const char *p, const char *end,
                       struct ref *to, bool *none)
{
    const char *error;
    *none = false;
    *to = (struct ref){0};
    const char *stop = end > p && end[-1] == '\r' ? end - 1 : end;
    if (t->format == TRACE_UNKNOWN) {
        t->format = guess_format(p, stop);
    }
    if (stop == p) {
        error = "an empty line";
    } else if (t->format == TRACE_LACKEY) {
        error = lackey_line(p, stop, to, none);
    } else if (t->format == TRACE_DIN) {
        error = din_line(p, stop, to);
    } else if (t->format == TRACE_XDIN) {
        error = xdin_line(p, stop, to);
    } else {
        error = "neither valgrind's lackey format nor Dinero's din";
    }
    if (error) {
        t->error = error;
        keep_text(t, p, stop);
    }
    return !error;
}

/* ---- lackey lines, quickly ---- */

static uint64_t load8(const char *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

/* Eight characters as a number, if all of them are hexadecimal digits; the first one is
 * the lowest byte of chars. */
static inline bool hex8(uint64_t chars, uint32_t *out)
{
    const uint64_t ones = 0x0101010101010101u, high = 0x80 * ones;
    uint64_t c = chars | 0x20 * ones; /* letters small, digits as they are */
    /* A flag in each byte's top bit: is it >= '0', > '9', >= 'a', > 'f'? Bytes of 0x80
       and more are refused, so their carries do no harm. */
    uint64_t from0 = chars + (0x80 - '0') * ones, past9 = chars + (0x80 - '9' - 1) * ones;
    uint64_t from_a = c + (0x80 - 'a') * ones, past_f = c + (0x80 - 'f' - 1) * ones;
    uint64_t good = ((from0 & ~past9) | (from_a & ~past_f)) & ~chars & high;
    if (good != high) {
        return false;
    }
    uint64_t v = (c & 0x0f * ones) + 9 * (from_a >> 7 & ones);
    v = (v << 4 | v >> 8) & 0x00ff00ff00ff00ffu;
    v = (v << 8 | v >> 16) & 0x0000ffff0000ffffu;
    *out = (uint32_t)(v << 16 | v >> 32);
    return true;
}

static bool little_endian(void)
{
    const uint16_t one = 1;
    unsigned char first;
    memcpy(&first, &one, 1);
    return first;
}

/* As many lines as look like valgrind's, up to stop, behind which a whole line can still
 * be read. */
static size_t quick_lackey(const char **at, const char *stop, struct ref *to, size_t max)
{
    const char *p = *at;
    size_t n = 0;
    while (n < max && p < stop) {
        uint32_t head = 0, kind;
        memcpy(&head, p, 4);
        head &= 0xffffff;
        if (head == ('I' | ' ' << 8 | ' ' << 16)) {
            kind = REF_FETCH;
        } else if (head == (' ' | 'L' << 8 | ' ' << 16)) {
            kind = REF_LOAD;
        } else if (head == (' ' | 'S' << 8 | ' ' << 16)) {
            kind = REF_STORE;
        } else if (head == (' ' | 'M' << 8 | ' ' << 16)) {
            kind = REF_MODIFY;
        } else {
            break;
        }
        uint32_t digits;
        if (!hex8(load8(p + 3), &digits)) {
            break;
        }
        uint64_t va = digits;
        const char *q = p + 11;
        while (*q != ',') { /* at most four more: an address of 48 bits */
            unsigned d = hex_digit(*q);
            if (d > 15 || q >= p + 15) {
                break;
            }
            va = va << 4 | d;
            q++;
        }
        uint32_t size = (uint32_t)(unsigned char)q[1] - '0';
        if (*q != ',' || size > 9) {
            break;
        }
        q += 2;
        if (*q != '\n') { /* two digits */
            uint32_t second = (uint32_t)(unsigned char)*q - '0';
            if (second > 9 || q[1] != '\n') {
                break;
            }
            size = size * 10 + second;
            q++;
        }
        if (!size) {
            break;
        }
        to[n++] = (struct ref){.va = va, .size = size, .kind = kind};
        p = q + 1;
    }
    *at = p;
    return n;
}

size_t trace_parse(struct trace_parser *t, const char **at, const char *end, bool last,
                   struct ref *to, size_t max)
{
    const bool quick = little_endian();
    size_t n = 0;
    while (n < max && *at < end && !t->error) {
        if (quick && t->format == TRACE_LACKEY && end - *at > TRACE_PAD) {
            size_t got = quick_lackey(at, end - TRACE_PAD, to + n, max - n);
            n += got;
            t->lines += got;
            if (n == max) {
                break;
            }
        }
        const char *feed = memchr(*at, '\n', (size_t)(end - *at));
        if (!feed && !last && end - *at <= TRACE_MAX_LINE) {
            break; /* the rest of the line is still to come */
        }
        const char *stop = feed ? feed : end;
        bool none = false;
        if (stop - *at > TRACE_MAX_LINE) {
            t->error = "a line of more than 4096 characters";
            keep_text(t, *at, stop);
        } else if (exact_line(t, *at, stop, &to[n], &none)) {
            n += !none;
            t->lines++;
            *at = feed ? feed + 1 : end;
        }
    }
    return n;
}

/* ---- a file ---- */

enum { TEXT_SIZE = 64 * 1024 };

struct trace_reader {
    struct stream *stream;
    struct trace_parser parser;
    const char *at, *end;
    bool last;
    char text[TEXT_SIZE + TRACE_PAD];
};

struct trace_reader *trace_open(const char *path, char *err, size_t err_size)
{
    struct trace_reader *r = calloc(1, sizeof *r);
    if (!r) {
        snprintf(err, err_size, "%s: out of memory", path);
        return NULL;
    }
    r->stream = stream_open(path, err, err_size);
    if (!r->stream) {
        free(r);
        return NULL;
    }
    r->at = r->end = r->text;
    return r;
}

void trace_close(struct trace_reader *r)
{
    if (r) {
        stream_close(r->stream);
        free(r);
    }
}

/* Move what is left to the front and fill up. */
static void more_text(struct trace_reader *r)
{
    size_t left = (size_t)(r->end - r->at);
    memmove(r->text, r->at, left);
    size_t got = stream_read(r->stream, r->text + left, TEXT_SIZE - left);
    r->at = r->text;
    r->end = r->text + left + got;
    r->last = !got;
}

size_t trace_read(struct trace_reader *r, struct ref *to, size_t max, char *err,
                  size_t err_size)
{
    size_t n = 0;
    err[0] = 0;
    while (!n && !r->parser.error) {
        n = trace_parse(&r->parser, &r->at, r->end, r->last, to, max);
        if (n || r->parser.error) {
            break;
        }
        if (r->last) {
            if (stream_error(r->stream)) {
                snprintf(err, err_size, "after line %llu: %s",
                         (unsigned long long)r->parser.lines, stream_error(r->stream));
            }
            return 0;
        }
        more_text(r);
        if (r->last && stream_error(r->stream)) {
            r->end = r->at; /* half a line before damaged data is not a line */
        }
    }
    if (!n && r->parser.error) {
        snprintf(err, err_size, "line %llu: %s: \"%s\"",
                 (unsigned long long)r->parser.lines + 1, r->parser.error,
                 r->parser.text);
    }
    return n;
}

bool trace_ready(const struct trace_reader *r, int milliseconds)
{
    return r->last || r->parser.error || memchr(r->at, '\n', (size_t)(r->end - r->at)) ||
           stream_ready(r->stream, milliseconds);
}

uint64_t trace_position(const struct trace_reader *r)
{
    return stream_position(r->stream);
}
uint64_t trace_total(const struct trace_reader *r) { return stream_total(r->stream); }

/* ---- the generated trace ---- */

struct syn syn_begin(uint64_t n) { return (struct syn){.x = 88172645463325252u, .n = n}; }

size_t syn_read(struct syn *s, struct ref *to, size_t max)
{
    const size_t nr = s->n - s->i < max ? (size_t)(s->n - s->i) : max;
    uint64_t x = s->x;
    for (size_t k = 0; k < nr; k++) {
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        uint64_t r = x * 2685821657736338717u, q = r >> 8;
        switch (r & 7) {
        case 0:
        case 1:
        case 2:
            to[k] = (struct ref){0x400000 + 4 * (s->i + k) % 65536, 4, REF_FETCH};
            break;
        case 3:
        case 4:
            to[k] = (struct ref){0x7f0000000000 + q % 3072 * 8, 8, REF_LOAD};
            break;
        case 5:
            to[k] = (struct ref){0x10000000 + q % 32768 * 8, 8, REF_STORE};
            break;
        case 6:
            to[k] = (struct ref){0x20000000 + q % 8388608 * 8, 8, REF_LOAD};
            break;
        default:
            to[k] = (struct ref){0x30000000 + q % 1048576, 8, REF_MODIFY};
            break;
        }
    }
    s->x = x;
    s->i += nr;
    return nr;
}
