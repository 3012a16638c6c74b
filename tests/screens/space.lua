-- For the golden screens of the kernel's address space.
-- SPDX-License-Identifier: GPL-3.0-or-later
return lesson {
  title = "The address space",
  view = "space",
  machine = { arch = "i386", ram = "1G", cpus = 2 },
  run = function()
    local a = vmalloc(3 * PAGE_SIZE)
    local b = vmalloc(PAGE_SIZE)
    local io = ioremap(0xfeb00000, 2 * PAGE_SIZE)
    vfree(b)
    local page = alloc_page(GFP_HIGHUSER)
    local va = kmap(page)
    local other = alloc_page(GFP_HIGHUSER)
    kmap(other)
    kunmap(other)
    local atomic = kmap_atomic(other)
    cpu_store(va, 4, 0x1234)
    cpu_load(a, 4)
    kunmap_atomic(atomic)
    vfree(a)
    say "That is all."
  end,
}
