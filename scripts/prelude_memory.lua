-- Memory as the CPU sees it, made from the operations: loads and stores of any size,
-- flushes, processes. A part of prelude.lua's chunk.
--
-- SPDX-License-Identifier: GPL-3.0-or-later

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

-- One page, or all, of a process forgotten by all CPUs: the current one's unless named.
function flush_tlb_page(va, p)
    return raw.flush_tlb_range(mapped_mm(p, "flush_tlb_page"), va & -PAGE_SIZE, PAGE_SIZE)
end

function flush_tlb_mm(p)
    return raw.flush_tlb_range(mapped_mm(p, "flush_tlb_mm"), 0, 0x7ffff000)
end

function process_methods.map(p, va, page, flags)
    return map(va, page, flags, p)
end

function process_methods.unmap(p, va, flush)
    return unmap(va, flush, p)
end

