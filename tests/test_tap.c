/* The test header and the floor's lowest types: if this fails, the house does not stand.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap.h"

#include "types.h"

int main(void)
{
    ok(true, "true is ok");
    is_u64(UINT64_MAX, UINT64_MAX, "the largest number is itself");
    is_i64(-1, -1, "so is a negative one");
    is_hex(0xffff, 65535, "hexadecimal is only another way to write it");
    is_str("a", "a", "a string equals itself");
    is_str(NULL, NULL, "and no string equals no string");
    char path[4096];
    FILE *f = fopen(source_path(path, sizeof path, "meson.build"), "r");
    ok(f != NULL, "the source is where MMSCOPE_SOURCE says");
    if (f) {
        fclose(f);
    }
    return done_testing();
}
