/* SLAB's ways in and out a second time, for operations that nobody watches (quiet.h). On
 * top of them, the two or three operations that scenarios do by the million.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define PROBE_QUIET
#include "quiet.h"

#define alloc_pages alloc_pages_quiet
#define __free_pages __free_pages_quiet

#define kfree kfree_quiet
#define kmalloc kmalloc_quiet
#define kmalloc_index kmalloc_index_quiet
#define kmalloc_slab kmalloc_slab_quiet
#define kmalloc_type kmalloc_type_quiet
#define kmem_cache_alloc kmem_cache_alloc_quiet
#define kmem_cache_alloc_bulk kmem_cache_alloc_bulk_quiet
#define kmem_cache_free kmem_cache_free_quiet
#define kmem_cache_free_bulk kmem_cache_free_bulk_quiet
#define krealloc krealloc_quiet
#define ksize ksize_quiet
#define slab_array_drop_first slab_array_drop_first_quiet
#define slab_free_block slab_free_block_quiet
#define slab_list_add slab_list_add_quiet
#define slab_list_del slab_list_del_quiet
#define slab_list_lock slab_list_lock_quiet
#define slab_list_unlock slab_list_unlock_quiet
#define slab_page_alloc slab_page_alloc_quiet
#define slab_page_alloc_order slab_page_alloc_order_quiet
#define slab_page_free slab_page_free_quiet
#define slab_read slab_read_quiet
#define slab_report slab_report_quiet
#define slab_stage_object slab_stage_object_quiet
#define slab_write slab_write_quiet
#define slabs_destroy slabs_destroy_quiet
#define slub_chain slub_chain_quiet
#define slub_discard slub_discard_quiet
#define slub_flush_cpu slub_flush_cpu_quiet
#define slub_free_pointer slub_free_pointer_quiet
#define slub_free_bulk slub_free_bulk_quiet
#define slub_new_slab slub_new_slab_quiet
#define virt_to_slab virt_to_slab_quiet

#include "slab_all.c"

uint64_t slab_do_quiet(struct machine *m, const struct op *op)
{
    const uint64_t *arg = op->arg;
    const struct kmem_cache *c;
    switch (op->kind) {
    case OP_KMEM_CACHE_ALLOC:
        c = cache_r(m, arg[0]);
        return c ? kmem_cache_alloc(m, c, (gfp_t)arg[1]) : slab_do(m, op);
    case OP_KMEM_CACHE_FREE:
        c = cache_r(m, arg[0]);
        if (!c) {
            return slab_do(m, op);
        }
        kmem_cache_free(m, c, arg[1]);
        return 0;
    case OP_KMALLOC:
        return kmalloc(m, arg[0], (gfp_t)arg[1]);
    case OP_KFREE:
        kfree(m, arg[0]);
        return 0;
    default:
        return slab_do(m, op);
    }
}
