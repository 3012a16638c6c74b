-- SPDX-License-Identifier: GPL-3.0-or-later
return lesson {
  title = "Splitting and merging",
  machine = { arch = "i386", ram = "32M", highmem = "8M", cpus = 2 },
  run = function()
    say "An order-2 request"
    local page = alloc_pages(GFP_KERNEL, 2)
    expect(page:order() == 2)
    on_cpu(1, function() __free_pages(page, 2) end)
    in_irq(function() alloc_pages(GFP_ATOMIC, 0) end)
  end,
}
