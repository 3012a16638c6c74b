-- Caches that are alike become one, on either allocator.
-- SPDX-License-Identifier: GPL-3.0-or-later
return lesson {
  title = "Merging",
  machine = { arch = "i386", ram = "64M", slab_merge = true },
  run = function()
    local a = kmem_cache_create("task_a", 100)
    local b = kmem_cache_create("task_b", 98)
    local c = kmem_cache_create("task_c", 100, { flags = SLAB_RECLAIM_ACCOUNT })
    expect(a == b and a ~= c)
    expect(b.name == "task_a" and b.refcount == 2)
    expect(kmem_cache("task_b") == a)
    expect(slabinfo():find("task_a") ~= nil and slabinfo():find("task_b") == nil)
    local x, y = a:alloc(), b:alloc()
    b:destroy()
    expect(a.refcount == 1 and object_at(y).cache == a)
    a:free(x)
    a:free(y)
    a:destroy()
    expect(kmem_cache("task_a") == nil and kmem_cache("task_b") == nil)
  end,
}
