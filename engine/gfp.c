/* GFP flags as text and back.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "gfp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct gfp_name {
    const char *name;
    gfp_t value;
};

static const struct gfp_name combinations[] = {
#define GFP_ROW_(name, value, meaning) {#name, name},
    GFP_COMBINATIONS(GFP_ROW_)
#undef GFP_ROW_
};

static const struct gfp_name single_bits[] = {
#define GFP_ROW_(name, value, meaning) {#name, name},
    GFP_FLAGS(GFP_ROW_)
#undef GFP_ROW_
};

enum {
    NR_COMBINATIONS = sizeof combinations / sizeof combinations[0],
    NR_BITS = sizeof single_bits / sizeof single_bits[0]
};

static int count_bits(gfp_t v)
{
    int n = 0;
    for (; v; v &= v - 1) {
        n++;
    }
    return n;
}

static int append(char *buf, size_t size, int len, const char *text)
{
    const char *bar = len ? "|" : "";
    size_t at = (size_t)len < size ? (size_t)len : size;
    return len + snprintf(size > at ? buf + at : NULL, size > at ? size - at : 0, "%s%s",
                          bar, text);
}

int gfp_format(char *buf, size_t size, gfp_t gfp)
{
    if (size) {
        buf[0] = 0;
    }
    const struct gfp_name *best = NULL;
    for (size_t i = 0; i < NR_COMBINATIONS; i++) {
        gfp_t v = combinations[i].value;
        if ((gfp & v) == v && (!best || count_bits(v) > count_bits(best->value))) {
            best = &combinations[i];
        }
    }
    int len = 0;
    gfp_t left = gfp;
    if (best) {
        len = append(buf, size, len, best->name);
        left &= ~best->value;
    }
    for (size_t i = 0; i < NR_BITS; i++) {
        if (left & single_bits[i].value) {
            len = append(buf, size, len, single_bits[i].name);
            left &= ~single_bits[i].value;
        }
    }
    if (left || !len) {
        char hex[16];
        snprintf(hex, sizeof hex, "%#x", left);
        len = append(buf, size, len, gfp ? hex : "0x0");
    }
    return len;
}

static bool word_value(const char *word, size_t len, gfp_t *value)
{
    for (size_t i = 0; i < NR_COMBINATIONS; i++) {
        if (strlen(combinations[i].name) == len &&
            !memcmp(combinations[i].name, word, len)) {
            *value = combinations[i].value;
            return true;
        }
    }
    for (size_t i = 0; i < NR_BITS; i++) {
        if (strlen(single_bits[i].name) == len &&
            !memcmp(single_bits[i].name, word, len)) {
            *value = single_bits[i].value;
            return true;
        }
    }
    char *end;
    unsigned long v = strtoul(word, &end, 0);
    if (len && end == word + len && v <= UINT32_MAX && word[0] >= '0' && word[0] <= '9') {
        *value = (gfp_t)v;
        return true;
    }
    return false;
}

bool gfp_parse(const char *text, gfp_t *gfp, const char **bad)
{
    *gfp = 0;
    while (true) {
        text += strspn(text, " ");
        size_t len = strcspn(text, "| ");
        gfp_t v;
        if (!word_value(text, len, &v)) {
            if (bad) {
                *bad = text;
            }
            return false;
        }
        *gfp |= v;
        text += len;
        text += strspn(text, " ");
        if (!*text) {
            return true;
        }
        if (*text++ != '|') {
            if (bad) {
                *bad = text - 1;
            }
            return false;
        }
    }
}
