/* A growing text. After memory runs out it stays as it was (cut, never wrong).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SCRIPTS_BUFFER_H
#define SCRIPTS_BUFFER_H

#include <stdarg.h>
#include <stddef.h>

struct buffer {
    char *at; /* NULL while empty; else NUL-terminated, free() it */
    size_t len, room;
};

void buffer_append(struct buffer *t, const char *bytes, size_t len);
void buffer_string(struct buffer *t, const char *s);
#if defined __GNUC__
__attribute__((format(printf, 2, 3)))
#endif
void buffer_printf(struct buffer *t, const char *format, ...);
void buffer_clear(struct buffer *t); /* empty, memory kept */
void buffer_free(struct buffer *t);
static inline const char *buffer_of(const struct buffer *t) { return t->at ? t->at : ""; }

/* strdup, which bare C11 lacks; NULL: no memory. */
char *buffer_copy_string(const char *s);

#endif
