-- What scenarios are written with, made from the operations: contexts, sugar,
-- workloads. This runs in every script's state before the script; its frames do not
-- show in tracebacks.
--
-- SPDX-License-Identifier: GPL-3.0-or-later
local set_cpu = __set_cpu
__set_cpu = nil

local function check(ok, ...)
    if not ok then
        error(string.format(...), 3)
    end
end

local function check_function(fn, name)
    if type(fn) ~= "function" then
        error(name .. ": needs a function, as in " .. name .. "(function() ... end)", 3)
    end
end

-- Something to be undone on every way out. An error that nobody catches leaves it as it
-- is: the machine is then seen in the context in which it happened.
local function guard(undo)
    return setmetatable({}, { __close = undo })
end

---- contexts ----

local function bracket(name, enter, leave)
    return function(fn, ...)
        check_function(fn, name)
        enter()
        local leaving <close> = guard(function() leave() end)
        return fn(...)
    end
end

in_irq = bracket("in_irq", irq_enter, irq_exit)
in_softirq = bracket("in_softirq", softirq_enter, softirq_exit)
preempt_disabled = bracket("preempt_disabled", preempt_disable, preempt_enable)
irqs_disabled = bracket("irqs_disabled", local_irq_disable, local_irq_enable)

local memalloc_op = memalloc

-- memalloc(fn): PF_MEMALLOC while fn runs; memalloc(true) and memalloc(false) are the
-- operation itself.
function memalloc(fn, ...)
    if type(fn) ~= "function" then
        return memalloc_op(fn)
    end
    local was = cpu().memalloc
    memalloc_op(true)
    local leaving <close> = guard(function() memalloc_op(was) end)
    return fn(...)
end

local forget_op = forget_flush
local flushes = { vmalloc = 1, pkmap = 2, kmap_local = 4, fixmap = 8, all = 15, none = 0 }

-- forget_flush("pkmap", "vmalloc"): the operation itself takes a number.
function forget_flush(...)
    local mask = 0
    for i = 1, select("#", ...) do
        local which = select(i, ...)
        check(flushes[which], "forget_flush: %s is not one of none, all, vmalloc, pkmap, " ..
              "kmap_local, fixmap", tostring(which))
        mask = mask | flushes[which]
    end
    forget_op(mask)
end

-- kmap_atomic(page, KM_USER0): a kernel with km_types.
local atomic, unatomic = kmap_atomic, kunmap_atomic
local atomic_type, unatomic_type = kmap_atomic_type, kunmap_atomic_type

function kmap_atomic(page, type)
    if type == nil then
        return atomic(page)
    end
    return atomic_type(page, type)
end

function kunmap_atomic(va, type)
    if type == nil then
        return unatomic(va)
    end
    return unatomic_type(va, type)
end

function DMA_BIT_MASK(bits)
    return bits >= 64 and -1 or (1 << bits) - 1
end

local dma_map_op = dma_map_page

-- dma_map_page(page, size, mask, to_device): also of a physical address.
function dma_map_page(where, size, mask, to_device)
    if type(where) == "userdata" then
        where = where:phys()
    end
    local dma = dma_map_op(where, size, mask, to_device)
    if dma == -1 then
        return nil
    end
    return dma
end

function with_spinlock(name, fn, ...)
    if type(name) ~= "string" then
        error("with_spinlock: needs the lock's name and a function", 2)
    end
    check_function(fn, "with_spinlock")
    spin_lock(name)
    local leaving <close> = guard(function() spin_unlock(name) end)
    return fn(...)
end

function on_cpu(n, fn, ...)
    local was = smp_processor_id()
    set_cpu(n)
    if fn == nil then
        return
    end
    check_function(fn, "on_cpu")
    local leaving <close> = guard(function() set_cpu(was) end)
    return fn(...)
end

---- the other names that kernel code uses ----

function alloc_page(gfp)
    return alloc_pages(gfp, 0)
end

function __free_page(page)
    return __free_pages(page, 0)
end

-- page:free([order])
__page_methods.free = function(page, order)
    return __free_pages(page, order)
end
__page_methods = nil

function page_address(page)
    local pfn = page_to_pfn(page)
    if zone(page).name == "HighMem" then
        return nil
    end
    return machine.page_offset + pfn * PAGE_SIZE
end

function virt_to_page(address)
    return pfn_to_page((address - machine.page_offset) // PAGE_SIZE)
end

---- objects ----

-- The object layer boots as an operation of its own, in front of the first that needs it.
local slab_is_up, bulk_objects, booted = __slab_is_up, __bulk_objects, false
local cache_methods = __cache_methods
__slab_is_up, __bulk_objects, __cache_methods = nil, nil, nil

local function boot()
    if not booted then
        booted = true
        if not slab_is_up() then
            kmem_cache_init()
        end
    end
end

local function after_boot(op)
    return function(...)
        boot()
        return op(...)
    end
end

kmalloc, kzalloc, krealloc = after_boot(kmalloc), after_boot(kzalloc), after_boot(krealloc)

local cache_create = kmem_cache_create
function kmem_cache_create(name, size, align, flags, ctor)
    check(type(name) == "string", "kmem_cache_create: needs a name")
    check(math.type(size) == "integer" and size > 0, "kmem_cache_create: needs the size of an object in bytes")
    if type(align) == "table" then
        for key in pairs(align) do
            check(key == "align" or key == "flags" or key == "ctor",
                  "kmem_cache_create: there is no option %s: align, flags, ctor", tostring(key))
        end
        align, flags, ctor = align.align, align.flags, align.ctor
    end
    ctor = ctor == true and 0xc5 or ctor
    check(not ctor or (math.type(ctor) == "integer" and ctor >= 0 and ctor < 256),
          "kmem_cache_create: ctor is a byte that fills objects, 0 to 255")
    flags = (flags or 0) & 0xffffffff
    boot()
    return cache_create(name, size, align or 0, flags | (ctor and (0x100 | ctor) << 32 or 0))
end

local alloc_bulk, free_bulk = kmem_cache_alloc_bulk, kmem_cache_free_bulk

function kmem_cache_alloc_bulk(cache, gfp, n)
    return alloc_bulk(cache, gfp, n) == n and bulk_objects() or {}
end

function kmem_cache_free_bulk(cache, addresses)
    check(type(addresses) == "table", "kmem_cache_free_bulk: needs an array of addresses")
    for _, address in ipairs(addresses) do
        stage_object(address)
    end
    free_bulk(cache or 0)
end

function kfree_bulk(addresses)
    return kmem_cache_free_bulk(nil, addresses)
end

function cache_methods.alloc(cache, gfp) return kmem_cache_alloc(cache, gfp or GFP_KERNEL) end
function cache_methods.free(cache, address) return kmem_cache_free(cache, address) end
function cache_methods.alloc_bulk(cache, n, gfp) return kmem_cache_alloc_bulk(cache, gfp or GFP_KERNEL, n) end
function cache_methods.free_bulk(cache, addresses) return kmem_cache_free_bulk(cache, addresses) end
function cache_methods.shrink(cache) return kmem_cache_shrink(cache) == 0 end
function cache_methods.destroy(cache) return kmem_cache_destroy(cache) end
function cache_methods.tune(cache, limit, batchcount, shared)
    return do_tune_cpucache(cache, limit, batchcount, shared or 0)
end

function __get_free_pages(gfp, order)
    local page = alloc_pages(gfp & ~__GFP_HIGHMEM, order)
    return page and page_address(page)
end

function __get_free_page(gfp)
    return __get_free_pages(gfp, 0)
end

function get_zeroed_page(gfp)
    return __get_free_pages(gfp | __GFP_ZERO, 0)
end

function free_pages(address, order)
    if address ~= 0 and address ~= nil then
        return __free_pages(virt_to_page(address), order)
    end
end

function free_page(address)
    return free_pages(address, 0)
end

function get_order(size)
    local order = 0
    while PAGE_SIZE << order < size do
        order = order + 1
    end
    return order
end

set_min_free_kbytes = min_free_kbytes
set_lowmem_reserve_ratio = lowmem_reserve_ratio

function sayf(...)
    return say(string.format(...))
end

---- memory through the hardware ----

local mode_of, last_fault = __mode_of, __last_fault
__mode_of, __last_fault = nil, nil

-- Calls fn(va, size, done) for pieces of at most 8 bytes that do not cross a multiple
-- of 8: an access each.
local function pieces(va, n, fn)
    local done = 0
    while done < n do
        local size = math.min(8 - (va + done) % 8, n - done)
        local fault = fn(va + done, size, done)
        if fault then
            return fault, done
        end
        done = done + size
    end
end

local function check_size(n, who)
    if math.type(n) ~= "integer" or n < 1 or n > 65536 then
        error(who .. ": the number of bytes should be 1 to 65536, but is " ..
              tostring(n), 3)
    end
end

-- The bytes at va as a string; nil and the fault when they cannot be read.
function read(va, n, mode)
    n = n or 1
    check_size(n, "read")
    local who, parts = mode_of(va, mode, "read"), {}
    local fault = pieces(va, n, function(at, size)
        local value = cpu_load(at, size, who)
        if value == 0 and last_fault() then
            return last_fault()
        end
        parts[#parts + 1] = string.pack("<i8", value):sub(1, size)
    end)
    if fault then
        return nil, fault
    end
    return table.concat(parts)
end

-- A number of 1, 2, 4 or 8 bytes, in one access.
local function reader(size, name)
    return function(va, mode)
        local who = mode_of(va, mode, name)
        local value = cpu_load(va, size, who)
        if value == 0 then
            local fault = last_fault()
            if fault then
                return nil, fault
            end
        end
        return value
    end
end

-- True; false and the fault when it could not be written.
local function store(va, size, value, who)
    if cpu_store(va, size, value, who) then
        return true
    end
    return false, last_fault()
end

local function writer(size, name)
    return function(va, value, mode)
        if math.type(value) ~= "integer" then
            error(name .. ": the value should be a whole number, but is " ..
                  tostring(value), 2)
        end
        if size < 8 then
            value = value & (1 << 8 * size) - 1
        end
        return store(va, size, value, mode_of(va, mode, name))
    end
end

read_u8, write_u8 = reader(1, "read_u8"), writer(1, "write_u8")
read_u16, write_u16 = reader(2, "read_u16"), writer(2, "write_u16")
read_u32, write_u32 = reader(4, "read_u32"), writer(4, "write_u32")
read_u64, write_u64 = reader(8, "read_u64"), writer(8, "write_u64")

-- Write the bytes of a string.
function write(va, bytes, mode)
    if type(bytes) ~= "string" then
        error("write: needs the bytes as a string; write_u8, write_u16, write_u32 and " ..
              "write_u64 write a number", 2)
    end
    check_size(#bytes, "write")
    local who = mode_of(va, mode, "write")
    local fault = pieces(va, #bytes, function(at, size, done)
        local eight = bytes:sub(done + 1, done + size) .. ("\0"):rep(8 - size)
        local ok, why = store(at, size, string.unpack("<i8", eight), who)
        if not ok then
            return why or true
        end
    end)
    if fault then
        return false, fault
    end
    return true
end

-- True; false and the fault when no instruction can be fetched there.
function fetch(va, mode)
    if cpu_fetch(va, mode_of(va, mode, "fetch"), 1) then
        return true
    end
    return false, last_fault()
end

-- What fn made the CPU count: counters() after less counters() before.
function measure(fn, ...)
    check_function(fn, "measure")
    local before = counters()
    fn(...)
    local function less(a, b)
        local t = {}
        for k, v in pairs(a) do
            if type(v) == "table" then
                t[k] = less(v, b[k])
            elseif k ~= "miss_rate" and k ~= "amat" then
                t[k] = v - b[k]
            end
        end
        if t.cycles then
            t.amat = t.cycles.accesses > 0 and t.cycles.total / t.cycles.accesses or 0.0
        end
        if t.access then
            t.miss_rate = t.access > 0 and t.miss / t.access or 0.0
        end
        return t
    end
    return less(counters(), before)
end

---- caches by address, and all ----

local CLEAN, INVALIDATE, FLUSH, ALL_CACHES = 1, 2, 3, 7

-- One line of every cache: clflush writes it back and throws it out, clwb keeps it,
-- invalidate_line loses what was not written back.
function clflush(va)
    return cache_line_op(va, FLUSH, ALL_CACHES)
end

function clwb(va)
    return cache_line_op(va, CLEAN, ALL_CACHES)
end

function invalidate_line(va)
    return cache_line_op(va, INVALIDATE, ALL_CACHES)
end

-- A page's lines, in the first level unless told.
function flush_cache_page(va, where)
    return cache_page_op(va, FLUSH, where or 3)
end

function invalidate_page(va, where)
    return cache_page_op(va, INVALIDATE, where or 3)
end

-- The whole first level; all caches of this CPU.
function flush_cache_all()
    return cache_all_op(FLUSH, 3)
end

function wbinvd()
    return cache_all_op(FLUSH, ALL_CACHES)
end

function invd()
    return cache_all_op(INVALIDATE, ALL_CACHES)
end

---- processes ----

local mm_info = __mm_info
__mm_info = nil
local process_methods = {}
local raw = { mm_exit = mm_exit, mmap = mmap, munmap = munmap, mprotect = mprotect,
              map_page = map_page, unmap_page = unmap_page, switch_mm = switch_mm,
              flush_tlb_range = flush_tlb_range }

-- A process or the number of an address space.
local function mm_of(p, who)
    if type(p) == "table" and rawget(p, "mm") then
        return rawget(p, "mm")
    end
    if math.type(p) ~= "integer" then
        error(who .. ": needs a process, as process() answers it, but is " ..
              tostring(p), 3)
    end
    return p
end

for name, op in pairs(raw) do
    _ENV[name] = function(p, ...)
        if p == nil and name == "switch_mm" then
            return op(0)
        end
        return op(mm_of(p, name), ...)
    end
end

local process_meta = { __tostring = function(p) return "process " .. p.mm end }
process_meta.__index = function(p, field)
    local method = process_methods[field]
    if method then
        return method
    end
    local info = mm_info(rawget(p, "mm"))
    if not info then
        error("this process has ended: process() makes another one", 2)
    end
    if info[field] == nil then
        error("a process has no field '" .. tostring(field) ..
              "' (help \"process\" lists them)", 2)
    end
    return info[field]
end

-- A new process; nil when memory is used up.
function process()
    local mm = mm_create()
    return mm ~= 0 and setmetatable({ mm = mm }, process_meta) or nil
end

function process_methods.mmap(p, len, prot, start)
    return raw.mmap(p.mm, start or 0, len, prot or "rw")
end

function process_methods.munmap(p, start, len)
    return raw.munmap(p.mm, start, len)
end

function process_methods.mprotect(p, start, len, prot)
    return raw.mprotect(p.mm, start, len, prot)
end

function process_methods.exit(p)
    return raw.mm_exit(p.mm)
end

function process_methods.switch(p)
    return raw.switch_mm(p.mm)
end

-- Letters of map()'s flags as bits of an entry (r and x: the absence of NX).
-- Write-through is slot 7 of the PAT as Linux loads it: PWT, PCD and PAT, which is bit 7
-- or, of a large page, bit 12 (the other of the two is dropped).
local FLAG_BITS = { w = 2, t = 0x1098, c = 16, g = 256, r = 0, u = 0, x = 0, k = 0,
                    l = 1 << 56, h = 1 << 57 }

local function entry_flags(text, who)
    local flags, exec, kernel = 0, false, false
    for letter in text:gmatch(".") do
        if not FLAG_BITS[letter] then
            error(who .. ": '" .. letter .. "' is no flag: r, w, x, k (kernel only), " ..
                  "c (cache disable), t (write-through), g (global), l and h (large " ..
                  "and huge pages) are", 3)
        end
        flags = flags | FLAG_BITS[letter]
        exec, kernel = exec or letter == "x", kernel or letter == "k"
    end
    if not exec then
        flags = flags | 1 << 63
    end
    return kernel and flags or flags | 4
end

local function mapped_mm(p, who)
    local mm = p and mm_of(p, who) or current_mm()
    if mm == 0 then
        error(who .. ": no process is loaded on this CPU: local p = process(); " ..
              "switch_mm(p), or name it as the last argument", 3)
    end
    return mm
end

-- One page of the caller's at va in a process: the current one unless named.
function map(va, page, flags, p)
    return raw.map_page(mapped_mm(p, "map"), va, page, entry_flags(flags or "rw", "map"))
end

-- Take it away; flush = false leaves what TLBs have of it.
function unmap(va, flush, p)
    return raw.unmap_page(mapped_mm(p, "unmap"), va, flush ~= false)
end

function process_methods.map(p, va, page, flags)
    return map(va, page, flags, p)
end

function process_methods.unmap(p, va, flush)
    return unmap(va, flush, p)
end

---- table.sort: stable, and a comparator may do anything, also be paused ----

local function default_less(a, b)
    return a < b
end

local function merge_sort(t, from, to, spare, less)
    if to - from < 8 then
        for i = from + 1, to do
            local v, j = t[i], i - 1
            while j >= from and less(v, t[j]) do
                t[j + 1] = t[j]
                j = j - 1
            end
            t[j + 1] = v
        end
        return
    end
    local middle = (from + to) // 2
    merge_sort(t, from, middle, spare, less)
    merge_sort(t, middle + 1, to, spare, less)
    for i = from, middle do
        spare[i] = t[i]
    end
    local a, b, k = from, middle + 1, from
    while a <= middle do
        if b <= to and less(t[b], spare[a]) then
            t[k] = t[b]
            b = b + 1
        else
            t[k] = spare[a]
            a = a + 1
        end
        k = k + 1
    end
end

function table.sort(t, less)
    if type(t) ~= "table" then
        error("bad argument #1 to 'sort' (table expected, got " .. type(t) .. ")", 2)
    end
    if less ~= nil and type(less) ~= "function" then
        error("bad argument #2 to 'sort' (function expected, got " .. type(less) .. ")",
              2)
    end
    merge_sort(t, 1, #t, {}, less or default_less)
end

---- workloads ----

-- An array of {value, weight} or of plain values, as a function that draws one.
local function drawer(choices, what)
    local values, upto, total = {}, {}, 0
    check(type(choices) == "table" and #choices > 0, "workload: %s should be an array",
          what)
    for i, c in ipairs(choices) do
        local value, weight = c, 1
        if type(c) == "table" then
            value, weight = c[1], c[2] or 1
        end
        check(math.type(weight) == "integer" and weight > 0,
              "workload: a weight in %s is not a number above 0", what)
        total = total + weight
        values[i], upto[i] = value, total
    end
    return function(draw)
        local x = draw(total)
        for i = 1, #upto do
            if x <= upto[i] then
                return values[i]
            end
        end
    end
end

local default_orders = { { 0, 60 }, { 1, 15 }, { 2, 10 }, { 3, 7 }, { 4, 4 }, { 5, 2 },
                         { 6, 1 }, { 9, 1 } }

-- A generator of its own (the minimal standard one of Park and Miller), so that a
-- workload with a seed draws the same numbers wherever it stands in a script.
local function generator(seed)
    if seed == nil then
        return random
    end
    local state = seed % 2147483646 + 1
    return function(n)
        state = state * 48271 % 2147483647
        return state % n + 1
    end
end

-- Random allocations and frees until steps are done or a condition holds. Answers the
-- pages that are held then, an array of { page = , order = }, and counts.
function workload(w)
    w = w or {}
    check(type(w) == "table", "workload: needs a table of options")
    local steps, stop_when = w.steps, w.stop_when
    check(steps or stop_when,
          "workload: give steps = N or stop_when = function() ... end")
    local draw = generator(w.seed)
    local order_of = drawer(w.orders or default_orders, "orders")
    local gfp_of = drawer(w.gfp and (type(w.gfp) == "table" and w.gfp or { w.gfp })
                          or { GFP_KERNEL }, "gfp")
    local cpu_of = drawer(w.cpus or { smp_processor_id() }, "cpus")
    local most = w.max_held or 256
    local free_percent = w.free_percent or 45
    local held = w.held or {}
    local result = { held = held, allocated = 0, freed = 0, failed = 0, steps = 0 }
    while (not steps or result.steps < steps) and not (stop_when and stop_when(result)) do
        result.steps = result.steps + 1
        local cpu = cpu_of(draw)
        if #held > 0 and (#held >= most or draw(100) <= free_percent) then
            local i = draw(#held)
            local victim = held[i]
            held[i] = held[#held]
            held[#held] = nil
            on_cpu(cpu, __free_pages, victim.page, victim.order)
            result.freed = result.freed + 1
        else
            local order = order_of(draw)
            local page = on_cpu(cpu, alloc_pages, gfp_of(draw), order)
            if page then
                held[#held + 1] = { page = page, order = order }
                result.allocated = result.allocated + 1
            else
                result.failed = result.failed + 1
                if result.failed > (w.max_failed or math.huge) then
                    break
                end
            end
        end
    end
    return result
end

-- Allocate until NULL is answered or a limit is reached: the array of pages. A
-- condition can stop it earlier.
function exhaust(gfp, order, limit, stop_when)
    order = order or 0
    gfp = gfp | __GFP_NOWARN
    local pages = {}
    while #pages < (limit or math.huge) and not (stop_when and stop_when(pages)) do
        local page = alloc_pages(gfp, order)
        if not page then
            break
        end
        pages[#pages + 1] = page
    end
    return pages
end

-- Give back an array of pages (or of a workload's { page =, order = }), in the order of
-- the array.
function free_all(pages, order)
    for i = 1, #pages do
        local p = pages[i]
        if type(p) == "table" then
            __free_pages(p.page, p.order)
        else
            __free_pages(p, order or 0)
        end
        pages[i] = nil
    end
end

-- Take everything (or `limit` pages), then give back every second one: free memory
-- without a block of order 1. Answers the pages that stay allocated.
function fragment(gfp, limit)
    local pages = exhaust(gfp, 0, limit)
    table.sort(pages)
    local kept = {}
    for i, page in ipairs(pages) do
        if page:pfn() % 2 == 0 then
            kept[#kept + 1] = page
        else
            __free_pages(page, 0)
        end
    end
    drain_all_pages()
    return kept
end

---- loops over memory ----

local loads = { read_u8, read_u16, nil, read_u32, nil, nil, nil, read_u64 }
local stores = { write_u8, write_u16, nil, write_u32, nil, nil, nil, write_u64 }

-- An option that is a whole number.
local function whole(w, who, name, default, least)
    local v = w[name]
    v = v == nil and default or v
    check(math.type(v) == "integer" and v >= (least or v),
          "%s: %s should be a whole number%s, but is %s", who, name,
          least and (" from %d on"):format(least) or "", tostring(v))
    return v
end

-- The access that a loop repeats, as a function of the address.
local function accessor(w, who, element)
    check(type(w) == "table", "%s: needs a table, as in %s { base = va, ... }", who, who)
    local op, size = w.op or "read", math.min(element or w.element or 4, 8)
    check(op == "read" or op == "write" or op == "fetch",
          "%s: there is no op '%s': say \"read\", \"write\" or \"fetch\"", who,
          tostring(op))
    local fn = op == "fetch" and fetch or (op == "write" and stores or loads)[size]
    check(fn, "%s: element should be 1, 2, 4, 8 or more bytes, but is %s", who,
          tostring(element or w.element))
    local mode = w.mode
    return function(va, value)
        local done, fault
        if op == "write" then
            done, fault = fn(va, value or va, mode)
        else
            done, fault = fn(va, mode)
        end
        check(not fault, "%s: %s at 0x%x: is all of the range mapped?", who,
              fault and fault.text, va)
        return done
    end
end

-- What the CPU counted while fn ran, with what one looks at first on top.
local function counted(w, fn)
    local c = measure(fn)
    local l1, tlb = c.l1d, c.dtlb
    if w.op == "fetch" then
        l1, tlb = c.l1i, c.itlb
    end
    c.accesses, c.hits, c.misses, c.miss_rate = l1.access, l1.hit, l1.miss, l1.miss_rate
    c.cold, c.capacity, c.conflict = l1.cold, l1.capacity, l1.conflict
    c.tlb_misses = tlb.miss
    return c
end

-- n accesses, stride bytes apart, the whole of it `repeats` times.
function stride(w)
    local access = accessor(w, "stride")
    local base, step = whole(w, "stride", "base"), whole(w, "stride", "stride", 4)
    local n = whole(w, "stride", "n", nil, 1)
    local repeats = whole(w, "stride", "repeats", 1, 1)
    return counted(w, function()
        for _ = 1, repeats do
            for i = 0, n - 1 do
                access(base + i * step)
            end
        end
    end)
end

-- Every element of a matrix that lies in memory row by row: along its rows, along its
-- columns, or in squares of block by block elements, each of them by columns.
function matrix(w)
    local access = accessor(w, "matrix")
    local base = whole(w, "matrix", "base")
    local rows = whole(w, "matrix", "rows", nil, 1)
    local cols = whole(w, "matrix", "cols", rows, 1)
    local element = whole(w, "matrix", "element", 4, 1)
    local pitch = whole(w, "matrix", "pitch", cols * element, cols * element)
    local block = whole(w, "matrix", "block", 8, 1)
    local order = w.order or "rows"
    local function by_columns(r0, r1, c0, c1)
        for c = c0, c1 do
            for r = r0, r1 do
                access(base + r * pitch + c * element)
            end
        end
    end
    check(order == "rows" or order == "columns" or order == "blocked",
          "matrix: there is no order '%s': say \"rows\", \"columns\" or \"blocked\"",
          tostring(order))
    return counted(w, function()
        for _ = 1, whole(w, "matrix", "repeats", 1, 1) do
            if order == "rows" then
                for r = 0, rows - 1 do
                    by_columns(r, r, 0, cols - 1)
                end
            elseif order == "columns" then
                by_columns(0, rows - 1, 0, cols - 1)
            else
                for r = 0, rows - 1, block do
                    for c = 0, cols - 1, block do
                        by_columns(r, math.min(r + block, rows) - 1,
                                   c, math.min(c + block, cols) - 1)
                    end
                end
            end
        end
    end)
end

-- n accesses to random elements of a range.
function random_walk(w)
    local access = accessor(w, "random_walk")
    local base = whole(w, "random_walk", "base")
    local element = whole(w, "random_walk", "element", 4, 1)
    local elements = whole(w, "random_walk", "size", nil, element) // element
    local n, draw = whole(w, "random_walk", "n", nil, 1), generator(w.seed)
    return counted(w, function()
        for _ = 1, n do
            access(base + (draw(elements) - 1) * element)
        end
    end)
end

-- A list through a range, a node in each element, in random order: each holds the
-- address of the next. It is written first (not counted, unless it is there already:
-- build = false), then followed for n steps (once around). Answers where it ended, too.
function pointer_chase(w)
    local word = machine.arch == "x86_64" and 8 or 4
    local access = accessor(w, "pointer_chase", word)
    check(w.op == nil or w.op == "read", "pointer_chase: following a list is reading")
    local base = whole(w, "pointer_chase", "base")
    local element = whole(w, "pointer_chase", "element", 64, word)
    local nodes = whole(w, "pointer_chase", "size", nil, element) // element
    local n, at = whole(w, "pointer_chase", "n", nodes, 1),
        whole(w, "pointer_chase", "from", base)
    if w.build ~= false then
        local draw, ring, link = generator(w.seed), {}, {}
        for i = 1, nodes do
            ring[i] = i - 1
        end
        for i = nodes, 2, -1 do
            local j = draw(i)
            ring[i], ring[j] = ring[j], ring[i]
        end
        for i = 1, nodes do
            link[ring[i]] = ring[i % nodes + 1]
        end
        local store = accessor({ op = "write", mode = w.mode }, "pointer_chase", word)
        for i = 0, nodes - 1 do
            store(base + i * element, base + link[i] * element)
        end
    end
    local c = counted(w, function()
        for _ = 1, n do
            at = access(at)
        end
    end)
    c.at = at
    return c
end

---- lessons ----

-- The table itself, marked: the session reads it.
function lesson(t)
    check(type(t) == "table",
          "lesson: needs a table: return lesson { title = ..., run = ... }")
    check(type(t.run) == "function", "lesson: run should be a function")
    return t
end

scenario = lesson
