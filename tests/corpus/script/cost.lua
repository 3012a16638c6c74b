-- SPDX-License-Identifier: GPL-3.0-or-later
return lesson {
  machine = { arch = "x86_64", ram = "32M", cpus = 2, kernel_accesses = true },
  run = function()
    kmem_cache_init()
    local a = kmalloc(100, GFP_KERNEL)
    say(cost().cycles, #touches(), depths().hit.warm.cycles)
    local there = on_machine({ slab = "slub", cpus = 1 }, function(n)
      local p = kmalloc(n, GFP_KERNEL) kfree(p) return cost().lines
    end, 100)
    say(there, pcall(on_machine, { ram = "1" }, say))
    kfree(a)
  end,
}
