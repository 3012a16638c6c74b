-- What scenarios are written with, made from the operations: contexts, sugar. This runs
-- in every script's state before the script; its frames do not show in tracebacks.
-- prelude_memory.lua, prelude_pools.lua and prelude_workloads.lua follow in the same
-- chunk, so that they share its locals.
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
function cache_methods.validate(cache) return validate_slab_cache(cache) end
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

---- lessons ----

-- The table itself, marked: the session reads it.
function lesson(t)
    check(type(t) == "table",
          "lesson: needs a table: return lesson { title = ..., run = ... }")
    check(type(t.run) == "function", "lesson: run should be a function")
    return t
end

scenario = lesson

