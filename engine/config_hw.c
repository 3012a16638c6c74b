/* The processor's options as text: see config_hw.h.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "config_hw.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hardware.h"
#include "text.h"

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

/* ---- words ---- */

/* A decimal or 0x number, with K, M or G behind it if it is a size. */
static bool number(const char *text, uint64_t *out, bool size)
{
    char *end;
    if (text[0] < '0' || text[0] > '9') {
        return false;
    }
    const bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    const unsigned long long v = strtoull(text, &end, hex ? 16 : 10);
    unsigned shift = 0;
    if (size && *end) {
        static const char units[] = "KMGkmg";
        const char *unit = strchr(units, *end);
        if (!unit) {
            return false;
        }
        shift = 10 * ((unsigned)(unit - units) % 3 + 1);
        end++;
    }
    *out = (uint64_t)v << shift;
    return v != UINT64_MAX && !*end && *out >> shift == v;
}

static const char *const policy_names[] = {"lru", "plru", "fifo", "random"};

static bool policy_of(const char *text, enum cache_policy *out)
{
    for (int i = 0; i < 4; i++) {
        if (!strcmp(text, policy_names[i])) {
            *out = (enum cache_policy)i;
            return true;
        }
    }
    return false;
}

enum { MAX_WORDS = 4, NAME_LEN = 8 };

/* Which word of a geometry means what. */
static const char *const cache_words[MAX_WORDS] = {"size", "ways", "line", "policy"};
static const char *const tlb_words[MAX_WORDS] = {"entries", "ways", "policy", NULL};

/* Cut text at its commas or colons; word[i] is the i-th thing that names[] names, NULL
 * where it is not said. False: too many words, or *stranger, a name that is none. */
static bool words_of(char *text, const char *const names[MAX_WORDS],
                     const char *word[MAX_WORDS], const char **stranger)
{
    const bool named = text[0] < '0' || text[0] > '9';
    const bool good = *text;
    memset(word, 0, MAX_WORDS * sizeof *word);
    *stranger = NULL;
    for (size_t n = 0; *text; n++) {
        size_t i = n;
        if (named) {
            const size_t len = strcspn(text, ":,");
            const bool colon = text[len] == ':';
            i = 0;
            while (i < MAX_WORDS && names[i] &&
                   (strlen(names[i]) != len || memcmp(names[i], text, len) != 0)) {
                i++;
            }
            if (i >= MAX_WORDS || !names[i]) {
                text[len] = 0;
                *stranger = colon ? text : NULL;
                return false;
            }
            if (!colon) {
                return false;
            }
            text += len + 1;
        }
        if (i >= MAX_WORDS || !names[i]) {
            return false;
        }
        word[i] = text;
        text += strcspn(text, ",:");
        if (*text) {
            *text++ = 0;
        }
    }
    return good;
}

/* A geometry as it is written: its words, and how it should look. */
struct geometry {
    const char *name, *value;
    const char *const *names;
    const char *form;
    char text[80];
    const char *word[MAX_WORDS];
    bool named;    /* size:32K,ways:8, as a table in Lua becomes */
    char head[90]; /* of messages: "l1d=32K,8", or "l1d" of a table */
};

static bool read_geometry(struct geometry *g, char *err, size_t err_size)
{
    const char *stranger;
    snprintf(g->text, sizeof g->text, "%s", g->value);
    g->named = g->text[0] < '0' || g->text[0] > '9';
    snprintf(g->head, sizeof g->head, g->named ? "%s" : "%s=%.60s", g->name, g->value);
    if (words_of(g->text, g->names, g->word, &stranger) && (g->named || g->word[1])) {
        return true;
    }
    return stranger ? fail(err, err_size, "%s has no \"%.20s\": %s, %s, %s%s%s are there",
                           g->name, stranger, g->names[0], g->names[1], g->names[2],
                           g->names[3] ? ", " : "", g->names[3] ? g->names[3] : "")
                    : fail(err, err_size, "%s=%.60s: %s", g->name, g->value, g->form);
}

static bool geometry_number(const struct geometry *g, int i, uint64_t *v, bool size,
                            char *err, size_t err_size)
{
    return !g->word[i] || number(g->word[i], v, size) ||
           fail(err, err_size, "%s: %s is no number, but \"%.20s\": %s", g->head,
                g->names[i], g->word[i], g->form);
}

static bool geometry_policy(const struct geometry *g, int i, enum cache_policy *policy,
                            char *err, size_t err_size)
{
    return !g->word[i] || policy_of(g->word[i], policy) ||
           fail(err, err_size,
                "%s: there is no policy \"%.20s\": lru, plru, fifo and random are there",
                g->head, g->word[i]);
}

bool cache_geometry_set(struct cache_config *c, const char *name, const char *value,
                        char *err, size_t err_size)
{
    struct geometry g = {.name = name,
                         .value = value,
                         .names = cache_words,
                         .form =
                             "SIZE,WAYS[,LINE[,POLICY]] is wanted, as 32K,8,64,lru (lru, "
                             "plru, fifo, random), or none"};
    uint64_t ways = c->ways, line = c->ways ? c->line_bytes : 64,
             size = (uint64_t)c->sets * ways * line;
    enum cache_policy policy = c->ways ? c->policy : POLICY_LRU;
    if (!strcmp(value, "none")) {
        memset(c, 0, sizeof *c);
        return true;
    }
    if (!read_geometry(&g, err, err_size)) {
        return false;
    }
    if (!g.named) { /* what is not said is usual */
        line = 64;
        policy = POLICY_LRU;
    }
    if (!geometry_number(&g, 0, &size, true, err, err_size) ||
        !geometry_number(&g, 1, &ways, false, err, err_size) ||
        !geometry_number(&g, 2, &line, true, err, err_size) ||
        !geometry_policy(&g, 3, &policy, err, err_size)) {
        return false;
    }
    if (!line || !ways || line > PAGE_SIZE || ways > CACHE_MAX_WAYS || !size ||
        size % (line * ways) || size / line > CACHE_MAX_LINES) {
        return fail(err, err_size,
                    "%s: %" PRIu64 " bytes in %" PRIu64 " ways, lines of %" PRIu64
                    ": the size must be a multiple of ways times line, at most "
                    "65536 ways and %d lines of at most 4096 bytes",
                    g.head, size, ways, line, CACHE_MAX_LINES);
    }
    c->sets = (uint32_t)(size / (line * ways));
    c->ways = (uint32_t)ways;
    c->line_bytes = (uint32_t)line;
    c->policy = policy;
    return true;
}

bool tlb_geometry_set(struct tlb_config *c, const char *name, const char *value,
                      char *err, size_t err_size)
{
    struct geometry g = {
        .name = name,
        .value = value,
        .names = tlb_words,
        .form = "ENTRIES,WAYS[,POLICY] is wanted, as 64,4,lru (lru, plru, "
                "fifo, random), the entries a multiple of the ways, or none"};
    uint64_t entries = c->entries, ways = c->ways;
    enum cache_policy policy = c->policy;
    if (!strcmp(value, "none")) {
        memset(c, 0, sizeof *c);
        return true;
    }
    if (!read_geometry(&g, err, err_size)) {
        return false;
    }
    policy = g.named ? policy : POLICY_LRU;
    if (!geometry_number(&g, 0, &entries, false, err, err_size) ||
        !geometry_number(&g, 1, &ways, false, err, err_size) ||
        !geometry_policy(&g, 2, &policy, err, err_size)) {
        return false;
    }
    if (!ways || !entries || entries % ways || ways > CACHE_MAX_WAYS ||
        entries > CACHE_MAX_LINES) {
        return fail(err, err_size,
                    "%s: %" PRIu64 " entries in %" PRIu64
                    " ways: the entries must be a multiple of the ways, at most 65536 "
                    "ways and %d entries",
                    g.head, entries, ways, CACHE_MAX_LINES);
    }
    c->entries = (uint32_t)entries;
    c->ways = (uint32_t)ways;
    c->policy = policy;
    return true;
}

static int put_size(char *buf, size_t size, uint64_t v)
{
    return v && v % 1024 == 0 ? v % ((uint64_t)1 << 20) == 0
                                    ? snprintf(buf, size, "%" PRIu64 "M", v >> 20)
                                    : snprintf(buf, size, "%" PRIu64 "K", v >> 10)
                              : snprintf(buf, size, "%" PRIu64, v);
}

int cache_geometry_get(char *buf, size_t size, const struct cache_config *c)
{
    char bytes[32];
    if (!c->ways) {
        return snprintf(buf, size, "none");
    }
    put_size(bytes, sizeof bytes, (uint64_t)c->sets * c->ways * c->line_bytes);
    return snprintf(buf, size, "%s,%u,%u,%s", bytes, c->ways, c->line_bytes,
                    policy_names[c->policy]);
}

int tlb_geometry_get(char *buf, size_t size, const struct tlb_config *c)
{
    return c->entries ? snprintf(buf, size, "%u,%u,%s", c->entries, c->ways,
                                 policy_names[c->policy])
                      : snprintf(buf, size, "none");
}

/* ---- options that are one of some words ---- */

static const char *const tag_names[] = {"pipt", "vipt", "vivt", "vivt_asid", NULL};
static const char *const write_names[] = {"back", "through", "through_allocate", NULL};
static const char *const inclusion_names[] = {"none", "inclusive", "exclusive", NULL};

static int choice(const char *name, const char *value, const char *const *words,
                  char *err, size_t err_size)
{
    char all[120] = "";
    for (int i = 0; words[i]; i++) {
        if (!strcmp(words[i], value)) {
            return i;
        }
        const size_t used = strlen(all);
        snprintf(all + used, sizeof all - used, "%s%s", i ? ", " : "", words[i]);
    }
    fail(err, err_size, "%s=%.40s: one of %s is wanted", name, value, all);
    return -1;
}

static bool yes_or_no(bool *out, const char *name, const char *value, char *err,
                      size_t err_size)
{
    static const char *const yes[] = {"1", "true", "yes", "on"};
    static const char *const no[] = {"0", "false", "no", "off"};
    for (size_t i = 0; i < 4; i++) {
        if (!strcmp(value, yes[i]) || !strcmp(value, no[i])) {
            *out = !strcmp(value, yes[i]);
            return true;
        }
    }
    return fail(err, err_size, "%s=%.40s: use true or false", name, value);
}

/* ---- the table ---- */

static const struct config_option options[] = {
    {"l1i", "SIZE,WAYS[,LINE[,POLICY]]|none", "first-level instruction cache"},
    {"l1d", "SIZE,WAYS[,LINE[,POLICY]]|none", "first-level data cache"},
    {"l2", "SIZE,WAYS[,LINE[,POLICY]]|none", "second-level cache"},
    {"itlb", "ENTRIES,WAYS[,POLICY]|none", "first-level TLB for instructions"},
    {"dtlb", "ENTRIES,WAYS[,POLICY]|none", "first-level TLB for data"},
    {"stlb", "ENTRIES,WAYS[,POLICY]|none", "second-level TLB for both"},
    {"tags", "pipt|vipt|vivt|vivt_asid",
     "how the first-level caches are indexed and tagged"},
    {"write", "back|through|through_allocate",
     "L1D: write-back, or write-through without or with write-allocate"},
    {"inclusion", "none|inclusive|exclusive",
     "what L1 and L2 hold of each other's lines"},
    {"l2_shared", "true|false", "one L2 for all CPUs, rather than one each"},
    {"coherent", "true|false", "caches and devices see each other's writes (MESI)"},
    {"memory_types", "true|false", "PWT, PCD and PAT of table entries are obeyed"},
    {"wc_buffers", "0-8", "write-combining buffers"},
    {"psc", "none|PD[,PDPT[,PML4[,PML5]]]", "paging-structure caches: entries a level"},
    {"causes", "true|false", "tell misses by cause: cold, capacity, conflict"},
    {"detect", "true|false", "announce synonyms, homonyms and stale TLB entries"},
    {"cost", "NAME|none",
     "what the stages of an access cost: nehalem, pentium-m, flat, ..."},
    {"pse", "true|false", "i386: the CPU has pages of 4 MiB"},
    {"pge", "true|false", "the CPU has global pages"},
    {"nx", "true|false", "i386pae, x86_64: pages that cannot be executed"},
    {"pcid", "true|false", "x86_64: TLB entries carry their address space's number"},
    {"smep", "true|false", "the kernel fetches nothing from user pages"},
    {"smap", "true|false", "the kernel touches no user pages, but where it says so"},
    {"gbpages", "true|false", "x86_64: the CPU has pages of 1 GiB"},
};
enum { NR_OPTIONS = sizeof options / sizeof options[0] };

const struct config_option *hw_option(size_t i)
{
    return i < NR_OPTIONS ? &options[i] : NULL;
}

bool hw_option_known(const char *name)
{
    for (size_t i = 0; i < NR_OPTIONS; i++) {
        if (!strcmp(options[i].name, name)) {
            return true;
        }
    }
    return false;
}

/* The options that are true or false. */
static bool *flag_of(struct hardware_config *c, const char *name)
{
    const struct {
        const char *name;
        bool *flag;
    } flags[] = {
        {"l2_shared", &c->shared_l2},
        {"coherent", &c->mem.coherent},
        {"memory_types", &c->mem.memory_types},
        {"causes", &c->mem.causes},
        {"detect", &c->mem.detect},
        {"pse", &c->pse},
        {"pge", &c->pge},
        {"nx", &c->nx},
        {"pcid", &c->pcid},
        {"smep", &c->smep},
        {"smap", &c->smap},
        {"gbpages", &c->gbpages},
    };
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        if (!strcmp(flags[i].name, name)) {
            return flags[i].flag;
        }
    }
    return NULL;
}

static struct cache_config *cache_of(struct memsys_config *c, const char *name)
{
    return !strcmp(name, "l1i")   ? &c->l1[SIDE_I]
           : !strcmp(name, "l1d") ? &c->l1[SIDE_D]
           : !strcmp(name, "l2")  ? &c->l2
                                  : NULL;
}

static struct tlb_config *tlb_of(struct memsys_config *c, const char *name)
{
    return !strcmp(name, "itlb")   ? &c->tlb[SIDE_I]
           : !strcmp(name, "dtlb") ? &c->tlb[SIDE_D]
           : !strcmp(name, "stlb") ? &c->stlb
                                   : NULL;
}

bool geometry_option_known(const char *name)
{
    struct memsys_config any;
    return cache_of(&any, name) || tlb_of(&any, name);
}

bool geometry_option_set(struct memsys_config *c, const char *name, const char *value,
                         char *err, size_t err_size)
{
    return cache_of(c, name)
               ? cache_geometry_set(cache_of(c, name), name, value, err, err_size)
               : tlb_geometry_set(tlb_of(c, name), name, value, err, err_size);
}

static bool set_cost(struct hardware_config *c, const char *value, char *err,
                     size_t err_size)
{
    const struct cost_model *cost = cost_model_by_name(value);
    if (!cost && strcmp(value, "none") != 0) {
        char all[160] = "";
        for (size_t i = 0; cost_models(i); i++) {
            const size_t used = strlen(all);
            snprintf(all + used, sizeof all - used, ", %s", cost_models(i)->name);
        }
        return fail(err, err_size, "cost=%.40s: one of none%s is wanted", value, all);
    }
    c->mem.cost = cost;
    return true;
}

/* "32,4": entries of the level above the last, and so on upwards. */
static bool set_psc(struct hardware_config *c, const char *value, char *err,
                    size_t err_size)
{
    uint32_t psc[MMU_MAX_LEVELS + 1] = {0};
    const char *at = value;
    for (uint32_t level = 2; strcmp(value, "none") != 0; level++) {
        char *end;
        const bool digit = *at >= '0' && *at <= '9';
        const unsigned long v = digit ? strtoul(at, &end, 10) : 0;
        if (!digit || v > 1024 || level > MMU_MAX_LEVELS || (*end && *end != ',')) {
            return fail(err, err_size,
                        "psc=%.40s: write the entries of each level from PD upwards, up "
                        "to 1024, as 32,4, or none",
                        value);
        }
        psc[level] = (uint32_t)v;
        if (!*end) {
            break;
        }
        at = end + 1;
    }
    memcpy(c->mem.psc, psc, sizeof psc);
    return true;
}

bool hw_option_set(struct hardware_config *c, const char *name, const char *value,
                   char *err, size_t err_size)
{
    int i;
    uint64_t v;
    bool *flag = flag_of(c, name);
    if (flag) {
        return yes_or_no(flag, name, value, err, err_size);
    }
    if (geometry_option_known(name)) {
        return geometry_option_set(&c->mem, name, value, err, err_size);
    }
    if (!strcmp(name, "cost")) {
        return set_cost(c, value, err, err_size);
    }
    if (!strcmp(name, "psc")) {
        return set_psc(c, value, err, err_size);
    }
    if (!strcmp(name, "wc_buffers")) {
        if (!number(value, &v, false) || v > WC_MAX) {
            return fail(err, err_size, "wc_buffers=%.40s: use 0 to %d", value, WC_MAX);
        }
        c->mem.wc_buffers = (uint32_t)v;
        return true;
    }
    if (!strcmp(name, "tags")) {
        i = choice(name, value, tag_names, err, err_size);
        c->mem.tagging = i < 0 ? c->mem.tagging : (enum tagging)i;
    } else if (!strcmp(name, "inclusion")) {
        i = choice(name, value, inclusion_names, err, err_size);
        c->mem.inclusion = i < 0 ? c->mem.inclusion : (enum inclusion)i;
    } else {
        i = choice(name, value, write_names, err, err_size);
        if (i >= 0) {
            c->mem.write_through = i > 0;
            c->mem.no_write_allocate = i == 1;
        }
    }
    return i >= 0;
}

int hw_option_get(char *buf, size_t size, const struct hardware_config *config,
                  const char *name)
{
    struct hardware_config copy = *config, *c = &copy;
    const bool *flag = flag_of(c, name);
    if (flag) {
        return snprintf(buf, size, "%s", *flag ? "true" : "false");
    }
    if (cache_of(&c->mem, name)) {
        return cache_geometry_get(buf, size, cache_of(&c->mem, name));
    }
    if (tlb_of(&c->mem, name)) {
        return tlb_geometry_get(buf, size, tlb_of(&c->mem, name));
    }
    if (!strcmp(name, "cost")) {
        return snprintf(buf, size, "%s", c->mem.cost ? c->mem.cost->name : "none");
    }
    if (!strcmp(name, "wc_buffers")) {
        return snprintf(buf, size, "%u", c->mem.wc_buffers);
    }
    if (!strcmp(name, "psc")) {
        struct text t = {buf, size, 0};
        uint32_t top = MMU_MAX_LEVELS;
        while (top > 1 && !c->mem.psc[top]) {
            top--;
        }
        text_put(&t, "%s", top < 2 ? "none" : "");
        for (uint32_t level = 2; level <= top; level++) {
            text_put(&t, "%s%u", level > 2 ? "," : "", c->mem.psc[level]);
        }
        return t.len;
    }
    return snprintf(buf, size, "%s",
                    !strcmp(name, "tags")        ? tag_names[c->mem.tagging]
                    : !strcmp(name, "inclusion") ? inclusion_names[c->mem.inclusion]
                    : c->mem.no_write_allocate   ? "through"
                    : c->mem.write_through       ? "through_allocate"
                                                 : "back");
}

void hw_config_change_arch(struct hardware_config *c, enum arch from, enum arch to)
{
    struct hardware_config before, after;
    hardware_config_init(&before, from);
    hardware_config_init(&after, to);
    for (size_t i = 0; i < NR_OPTIONS; i++) {
        char was[80], is[80], usual[80], err[200];
        hw_option_get(was, sizeof was, &before, options[i].name);
        hw_option_get(is, sizeof is, c, options[i].name);
        if (!strcmp(was, is)) {
            hw_option_get(usual, sizeof usual, &after, options[i].name);
            hw_option_set(c, options[i].name, usual, err, sizeof err);
        }
    }
}

bool hw_config_check(const struct machine_config *c, char *err, size_t err_size)
{
    const char *part = "";
    const char *wrong = hardware_config_error(c, &part);
    if (wrong) {
        return fail(err, err_size, "%s: %s", part, wrong);
    }
    if (c->hw.pcid && c->arch != ARCH_X86_64) {
        return fail(err, err_size,
                    "pcid: a 32-bit kernel does not use it: leave it off, or use "
                    "arch=x86_64");
    }
    if (c->hw.nx && c->arch == ARCH_I386) {
        return fail(err, err_size,
                    "nx: entries of 32 bits have no bit for it: leave it off, or use "
                    "arch=i386pae");
    }
    return true;
}
