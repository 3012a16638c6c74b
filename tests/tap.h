/* The Test Anything Protocol, in one header: a test program is a main() that says what is
 * ok.
 *
 *     int main(void)
 *     {
 *         ok(buddy_check(m) == NULL, "empty zone holds its invariants");
 *         is_u64(buddy_free(m, 0), 32, "%u pages are free", 32);
 *         return done_testing();
 *     }
 *
 * Each of ok, is_u64, is_i64, is_hex and is_str answers whether it held, says file and
 * line when it did not, and takes a printf format for its name. In a loop of millions,
 * count the failures and say one ok() at the end.
 *
 * Tests run with MMSCOPE_SOURCE (the source's root) and MMSCOPE (the program) in their
 * environment.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_TAP_H
#define TESTS_TAP_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined __GNUC__
#define TAP_PRINTF(at, first) __attribute__((format(printf, at, first)))
#else
#define TAP_PRINTF(at, first)
#endif

static struct {
    unsigned long run, failed;
} tap;

#define ok(cond, ...) tap_ok((cond), __FILE__, __LINE__, __VA_ARGS__)
#define is_u64(got, want, ...) tap_u64((got), (want), __FILE__, __LINE__, __VA_ARGS__)
#define is_i64(got, want, ...) tap_i64((got), (want), __FILE__, __LINE__, __VA_ARGS__)
#define is_hex(got, want, ...) tap_hex((got), (want), __FILE__, __LINE__, __VA_ARGS__)
#define is_str(got, want, ...) tap_str((got), (want), __FILE__, __LINE__, __VA_ARGS__)

/* One line of a result. A newline in a name would break the protocol, a '#' could begin a
 * directive. */
static inline bool tap_report(bool held, const char *file, int line, const char *format,
                              va_list ap)
{
    char name[512];
    int n = vsnprintf(name, sizeof name, format, ap);
    if (n < 0) {
        name[0] = 0;
    }
    for (char *c = name; *c; c++) {
        if (*c == '\n' || *c == '\r') {
            *c = ' ';
        } else if (*c == '#') {
            *c = '.';
        }
    }
    tap.run++;
    printf("%sok %lu - %s\n", held ? "" : "not ", tap.run, name);
    if (!held) {
        tap.failed++;
        printf("# failed: %s, line %d\n", file, line);
    }
    fflush(stdout);
    return held;
}

/* Lines of comment; every line of the text gets its own "# ". */
TAP_PRINTF(1, 2) static inline void diag(const char *format, ...)
{
    static char text[16384];
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    if (n < 0) {
        return;
    }
    const char *line = text;
    do {
        size_t len = strcspn(line, "\n");
        printf("# %.*s\n", (int)len, line);
        line += len + (line[len] == '\n');
    } while (*line);
    fflush(stdout);
}

TAP_PRINTF(4, 5)
static inline bool tap_ok(bool held, const char *file, int line, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    tap_report(held, file, line, format, ap);
    va_end(ap);
    return held;
}

TAP_PRINTF(5, 6)
static inline bool tap_u64(uint64_t got, uint64_t want, const char *file, int line,
                           const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    if (!tap_report(got == want, file, line, format, ap)) {
        diag("     got %" PRIu64 "\nexpected %" PRIu64, got, want);
    }
    va_end(ap);
    return got == want;
}

TAP_PRINTF(5, 6)
static inline bool tap_i64(int64_t got, int64_t want, const char *file, int line,
                           const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    if (!tap_report(got == want, file, line, format, ap)) {
        diag("     got %" PRId64 "\nexpected %" PRId64, got, want);
    }
    va_end(ap);
    return got == want;
}

TAP_PRINTF(5, 6)
static inline bool tap_hex(uint64_t got, uint64_t want, const char *file, int line,
                           const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    if (!tap_report(got == want, file, line, format, ap)) {
        diag("     got %#" PRIx64 "\nexpected %#" PRIx64, got, want);
    }
    va_end(ap);
    return got == want;
}

/* NULL equals only NULL. */
TAP_PRINTF(5, 6)
static inline bool tap_str(const char *got, const char *want, const char *file, int line,
                           const char *format, ...)
{
    bool same = got && want ? strcmp(got, want) == 0 : got == want;
    va_list ap;
    va_start(ap, format);
    if (!tap_report(same, file, line, format, ap)) {
        diag("     got %s\nexpected %s", got ? got : "(null)", want ? want : "(null)");
    }
    va_end(ap);
    return same;
}

/* One test that cannot be made here (a program or a file that is not there), and why. */
TAP_PRINTF(1, 2) static inline void skip(const char *format, ...)
{
    va_list ap;
    tap.run++;
    printf("ok %lu # SKIP ", tap.run);
    va_start(ap, format);
    vprintf(format, ap);
    va_end(ap);
    putchar('\n');
    fflush(stdout);
}

/* Give up: what follows makes no sense any more. The program fails. */
TAP_PRINTF(1, 2) static inline void bail_out(const char *format, ...)
{
    va_list ap;
    printf("Bail out! ");
    va_start(ap, format);
    vprintf(format, ap);
    va_end(ap);
    putchar('\n');
    fflush(stdout);
    exit(1);
}

/* The plan, at the end. return done_testing(); */
static inline int done_testing(void)
{
    printf("1..%lu\n", tap.run);
    if (tap.failed) {
        diag("%lu of %lu failed", tap.failed, tap.run);
    }
    fflush(stdout);
    return tap.failed || !tap.run;
}

/* The path of a file of the source tree, as "tests/golden/x.txt.xz". */
static inline const char *source_path(char *buf, size_t size, const char *name)
{
    const char *root = getenv("MMSCOPE_SOURCE");
    snprintf(buf, size, "%s/%s", root ? root : ".", name);
    return buf;
}

#endif
