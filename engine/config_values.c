/* Sizes, numbers and truth values as words: the values of a machine's options.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "config_private.h"

bool config_scan_size(const char **at, uint64_t *out)
{
    const char *s = *at;
    if (*s < '0' || *s > '9') {
        return false;
    }
    char *end;
    int base = s[0] == '0' && (s[1] == 'x' || s[1] == 'X') ? 16 : 10;
    uint64_t v = strtoull(s, &end, base);
    if (v == UINT64_MAX) {
        return false;
    }
    static const char units[] = "KMGT";
    const char *unit = *end ? strchr(units, *end >= 'a' ? *end - 'a' + 'A' : *end) : NULL;
    if (unit) {
        unsigned shift = 10 * (unsigned)(unit - units + 1);
        if (v > UINT64_MAX >> shift) {
            return false;
        }
        v <<= shift;
        end++;
    }
    if (end[0] == 'i' && end[1] == 'B') {
        end += 2;
    } else if (end[0] == 'B') {
        end++;
    }
    *at = end;
    *out = v;
    return true;
}

bool config_parse_size(const char *text, uint64_t *out)
{
    return config_scan_size(&text, out) && !*text;
}

int config_print_size(char *buf, size_t size, uint64_t v)
{
    static const char units[] = "TGMK";
    for (unsigned i = 0; i < 4; i++) {
        unsigned shift = 40 - 10 * i;
        if (v && !(v & (((uint64_t)1 << shift) - 1))) {
            return snprintf(buf, size, "%" PRIu64 "%c", v >> shift, units[i]);
        }
    }
    return snprintf(buf, size, "%" PRIu64, v);
}

bool config_parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
    char *end;
    if (*text < '0' || *text > '9') {
        return false;
    }
    uint64_t v = strtoull(text, &end, 0);
    if (*end || v < min || v > max || v == UINT64_MAX) {
        return false;
    }
    *out = v;
    return true;
}

bool config_parse_bool(const char *text, bool *out)
{
    static const char *const yes[] = {"1", "true", "yes", "on"};
    static const char *const no[] = {"0", "false", "no", "off"};
    for (size_t i = 0; i < 4; i++) {
        if (!strcmp(text, yes[i]) || !strcmp(text, no[i])) {
            *out = !strcmp(text, yes[i]);
            return true;
        }
    }
    return false;
}
