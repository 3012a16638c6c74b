-- SPDX-License-Identifier: GPL-3.0-or-later
local co = coroutine.wrap(function(a) local b = coroutine.yield(a) return pcall(error,
                                                                                b) end)
say(co(1), co { x = 2 })
for k, v in pairs { b = 1, [2] = "x", [true] = 2.5 } do print(k, v) end
say(("key = val"):match("^(%w+)%s*=%s*(%w*)$"), ("x"):rep(100):gsub("x+", "%0%0", 2))
local t = setmetatable({},
                       { __index = function(_, k) return k .. k end, __close = print })
table.sort({ 3, 1, 2 }, function(a, b) return a > b end)
local x <close> = t
goto done
::done::
say(string.format("%5.2f %q %s", 1.5, "x", t), math.random(10), utf8.char(8364))
