-- Processes and their memory through the hardware, with claims: run by test_run.c on each
-- architecture.
--
-- SPDX-License-Identifier: GPL-3.0-or-later
return lesson {
  title = "Processes",
  machine = { ram = "64M", cpus = 2, cpu = { l1d = { size = "8K", ways = 2 } } },
  run = function()
    local p, q = process(), process()
    local a = p:mmap(64 << 10)
    local b = q:mmap(4096, "rw", a)
    expect_eq(cpu().l1d.ways, 2)
    expect_eq(a, b)
    switch_mm(p)
    expect(write(a, "hello, world"))
    expect_eq(read(a, 5), "hello")
    expect_eq(p.pages, 1)
    expect_eq(#p.areas, 1)
    switch_mm(q)
    expect_eq(read_u32(a), 0, "another process, another page")
    local value, fault = read_u32(a + 4096)
    expect(value == nil and fault.user and not fault.present, "no area there")
    expect_eq(access().mode, "user")
    local steps = walk(a)
    expect(steps[#steps].table == "PT" and steps[#steps].present)
    switch_mm(p)
    expect_eq(read(a, 12), "hello, world")

    -- one page under two addresses
    local page = alloc_page(GFP_KERNEL)
    expect(map(0x10000000, page) and map(0x10001000, page, "r"))
    expect(write_u8(0x10000000, 42))
    expect_eq(read_u8(0x10001000), 42)
    expect_eq(read_phys(page, 1), "*")
    expect(not write_u8(0x10001000, 1), "the other name is read-only")
    expect(unmap(0x10001000))
    expect_eq(read_u8(0x10001000), nil)

    -- a forgotten flush
    local other = alloc_page(GFP_KERNEL | __GFP_ZERO)
    expect(unmap(0x10000000, false) and map(0x10000000, other))
    expect_eq(read_u8(0x10000000), 42, "the stale entry")
    expect(cpu().dtlb:find(0x10000000).stale)
    invlpg(0x10000000)
    expect_eq(read_u8(0x10000000), 0)

    -- devices: coherent ones see what caches have
    write_u8(0x10000000, 7)
    expect(cpu().l1d:find(0x10000000).dirty)
    expect_eq(dma_read(other:phys(), 1), 7)
    dma_write(other:phys(), 1, 9)
    expect_eq(read_u8(0x10000000), 9)
    expect(clflush(0x10000000) and not cpu().l1d:find(0x10000000))

    -- past the caches
    expect(map(0x10002000, other, "rwc") and write_u8(0x10002000, 3))
    expect_eq(access().hit, "memory", "an uncached store goes to memory")
    local reads = counters().memory_reads
    expect_eq(read_u8(0x10002000), 3)
    expect_eq(counters().memory_reads - reads, 1)
    expect_eq(access().hit, "memory", "and so does a load")
    unmap(0x10002000)
    write_u8(0x10000000, 9)

    -- flushes by the kernel's names
    read_u8(0x10000000)
    read_u8(a)
    flush_tlb_page(0x10000123)
    expect(not cpu().dtlb:find(0x10000000) and cpu().dtlb:find(a), "one page only")
    flush_tlb_mm(p)
    expect(not cpu().dtlb:find(a), "all of a process")

    -- the other CPU
    on_cpu(1, function()
      switch_mm(p)
      expect_eq(read(a, 5), "hello")
    end)
    expect(p:munmap(a, 4096))
    expect(#events("ipi:ack") == 1)
    expect_eq(on_cpu(1, read_u8, a), nil)
    expect(counters().ipi_sent >= 1 and counters(1).ipi_received >= 1)
    switch_mm(nil)
    expect_eq(current_mm(), 0)
    p:exit()
    q:exit()
    expect_eq(check(), nil)
    expect(not pcall(function() return p.pages end), "it has ended")
  end,
}
