/* Permissions, canonical addresses, and the walk over any bus: see hw/mmu.h.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mmu.h"

#define WALK_NAME walk_generic
#define WALK_BODY walk_generic_body
#define WALK_BUS const struct mmu_bus *
#define WALK_READ(bus, at, bytes) (bus)->read((bus)->ctx, at, bytes)
#define WALK_WRITE(bus, at, value, bytes) (bus)->write((bus)->ctx, at, value, bytes)
#define WALK_STEP(bus, w, level_, at_, value_)                                           \
    ((w)->step[(w)->nr_steps++] =                                                        \
         (struct walk_step){.at = (at_), .value = (value_), .level = (uint8_t)(level_)})
#include "mmu_walk.h"

void mmu_walk(const struct mmu *m, uint64_t va, enum access_kind access,
              const struct mmu_bus *bus, struct walk *w)
{
    walk_generic(m, va, access, bus, w);
}

static void drop(void *ctx, uint64_t at, uint64_t value, uint32_t size_bytes)
{
    (void)ctx, (void)at, (void)value, (void)size_bytes;
}

void mmu_peek(const struct mmu *m, uint64_t va, enum access_kind access,
              const struct mmu_bus *bus, struct walk *w)
{
    const struct mmu_bus quiet = {.read = bus->read, .write = drop, .ctx = bus->ctx};
    walk_generic(m, va, access, &quiet, w);
}

bool mmu_canonical(const struct mmu *m, uint64_t va)
{
    return walk_canonical(m->paging, va);
}

static bool permitted(const struct mmu *m, enum access_kind access, uint32_t perms)
{
    if (m->user) {
        return (perms & CACHE_U) && (access != ACCESS_WRITE || (perms & CACHE_W)) &&
               (access != ACCESS_FETCH || (perms & CACHE_X));
    }
    if (perms & CACHE_U) {
        if (access == ACCESS_FETCH ? m->smep : m->smap && !m->ac) {
            return false;
        }
    }
    return (access != ACCESS_WRITE || (perms & CACHE_W) || !m->wp) &&
           (access != ACCESS_FETCH || (perms & CACHE_X));
}

uint32_t mmu_may(const struct mmu *m, enum access_kind access)
{
    uint32_t may = 0;
    for (uint32_t needs = 0; needs <= CACHE_NEEDS; needs++) {
        bool now = access != ACCESS_WRITE || ((needs & CACHE_D) && (needs & CACHE_OWNED));
        if (now && permitted(m, access, needs & CACHE_PERMS)) {
            may |= (uint32_t)1 << needs;
        }
    }
    return may;
}

struct fault mmu_permission_fault(const struct mmu *m, uint64_t va,
                                  enum access_kind access, uint32_t perms)
{
    if (permitted(m, access, perms)) {
        return (struct fault){FAULT_NONE, 0, 0};
    }
    return (struct fault){FAULT_PAGE, walk_error(m, access, PF_PRESENT), va};
}

const char *mmu_table_name(enum paging p, uint32_t level)
{
    static const char *const names[] = {"?", "PT", "PD", "PDPT", "PML4", "PML5"};
    return level <= walk_shapes[p].levels ? names[level] : names[0];
}
