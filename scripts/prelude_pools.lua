-- Memory pools and fault injection, made from the operations. A part of prelude.lua's
-- chunk.
--
-- SPDX-License-Identifier: GPL-3.0-or-later

---- memory pools ----

local pool_methods = __mempool_methods
__mempool_methods = nil

mempool_create_slab_pool = after_boot(mempool_create_slab_pool)
mempool_create_kmalloc_pool = after_boot(mempool_create_kmalloc_pool)
mempool_create_page_pool = after_boot(mempool_create_page_pool)

-- What pool_data is says what kind of pool it is to be: a cache; { size = bytes };
-- { order = order }.
function mempool_create(min_nr, of)
    if type(of) == "table" and of.size then
        return mempool_create_kmalloc_pool(min_nr, of.size)
    elseif type(of) == "table" and of.order then
        return mempool_create_page_pool(min_nr, of.order)
    end
    check(type(of) == "userdata",
          "mempool_create: of what? a cache, { size = 200 } or { order = 0 }")
    return mempool_create_slab_pool(min_nr, of)
end

-- An element of a page pool is a page.
local pool_alloc, none = mempool_alloc, -1
function mempool_alloc(pool, gfp)
    local element = pool_alloc(pool, gfp or GFP_KERNEL)
    if element == none then
        return nil
    end
    return pool.kind == "page" and pfn_to_page(element) or element
end

function pool_methods.alloc(pool, gfp) return mempool_alloc(pool, gfp) end
function pool_methods.free(pool, element) return mempool_free(element, pool) end
function pool_methods.resize(pool, min_nr) return mempool_resize(pool, min_nr) end
function pool_methods.destroy(pool) return mempool_destroy(pool) end

---- fault injection ----

local fault_state, fault_number, fault_op = __fault_state, {}, fault_attr
for i, name in ipairs(__fault_fields()) do
    fault_number[name] = i - 1
end
local cache_id = __cache_id
__fault_state, __fault_fields, __cache_id = nil, nil, nil

-- fail_page_alloc { probability = 100, times = -1 }: each attribute as if written to its
-- file, - in its name written _; false: probability 0. Answers what is set now.
local function fault_point(name, point)
    return function(attributes)
        if attributes == false then
            attributes = { probability = 0 }
        end
        check(attributes == nil or type(attributes) == "table",
              "%s: needs a table of attributes, or false", name)
        for key, value in pairs(attributes or {}) do
            local number = fault_number[string.gsub(tostring(key), "_", "-")]
            check(number, "%s: there is no attribute %s", name, tostring(key))
            if type(value) == "boolean" then
                value = value and 1 or 0
            elseif type(value) == "userdata" then
                value = cache_id(value)
            end
            check(math.type(value) == "integer", "%s: %s should be a number", name,
                  tostring(key))
            check(fault_op(point, number, value), "%s: %s cannot be %d", name,
                  tostring(key), value)
        end
        return fault_state(point)
    end
end

fail_page_alloc, failslab = fault_point("fail_page_alloc", 0), fault_point("failslab", 1)

---- the same on another machine ----

-- on_machine({ slab = "slub" }, fn, ...): fn runs on a new machine, the script's with other
-- settings; answers what fn answers. Handles and pages of one machine mean nothing on the
-- other.
local machine_open, machine_close = __machine_open, __machine_close
__machine_open, __machine_close = nil, nil

function on_machine(settings, fn, ...)
    check(type(settings) == "table", "on_machine: needs a table of settings, as machine =")
    check_function(fn, "on_machine")
    local words, cpu, was = {}, smp_processor_id(), booted
    for name, value in pairs(settings) do
        words[#words + 1] = tostring(name) .. "=" .. tostring(value)
    end
    machine_open(words)
    set_cpu(0)
    booted = false
    local leaving <close> = guard(function()
        machine_close()
        set_cpu(cpu)
        booted = was
    end)
    return fn(...)
end
