-- SPDX-License-Identifier: GPL-3.0-or-later
-- What `mmscope run` prints of it is tests/golden/run-small.txt.
return scenario {
    title = "A small scenario",
    machine = { arch = "i386", ram = "32M", cpus = 2 },
    run = function()
        say [[Narration is printed in paragraphs of 80 columns: this one is longer
              than that, and so it has to be wrapped.

              A second paragraph.]]
        local page = alloc_pages(GFP_KERNEL, 4)
        expect(page:order() == 4)
        ask { "What comes next?", "it is freed", "it is lost", answer = 1,
              why = "Look at the next line." }
        on_cpu(1, function() __free_pages(page, 4) end)
        title "An interrupt"
        in_irq(function() page = alloc_pages(GFP_ATOMIC, 0) end)
        expect_eq(page:zone(), "Normal", "where it comes from")
        print(("  %-8s %s"):format("a table", "as it is"))
    end,
}
