-- SLUB's debugging as a script sees it: who allocated, what was damaged, what is mended.
-- SPDX-License-Identifier: GPL-3.0-or-later
return lesson {
  title = "SLUB's debugging",
  machine = { arch = "x86_64", ram = "64M", cpus = 2, slab = "slub",
              slub_debug = "FZPU,kmalloc-64;F,plain" },
  run = function()
    local function reasons()
      local list = {}
      for _, e in ipairs(events("slub:bug")) do
        list[#list + 1] = e.reason
      end
      return table.concat(list, "; ")
    end
    kmem_cache_init()
    local cache = kmem_cache("kmalloc-64")
    expect(cache:sysfs("red_zone") == "1\n")
    expect(cache:sysfs("store_user") == "1\n")
    expect(kmem_cache("kmalloc-128"):sysfs("red_zone") == "0\n")
    expect(kmem_cache("kmalloc-128"):sysfs("alloc_traces") == nil)

    say "An overflow is found when the object comes back."
    local a = kmalloc(50, GFP_KERNEL)
    local here = object_at(a)
    expect(here.alloc_track.op == here.alloc_op and here.alloc_track.cpu == 0)
    expect(here.alloc_site:find("slub_debug.lua:%d+$") ~= nil, here.alloc_site)
    write_u8(a + 64, 0x41)
    kfree(a)
    expect(reasons() == "Right Redzone overwritten", reasons())
    expect(read_u8(a + 64) == 0xcc, "the red zone is mended")
    expect(object_at(a).state == "in use", "the object has not been freed")
    kfree(a)
    expect(reasons() == "", "the second time all is well")

    say "Freeing it again, and from inside of it."
    kfree(a)
    expect(reasons() == "Object already free", reasons())
    local b = kmalloc(64, GFP_KERNEL)
    kfree(b + 8)
    expect(reasons() == "Invalid object pointer", reasons())

    say "A write after the free is found when the object is to go out again."
    on_cpu(1, function() kfree(b) end)
    expect(object_at(b).free_track.cpu == 1)
    write_u8(b + 3, 0)
    local c = kmalloc(64, GFP_KERNEL)
    expect(reasons() == "Poison overwritten", reasons())
    expect(c ~= b, "the slab is given up")
    expect(cache:sysfs("alloc_traces"):find("slub_debug.lua:", 1, true) ~= nil)

    say "Looking without being asked to."
    write_u8(c + 64, 0)
    expect(validate_slab_cache(cache) == 2, "slabs looked at")
    expect(events("slub:bug")[1] ~= nil and cache:validate() == 2)

    local plain = kmem_cache_create("plain", 100)
    local x = plain:alloc()
    plain:destroy()
    expect(reasons():find("Objects remaining") ~= nil, reasons())
    plain = kmem_cache("plain")
    expect(plain ~= nil, "a cache with objects stays")
    plain:free(x)
  end,
}
