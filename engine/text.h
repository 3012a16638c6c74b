/* Building a text piece by piece with snprintf's promise: the length is that of the whole
 * text, also where the buffer was too small for it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ENGINE_TEXT_H
#define ENGINE_TEXT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

struct text {
    char *buf;
    size_t size;
    int len;
};

#if defined __GNUC__
__attribute__((format(printf, 2, 3)))
#endif
static inline void
text_put(struct text *t, const char *format, ...)
{
    size_t len = (size_t)t->len;
    va_list ap;
    va_start(ap, format);
    int n = len < t->size ? vsnprintf(t->buf + len, t->size - len, format, ap)
                          : vsnprintf(NULL, 0, format, ap);
    va_end(ap);
    t->len += n > 0 ? n : 0;
}

#endif
