/* Writing JSON, one object a line (NDJSON). Text that is not UTF-8 becomes U+FFFD, so
 * that every line is valid.
 *
 * write_json_begin(w); write_json_string(w, "type", "op");
 * write_json_open(w, "args", '{'); ... write_json_close(w, '}'); write_json_end(w);
 * In an array the key is NULL.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SCRIPTS_JSON_H
#define SCRIPTS_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
    FILE *out;
    bool comma; /* before the next member */
};

void write_json_begin(struct json *w);
void write_json_end(struct json *w); /* closes the object and the line */
void write_json_open(struct json *w, const char *key, char bracket);
void write_json_close(struct json *w, char bracket);
void write_json_string(struct json *w, const char *key, const char *value);
void write_json_number(struct json *w, const char *key,
                       uint64_t value); /* above 2^53: as a hexadecimal string */
void write_json_signed(struct json *w, const char *key, int64_t value);
void write_json_bool(struct json *w, const char *key, bool value);
void write_json_null(struct json *w, const char *key);

#endif
