-- A file that is no lesson: it says what machine it wants and goes on.
--
-- SPDX-License-Identifier: GPL-3.0-or-later
machine { arch = "x86_64", ram = "64M", slab = "slub" }

local inode = kmem_cache_create("inode", 600)
local objects = {}
for i = 1, 40 do
    objects[i] = kmem_cache_alloc(inode, GFP_KERNEL)
end
expect(machine.nr_ops == 42, "the boot, the cache and its objects, each once")
expect(machine.slub)
for i = 1, 40, 2 do
    kmem_cache_free(inode, objects[i])
end
local free = 0
for _, z in ipairs(zones()) do
    free = free + z.free
end
expect(vmstat("nr_free_pages") == free, "a row of /proc/vmstat that sums up zones")
expect(vmstat().pgfault == vmstat("pgfault"))
