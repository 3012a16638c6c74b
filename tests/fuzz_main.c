/* Drives a fuzzer (fuzz.h) without libFuzzer: every example as it is, then mutations of
 * the examples.
 *
 *   fuzz_NAME RUNS FOLDER-OF-EXAMPLES
 *
 * MMSCOPE_FUZZ_SECONDS: how long an input may take (60; more under valgrind).
 *
 * The same runs and examples give the same inputs. An input that kills the program is
 * left in fuzz-crash.bin.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _XOPEN_SOURCE 700
#include "fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include "prng.h"
#include "tap.h"

enum { MAX_INPUT = 1 << 16, MAX_EXAMPLES = 256 };

static struct example {
    uint8_t *data;
    size_t size;
} examples[MAX_EXAMPLES];
static size_t nr_examples;

static long seconds_an_input = 60;
static uint8_t input[MAX_INPUT];
static size_t input_size;

static void on_death(int number)
{
    int fd = open("fuzz-crash.bin", O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd >= 0) {
        ssize_t n = write(fd, input, input_size);
        (void)n;
        close(fd);
    }
    signal(number, SIG_DFL);
    raise(number);
}

static void load(const char *folder, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    if (!f) {
        bail_out("cannot read the example %s", path);
    }
    struct example *e = &examples[nr_examples++];
    e->data = malloc(MAX_INPUT);
    e->size = e->data ? fread(e->data, 1, MAX_INPUT, f) : 0;
    fclose(f);
}

static void run(void)
{
    /* An endless loop dies like a crash. Processor time: the host may do much else. */
    const struct itimerval most = {.it_value.tv_sec = seconds_an_input}, none = {0};
    setitimer(ITIMER_PROF, &most, NULL);
    LLVMFuzzerTestOneInput(input, input_size);
    setitimer(ITIMER_PROF, &none, NULL);
}

/* Numbers at which parsers break. */
static const char *const words[] = {
    "0",
    "-1",
    "1",
    "4294967295",
    "4294967296",
    "18446744073709551615",
    "0x7fffffffffffffff",
    "99999999999999999999",
    " ",
    "\n",
    "\"",
    "(",
    ")",
    "{",
    "}",
    "=",
    ":",
    ",",
    "[",
    "]",
    "%s",
    "\xff",
    "nil",
};

static void insert(size_t at, const uint8_t *data, size_t size)
{
    if (size > MAX_INPUT - input_size) {
        size = MAX_INPUT - input_size;
    }
    memmove(input + at + size, input + at, input_size - at);
    memmove(input + at, data, size);
    input_size += size;
}

static void cut(size_t at, size_t size)
{
    memmove(input + at, input + at + size, input_size - at - size);
    input_size -= size;
}

static void mutate(struct prng *r)
{
    size_t at = input_size ? (size_t)prng_below(r, input_size) : 0;
    size_t rest = input_size - at;
    switch (prng_below(r, 8)) {
    case 0:
        if (rest) {
            input[at] ^= (uint8_t)(1u << prng_below(r, 8));
        }
        break;
    case 1:
        if (rest) {
            input[at] = (uint8_t)prng_below(r, 256);
        }
        break;
    case 2:
        if (rest) {
            cut(at, (size_t)prng_below(r, rest < 64 ? rest : 64) + 1);
        }
        break;
    case 3: {
        const char *word = words[prng_below(r, sizeof words / sizeof *words)];
        insert(at, (const uint8_t *)word, strlen(word));
        break;
    }
    case 4: /* a number gets another one */
        while (rest && !(input[at] >= '0' && input[at] <= '9')) {
            at++;
            rest--;
        }
        if (rest) {
            size_t len = 0;
            while (len < rest && input[at + len] >= '0' && input[at + len] <= '9') {
                len++;
            }
            const char *word = words[prng_below(r, 8)];
            cut(at, len);
            insert(at, (const uint8_t *)word, strlen(word));
        }
        break;
    case 5: { /* a piece of another example */
        const struct example *e = &examples[prng_below(r, nr_examples)];
        if (e->size) {
            size_t from = (size_t)prng_below(r, e->size), len = e->size - from;
            insert(at, e->data + from, (size_t)prng_below(r, len < 512 ? len : 512) + 1);
        }
        break;
    }
    case 6: /* a line twice, or gone */
        while (at && input[at - 1] != '\n') {
            at--;
        }
        rest = 0;
        while (at + rest < input_size && input[at + rest] != '\n') {
            rest++;
        }
        rest += at + rest < input_size;
        if (prng_below(r, 2)) {
            cut(at, rest);
        } else if (rest && rest <= 512) {
            uint8_t line[512];
            memcpy(line, input + at, rest);
            insert(at, line, rest);
        }
        break;
    default:
        if (prng_below(r, 16) == 0) {
            input_size = at;
        }
        break;
    }
}

int main(int argc, char **argv)
{
    unsigned long runs = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000;
    struct dirent **files;
    int nr_files = argc > 2 ? scandir(argv[2], &files, NULL, alphasort) : 0;
    for (int i = 0; i < nr_files; i++) {
        if (files[i]->d_name[0] != '.' && nr_examples < MAX_EXAMPLES) {
            load(argv[2], files[i]->d_name);
        }
        free(files[i]);
    }
    const char *seconds = getenv("MMSCOPE_FUZZ_SECONDS");
    seconds_an_input = seconds ? atol(seconds) : seconds_an_input;
    if (!nr_examples) {
        bail_out("usage: %s RUNS FOLDER-OF-EXAMPLES", argv[0]);
    }
    free(files);
    static const int deaths[] = {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGPROF};
    for (size_t i = 0; i < sizeof deaths / sizeof *deaths; i++) {
        signal(deaths[i], on_death);
    }
    for (size_t i = 0; i < nr_examples; i++) {
        memcpy(input, examples[i].data, input_size = examples[i].size);
        run();
    }
    ok(true, "%zu examples", nr_examples);
    struct prng r = {.state = 1};
    for (unsigned long i = 0; i < runs; i++) {
        const struct example *e = &examples[prng_below(&r, nr_examples)];
        memcpy(input, e->data, input_size = e->size);
        for (uint64_t n = prng_below(&r, 8) + 1; n; n--) {
            mutate(&r);
        }
        run();
    }
    ok(true, "%lu mutations of them", runs);
    for (size_t i = 0; i < nr_examples; i++) {
        free(examples[i].data);
    }
    return done_testing();
}
