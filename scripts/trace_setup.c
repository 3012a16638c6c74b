/* Names, options and files for a trace's machine: see trace_setup.h.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "trace_setup.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_hw.h"

/* Behind those of geometries, which machines have, too. */
static const struct config_option options[] = {
    {"tags", "pipt|vipt|vivt", "how the first-level caches are indexed and tagged"},
    {"write", "back|through",
     "write-back with write-allocate, or write-through without (L1D)"},
    {"translation", "identity|first-touch",
     "virtual is physical, or frames in order of first touch"},
    {"first-pfn", "NUMBER", "the first frame of first-touch"},
    {"causes", "on|off", "tell misses by cause: cold, capacity, conflict"},
    {"seed", "NUMBER", "of the policy random"},
    {"geometry", "G1|...|G4|P1|P2|T1|T2|T3", "all caches and TLBs by a name"},
    {"mode", "R|W|T", "what references do: see --mode"},
    {"ram", "SIZE", "--mmu: memory of the machine that gives the process its pages"},
    {"arch", "NAME", "--mmu: its architecture, as mmscope show machine has it"},
    {"la57", "true|false", "--mmu, x86_64: page tables of five levels"},
    {"cost", "NAME",
     "the cost model: nehalem, pentium-m, skylake, cortex-a9, geode-lx, flat"},
};

const struct config_option *trace_options(size_t i)
{
    if (i < NR_GEOMETRY_OPTIONS) {
        return hw_option(i);
    }
    i -= NR_GEOMETRY_OPTIONS;
    return i < sizeof options / sizeof *options ? &options[i] : NULL;
}

#if defined __GNUC__
__attribute__((format(printf, 3, 4)))
#endif
static bool
fail(char *err, size_t err_size, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(err, err_size, format, ap);
    va_end(ap);
    return false;
}

/* ---- the geometries of the golden counts ---- */

static struct cache_config cache_of(uint32_t kib, uint32_t ways, enum cache_policy policy)
{
    return (struct cache_config){
        .sets = kib * 1024 / 64 / ways, .ways = ways, .line_bytes = 64, .policy = policy};
}

static void set_caches(struct trace_setup *t, uint32_t l1_kib, uint32_t l1_ways,
                       uint32_t l2_kib, uint32_t l2_ways, enum cache_policy policy)
{
    t->machine.l1[SIDE_I] = t->machine.l1[SIDE_D] = cache_of(l1_kib, l1_ways, policy);
    t->machine.l2 = cache_of(l2_kib, l2_ways, policy);
}

static void set_tlbs(struct trace_setup *t, uint32_t itlb, uint32_t iways, uint32_t dtlb,
                     uint32_t dways, uint32_t stlb, uint32_t sways)
{
    t->machine.tlb[SIDE_I] = (struct tlb_config){.entries = itlb, .ways = iways};
    t->machine.tlb[SIDE_D] = (struct tlb_config){.entries = dtlb, .ways = dways};
    t->machine.stlb = (struct tlb_config){.entries = stlb, .ways = sways};
}

void trace_setup_init(struct trace_setup *t)
{
    memset(t, 0, sizeof *t);
    set_caches(t, 32, 8, 256, 8, POLICY_LRU);
    set_tlbs(t, 64, 8, 64, 4, 1536, 12);
    t->machine.tagging = TAG_VIPT;
    t->machine.first_pfn = 0x100000;
    config_init(&t->kernel, ARCH_X86_64);
    t->kernel.ram_bytes = (uint64_t)1 << 30;
    t->cost = cost_models(0);
    t->mode = 'W';
}

bool trace_setup_geometry(struct trace_setup *t, const char *name, char *err,
                          size_t err_size)
{
    static const char *const names[] = {"G1", "G2", "G3", "G4", "P1",
                                        "P2", "T1", "T2", "T3"};
    size_t which = 0;
    while (which < sizeof names / sizeof *names && strcmp(names[which], name)) {
        which++;
    }
    if (which == sizeof names / sizeof *names) {
        return fail(err, err_size,
                    "there is no geometry %s: G1 to G4, P1, P2, T1 to T3 are there",
                    name);
    }
    t->geometry = names[which];
    struct memsys_config *m = &t->machine;
    memset(m->l1, 0, sizeof m->l1);
    memset(&m->l2, 0, sizeof m->l2);
    set_tlbs(t, 0, 0, 0, 0, 0, 0);
    m->tagging = TAG_PIPT;
    m->translation = TRANSLATE_IDENTITY;
    switch (which) {
    case 4: /* P1 */
    case 5: /* P2 */
        m->tagging = TAG_VIVT;
        m->translation = TRANSLATE_FIRST_TOUCH;
        set_caches(t, 32, 8, which == 4 ? 256 : 1024, which == 4 ? 8 : 16, POLICY_LRU);
        break;
    case 0:
    case 1:
        set_caches(t, 32, 8, which == 0 ? 256 : 1024, which == 0 ? 8 : 16, POLICY_LRU);
        break;
    case 2:
        set_caches(t, 16, 1, 256, 8, POLICY_LRU);
        break;
    case 3:
        set_caches(t, 32, 8, 256, 8, POLICY_FIFO);
        break;
    case 6:
    case 7:
        set_tlbs(t, which == 6 ? 0 : 64, which == 6 ? 0 : 8, 64, 4, 1536, 12);
        break;
    default:
        set_tlbs(t, 16, 4, 16, 4, 128, 4);
    }
    return true;
}

bool trace_setup_mode(struct trace_setup *t, const char *mode, char *err, size_t err_size)
{
    if (!mode[0] || mode[1] || !strchr("RWT", mode[0])) {
        return fail(err, err_size,
                    "there is no mode %s: R (everything reads), W (write-back), T "
                    "(write-through)",
                    mode);
    }
    t->mode = mode[0];
    t->as_reads = mode[0] == 'R';
    t->machine.write_through = t->machine.no_write_allocate = mode[0] == 'T';
    return true;
}

/* ---- options ---- */

static bool number(const char *text, uint64_t *out)
{
    char *end;
    if (!isdigit((unsigned char)text[0])) {
        return false;
    }
    errno = 0;
    const bool hex = text[0] == '0' && (text[1] | 0x20) == 'x';
    *out = strtoull(text, &end, hex ? 16 : 10);
    return !errno && !*end;
}

/* One of several words; answers its place, or -1 with err. */
static int choice(const char *name, const char *value, const char *const *words,
                  char *err, size_t err_size)
{
    char all[128] = "";
    size_t n = 0;
    for (int i = 0; words[i]; i++) {
        if (!strcmp(words[i], value)) {
            return i;
        }
        n += (size_t)snprintf(all + n, sizeof all - n, "%s%s", i ? ", " : "", words[i]);
    }
    fail(err, err_size, "%s=%s: one of %s is wanted", name, value, all);
    return -1;
}

static bool set_word(struct trace_setup *t, const char *name, const char *value,
                     char *err, size_t err_size)
{
    static const char *const tags[] = {"pipt", "vipt", "vivt", NULL};
    static const char *const writes[] = {"back", "through", NULL};
    static const char *const translations[] = {"identity", "first-touch", NULL};
    static const char *const on_off[] = {"off", "on", NULL};
    struct memsys_config *m = &t->machine;
    int i;
    if (!strcmp(name, "tags")) {
        i = choice(name, value, tags, err, err_size);
        m->tagging = i < 0 ? m->tagging : (enum tagging)i;
    } else if (!strcmp(name, "write")) {
        i = choice(name, value, writes, err, err_size);
        return i >= 0 && trace_setup_mode(t, i ? "T" : "W", err, err_size);
    } else if (!strcmp(name, "translation")) {
        i = choice(name, value, translations, err, err_size);
        m->translation = i < 0 ? m->translation : (enum translation)i;
    } else {
        i = choice(name, value, on_off, err, err_size);
        m->causes = i == 1;
    }
    return i >= 0;
}

bool trace_setup_set(struct trace_setup *t, const char *name, const char *value,
                     char *err, size_t err_size)
{
    struct memsys_config *m = &t->machine;
    uint64_t n;
    if (!strcmp(name, "geometry")) {
        return trace_setup_geometry(t, value, err, err_size);
    }
    if (!strcmp(name, "mode")) {
        return trace_setup_mode(t, value, err, err_size);
    }
    if (geometry_option_known(name) || !strcmp(name, "tags") ||
        !strcmp(name, "translation") || !strcmp(name, "first-pfn")) {
        t->geometry = NULL; /* no longer that one */
    }
    if (geometry_option_known(name)) {
        return geometry_option_set(m, name, value, err, err_size);
    }
    if (!strcmp(name, "seed") || !strcmp(name, "first-pfn")) {
        if (!number(value, &n) || n >> 40) {
            return fail(err, err_size, "%s=%s: a number below 2^40 is wanted", name,
                        value);
        }
        if (name[0] == 'f') {
            m->first_pfn = n;
            return true;
        }
        for (int side = 0; side < NR_SIDES; side++) {
            m->l1[side].seed = m->tlb[side].seed = n + (uint64_t)side;
        }
        m->l2.seed = m->stlb.seed = n + NR_SIDES;
        return true;
    }
    if (!strcmp(name, "cost")) {
        char all[160] = "";
        for (size_t i = 0; cost_models(i); i++) {
            size_t used = strlen(all);
            snprintf(all + used, sizeof all - used, "%s%s", i ? ", " : "",
                     cost_models(i)->name);
        }
        const struct cost_model *model = cost_model_by_name(value);
        t->cost = model ? model : t->cost;
        return model || fail(err, err_size, "cost=%s: one of %s is wanted", value, all);
    }
    if (!strcmp(name, "ram") || !strcmp(name, "arch") || !strcmp(name, "la57")) {
        t->kernel_set = true;
        return config_set(&t->kernel, name, value, err, err_size);
    }
    for (size_t i = 0; trace_options(i); i++) {
        if (!strcmp(trace_options(i)->name, name)) {
            return set_word(t, name, value, err, err_size);
        }
    }
    return fail(err, err_size,
                "there is no option \"%s\": l1i, l1d, l2, itlb, dtlb, stlb, tags, write, "
                "translation, first-pfn, causes, seed, geometry, mode, cost, ram, arch, "
                "la57 are there",
                name);
}

static char *trim(char *s)
{
    while (isspace((unsigned char)*s)) {
        s++;
    }
    char *end = s + strlen(s);
    while (end > s && isspace((unsigned char)end[-1])) {
        *--end = 0;
    }
    return s;
}

/* The next line, without its end; false: there is none. *text: it fits, and no byte of it
 * is 0. */
static bool read_line(FILE *f, char *line, size_t size, bool *text)
{
    size_t n = 0;
    int c;
    *text = true;
    while ((c = getc(f)) != EOF && c != '\n') {
        *text = *text && c && n + 1 < size;
        if (*text) {
            line[n++] = (char)c;
        }
    }
    line[n] = 0;
    return c != EOF || n || !*text;
}

bool trace_setup_file(struct trace_setup *t, const char *path, char *err, size_t err_size)
{
    FILE *f = fopen(path, "r");
    if (!f) {
        return fail(err, err_size, "%s cannot be opened: %s", path, strerror(errno));
    }
    char line[512], why[512];
    bool good = true;
    bool text;
    for (unsigned n = 1; good && read_line(f, line, sizeof line, &text); n++) {
        if (!text) {
            good =
                fail(err, err_size,
                     "%s, line %u: \"name = value\" is wanted, a text of less than %zu "
                     "characters",
                     path, n, sizeof line);
            break;
        }
        line[strcspn(line, "#")] = 0;
        char *name = trim(line), *equals = strchr(name, '=');
        if (!*name) {
            continue;
        }
        if (!equals) {
            good =
                fail(err, err_size, "%s, line %u: \"name = value\" is wanted", path, n);
            break;
        }
        *equals = 0;
        good = trace_setup_set(t, trim(name), trim(equals + 1), why, sizeof why);
        if (!good) {
            fail(err, err_size, "%s, line %u: %s", path, n, why);
        }
    }
    if (good && ferror(f)) {
        good = fail(err, err_size, "%s cannot be read", path);
    }
    fclose(f);
    return good;
}

bool trace_setup_check(const struct trace_setup *t, char *err, size_t err_size)
{
    const char *part = "";
    const char *error = memsys_config_error(&t->machine, &part);
    return !error || fail(err, err_size, "%s: %s", part, error);
}

static const char *policy_name(enum cache_policy p)
{
    return p == POLICY_LRU    ? "LRU"
           : p == POLICY_PLRU ? "tree-PLRU"
           : p == POLICY_FIFO ? "FIFO"
                              : "random";
}

int cache_format(char *buf, size_t size, const struct cache_config *c)
{
    uint64_t bytes = (uint64_t)c->sets * c->ways * c->line_bytes;
    bool kib = bytes % 1024 == 0;
    return snprintf(buf, size, "%llu %s, %u way%s, %u set%s, lines of %u bytes, %s",
                    (unsigned long long)(kib ? bytes / 1024 : bytes),
                    kib ? "KiB" : "bytes", c->ways, c->ways == 1 ? "" : "s", c->sets,
                    c->sets == 1 ? "" : "s", c->line_bytes, policy_name(c->policy));
}

int tlb_format(char *buf, size_t size, const struct tlb_config *c)
{
    return snprintf(buf, size, "%u entries, %u way%s, %s", c->entries, c->ways,
                    c->ways == 1 ? "" : "s", policy_name(c->policy));
}
