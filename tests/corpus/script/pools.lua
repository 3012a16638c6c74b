-- SPDX-License-Identifier: GPL-3.0-or-later
return lesson {
  machine = { arch = "i386", ram = "32M", highmem = "0", cpus = 2, slab = "slub",
              slub_debug = "FZPU" },
  run = function()
    kmem_cache_init()
    local cache = kmem_cache_create("bio", 192, 0, SLAB_HWCACHE_ALIGN)
    local pool = mempool_create(4, cache)
    local one = pool:alloc(GFP_NOIO)
    fail_page_alloc { probability = 100, interval = 2, times = 3, min_order = 0,
                      ignore_gfp_wait = false }
    local pages = mempool_create(2, { order = 1 })
    local two = pool:alloc(GFP_ATOMIC)
    write_u8(two + 192, 1)
    pool:resize(9) pool:free(one) pool:free(two)
    fail_page_alloc(false)
    say(cache:sysfs("red_zone"), sysfs_slab(), #mempools(), pool:fields().curr_nr)
    pool:destroy() kfree(two) kfree(two)
  end,
}
