/* Writing JSON.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "json.h"

#include <inttypes.h>
#include <string.h>

/* Bytes of the UTF-8 character at s; 0: it is none (RFC 3629: no overlong forms, no
 * surrogates). */
static int utf8_length(const unsigned char *s)
{
    static const struct {
        unsigned char first, last, low, high; /* of the second byte */
        int len;
    } forms[] = {{0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
                 {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3},
                 {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
                 {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};
    if (*s < 0x80) {
        return 1;
    }
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (*s < forms[i].first || *s > forms[i].last) {
            continue;
        }
        int good = s[1] >= forms[i].low && s[1] <= forms[i].high;
        for (int k = 2; good && k < forms[i].len; k++) {
            good = (s[k] & 0xc0) == 0x80;
        }
        return good ? forms[i].len : 0;
    }
    return 0;
}

static void quoted(FILE *out, const char *text)
{
    putc('"', out);
    for (const unsigned char *s = (const unsigned char *)text; *s;) {
        int len = utf8_length(s);
        if (len == 0) {
            fputs("\\ufffd", out);
            s++;
        } else if (len > 1) {
            fwrite(s, 1, (size_t)len, out);
            s += len;
        } else {
            static const char escaped[] = "\"\\\n\t\r\b\f", letters[] = "\"\\ntrbf";
            const char *e = strchr(escaped, *s);
            if (e) {
                fprintf(out, "\\%c", letters[e - escaped]);
            } else if (*s < 0x20 || *s == 0x7f) {
                fprintf(out, "\\u%04x", *s);
            } else {
                putc(*s, out);
            }
            s++;
        }
    }
    putc('"', out);
}

static void member(struct json *w, const char *key)
{
    if (w->comma) {
        putc(',', w->out);
    }
    w->comma = true;
    if (key) {
        quoted(w->out, key);
        putc(':', w->out);
    }
}

void write_json_begin(struct json *w)
{
    putc('{', w->out);
    w->comma = false;
}

void write_json_end(struct json *w) { fputs("}\n", w->out); }

void write_json_open(struct json *w, const char *key, char bracket)
{
    member(w, key);
    putc(bracket, w->out);
    w->comma = false;
}

void write_json_close(struct json *w, char bracket)
{
    putc(bracket, w->out);
    w->comma = true;
}

void write_json_string(struct json *w, const char *key, const char *value)
{
    member(w, key);
    quoted(w->out, value);
}

void write_json_number(struct json *w, const char *key, uint64_t value)
{
    member(w, key);
    fprintf(w->out, value >> 53 ? "\"%#" PRIx64 "\"" : "%" PRIu64, value);
}

void write_json_signed(struct json *w, const char *key, int64_t value)
{
    member(w, key);
    fprintf(w->out, "%" PRId64, value);
}

void write_json_bool(struct json *w, const char *key, bool value)
{
    member(w, key);
    fputs(value ? "true" : "false", w->out);
}

void write_json_null(struct json *w, const char *key)
{
    member(w, key);
    fputs("null", w->out);
}
