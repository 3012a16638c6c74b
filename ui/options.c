/* Sizes with units.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "options.h"

bool parse_size(const char *text, uint64_t *bytes)
{
    uint64_t n = 0;
    const char *p = text;
    for (; *p >= '0' && *p <= '9'; p++) {
        uint64_t digit = (uint64_t)(*p - '0');
        if (n > (UINT64_MAX - digit) / 10) {
            return false;
        }
        n = n * 10 + digit;
    }
    if (p == text) {
        return false;
    }
    unsigned shift = 0;
    switch (*p) {
    case 'k':
    case 'K':
        shift = 10;
        break;
    case 'm':
    case 'M':
        shift = 20;
        break;
    case 'g':
    case 'G':
        shift = 30;
        break;
    case 't':
    case 'T':
        shift = 40;
        break;
    default:
        break;
    }
    p += shift != 0;
    if (shift && p[0] == 'i' && p[1] == 'B') {
        p += 2;
    } else if (p[0] == 'B') {
        p++;
    }
    if (*p || n > UINT64_MAX >> shift) {
        return false;
    }
    *bytes = n << shift;
    return true;
}
