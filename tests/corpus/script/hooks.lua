-- SPDX-License-Identifier: GPL-3.0-or-later
local n = 0
on("kmem:mm_page_alloc_zone_locked", function(ev)
  n = n + 1
  if n % 3 == 1 then
    interrupt(function() local p = alloc_pages(GFP_ATOMIC, 0) __free_pages(p, 0) end)
  end
  if n == 4 then say(ev.pfn, ev.zone) end
end)
for i = 1, 9 do alloc_pages(GFP_KERNEL | __GFP_ZERO, i % 5) end
off()
