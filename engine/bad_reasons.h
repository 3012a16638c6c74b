/* Why a page is bad or a call is wrong: the type `reason` of events.
 *
 * BAD_REASON(ID, "text"): the kernel's words where it has some (mm/page_alloc.c,
 * page_bad_reason); the rest are calls that a kernel without CONFIG_DEBUG_VM does not
 * notice at the time.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ENGINE_BAD_REASONS_H
#define ENGINE_BAD_REASONS_H

#define BAD_REASONS(X)                                                                   \
    X(NONE, "nothing")                                                                   \
    X(MAPCOUNT, "nonzero mapcount")                                                      \
    X(REFCOUNT, "nonzero _refcount")                                                     \
    X(FLAGS_AT_FREE, "PAGE_FLAGS_CHECK_AT_FREE flag(s) set")                             \
    X(FLAGS_AT_PREP, "PAGE_FLAGS_CHECK_AT_PREP flag(s) set")                             \
    X(DOUBLE_FREE, "the page is free already")                                           \
    X(TAIL_FREE, "the page is inside of a block, not its first")                         \
    X(LOW_ORDER, "the order is lower than the block's: the rest leaks")                  \
    X(HIGH_ORDER, "the order is higher than the block's")                                \
    X(MISALIGNED, "the page is not a multiple of the order's size")                      \
    X(OVERLAP, "pages of the block are free already, on a per-CPU list")                 \
    X(RESERVED, "the page is reserved")                                                  \
    X(LEAKED, "nobody owns the page any more")                                           \
    X(KEPT, "the page is a page table, or a process has it mapped: it stays so")         \
    X(FREED_EARLY, "an interrupt has freed the page before its owner had it")            \
    X(WILD, "there is no such page frame")                                               \
    X(NO_ORDER, "there is no such order")                                                \
    X(COMPOUND, "the page is compound")                                                  \
    X(NOT_ALLOCATED, "the page is not allocated")                                        \
    X(NO_CPU, "there is no such CPU")                                                    \
    X(NO_OP, "there is no such operation")                                               \
    X(UNBALANCED, "nothing to end or release")                                           \
    X(TOO_DEEP, "nested too deep")                                                       \
    X(RECURSION, "the lock is held already: the CPU would spin for ever")                \
    X(ZONE_LOCKED, "zone->lock is held here: the CPU would spin for ever")               \
    X(IN_INTERRUPT, "called in an interrupt")                                            \
    X(SCHED_ATOMIC, "scheduling while atomic")                                           \
    X(NO_VMAP_SPACE, "vmap allocation failed: use vmalloc=<size> to increase size")      \
    X(VMALLOC_ZERO, "vmalloc of no bytes")                                               \
    X(VMALLOC_TOO_LARGE, "vmalloc error: exceeds total pages")                           \
    X(VFREE_ADDRESS, "Trying to vfree() bad address")                                    \
    X(VFREE_NO_AREA, "Trying to vfree() nonexistent vm area")                            \
    X(NO_PAGES, "vmap_page() has not collected so many pages")                           \
    X(IOREMAP_ADDRESS, "ioremap: invalid physical address")                              \
    X(IOREMAP_RAM, "ioremap on RAM")                                                     \
    X(MEMTYPE_BUSY,                                                                      \
      "reserve_ram_pages_type failed: a page of the range is not write-back")            \
    X(MEMTYPE_RANGE, "set_memory: no pages of the direct map")                           \
    X(IOREMAP_LARGE, "ioremap of more than 4 GiB is not simulated")                      \
    X(IOUNMAP_ADDRESS, "iounmap: bad address")                                           \
    X(KUNMAP_UNMAPPED, "kunmap of a page that kmap has not mapped")                      \
    X(KUNMAP_TWICE, "kunmap without a kmap: pkmap_count would be 0 without a flush")     \
    X(KMAP_IRQS_ON, "kmap_local in a hard interrupt with interrupts on")                 \
    X(KMAP_LOCAL_DEPTH, "kmap_local nested too deep: KM_MAX_IDX slots")                  \
    X(KMAP_LOCAL_BUSY, "kmap_local: the slot is still mapped")                           \
    X(KUNMAP_LOCAL_ORDER, "kunmap_local out of order: not the last mapping")             \
    X(KUNMAP_LOCAL_NONE, "kunmap_local, but nothing is mapped")                          \
    X(KUNMAP_USER, "kunmap_local of a user space address")                               \
    X(FIXMAP_INDEX, "set_fixmap: there is no such index")                                \
    X(EARLY_IOREMAP_LATE, "early_ioremap after the boot")                                \
    X(EARLY_IOREMAP_SLOT, "early_ioremap: not found slot")                               \
    X(EARLY_IOREMAP_SIZE, "early_ioremap: size not consistent, or more than 64 pages")   \
    X(EARLY_IOREMAP_LEAK, "Debug warning: early ioremap leak of areas detected")         \
    X(DMA_NO_MASK, "dma_alloc_coherent: the device has no coherent_dma_mask")            \
    X(DMA_OVERFLOW, "DMA addr overflow: beyond the device's mask")                       \
    X(DMA_FREE_IRQS_OFF, "dma_free_coherent with interrupts off")                        \
    X(SWIOTLB_FULL, "swiotlb buffer is full")                                            \
    X(NO_KM_TYPES, "this kernel's kmap_atomic has no slot types: see km_types")          \
    X(KM_TYPE, "there is no such KM_ type")                                              \
    X(KM_TYPE_BUSY, "the slot of this type maps another page already: it is lost")       \
    X(CPU_HUNG, "the CPU spins for ever on a lock")                                      \
    X(NO_TASK, "there is no such task")                                                  \
    X(TASK_RUNS, "the task runs on another CPU")                                         \
    X(TASK_PINNED, "the task has kmap_local mappings on another CPU: it cannot migrate") \
    X(NO_MM, "there is no such address space")                                           \
    X(USER_RANGE, "the range is not of whole pages in user space")                       \
    X(NO_AREA, "no area there, or no room for another one")                              \
    X(MAPPED, "something is mapped there, or no memory for a table")                     \
    X(NOT_MAPPED, "map_page() has mapped nothing there")                                 \
    X(CACHE_OP, "there is no such cache operation, or no cache is named")                \
    X(IN_ACCESS, "an access of this CPU is under way")                                   \
    X(NO_CACHE, "there is no such cache")                                                \
    X(CACHE_FAILED, "kmem_cache_create failed: no memory")                               \
    X(CACHE_NAME, "kmem_cache_create: a cache needs a name")                             \
    X(CACHE_SIZE, "kmem_cache_create: no order of pages is large enough")                \
    X(CACHE_ALIGN, "kmem_cache_create: align is no power of two up to a page")           \
    X(CACHE_FLAGS, "kmem_cache_create: flags that only the allocator may set")           \
    X(CACHE_MANY, "more caches than are simulated")                                      \
    X(CACHE_LEFT, "the cache is being destroyed: it only still has objects")             \
    X(BOOT_CACHE, "a cache of the kernel itself cannot be destroyed")                    \
    X(SLAB_BOOT, "Out of memory when creating slab: the kernel would panic")             \
    X(SLAB_GFP, "Unexpected gfp: highmem or unknown bits; they are left away")           \
    X(SLAB_CTOR_ZERO, "__GFP_ZERO with a constructor")                                   \
    X(OBJECT_WILD, "the address is not in the direct map")                               \
    X(OBJECT_NO_SLAB, "no slab has this address")                                        \
    X(OBJECT_CACHE, "Wrong slab cache: the object is from another one")                  \
    X(OBJECT_INSIDE, "the address is inside of an object, not its beginning")            \
    X(OBJECT_OUTSIDE, "the address is in a slab, but in none of its objects")            \
    X(OBJECT_DOUBLE, "double free detected")                                             \
    X(LARGE_ORDER_0, "kfree of a page that kmalloc has not given: order 0")              \
    X(KMALLOC_LARGE, "kmalloc: larger than the largest block of pages")                  \
    X(BULK_MANY, "more objects than one bulk operation may have")                        \
    X(SLAB_BUSY, "slab_mutex or a list_lock is held here: the CPU would wait for ever")  \
    X(SLUB_ONLY, "SLAB has this, SLUB has not")                                          \
    X(FAULT_ATTR, "there is no such attribute, or it cannot have this value")            \
    X(NO_POOL, "there is no such pool")                                                  \
    X(POOL_SIZE, "a pool has 1 to 2147483647 elements, each of a byte or more")          \
    X(POOL_WAITERS, "mempool_destroy while somebody waits for the pool or uses it")      \
    X(ELEMENT, "mempool_free of what is no element of this pool")                        \
    X(ELEMENT_TWICE, "mempool_free of what is in the reserve already")                   \
    X(ELEMENT_GONE, "an element of the reserve was freed past the pool: left out")       \
    X(ELEMENTS_GONE, "the pool's array was freed by somebody: its reserve is lost")      \
    X(SLAB_ONLY, "SLUB has this, SLAB has not")                                          \
    X(FREELIST, "Freechain corrupt: the rest of the freelist is lost")                   \
    X(RED_LEFT, "Left Redzone overwritten")                                              \
    X(RED_RIGHT, "Right Redzone overwritten")                                            \
    X(ALIGN_PADDING, "Alignment padding overwritten")                                    \
    X(POISON, "Poison overwritten")                                                      \
    X(END_POISON, "End Poison overwritten")                                              \
    X(OBJECT_PADDING, "Object padding overwritten")                                      \
    X(SLAB_PADDING, "Padding overwritten")                                               \
    X(FREEPOINTER, "Freepointer corrupt")                                                \
    X(FREECHAIN, "Freechain corrupt")                                                    \
    X(FREELIST_CHECK, "Freelist Pointer check fails")                                    \
    X(OBJECT_COUNT, "Wrong object count")                                                \
    X(INVALID_POINTER, "Invalid object pointer")                                         \
    X(ALREADY_FREE, "Object already free")                                               \
    X(SLAB_DISABLED, "Slab disabled since SLUB metadata consistency check failed")       \
    X(OBJECTS_REMAINING, "Objects remaining on __kmem_cache_shutdown()")                 \
    X(FIX_CLEARED, "Freelist cleared")                                                   \
    X(FIX_COUNT, "Object count adjusted")                                                \
    X(FIX_ALL_USED, "Marking all objects used")                                          \
    X(FIX_NOT_FREED, "Object not freed")

#define BAD_REASON_ENUM_(id, text) BAD_##id,
enum bad_reason { BAD_REASONS(BAD_REASON_ENUM_) NR_BAD_REASONS };
#undef BAD_REASON_ENUM_

#endif
