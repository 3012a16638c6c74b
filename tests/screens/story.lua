-- For the golden screens and the terminal's tests: it changes only together with them.
-- SPDX-License-Identifier: GPL-3.0-or-later
return lesson {
  title = "Splitting and merging",
  summary = "One block is halved until it fits; freed, it finds its buddy again.",
  machine = { arch = "i386", ram = "160M", highmem = "80M", cpus = 2 },
  run = function()
    title "1. Splitting"
    say [[An order-4 request, and the smallest free block of its type is larger. Watch
          where the halves go.]]
    local page = alloc_pages(GFP_KERNEL, 4)
    expect(page:order() == 4)
    say "Now it is given back, by the other CPU."
    on_cpu(1, function() __free_pages(page, 4) end)
    local pages = {}
    for i = 1, 3 do
      pages[i] = alloc_pages(GFP_HIGHUSER_MOVABLE, 0)
    end
    in_irq(function() alloc_pages(GFP_ATOMIC, 0) end)
    ask { "Where did the interrupt's page come from?",
          "From HighMem, as the others", "From Normal",
          answer = 2, why = "GFP_ATOMIC does not allow HighMem." }
    say "That is all."
  end,
}
