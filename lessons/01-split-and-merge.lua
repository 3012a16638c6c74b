-- How the buddy system splits blocks and merges them again.
--
-- SPDX-License-Identifier: GPL-3.0-or-later
local ORDER = 4 -- orders 0 to 3 go through the per-CPU lists: lesson 02

-- The smallest order from `order` on of which a zone has a free block of this type.
local function smallest(z, order, mt)
    for o = order, machine.max_order - 1 do
        if z:nr_free(o, mt) > 0 then
            return o
        end
    end
end

local function count_choices(most, answer)
    local choices = {}
    for n = 0, most do
        choices[#choices + 1] = tostring(n)
    end
    return choices, answer + 1
end

local function ask_number(question, most, answer, why)
    local q = count_choices(most, answer)
    table.insert(q, 1, question)
    q.answer, q.why = answer + 1, why
    ask(q)
end

local function binary(n, bits)
    local digits = {}
    for i = bits - 1, 0, -1 do
        digits[#digits + 1] = n >> i & 1
    end
    return table.concat(digits)
end

local function frames_and_blocks(z)
    title "1. Frames and blocks"
    say [[Physical memory is cut into page frames of 4096 bytes. A frame has a number,
          its pfn: the physical address divided by 4096.

          The kernel keeps free frames in blocks of 2^order frames. A block of order 0
          is one frame, one of order 10 is 1024 frames, 4 MiB. Look at the free lists
          (key 4): a row for each order, a column for each migratetype, and behind
          each the chain of blocks with the pfn at which they begin. The keys [ and ]
          show another zone. This lesson stays in Normal.]]
    local aligned, pages = true, 0
    for order = 0, machine.max_order - 1 do
        for mt = 0, MIGRATE_TYPES - 1 do
            for _, page in ipairs(z:freelist(order, mt)) do
                aligned = aligned and page:pfn() % (1 << order) == 0
                pages = pages + (1 << order)
            end
        end
    end
    say [[One rule holds the system together: a block of order n begins at a pfn that
          2^n divides. The last n bits of its pfn are 0.]]
    expect(aligned, "every free block of order n begins at a multiple of 2^n")
    local held_back = 0
    for cpu = 0, machine.cpus - 1 do
        held_back = held_back + z:pcp(cpu).free_diff
    end
    expect_eq(pages, z.free + held_back, "the blocks together are the zone's free pages")
end

-- One free block of the Unmovable type, so that the lesson begins with a clear picture.
local function prepare(z)
    say [[The columns are kept apart by what the pages will be used for; what the
          kernel takes for itself is Unmovable. To begin with a clear picture, we take
          one block of the largest order and give it back. It stays in the Unmovable
          column. (How it came there from the Movable column is called fallback:
          another lesson's matter.)]]
    local block = alloc_pages(GFP_KERNEL, machine.max_order - 1)
    __free_pages(block, machine.max_order - 1)
end

local function split(z)
    title "2. Splitting"
    local from = smallest(z, ORDER, MIGRATE_UNMOVABLE)
    local head = z:freelist(from, MIGRATE_UNMOVABLE)[1]
    sayf([[Now a request of order %d: %d contiguous pages. The allocator
           (__rmqueue_smallest) looks at the Unmovable list of order %d, then of order
           %d, and so on. The first list that is not empty is that of order %d; its
           first block is %s.]],
         ORDER, 1 << ORDER, ORDER, ORDER + 1, from, hex(head))
    ask_number(("The block has order %d, we need order %d. How often is it halved?")
                   :format(from, ORDER),
               machine.max_order - 1 - ORDER, from - ORDER,
               "Each halving lowers the order by one.")
    say [[Step through the request with s. Each split announces the half that goes
          back; watch it appear in the free lists (4), and watch the block shrink on
          the map of physical memory (6). S goes back a step, as often as you like.]]
    local page = alloc_pages(GFP_KERNEL, ORDER)
    local splits = events("buddy:split")
    expect_eq(#splits, from - ORDER, "one split for each order between")
    expect_eq(page, head, "we get the first block's lower end")
    for i, ev in ipairs(splits) do
        expect(ev.order == from - i and ev.pfn == page:plus(1 << ev.order),
               ("split %d: the upper half, order %d, begins at %s"):format(i, ev.order,
                                                                           hex(ev.pfn)))
    end
    sayf([[The function is called expand(). It always keeps the lower half and puts
           the upper half back. So of the %d pages, one block of each order from %d to
           %d is free again, and ours is left over:]], 1 << from, ORDER, from - 1)
    local sum = 1 << ORDER
    for order = ORDER, from - 1 do
        sum = sum + (1 << order)
    end
    expect_eq(sum, 1 << from,
              ("2^%d + (2^%d + ... + 2^%d) = 2^%d"):format(ORDER, ORDER, from - 1, from))
    say [[The lists are searched upwards, so the smallest block that is large enough
          is the one that is cut: large blocks stay whole as long as they can. And one
          cut leaves pieces of all sizes for the requests to come.]]
    return page, from
end

local function buddies(z, page)
    title "3. Who is whose buddy"
    local pfn, bits = page:pfn(), 16
    local buddy = page:buddy(ORDER)
    sayf([[Two halves of one block are buddies. Their pfns differ in a single bit, the
           one with the value 2^order:

           block %s = %s (binary), buddy %s = %s.

           So the buddy's pfn is pfn XOR 2^order, here %s XOR %s. The kernel keeps no
           table of partners: the number says it all.]],
         hex(page), binary(pfn, bits), hex(buddy), binary(buddy:pfn(), bits), hex(page),
             hex(1 << ORDER))
    expect_eq(buddy:pfn(), pfn ~ (1 << ORDER), "the buddy is pfn XOR 2^order")
    expect_eq(buddy:buddy(ORDER), page, "and we are our buddy's buddy")
    expect_eq(math.min(pfn, buddy:pfn()) % (2 << ORDER), 0,
              "the lower one is aligned to twice the size")
    local other = buddy == page:plus(1 << ORDER) and page:plus(-(1 << ORDER))
        or page:plus(1 << ORDER)
    ask { ("The block of order %d at %s touches ours on the other side. If both were " ..
           "free, could the two be merged?"):format(ORDER, hex(other)),
          "yes, they are neighbours",
          "no, together they would begin at a pfn that is no multiple of 2^" .. ORDER + 1,
          answer = 2,
          why = [[Neighbours are not always buddies: every block has exactly one
                  buddy, on one fixed side.]] }
    expect(math.min(pfn, other:pfn()) % (2 << ORDER) ~= 0,
           "the pair would not be aligned")
end

local function second_request(z, page)
    title "4. The second request"
    local buddy = page:buddy(ORDER)
    ask_number(("A second request of order %d. How many splits this time?"):format(ORDER),
               machine.max_order - 1 - ORDER, 0,
               "The first request left a block of just this order.")
    local second = alloc_pages(GFP_KERNEL, ORDER)
    expect_eq(#events("buddy:split"), 0, "no split: the list of our order is not empty")
    expect_eq(second, buddy, "we get the first block's buddy")
    return second
end

local function merge(z, first, second, from)
    title "5. Merging"
    say [[Now the way back. When a block is freed, __free_one_page computes its buddy.
          If the buddy is free, and free as one block of the same order, it is taken
          off its list and both become one block of the next order; then the same
          question again, one order higher.]]
    ask { ("We free %s. Will it merge?"):format(hex(first)),
          "yes, with its buddy",
          "no, its buddy is in use",
          answer = 2,
          why = ("The buddy %s is our second block."):format(hex(second)) }
    __free_pages(first, ORDER)
    expect_eq(#events("buddy:merge"), 0, "no merge")
    expect(first:state() == "free" and first:order() == ORDER,
           "it lies on the list of its own order")
    local add = events("buddy:add")[1]
    local hopeful = first:buddy(ORDER + 1)
    if add.tail then
        say [[The event says that the block went to the tail of the list. The buddy of
              the next larger block is free already: if our missing buddy comes back
              soon, there will be one large block. At the tail the block is handed out
              last, which gives it time to wait.]]
        local upper = pfn_to_page(math.min(first:pfn(), second:pfn())):buddy(ORDER + 1)
        expect(upper:state() == "free" and upper:order() == ORDER + 1,
               "the buddy of the pair is free as a block of the next order")
    end
    ask_number(("Now we free %s. How many merges?"):format(hex(second)),
               machine.max_order - 1 - ORDER,
               from - ORDER,
               "Every upper half is still free, so all the splits are undone.")
    say [[Step through it (s) and watch the free lists (4): row by row a block goes
          away and one of the next order takes its place.]]
    __free_pages(second, ORDER)
    expect_eq(#events("buddy:merge"), from - ORDER, "as many merges as there were splits")
    expect_eq(first:order(), from, "one block of the first order again")
end

local function fragmentation(z)
    title "6. Fragmentation"
    say "Merging works only if everybody gives back. Four blocks, one after the other:"
    local b = {}
    for i = 1, 4 do
        b[i] = alloc_pages(GFP_KERNEL, ORDER)
    end
    table.sort(b)
    say "We give back the first and the third."
    local before = z.free
    __free_pages(b[1], ORDER)
    __free_pages(b[3], ORDER)
    expect_eq(z.free - before, 2 << ORDER, ("%d pages more are free"):format(2 << ORDER))
    expect(b[1]:order() == ORDER and b[3]:order() == ORDER,
           "but as two blocks that cannot merge")
    ask { ("A request of order %d needs %d pages. Do the two free blocks help?")
              :format(ORDER + 1, 2 << ORDER),
          "yes, together they are large enough",
          "no, it must split a larger block",
          answer = 2,
          why = [[The pages of a block must be contiguous; between these two lies a
                  block in use.]] }
    local large = alloc_pages(GFP_KERNEL, ORDER + 1)
    expect(large ~= b[1] and large ~= b[3], "the pages come from elsewhere")
    expect(b[1]:state() == "free" and b[3]:state() == "free", "the two blocks stay free")
    say [[This is external fragmentation: free memory that is of no use to a large
          request. One page in the wrong place is enough to hold up a block of 1024.
          The columns of the free lists are there to fight it: pages that cannot move
          are kept together, so that they spoil few blocks.]]
    __free_pages(large, ORDER + 1)
    __free_pages(b[2], ORDER)
    __free_pages(b[4], ORDER)
    expect(b[1]:order() > ORDER + 1, "when all is given back, all merges")
    local bytes = 33 * PAGE_SIZE
    sayf([[There is internal fragmentation too: sizes are powers of two. Who needs 33
           pages, %d bytes, gets order %d: %d pages, of which %d are wasted.]],
         bytes, get_order(bytes), 1 << get_order(bytes), (1 << get_order(bytes)) - 33)
    expect_eq(get_order(bytes), 6)
end

return lesson {
    title = "Splitting and merging",
    summary = "How blocks are halved, and why each has exactly one buddy to merge with.",
    machine = { arch = "i386", ram = "160M", highmem = "80M", cpus = 1 },
    run = function()
        say [[The keys for this lesson: s is one step, S one step back. n goes on to
              the next line of the script (pane 1). ? lists all keys.]]
        local z = zone.Normal
        frames_and_blocks(z)
        prepare(z)
        local first, from = split(z)
        buddies(z, first)
        local second = second_request(z, first)
        merge(z, first, second, from)
        fragmentation(z)
        title "Now you"
        say [[Go back with S, or with C to the very beginning, and try something else:
              type :alloc_pages(GFP_KERNEL, 5) in the middle of the lesson. A branch
              begins there, with what you did in it; what you have seen is kept
              (:branch list).

              Two things to try. Free the first block before anything else: how many
              of the merges still happen, and when? Can you arrange that a block of
              order 9 is free for as long as its buddy is not?]]
    end,
}
