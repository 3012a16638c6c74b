-- What the transcript of cost measures.
--
-- SPDX-License-Identifier: GPL-3.0-or-later
return lesson {
    title = "Cost",
    machine = { arch = "i386", ram = "64M", kernel_accesses = true },
    run = function()
        local a, b = kmalloc(200, GFP_KERNEL), kmalloc(200, GFP_KERNEL)
        kfree(a)
        kfree(b)
    end,
}
