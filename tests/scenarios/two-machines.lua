-- on_machine: a second machine beside the script's own, and what is wrong with it.
--
-- SPDX-License-Identifier: GPL-3.0-or-later
return lesson {
    title = "Two machines",
    machine = { arch = "x86_64", ram = "64M", cpus = 2 },
    run = function()
        local ok, err = pcall(on_machine, { slab = "slub" }, function()
            on_machine({}, function() end)
        end)
        expect(not ok and err:find "not inside of another one", err)
        ok, err = pcall(on_machine, { nonsense = 1 }, function() end)
        expect(not ok, err)
        ok, err = pcall(on_machine, { slab = "slub" }, function() error "x" end)
        expect(not ok and not machine.slub, "an error leaves the other machine")
        alloc_pages(GFP_KERNEL, 0)
        local inside = on_machine({ cpus = 1, slab = "slub" }, function()
            alloc_pages(GFP_KERNEL, 3)
            expect(machine.slub and machine.cpus == 1, "a claim about the other machine")
            return #events(), machine.nr_ops
        end)
        expect(inside > 0, "its operations have events")
        expect(#events() > 0 and machine.nr_ops >= 1, "and so has the script's own")
        on_cpu(1, function()
            expect(on_machine({ cpus = 1 }, smp_processor_id) == 0, "CPU 0 there")
            expect(smp_processor_id() == 1, "CPU 1 here")
        end)
    end,
}
