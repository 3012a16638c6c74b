-- SPDX-License-Identifier: GPL-3.0-or-later
say(zone.Normal.free, #zones(), zone("DMA"):nr_free(3, MIGRATE_MOVABLE), machine.digest)
local page = alloc_pages(GFP_KERNEL, 1)
say(page:pfn(), page:zone(), page:state(), page:buddy(), page:head(),
    tostring(page:plus(1)), hex(page))
print(buddyinfo(), vmstat().pgfree, cpu(1).context, #events("buddy:split"))
with_spinlock("lock", function() __free_pages(page, 1) __free_pages(page, 1) end)
lru_add(alloc_pages(GFP_HIGHUSER_MOVABLE, 0)) split_page(alloc_pages(GFP_KERNEL, 3), 3)
workload { steps = 30, seed = 4, cpus = { 0, 1 } }
set_min_free_kbytes(300) drain_all_pages() free_all(exhaust(GFP_KERNEL, 6))
expect(check() == nil) ask { "why?", "a", "b", answer = 2 }
