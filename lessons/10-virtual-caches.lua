-- Virtually addressed caches: the alias, the homonym, and what a flush costs.
--
-- SPDX-License-Identifier: GPL-3.0-or-later
local A, B = 0x10000000, 0x20001000 -- two addresses of one page

local function no_translation(l1)
    title "1. A cache in front of the MMU"
    sayf([[This machine's L1 is indexed and tagged by virtual addresses (VIVT): %d sets
           of %d ways, and beside each line its virtual address. A hit needs no
           translation, not even a look into the TLB; that was the first path of
           lesson 04. The ARM9 and many a workstation of the nineties had such caches.

           What can go wrong? Two things: one piece of memory with two addresses, and
           one address for two pieces of memory.]], l1.sets, l1.ways)
    write_u32(A, 0x1111)
    local line = l1:find(A)
    expect(line and line.va == A, "the line's tag is the virtual address " .. hex(A))
    read_u32(A)
    expect_eq(#events "tlb:probe", 0, "a hit does not ask the TLB")
end

local function the_alias(l1, mm, page)
    title "2. The alias"
        sayf([[The kernel maps the same frame, %s, a second time, at %s. That is nothing
           unusual: shared memory, or a file that is mapped twice.]], hex(page), hex(B))
    mm:map(B, page)
    expect_eq(walk(A).pa >> 12, walk(B).pa >> 12, "both addresses lead to the same frame")
    sayf([[The process has just stored 0x1111 at %s. Now it loads from the same place by
           its other name, %s.]], hex(A), hex(B))
    ask { "What does it read?",
          "0x1111, what was stored", "0, what was there before",
          answer = 2,
          why = [[The cache does not know the second name: a miss. L2 and RAM are asked,
                  by the physical address. The new value is only in L1 yet, under the
                  first name.]] }
    local value = read_u32(B)
    expect_eq(value, 0, "it reads 0: the store is not seen under the other name")
    expect_eq(#events "l1:synonym", 1, "the machine has noticed: a synonym")
    local copies = l1:find_phys(page:phys())
    expect_eq(#copies, 2, "L1 has two lines of the same memory")
    expect(copies[2] and copies[1].data ~= copies[2].data, "and their contents differ")
    write_u32(B + 4, 0x2222)
    local first, second = read_u64(A), read_u64(B)
    expect(first == 0x1111 and second == 0x2222 << 32,
           ("by the first name: %s, by the second: %s"):format(hex(first), hex(second)))
    say [[Two dirty copies of one line. The one that is written back last wins, and the
          other store is lost. No later flush can mend that.]]
end

local function against_aliases(l1, page)
    title "3. What helps against aliases"
        say [[The cache can be told to let go of lines: to write them back to L2 if they
          are dirty, and to throw them out. On such machines the kernel does so wherever
          memory is about to be used by another name (flush_cache_page,
          flush_dcache_page).]]
    flush_cache_page(A)
    flush_cache_page(B)
    expect_eq(#l1:find_phys(page:phys()), 0, "both lines have left L1")
    write_u32(A, 0x3333)
    flush_cache_page(A)
    ask { "A store by the first name, a flush, a load by the second. What is read?",
          "0x3333", "an older value",
          answer = 1,
          why = "The store has gone down to L2, which is asked by physical addresses." }
    expect_eq(read_u32(B), 0x3333, "the new value")
    write_u32(A, 0x4444)
    flush_cache_page(A)
    ask { "Once more the same: a store by the first name, a flush, a load by the second.",
          "0x4444", "0x3333",
          answer = 2,
          why = [[The store has gone down, but the second name still has its line from
                  the load before: a hit. It had to be flushed as well.]] }
    expect_eq(read_u32(B), 0x3333, "the old value, from L1")
    expect_eq(access().hit, "L1", "a hit")
    flush_cache_page(B)
    expect_eq(read_u32(B), 0x4444, "after a flush of the reader's page, the new one")
    flush_cache_page(B)
    say [[So both must be flushed: the writer's page, that the value goes down, and the
          reader's, that no old line stands in the way. It is forgotten easily, and the
          error shows only when a line happens to be there.]]
end

local function the_homonym(l1, first, second)
    title "4. The homonym"
    sayf([[Now one address for two pieces of memory. Process 2 has a page of its own at
           %s, as every program has its code and data at the same addresses as others.
           Process 1 stores something there.]], hex(A))
    write_u32(A, 0x5ec3e7)
    ask { ("The kernel switches to process 2, and flushes no cache. What does process 2 "
           .. "read at %s?"):format(hex(A)),
          "its own memory", "what process 1 has stored", "a page fault",
          answer = 2,
          why = [[The line's tag is the virtual address, and that is the same. The TLB,
                  which knows better, is not asked.]] }
    switch_mm(second)
    local value = read_u32(A)
    expect_eq(value, 0x5ec3e7, "it reads another process's data: " .. hex(value))
    expect_eq(#events "l1:homonym", 1, "the machine has noticed: a homonym")
    expect_eq(#events "tlb:probe", 0, "the TLB was not asked")
    write_u32(A + 4, 0xbad)
    switch_mm(first)
    expect_eq(read_u32(A + 4), 0xbad, "and process 2's store reaches process 1")
    say [[So at each switch of address spaces the kernel must flush the cache: write back
          all dirty lines and throw everything out. Now it does.]]
    flush_cache_all()
    switch_mm(second)
    expect_eq(read_u32(A), 0, "process 2 reads its own memory")
    flush_cache_all()
    switch_mm(first)
    expect_eq(read_u32(A), 0x5ec3e7, "process 1 its own")
end

local function the_price(l1, first, second)
    title "5. What a flush costs"
    local loop = { base = A, stride = 4, n = l1.size // 4, op = "write" }
    stride(loop)
    local warm = stride(loop)
    sayf([[Process 1 writes %d words, all of which fit into L1: %d cycles, %.1f for each
           access, with the figures of a Pentium M. Then process 2 has its turn for a
           moment, and process 1 goes on.]],
         loop.n, warm.cycles.total, warm.amat)
    expect_eq(warm.misses, 0, "as long as it runs, there is no miss")
    ask { ("Each of the %d lines of L1 is dirty. What does the switch cost?")
              :format(l1.nr_lines),
          "nothing but the switch itself", "the lines are written back",
          "they are written back, and fetched again afterwards",
          answer = 3,
          why = [[Out with all of them, and when process 1 runs again, each first access
                  to a line misses.]] }
    local written = flush_cache_all()
    expect_eq(written, l1.nr_lines, ("%d lines are written back"):format(written))
    expect_eq(l1:count(), 0, "L1 is empty")
    switch_mm(second)
    read_u32(A)
    flush_cache_all()
    switch_mm(first)
    local after = stride(loop)
    expect_eq(after.misses, l1.nr_lines, "process 1 misses once for each line")
    sayf([[The same loop: %d cycles, %.1f for each access, and %d accesses of L2 for lines
           and table entries. It pays this after every switch, and the write-backs keep
           the bus busy besides. A larger cache makes it worse.]],
         after.cycles.total, after.amat, after.l2.access)
    expect(after.cycles.total > 1.1 * warm.cycles.total,
           ("the switch has cost process 1 %d cycles"):format(after.cycles.total -
                                                              warm.cycles.total))
    say [[Two ways out are the next lessons: a number for each address space in the tag
          (lesson 11), and physical tags (lesson 12).]]
end

return lesson {
    title = "Virtually addressed caches",
    summary = "The alias, the homonym, and what a flush costs.",
    view = "hardware",
    machine = { arch = "i386", ram = "64M",
                cpu = { l1i = { size = "1K", ways = 2, line = 32 },
                        l1d = { size = "1K", ways = 2, line = 32 }, tags = "vivt",
                        l2 = { size = "16K", ways = 4, line = 32 }, coherent = false,
                        cost = "pentium-m" } },
    run = function()
        say [[n goes on by a line of the script: use it where the kernel makes processes
              and maps pages. s is a step: use it where the CPU accesses memory. Watch
              the pane Cache (5).]]
        local first, second = process(), process()
        local page = alloc_page(GFP_HIGHUSER)
        first:map(A, page)
        second:map(A, alloc_page(GFP_HIGHUSER))
        switch_mm(first)
        local l1 = cpu().l1d
        no_translation(l1)
        the_alias(l1, first, page)
        against_aliases(l1, page)
        the_homonym(l1, first, second)
        the_price(l1, first, second)
        title "Now you"
        say [[In section 2 both addresses belong to the same set of L1. Why does that
              not help? And would it, if a set had only one way (mmscope 10 --set
              l1d=1K,1,32)? Which claims fail then?]]
    end,
}
