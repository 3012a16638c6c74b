/* A growing text.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "buffer.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool make_room(struct buffer *t, size_t more)
{
    if (more < t->room - t->len) {
        return true;
    }
    size_t room = t->room ? t->room * 2 : 128;
    while (room - t->len <= more) {
        room *= 2;
    }
    char *at = realloc(t->at, room);
    if (!at) {
        return false;
    }
    t->at = at;
    t->room = room;
    return true;
}

void buffer_append(struct buffer *t, const char *bytes, size_t len)
{
    if (make_room(t, len)) {
        memcpy(t->at + t->len, bytes, len);
        t->len += len;
        t->at[t->len] = 0;
    }
}

void buffer_string(struct buffer *t, const char *s) { buffer_append(t, s, strlen(s)); }

void buffer_printf(struct buffer *t, const char *format, ...)
{
    va_list ap, again;
    va_start(ap, format);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, format, ap);
    va_end(ap);
    if (n >= 0 && make_room(t, (size_t)n)) {
        vsnprintf(t->at + t->len, t->room - t->len, format, again);
        t->len += (size_t)n;
    }
    va_end(again);
}

void buffer_clear(struct buffer *t)
{
    t->len = 0;
    if (t->at) {
        t->at[0] = 0;
    }
}

void buffer_free(struct buffer *t)
{
    free(t->at);
    *t = (struct buffer){0};
}

char *buffer_copy_string(const char *s)
{
    size_t size = strlen(s) + 1;
    char *copy = malloc(size);
    return copy ? memcpy(copy, s, size) : NULL;
}
