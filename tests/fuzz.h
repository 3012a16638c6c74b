/* A fuzzer is one function that must survive any bytes: tests/fuzz_NAME.c.
 *
 *     int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
 *     {
 *         ... parse them; no leak, no crash, no endless loop; answer 0 ...
 *     }
 *
 * With -Dfuzz=true (clang) it is linked with libFuzzer, which is guided by what the
 * program does: ./check --long lets each run for a while, and by hand:
 * build-fuzz/tests/fuzz_NAME -max_total_time=3600 corpus/. Otherwise it is an ordinary
 * test: fuzz_main.c feeds it the examples of tests/corpus/NAME and mutations of them.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
