-- For the golden screens of caches, slabs and objects.
-- SPDX-License-Identifier: GPL-3.0-or-later
return lesson {
  title = "Objects",
  view = "objects",
  machine = { arch = "i386", ram = "256M", cpus = 2 },
  run = function()
    local cache = kmem_cache_create("inode", 600, { align = 32 })
    local mine = {}
    for i = 1, 9 do mine[i] = cache:alloc() end
    cache:free(mine[4])
    cache:free(mine[2])
    local small = kmalloc(50, GFP_KERNEL)
    local other = kmalloc(60, GFP_KERNEL)
    kfree(small)
    cpu_store(other, 4, 0x1234)
    local last = cache:alloc()
    cache:tune(4, 2)
    for i = 5, 9 do cache:free(mine[i]) end
    say "That is all."
  end,
}
