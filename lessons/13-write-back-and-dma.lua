-- Write-back, write-through, and devices that read and write memory past the caches.
--
-- SPDX-License-Identifier: GPL-3.0-or-later
local A, T, N = 0x10000000, 0x10001000, 0x10002000

local function who_writes_when(l1)
    title "1. Write-back"
    say [[A load brings a line into the cache. And a store? It changes the line in the
          cache. When does memory learn of it?

          Write-back: when the line has to go. Until then the line is dirty: it differs
          from memory, and is the only place where the new value is.]]
    read_u32(A)
    ask { "The process stores 100 times to the same word. How many bytes go to memory?",
          "400", "32, one line", "none yet",
          answer = 3,
          why = "All stores end in L1. The line will be written when it has to go." }
    local c = stride { base = A, stride = 0, n = 100, op = "write" }
    expect_eq(c.memory_bytes_written, 0, "nothing has been written to memory")
    expect_eq(c.hits, 100, "all of them hit L1")
    local line = l1:find(A)
    expect(line.state == "M" and line.dirty, "the line is dirty; its state: M, modified")
    local written = wbinvd()
    expect(written >= 1, "told to write everything back, the caches do it")
    expect(not l1:find(A), "and the line is gone")
    say "100 stores, and one line of 32 bytes on its way: the more often, the better."
end

local function write_through(l1)
    title "2. Write-through"
    say [[Write-through: each store goes to memory as well. Nothing is ever dirty, and a
          line can be dropped at any time. On x86 a page can be made so by three bits of
          its table entry: PAT, PCD and PWT are the number of a memory type.

          The page at 0x10001000 is mapped write-through. The same 100 stores.]]
    read_u32(T)
    ask { "How many bytes go to memory this time?",
          "400", "32", "none",
          answer = 1,
          why = "Every store goes all the way, hit or not." }
    local c = stride { base = T, stride = 0, n = 100, op = "write" }
    expect_eq(c.memory_bytes_written, 400, "400 bytes")
    local line = l1:find(T)
    expect(line and not line.dirty, "the line is in L1, and clean")
    expect_eq(read_u32(T), T, "loads hit it, and find the new value")
    local fresh = T + 512
    write_u32(fresh, 1)
    expect(not l1:find(fresh), "a store that misses fetches no line (no write-allocate)")
    write_u32(A + 512, 1)
    expect_eq(#events "mem:read", 1, "a write-back cache must read the line for a store")
    expect(l1:find(A + 512).dirty, "and has it then, dirty")
    say [[Write-back saves memory's time, write-through is simple. Today's caches write
          back; write-through is left where somebody else must see each store, such as
          the frame buffer's.]]
end

local function a_device_reads(l1, page)
    title "3. A device reads"
    say [[A disk or a network card reads memory by itself: DMA, direct memory access. On
          this machine, as on many small ones, devices see RAM and nothing else. (On a
          PC the hardware helps; lesson 14.)

          The process prepares a packet.]]
    wbinvd()
    local old = dma_read(page:phys(), 4)
    write_u32(A, 0xda7a)
    ask { "The network card reads the packet by DMA. What does it send?",
          "the new packet", "what was there before",
          answer = 2,
          why = "The new value is in a dirty line. RAM does not have it yet." }
    local sent = dma_read(page:phys(), 4)
    expect_eq(sent, old, "it has sent the old contents: " .. hex(sent))
    expect(l1:find(A).dirty, "the new ones are in L1, dirty")
    say [[So before the device may read, the driver must have the lines written back:
          clean. The kernel's name for it is dma_map_single(..., DMA_TO_DEVICE).]]
    clwb(A)
    expect_eq(dma_read(page:phys(), 4), 0xda7a, "now the device reads the packet")
    local line = l1:find(A)
    expect(line and not line.dirty, "the line has stayed in L1, clean")
end

local function a_device_writes(l1, page)
    title "4. A device writes"
    expect_eq(read_u32(A), 0xda7a, "the process has the line in L1")
    say "Now a packet comes in. The card writes it to the same place in memory."
    dma_write(page:phys(), 4, 0xf00d)
    ask { "What does the process read?",
          "0xf00d, the packet", "0xda7a, the line in L1",
          answer = 2,
          why = "A hit. Nobody has told the cache that memory has changed." }
    expect_eq(read_u32(A), 0xda7a, "the old value, from a stale line")
    say [[The lines must be thrown out, without writing them back: invalidate. The
          kernel: dma_unmap_single(..., DMA_FROM_DEVICE).]]
    invalidate_line(A)
    expect_eq(read_u32(A), 0xf00d, "now the packet")
end

local function the_order(page)
    title "5. The order matters"
    say [[It can be worse. The process stores into the buffer, and the line is dirty when
          the device writes. A little later the line has to go.]]
    write_u32(A + 4, 0x01d)
    dma_write(page:phys(), 4, 0xbeef)
    ask { "The cache writes the line back. What is in memory then?",
          "0xbeef: the device came later", "0xf00d: the line is as it was before",
          answer = 2,
          why = "A line is written whole. The device's bytes are lost." }
    clflush(A)
    expect_eq(dma_read(page:phys(), 4), 0xf00d, "the packet has been overwritten")
    say [[So invalidate before the device writes, too, and do not touch the buffer
          meanwhile.]]
    invalidate_line(A)
    dma_write(page:phys(), 4, 0xbeef)
    expect_eq(read_u32(A), 0xbeef, "in this order it is right")

    say [[And nothing else may be in the same line. A variable of the driver lies just
          behind the buffer, in the buffer's last line.]]
    write_u32(A + 28, 0x7777)
    ask { "The driver stores 0x7777 to it, then invalidates the buffer. What is it then?",
          "0x7777", "its old value",
          answer = 2,
          why = "Invalidate throws a dirty line away, with everything in it." }
    invalidate_line(A)
    expect(read_u32(A + 28) ~= 0x7777, "the store is lost")
    say [[That is why kmalloc answers addresses that are aligned to whole lines on such
          machines (ARCH_DMA_MINALIGN), and why a driver must not do DMA to a variable on
          its stack.]]
end

local function uncached(l1, page)
    title "6. Or no cache at all"
    say [[For memory that driver and device use both all the time, such as a ring of
          descriptors, the page is mapped uncached. dma_alloc_coherent answers such
          memory on these machines.]]
    dma_write(page:phys(), 4, 1)
    expect_eq(read_u32(N), 1, "the process reads what the device has written")
    dma_write(page:phys(), 4, 2)
    expect_eq(read_u32(N), 2, "at once, without any flush")
    write_u32(N, 3)
    expect_eq(dma_read(page:phys(), 4), 3, "and the device sees each store")
    expect(not l1:find(N), "L1 never has a line of it")
    local un = stride { base = N, stride = 0, n = 50 }
    read_u32(A)
    local cached = stride { base = A, stride = 0, n = 50 }
    expect(un.cycles.total > 50 * cached.cycles.total,
           ("the price: 50 loads cost %d cycles, in a cached page %d"):format(
               un.cycles.total, cached.cycles.total))
end

return lesson {
    title = "Write-back, write-through and DMA",
    summary = "Dirty lines, and devices that read and write memory past the caches.",
    view = "hardware",
    machine = { arch = "i386", ram = "64M",
                cpu = { l1d = { size = "1K", ways = 2, line = 32 },
                        l2 = { size = "16K", ways = 4, line = 32 }, coherent = false,
                        cost = "flat" } },
    run = function()
        say [[n goes on by a line of the script: use it while the process and its pages
              are made. s is a step: use it where the CPU or a device accesses memory.]]
        local mm, pages = process(), {}
        for i, flags in ipairs { "rw", "rwt", "rwc" } do
            pages[i] = alloc_page(GFP_HIGHUSER)
            mm:map(A + (i - 1) * PAGE_SIZE, pages[i], flags)
        end
        switch_mm(mm)
        local l1 = cpu().l1d
        who_writes_when(l1)
        write_through(l1)
        a_device_reads(l1, pages[1])
        a_device_writes(l1, pages[1])
        the_order(pages[1])
        uncached(l1, pages[3])
        title "Now you"
        say [[The same on a machine that keeps its caches coherent: mmscope 13 --set
              coherent=true. Which claims fail? All of them are good news for the author
              of a driver. Lesson 14 shows how it is done.]]
    end,
}
