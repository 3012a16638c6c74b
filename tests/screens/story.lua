-- A short scenario for the golden screens: it changes only together with them.
return lesson {
  title = "Splitting and merging",
  summary = "One block is halved until it fits; freed, it finds its buddy again.",
  machine = { arch = "i386", ram = "160M", highmem = "80M", cpus = 2 },
  run = function()
    say "An order-2 request, and the smallest free block of its type is larger. Watch where the halves go."
    local page = alloc_pages(GFP_KERNEL, 2)
    expect(page:order() == 2)
    say "Now it is given back, by the other CPU."
    on_cpu(1, function() __free_pages(page, 2) end)
    local pages = {}
    for i = 1, 3 do
      pages[i] = alloc_pages(GFP_HIGHUSER_MOVABLE, 0)
    end
    in_irq(function() alloc_pages(GFP_ATOMIC, 0) end)
    say "That is all."
  end,
}
