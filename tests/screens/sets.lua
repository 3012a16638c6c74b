-- For the golden screens of caches, TLBs, page tables and memory.
-- SPDX-License-Identifier: GPL-3.0-or-later
return lesson {
  title = "Sets and ways",
  view = "hardware",
  machine = { arch = "x86-64", ram = "256M", cpus = 2 },
  run = function()
    local mm = mm_create()
    switch_mm(mm)
    local va = mmap(mm, 0x400000, 65536, "rw")
    for i = 0, 9 do
      cpu_store(va + i * 4096 + i * 64, 8, 0x1000 + i, "user")
    end
    cpu_store(va + 8, 8, va + 0x3040, "user")
    on_cpu(1, function()
      switch_mm(mm)
      cpu_load(va, 8, "user")
    end)
    cpu_load(va, 8, "user")
    local page = alloc_pages(GFP_HIGHUSER, 0)
    map_page(mm, 0x7f0000000000, page, 7)
    cpu_load(0x7f0000000000, 8, "user")
    unmap_page(mm, 0x7f0000000000, false)
    cpu_load(va + 0x2080, 8, "user")
    cpu_store(va + 0x2088, 8, 0x6b726f77, "user")
    say "That is all."
  end,
}
