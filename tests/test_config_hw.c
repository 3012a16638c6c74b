/* The processor's options as text: every row of the table, its values there and back, its
 * bounds, and what is said of what is wrong.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "config_hw.h"
#include "hardware.h"
#include "inspect.h"
#include "tap.h"

static struct hardware_config c;
static char err[300], got[300];

static bool set(const char *name, const char *value)
{
    err[0] = 0;
    return hw_option_set(&c, name, value, err, sizeof err);
}

static const char *get(const char *name)
{
    hw_option_get(got, sizeof got, &c, name);
    return got;
}

/* ---- what is right ---- */

static void test_values(void)
{
    static const struct {
        const char *name, *value, *means; /* NULL: itself */
    } rows[] = {
        {"l1i", "16K,4,32,fifo", NULL},
        {"l1i", "none", NULL},
        {"l1d", "32K,8", "32K,8,64,lru"},
        {"l1d", "4096:2:64:random", "4K,2,64,random"},
        {"l1d", "0x1000,1", "4K,1,64,lru"},
        {"l1d", "size:48k,ways:12", "48K,12,64,lru"},
        {"l1d", "ways:6", "48K,6,64,lru"},
        {"l1d", "policy:plru,ways:4,size:32K", "32K,4,64,plru"},
        {"l1d", "line:128", "32K,4,128,plru"},
        {"l2", "1M,16,64,plru", NULL},
        {"l2", "4G,16,64", "4096M,16,64,lru"},
        {"l2", "96,3,32,lru", NULL},
        {"itlb", "64,8", "64,8,lru"},
        {"itlb", "entries:32", "32,8,lru"},
        {"dtlb", "1,1,fifo", NULL},
        {"dtlb", "none", NULL},
        {"stlb", "1536,12,random", NULL},
        {"tags", "pipt", NULL},
        {"tags", "vipt", NULL},
        {"tags", "vivt", NULL},
        {"tags", "vivt_asid", NULL},
        {"write", "back", NULL},
        {"write", "through", NULL},
        {"write", "through_allocate", NULL},
        {"inclusion", "inclusive", NULL},
        {"inclusion", "exclusive", NULL},
        {"inclusion", "none", NULL},
        {"l2_shared", "yes", "true"},
        {"coherent", "0", "false"},
        {"memory_types", "on", "true"},
        {"wc_buffers", "0", NULL},
        {"wc_buffers", "8", NULL},
        {"wc_buffers", "0x4", "4"},
        {"psc", "none", NULL},
        {"psc", "32", NULL},
        {"psc", "32,4,2", NULL},
        {"psc", "1024,0,0,1", NULL},
        {"psc", "0", "none"},
        {"causes", "1", "true"},
        {"detect", "true", NULL},
        {"cost", "none", NULL},
        {"cost", "skylake", NULL},
        {"pse", "off", "false"},
        {"pge", "false", NULL},
        {"nx", "true", NULL},
        {"pcid", "true", NULL},
        {"smep", "no", "false"},
        {"smap", "true", NULL},
        {"gbpages", "true", NULL},
    };
    bool seen[64] = {false};
    hardware_config_init(&c, ARCH_X86_64);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *want = rows[i].means ? rows[i].means : rows[i].value;
        ok(set(rows[i].name, rows[i].value), "%s=%s: %s", rows[i].name, rows[i].value,
           err);
        is_str(get(rows[i].name), want, "%s=%s is %s", rows[i].name, rows[i].value, want);
        for (size_t k = 0; hw_option(k); k++) {
            seen[k] = seen[k] || !strcmp(hw_option(k)->name, rows[i].name);
        }
    }
    for (size_t k = 0; hw_option(k); k++) {
        ok(seen[k] && hw_option_known(hw_option(k)->name), "%s was tried",
           hw_option(k)->name);
    }
    ok(!hw_option_known("l4") && !hw_option_known(""), "others are not known");
}

/* What get answers sets the same, for every row, in every architecture. */
static void test_round_trip(void)
{
    for (enum arch arch = ARCH_I386; arch <= ARCH_X86_64; arch++) {
        struct hardware_config other;
        unsigned wrong = 0;
        hardware_config_init(&c, arch);
        hardware_config_init(&other, arch == ARCH_I386 ? ARCH_X86_64 : ARCH_I386);
        for (size_t k = 0; hw_option(k); k++) {
            const char *name = hw_option(k)->name;
            char value[80], again[80];
            hw_option_get(value, sizeof value, &c, name);
            wrong += !hw_option_set(&other, name, value, err, sizeof err);
            hw_option_get(again, sizeof again, &other, name);
            wrong += strcmp(value, again) != 0;
        }
        is_u64(wrong, 0, "architecture %d: all defaults go through text", (int)arch);
    }
}

/* ---- what is wrong ---- */

static void test_errors(void)
{
#define CACHE                                                                            \
    ": SIZE,WAYS[,LINE[,POLICY]] is wanted, as 32K,8,64,lru (lru, plru, fifo, random), " \
    "or none"
#define CACHE_BOUNDS                                                                     \
    ": the size must be a multiple of ways times line, at most 65536 ways and "
#define TLB                                                                              \
    ": ENTRIES,WAYS[,POLICY] is wanted, as 64,4,lru (lru, plru, fifo, random), the "     \
    "entries a multiple of the ways, or none"
#define TLB_BOUNDS ": the entries must be a multiple of the ways, at most 65536 ways"
#define PSC                                                                              \
    ": write the entries of each level from PD upwards, up to 1024, as 32,4, or none"
    static const struct {
        const char *name, *value, *says;
    } rows[] = {
        {"l1d", "", CACHE},
        {"l1d", "32K", CACHE},
        {"l1d", "32K,8,64,mru",
         ": there is no policy \"mru\": lru, plru, fifo and random"},
        {"l1d", "32K,8,64,lru,1", CACHE},
        {"l1d", "32T,8", ": size is no number, but \"32T\"" CACHE},
        {"l1d", "-1,8", CACHE},
        {"l1d", "8,32Kx", ": ways is no number, but \"32Kx\"" CACHE},
        {"l1d", "sizes:32K", " has no \"sizes\": size, ways, line, policy are there"},
        {"l1d", "size:32K,ways:x", ": ways is no number, but \"x\"" CACHE},
        {"l1d", "policy:mru", ": there is no policy \"mru\""},
        {"l1d", "size", CACHE},
        {"l1d", "99999999999999999999,1",
         ": size is no number, but \"99999999999999999999\"" CACHE},
        {"l1d", "0,8", ": 0 bytes in 8 ways, lines of 64" CACHE_BOUNDS},
        {"l1d", "32K,0", ": 32768 bytes in 0 ways, lines of 64" CACHE_BOUNDS},
        {"l1d", "32K,8,0", ": 32768 bytes in 8 ways, lines of 0" CACHE_BOUNDS},
        {"l1d", "32K,7", ": 32768 bytes in 7 ways, lines of 64" CACHE_BOUNDS},
        {"l1d", "32K,1,8192", ": 32768 bytes in 1 ways, lines of 8192" CACHE_BOUNDS},
        {"l1d", "8M,65537,1", ": 8388608 bytes in 65537 ways, lines of 1" CACHE_BOUNDS},
        {"l2", "1000,1", ": 1000 bytes in 1 ways, lines of 64" CACHE_BOUNDS},
        {"l2", "8G,16,64", ": 8589934592 bytes in 16 ways, lines of 64" CACHE_BOUNDS},
        {"dtlb", "", TLB},
        {"dtlb", "64", TLB},
        {"dtlb", "64,0", ": 64 entries in 0 ways" TLB_BOUNDS},
        {"dtlb", "0,1", ": 0 entries in 1 ways" TLB_BOUNDS},
        {"dtlb", "64,5", ": 64 entries in 5 ways" TLB_BOUNDS},
        {"dtlb", "64K,4", ": entries is no number, but \"64K\"" TLB},
        {"dtlb", "64,4,best", ": there is no policy \"best\""},
        {"stlb", "64,4,lru,1", TLB},
        {"itlb", "line:64", " has no \"line\": entries, ways, policy are there"},
        {"tags", "", ": one of pipt, vipt, vivt, vivt_asid is wanted"},
        {"tags", "VIPT", ": one of pipt, vipt, vivt, vivt_asid is wanted"},
        {"write", "allocate", ": one of back, through, through_allocate is wanted"},
        {"inclusion", "yes", ": one of none, inclusive, exclusive is wanted"},
        {"coherent", "maybe", ": use true or false"},
        {"smap", "", ": use true or false"},
        {"wc_buffers", "9", ": use 0 to 8"},
        {"wc_buffers", "-1", ": use 0 to 8"},
        {"wc_buffers", "", ": use 0 to 8"},
        {"psc", "", PSC},
        {"psc", "1025", PSC},
        {"psc", "32,", PSC},
        {"psc", "32;4", PSC},
        {"psc", "1,1,1,1,1", PSC},
        {"cost", "free", ": one of none, nehalem, flat,"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char before[300], says[400];
        hardware_config_init(&c, ARCH_X86_64);
        snprintf(before, sizeof before, "%s", get(rows[i].name));
        const bool table = strchr(rows[i].value, ':'); /* its parts are told, not all */
        snprintf(says, sizeof says, "%s%s%s%s", rows[i].name, table ? "" : "=",
                 table ? "" : rows[i].value, rows[i].says);
        ok(!set(rows[i].name, rows[i].value), "%s=%s is refused", rows[i].name,
           rows[i].value);
        ok(!strncmp(err, says, strlen(says)), "and it says why: %s", err);
        is_str(get(rows[i].name), before, "%s stays as it was", rows[i].name);
    }
}

/* ---- the whole processor ---- */

static const char *check(enum arch arch, const char *name, const char *value,
                         const char *second, const char *second_value)
{
    struct machine_config m;
    config_init(&m, arch);
    err[0] = 0;
    if (!hw_option_set(&m.hw, name, value, err, sizeof err) ||
        (second && !hw_option_set(&m.hw, second, second_value, err, sizeof err))) {
        bail_out("%s", err);
    }
    return hw_config_check(&m, err, sizeof err) ? NULL : err;
}

static bool begins(const char *text, const char *with)
{
    return text && !strncmp(text, with, strlen(with));
}

static void test_check(void)
{
    is_str(check(ARCH_X86_64, "pcid", "true", NULL, NULL), NULL, "PCIDs on x86-64");
    ok(begins(check(ARCH_I386, "pcid", "true", NULL, NULL), "pcid: a 32-bit kernel"),
       "but not on 32 bits: %s", err);
    is_str(check(ARCH_I386_PAE, "nx", "true", NULL, NULL), NULL, "NX with PAE");
    ok(begins(check(ARCH_I386, "nx", "true", NULL, NULL), "nx: entries of 32 bits"),
       "but not without: %s", err);
    is_str(check(ARCH_X86_64, "l1d", "32K,8,32", "l2", "256K,8,64"), NULL,
           "an L1 with shorter lines than L2's");
    ok(begins(check(ARCH_X86_64, "l1d", "32K,8,128", "l2", "256K,8,64"),
              "l1d: its lines are longer than the second level's: give both"),
       "but not with longer ones");
    is_str(check(ARCH_X86_64, "l2", "96K,6,64,plru", NULL, NULL),
           "l2: tree-PLRU needs a power of two ways, at most 64", "a tree of six ways");
    is_str(check(ARCH_X86_64, "l1i", "480,1,48", NULL, NULL),
           "l1i: the line size must be a power of two, at most 4096 bytes", "odd lines");
    is_str(check(ARCH_X86_64, "tags", "vivt_asid", "l1d", "4K,4,16"),
           "l1d: virtual tags with an address space's number need lines of at least 32 "
           "bytes",
           "short lines with ASIDs");
}

static void test_change_arch(void)
{
    hardware_config_init(&c, ARCH_I386);
    set("l1d", "4K,1,64,fifo");
    hw_config_change_arch(&c, ARCH_I386, ARCH_X86_64);
    is_str(get("l1d"), "4K,1,64,fifo", "what was chosen stays");
    is_str(get("nx"), "true", "what was usual becomes what is usual there");
    hw_config_change_arch(&c, ARCH_X86_64, ARCH_I386);
    is_str(get("nx"), "false", "and back");
    /* a geometry that was given is compared as a text, too */
    char small[8];
    is_u64((uint64_t)hw_option_get(small, sizeof small, &c, "l1d"),
           strlen("4K,1,64,fifo"), "the length of what did not fit");
    is_str(small, "4K,1,64", "which is cut");
}

int main(void)
{
    test_values();
    test_round_trip();
    test_errors();
    test_check();
    test_change_arch();
    return done_testing();
}
