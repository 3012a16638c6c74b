/* SLAB: caches from kmem_cache_create to kmem_cache_destroy.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "slab_view.h"
#include "tap.h"

static uint64_t doit(struct machine *m, uint16_t kind, uint64_t a0, uint64_t a1,
                     uint64_t a2, uint64_t a3)
{
    const struct op op = {.kind = kind, .arg = {a0, a1, a2, a3}};
    return machine_do(m, &op);
}

static struct machine *boot(const char *ram, uint32_t cpus)
{
    struct machine_config c;
    char err[300];
    config_init(&c, ARCH_I386);
    config_set(&c, "ram", ram, err, sizeof err);
    c.cpus = cpus;
    c.nr_cpus = cpus > c.nr_cpus ? cpus : c.nr_cpus;
    struct machine *m = machine_create(&c, NULL, err, sizeof err);
    if (!m) {
        bail_out("%s", err);
    }
    return m;
}

static void whole(struct machine *m, const char *what)
{
    const char *why = machine_check(m);
    ok(!why, "%s: %s", what, why ? why : "whole");
}

static void check_boot(void)
{
    struct machine *m = boot("160M", 1);
    is_u64(doit(m, OP_KMEM_CACHE_INIT, 0, 0, 0, 0), 1, "the layer boots");
    whole(m, "after the boot");
    char text[16384];
    proc_slabinfo(text, sizeof text, m);
    diag("%s", text);
    machine_destroy(m);
}

static void check_life(uint32_t cpus)
{
    struct machine *m = boot("160M", cpus);
    uint64_t c = doit(m, OP_KMEM_CACHE_CREATE, 1, 200, 0, SLAB_HWCACHE_ALIGN);
    uint64_t va[1000];
    ok(c != 0, "a cache");
    for (uint32_t i = 0; i < 1000; i++) {
        va[i] = doit(m, OP_KMEM_CACHE_ALLOC, c, GFP_KERNEL, 0, 0);
    }
    whole(m, "a thousand objects");
    for (uint32_t i = 0; i < 1000; i++) {
        doit(m, OP_KMEM_CACHE_FREE, c, va[i], 0, 0);
    }
    whole(m, "all back");
    doit(m, OP_KMEM_CACHE_DESTROY, c, 0, 0, 0);
    whole(m, "no cache");
    machine_destroy(m);
}

int main(void)
{
    check_boot();
    check_life(1);
    check_life(2);
    return done_testing();
}
