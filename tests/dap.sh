# mmscope dap as an editor speaks with it.
#
# SPDX-License-Identifier: GPL-3.0-or-later
. "$MMSCOPE_SOURCE/tests/tap.sh"
scratch=$(mktemp -d) && trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || bail_out "no scratch folder"

cat >three.lua <<'END'
return lesson {
    title = "Three",
    machine = { arch = "i386", ram = "64M" },
    run = function()
        say "First."
        local order = 3
        local page = alloc_pages(GFP_KERNEL, order)
        __free_pages(page, order)
    end,
}
END

# Requests, a command and its arguments as JSON on each line of standard input; answers one a line in out.
talk() {
    local seq=0 command arguments body
    while read -r command arguments; do
        seq=$((seq + 1))
        body="{\"seq\":$seq,\"type\":\"request\",\"command\":\"$command\",\"arguments\":${arguments:-{\}}}"
        printf 'Content-Length: %d\r\n\r\n%s' "${#body}" "$body"
    done | "$MMSCOPE" dap >raw 2>err
    status=$?
    out=$(sed 's/Content-Length: [0-9]*\r*$//; s/\r$//' raw | grep '^{' || true)
}

talk <<'END'
initialize {"adapterID":"mmscope"}
launch {"program":"three.lua","stopOnEntry":true}
setBreakpoints {"source":{"path":"three.lua"},"breakpoints":[{"line":8},{"line":999}]}
setFunctionBreakpoints {"breakpoints":[{"name":"expand","condition":"order > 8"},{"name":"nosuch"}]}
setExceptionBreakpoints {"filters":["report"]}
configurationDone
threads
continue
stackTrace {"threadId":1}
scopes {"frameId":1}
variables {"variablesReference":1}
variables {"variablesReference":3}
continue
stepBack
reverseContinue
stepIn
next
stepOut
evaluate {"expression":"zone.Normal.free","context":"hover"}
evaluate {"expression":"alloc_page(GFP_KERNEL)","context":"hover"}
evaluate {"expression":"info zones","context":"repl"}
readMemory {"memoryReference":"0xc0100000","count":8}
completions {"text":"alloc_p","column":8}
bogus
disconnect
END
is "$status" 0 "a session ends in order"
matches "$out" '"command":"initialize","body":\{.*"supportsStepBack":true' "it can step back"
matches "$out" '"event":"initialized"' "and is ready for breakpoints when it has launched"
matches "$out" '"breakpoints":\[\{"id":[0-9]+,"verified":true,"line":8\},\{"verified":false' "breakpoints on lines; a line that is not there is none"
matches "$out" '"command":"setFunctionBreakpoints","body":\{"breakpoints":\[\{"id":[0-9]+,"verified":true\},\{"verified":false' "and on functions"
matches "$out" '"event":"stopped","body":\{"reason":"entry"' "it stops at the entry"
matches "$out" '"name":"CPU 0: process context"' "CPUs are threads"
matches "$out" '"reason":"breakpoint","threadId":1,"allThreadsStopped":true,"hitBreakpointIds":\[' "a breakpoint stops it"
matches "$out" '"stackFrames":\[\{"id":1,"name":"expand\(zone=Normal' "the stack begins with the kernel's function"
matches "$out" '"line":7,"column":1,"source":\{"name":"three.lua"' "and ends in the script"
matches "$out" '"name":"order","value":"3"' "the script's locals"
matches "$out" '"name":"Normal","value":"free [0-9]+ of' "zones"
matches "$out" '"event":"output","body":\{"category":"console","output":"[^"]*First' "what the script says is output"
matches "$out" '"command":"evaluate","body":\{"result":"[0-9]+"' "a hover is evaluated"
matches "$out" 'may only look' "and cannot do anything"
matches "$out" 'FIRST PFN' "the console takes commands"
matches "$out" '"address":"0xc0100000","data":"[A-Za-z0-9+/=]+"' "memory is read"
matches "$out" '"label":"alloc_pages"' "completions"
matches "$out" '"success":false,"command":"bogus"' "an unknown request is refused"
matches "$out" '"event":"terminated"' "it says that it leaves"

talk <<'END'
initialize
threads
launch {"program":"missing.lua"}
launch {"stopOnEntry":false}
configurationDone
terminate
END
matches "$out" 'nothing is launched yet' "requests before launch are refused"
matches "$out" 'missing.lua' "a file that is not there is told"
is "$status" 0 "the sandbox"

# Each frame of the stack has its own variables.
cp "$MMSCOPE_SOURCE/tests/transcripts/small.lua" .
talk <<'END'
initialize
launch {"program":"small.lua"}
setFunctionBreakpoints {"breakpoints":[{"name":"expand"}]}
configurationDone
continue
stackTrace {"threadId":1}
scopes {"frameId":1}
variables {"variablesReference":1000}
scopes {"frameId":12}
variables {"variablesReference":1001}
evaluate {"expression":"n + i","context":"hover","frameId":12}
evaluate {"expression":"n","context":"watch","frameId":11}
disconnect
END
frames=$(printf '%s\n' "$out" | grep '"command":"stackTrace"')
matches "$frames" '"id":11,"name":"take\(\)","line":8,' "the script's innermost function"
matches "$frames" '"id":12,"name":"take_many\(\)","line":15,' "the one that called it"
matches "$frames" '"id":13,"name":"function <small.lua:23>","line":26,' "and so on"
matches "$out" '"scopes":\[[^]]*"name":"Arguments","variablesReference":1000,' "a kernel function has arguments"
matches "$out" '"variables":\[{"name":"zone","value":"Normal"' "with their values"
outer=$(printf '%s\n' "$out" | sed -n 's/.*"scopes":\[{"name":"Script locals","variablesReference":\([0-9]*\),.*/\1/p' | tail -n 1)
ok=$([ "${outer:-0}" -gt 1000 ] && echo yes)
is "$ok" yes "an outer function of the script's has other variables"
matches "$out" '"result":"3"' "an expression sees the variables of its frame"
talk <<END
initialize
launch {"program":"small.lua"}
setFunctionBreakpoints {"breakpoints":[{"name":"expand"}]}
configurationDone
continue
variables {"variablesReference":$outer}
disconnect
END
matches "$out" '"name":"n","value":"2".*"name":"i","value":"1"' "which are told"

printf 'hello\n' | "$MMSCOPE" dap >raw 2>err
is $? 2 "who speaks something else is told"
done_testing
