-- SPDX-License-Identifier: GPL-3.0-or-later
return scenario {
    machine = { ram = "32M", highmem = "0" },
    run = function()
        expect(true, "this holds")
        expect(1 == 2, "one is two")
        expect_eq(#"abc", 4)
    end,
}
