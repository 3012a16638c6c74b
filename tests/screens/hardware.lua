-- For the golden screens of the hardware.
-- SPDX-License-Identifier: GPL-3.0-or-later
return lesson {
  title = "Hardware",
  view = "hardware",
  machine = { arch = "i386", ram = "160M", cpus = 2 },
  run = function()
    local v = vmalloc(8192)
    cpu_load(v + 0x234, 4, false)
    cpu_load(v + 0x238, 4, false)
    cpu_store(v + 0x1000, 8, 0x1122334455667788, false)
    cpu_load(v + 30, 4, false)
    say "Two lines were needed."
  end,
}
