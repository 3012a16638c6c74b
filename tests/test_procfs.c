/* The files of /proc against those of recorded kernels: the layout byte for byte where
 * the numbers' widths are fixed, and the numbers that a recorded state knows.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "host.h"
#include "inspect.h"
#include "replay.h"
#include "tap.h"

static const char *const names[] = {
    "i386-slab-160M-high80M", "i386-slab-160M-smp2",       "i386-slab-1G",
    "i386-slub-160M-high80M", "i386pae-slab-160M-high80M", "x86_64-slab-256M"};

static char text[1 << 16], want[1 << 16], shape_got[1 << 16], shape_want[1 << 16];

/* Digits, and the blanks in front of them, become '#': in columns of fixed width the
 * length stays. */
static void shape_columns(char *to, const char *from)
{
    size_t n = 0;
    for (; *from; from++) {
        if (*from >= '0' && *from <= '9') {
            for (size_t i = n; i > 0 && to[i - 1] == ' '; i--) {
                to[i - 1] = '#';
            }
            to[n++] = '#';
        } else {
            to[n++] = *from;
        }
    }
    to[n] = 0;
}

/* A number becomes one '#'; what stands around it must be the same. */
static void shape_numbers(char *to, const char *from)
{
    bool in_number = false;
    for (; *from; from++) {
        bool digit = *from >= '0' && *from <= '9';
        if (digit && !in_number) {
            *to++ = '#';
        } else if (!digit) {
            *to++ = *from;
        }
        in_number = digit;
    }
    *to = 0;
}

static void first_difference(const char *a, const char *b)
{
    size_t i = 0, line = 0;
    while (a[i] && a[i] == b[i]) {
        i++;
        if (a[i] == '\n') {
            line = i + 1;
        }
    }
    diag("got      %.*s\nrecorded %.*s", (int)strcspn(a + line, "\n"), a + line,
         (int)strcspn(b + line, "\n"), b + line);
}

static void section(const struct record *r, const char *path)
{
    size_t size = 0;
    const char *at = record_section(r, path, &size);
    if (!at || size >= sizeof want) {
        bail_out("no section %s", path);
    }
    memcpy(want, at, size);
    want[size] = 0;
}

typedef int proc_fn(char *buf, size_t size, const struct machine *m);

static void check_layout(const struct record *r, const struct machine *m,
                         const char *name, const char *path, proc_fn *print,
                         void (*shape)(char *, const char *))
{
    section(r, path);
    int len = print(text, sizeof text, m);
    is_u64((uint64_t)len, strlen(text), "%s %s: its length", name, path);
    shape(shape_got, text);
    shape(shape_want, want);
    bool same = !strcmp(shape_got, shape_want);
    ok(same, "%s %s: laid out as the kernel's", name, path);
    if (!same) {
        first_difference(shape_got, shape_want);
    }
    /* snprintf's promise */
    char small[100];
    is_u64((uint64_t)print(small, sizeof small, m), (uint64_t)len, "... also cut short");
    ok(!strncmp(small, text, sizeof small - 1) && strlen(small) == sizeof small - 1,
       "... to what fits");
    is_u64((uint64_t)print(NULL, 0, m), (uint64_t)len, "... also without a buffer");
}

/* Most kernels did not touch the DMA zone between the first dump and the reading of the
 * files. */
static void check_dma_zone(const struct record *r, const struct machine *m,
                           const char *name)
{
    section(r, "/proc/zoneinfo");
    proc_zoneinfo(text, sizeof text, m);
    const char *a = strstr(text, "  pages free"), *b = strstr(want, "  pages free");
    const char *end = a ? strstr(a, "Node 0") : NULL;
    if (a && b && strncmp(a, b, strcspn(a, "\n")) != 0) {
        skip("%s: this kernel used the DMA zone", name);
        return;
    }
    size_t len = end ? (size_t)(end - a) : 0;
    ok(len && b && !strncmp(a, b, len),
       "%s: zoneinfo of DMA is the kernel's, byte for byte", name);
    if (b && strncmp(a, b, len) != 0) {
        first_difference(a, b);
    }
    section(r, "/proc/buddyinfo");
    proc_buddyinfo(text, sizeof text, m);
    len = strcspn(text, "\n");
    ok(!strncmp(text, want, len + 1),
       "%s: buddyinfo of DMA is the kernel's, byte for byte", name);
}

/* The zones that a kernel knows but that have no memory: at the end of zoneinfo. */
static void check_empty_zones(const struct record *r, const struct machine *m,
                              const char *name)
{
    section(r, "/proc/zoneinfo");
    proc_zoneinfo(text, sizeof text, m);
    const char *zone = r->ptrs == 64 ? "zone   Normal" : "zone  Movable";
    const char *a = strstr(text, zone), *b = strstr(want, zone);
    ok(a && b && !strcmp(a, b), "%s: the empty zones are the kernel's, byte for byte",
       name);
    if (a && b && strcmp(a, b) != 0) {
        first_difference(a, b);
    }
}

/* What a dump's lists say, laid out by the same columns, independently. */
static void check_counts(const struct record *r, const struct record_state *s,
                         const struct machine *m, const char *name)
{
    static const char *const zones[] = {"DMA", "DMA32", "Normal", "HighMem", "Movable"};
    static const char *const types[] = {"Unmovable", "Movable", "Reclaimable",
                                        "HighAtomic"};
    char *at = want;
    bool good = true;
    uint64_t free = 0;
    proc_pagetypeinfo(shape_got, sizeof shape_got, m);
    for (uint32_t i = 0; i < s->nr_zones; i++) {
        const struct record_zone *z = &s->zone[i];
        uint32_t count[MIGRATE_TYPES][MAX_ORDER] = {{0}};
        uint64_t blocks[MIGRATE_TYPES] = {0};
        for (uint32_t l = 0; l < z->nr_lists; l++) {
            const struct record_list *list = &r->lists[z->first_list + l];
            if (!list->pcp) {
                count[list->type][list->index] = list->nr;
            }
        }
        at += sprintf(at, "Node 0, zone %8s ", zones[z->type]);
        for (uint32_t o = 0; o < r->max_order; o++) {
            at += sprintf(at, "%6u ",
                          count[0][o] + count[1][o] + count[2][o] + count[3][o]);
        }
        at += sprintf(at, "\n");
        for (int t = 0; t < 4; t++) {
            char line[300];
            int n = sprintf(line, "Node    0, zone %8s, type %12s ", zones[z->type],
                            types[t]);
            for (uint32_t o = 0; o < r->max_order; o++) {
                n += sprintf(line + n, "%6u ", count[t][o]);
            }
            sprintf(line + n, "\n");
            good = good && strstr(shape_got, line);
        }
        for (uint64_t p = z->start; p < z->start + z->spanned;
             p += 1u << z->block_order) {
            blocks[r->types[z->first_block +
                            ((p - z->blocks_start) >> z->block_order)]]++;
        }
        char line[300];
        sprintf(line,
                "Node 0, zone %8s %12" PRIu64 " %12" PRIu64 " %12" PRIu64 " %12" PRIu64
                " \n",
                zones[z->type], blocks[0], blocks[1], blocks[2], blocks[3]);
        good = good && strstr(shape_got, line);
        free += z->free;
    }
    proc_buddyinfo(text, sizeof text, m);
    is_str(text, want, "%s %s: buddyinfo's counts", name, s->tag);
    ok(good, "%s %s: pagetypeinfo's counts", name, s->tag);
    char line[64];
    snprintf(line, sizeof line, "nr_free_pages %" PRIu64 "\n", free);
    proc_vmstat(text, sizeof text, m);
    ok(!strncmp(text, line, strlen(line)), "%s %s: vmstat's free pages", name, s->tag);
}

/* "name number" in a text. */
static uint64_t value_of(const char *in, const char *name)
{
    const char *at = in;
    size_t len = strlen(name);
    while ((at = strstr(at, name)) && ((at > in && at[-1] != '\n') || at[len] != ' ')) {
        at++;
    }
    return at ? strtoull(at + len, NULL, 10) : UINT64_MAX;
}

/* The kernel's dirty thresholds follow from its free pages: the recorded vmstat has
 * both, and zoneinfo the zones' free pages at about the same time. */
static void check_dirty_thresholds(void)
{
    char err[300];
    struct machine_config c;
    config_init(&c, ARCH_I386);
    config_set(&c, "highmem", "80M", err, sizeof err);
    struct machine *m = machine_create(&c, &host_memory, err, sizeof err);
    if (!m) {
        bail_out("%s", err);
    }
    uint32_t high = zone_by_type(m, ZONE_HIGHMEM);
    uint64_t free = 0;
    for (uint32_t z = 0; z < machine_nr_zones(m); z++) {
        free += z == high ? zone_view(m, z).wmark_high : zone_view(m, z).free;
    }
    free = free - machine_totalreserve_pages(m) + 1;
    proc_vmstat(text, sizeof text, m);
    is_u64(value_of(text, "nr_dirty_threshold"), free * 819 / 4096,
           "a fifth may be dirty");
    is_u64(value_of(text, "nr_dirty_background_threshold"), free * 409 / 4096,
           "writing begins at a tenth");
    uint64_t before = value_of(text, "pgalloc_normal");
    machine_do(m, &(struct op){.kind = OP_ALLOC_PAGES, .arg = {GFP_KERNEL, 3}});
    proc_vmstat(text, sizeof text, m);
    is_u64(value_of(text, "pgalloc_normal"), before + 8, "allocated pages are counted");
    machine_destroy(m);
}

static void check_record(const char *name)
{
    char path[1024], file[200], err[600];
    snprintf(file, sizeof file, "tests/golden/%s.txt.xz", name);
    struct record *r = record_open(source_path(path, sizeof path, file), err, sizeof err);
    struct replay *rp = r ? replay_create(r, &host_memory, err, sizeof err) : NULL;
    if (!rp) {
        bail_out("%s", err);
    }
    struct machine *m = replay_machine(rp);
    for (uint32_t i = 0; i < r->nr_states; i++) {
        if (!r->states[i].load) {
            continue;
        }
        machine_do(m, &(struct op){.kind = OP_LOAD_STATE, .arg = {i}});
        check_counts(r, &r->states[i], m, name);
    }
    machine_do(m, &(struct op){.kind = OP_LOAD_STATE, .arg = {0}});
    check_dma_zone(r, m, name);
    check_empty_zones(r, m, name);
    check_layout(r, m, name, "/proc/buddyinfo", proc_buddyinfo, shape_columns);
    check_layout(r, m, name, "/proc/pagetypeinfo", proc_pagetypeinfo, shape_columns);
    check_layout(r, m, name, "/proc/zoneinfo", proc_zoneinfo, shape_numbers);
    check_layout(r, m, name, "/proc/vmstat", proc_vmstat, shape_numbers);
    replay_destroy(rp);
    record_free(r);
}

int main(void)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        check_record(names[i]);
    }
    check_dirty_thresholds();
    return done_testing();
}
