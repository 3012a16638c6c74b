/* Any text as options of a machine: a word name=value after the other.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "machine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct machine_config c;
    config_init(&c, ARCH_I386);
    char word[256], err[256], line[4096];
    size_t len = 0;
    for (size_t i = 0; i <= size; i++) {
        if (i < size && data[i] > ' ' && len < sizeof word - 1) {
            word[len++] = (char)data[i];
            continue;
        }
        word[len] = 0;
        len = 0;
        char *value = strchr(word, '=');
        if (value) {
            *value++ = 0;
            config_set(&c, word, value, err, sizeof err);
        }
    }
    /* What can be set can be written, and is then the same. */
    if (config_format(line, sizeof line, &c) < 0) {
        abort();
    }
    config_check(&c, err, sizeof err);
    return 0;
}
