-- Virtually indexed, physically tagged: why L1 caches are small and have many ways, and
-- page colours.
--
-- SPDX-License-Identifier: GPL-3.0-or-later
local A = 0x10000000

local function both_at_once(l1)
    title "1. Index and translation at the same time"
    sayf([[A physical tag ends the troubles of lesson 10: one memory, one tag. But then
           each access needs the translation. The trick: the set is chosen by virtual
           bits, at once; meanwhile the TLB translates; then the tags, which are
           physical, are compared. Virtually indexed, physically tagged: VIPT.

           L1D here has %d KiB in %d way: the set is taken from bits 5 to 12 of the
           address.]], l1.size >> 10, l1.ways)
    expect_eq(l1.sets, 256, "256 sets: 8 bits of the address choose one")
    write_u32(A, 0x1111)
    local line = l1:find(A)
    expect_eq(line.tag, walk(A).pa // l1.line, "the tag is the physical line number")
    read_u32(A)
    expect_eq(#events "tlb:probe", 1, "a hit asks the TLB too")
    expect_eq(access().hit, "L1", "and is a hit all the same")
end

local function no_homonym(l1, a, b)
    title "2. No homonyms"
    ask { ("Process B has another page at %s. The kernel switches to B and flushes no "
           .. "cache. What does B read there?"):format(hex(A)),
          "A's value", "its own",
          answer = 2,
          why = "The set is the same, but the physical tag of A's line is another." }
    switch_mm(b)
    expect_eq(read_u32(A), 0, "B reads its own memory")
    expect(access().hit ~= "L1", "for it, L1 had nothing")
    switch_mm(a)
    expect_eq(read_u32(A), 0x1111, "and A its own")
end

local function colours(l1, mm, page)
    title "3. One bit too many: colours"
    local other, same = A + 5 * PAGE_SIZE, A + 8 * PAGE_SIZE
    local way = l1.size // l1.ways
    expect(way > PAGE_SIZE, "a way is larger than a page")
    sayf([[A page has 4 KiB: bits 0 to 11 are the same in both addresses. The index goes
           up to bit 12, because a way has %d KiB. Bit 12 is translated. So a frame can
           stand in two places of the cache, depending on bit 12 of its virtual address.
           This is called its colour.

           The kernel maps A's page twice more: at %s, with bit 12 set, and at %s, with
           bit 12 clear.]], way >> 10, hex(other), hex(same))
    mm:map(other, page)
    mm:map(same, page)
    expect(l1:set_of(same) == l1:set_of(A) and l1:set_of(other) ~= l1:set_of(A),
           ("sets: %d, %d and %d"):format(l1:set_of(A), l1:set_of(other),
                                          l1:set_of(same)))
    ask { ("A stores 0x2222 at %s. At which address is it seen?"):format(hex(A)),
          "at both others", ("only at %s, of the same colour"):format(hex(same)),
          "at neither",
          answer = 2,
          why = "The same set and the same physical tag: it is simply the same line." }
    write_u32(A, 0x2222)
    expect(read_u32(same) == 0x2222 and access().hit == "L1",
           "the same colour: a hit, and the new value")
    expect_eq(#l1:find_phys(page:phys()), 1, "one line in L1")
    local stale = read_u32(other)
    expect(stale ~= 0x2222, "the other colour: an old value, " .. hex(stale))
    expect_eq(#events "l1:synonym", 1, "the machine has noticed the synonym")
    expect_eq(#l1:find_phys(page:phys()), 2, "two lines of the same memory")
    say [[Systems with such caches map a shared page only at addresses of one colour
          (SHMLBA), or give a process only frames of the right colour.]]
end

local function small_enough(code)
    title "4. Small enough"
    local d, i = cpu().l1d, cpu().l1i
    sayf([[L1I has %d KiB in %d way: a way is as large as a page. All bits of its index
           lie in the page offset.]], i.size >> 10, i.ways)
    expect_eq(i.size // i.ways, PAGE_SIZE, "size / ways = size of a page")
    expect_eq(i:set_of(A), i:set_of(A + 5 * PAGE_SIZE),
              "every name leads to the same set")
    fetch(A)
    ask { "Instructions are fetched from the page by its other name. A hit?",
          "yes", "no",
          answer = 1,
          why = "The same set, the same physical tag." }
    fetch(A + 5 * PAGE_SIZE)
    expect_eq(access().hit, "L1", "a hit: no alias is possible")
    expect_eq(#i:find_phys(code:phys()), 1, "one line")
    say [[So the rule: size / ways must not be more than a page. Whoever wants a larger
          L1 without aliases must add ways: 32 KiB have 8 ways, 48 KiB have 12. That is
          why first-level caches have grown so little in twenty years. With pages of 16
          KiB they may be four times as large.]]
    local rows = { "  L1D of           size  ways  size/ways" }
    local good = true
    for _, c in ipairs { { "Pentium III", 16, 4 }, { "Nehalem", 32, 8 },
                         { "Ice Lake", 48, 12 } } do
        rows[#rows + 1] = ("  %-14s %3d KiB  %4d  %5d KiB"):format(c[1], c[2], c[3],
                                                                  c[2] // c[3])
        good = good and c[2] // c[3] <= PAGE_SIZE >> 10
    end
    print(table.concat(rows, "\n"))
    expect(good, "all of them keep the rule")
end

return lesson {
    title = "VIPT: index and tag",
    summary = "Physical tags, page colours, and why L1 caches are small with many ways.",
    view = "hardware",
    machine = { arch = "i386", ram = "64M",
                cpu = { l1d = { size = "8K", ways = 1, line = 32 },
                        l1i = { size = "4K", ways = 1, line = 32 }, tags = "vipt",
                        cost = "flat" } },
    run = function()
        say [[n goes on by a line of the script: use it where the kernel makes processes
              and maps pages. s is a step: use it where the CPU accesses memory.]]
        local a, b = process(), process()
        local page = alloc_page(GFP_HIGHUSER)
        a:map(A, page)
        b:map(A, alloc_page(GFP_HIGHUSER))
        switch_mm(a)
        local l1 = cpu().l1d
        both_at_once(l1)
        no_homonym(l1, a, b)
        colours(l1, a, page)
        small_enough(page)
        title "Now you"
        say [[Try the lesson with two ways: mmscope 12 --set l1d=8K,2,32. Which claims
              fail, and why is that good news?]]
    end,
}
