# mmscope debug from outside: a plain session in a pipe.
#
# SPDX-License-Identifier: GPL-3.0-or-later
. "$MMSCOPE_SOURCE/tests/tap.sh"
scratch=$(mktemp -d) && trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || bail_out "no scratch folder"

debug() { # scenario line...
    local scenario=$1
    shift
    out=$(printf '%s\n' "$@" | "$MMSCOPE" debug "$scenario" 2>err)
    status=$?
    err=$(cat err)
}

cat >three.lua <<'END'
return lesson {
    title = "Three",
    machine = { arch = "i386", ram = "64M" },
    run = function()
        say "First."
        local page = alloc_pages(GFP_KERNEL, 3)
        say "Second."
        expect(page:order() == 3, "order 3")
        __free_pages(page, 3)
    end,
}
END

debug three.lua step
is "$status" 0 "a session ends with its input"
matches "$out" '^Three' "it says what is open"
matches "$out" '^\| First\.' "step stops at what the script says"
debug three.lua 'break kmem:mm_page_alloc' continue 'check' digest rs
matches "$out" 'kmem:mm_page_alloc in' "a breakpoint on an event"
matches "$out" '^6[[:space:]]+local page = alloc_pages' "shows the script's line"
debug three.lua 'b __rmqueue_smallest' c 'bogus_call()'
matches "$out" 'in __rmqueue_smallest\(\)' "b and c are break and continue"
matches "$out" 'bogus_call' "what is no command is Lua, and its error is told"
debug three.lua 'next' 'next' '' 'rn' 'goto 0'
matches "$out" 'op 0, the beginning' "goto 0 is the beginning"
matches "$out" '\(past\)' "going back is told"
debug three.lua continue '1 + 41' 'x = 7' 'x * 6' 'st' 'step-back'
matches "$out" '^42$' "Lua expressions print their value"
matches "$out" 'st may be one of: step, step-back' "an ambiguous beginning lists what it may be"
matches "$out" '^holds: order 3' "claims that were passed are told"
debug three.lua continue 'goto 3' 'alloc 0 GFP_KERNEL' 'branch list'
matches "$out" 'branch 1' "doing something in the past makes a branch"
debug three.lua 'break buddy:split if order == 5' continue 'breakpoints' rc
matches "$out" 'Breakpoint 1: event buddy:split if order == 5' "a condition on the event's fields"
matches "$out" 'hit 1 time' "breakpoints counts the hits"
debug three.lua 'break -r __rmqueue_smallest' continue
matches "$out" 'Breakpoint 1: return from' "-r stops where a function has returned"
debug three.lua 'tbreak 6' 'ignore 1 0' continue breakpoints
matches "$out" 'There are no breakpoints' "a temporary breakpoint goes when it has stopped"
debug three.lua 'watch zone.Normal.free' continue continue
matches "$out" 'Watchpoint 1: change of zone.Normal.free' "the value of an expression is watched"
debug three.lua 'watch free Normal 3 Unmovable' continue 'disable 1' 'delete 1' 'delete 7'
matches "$out" 'change of the Unmovable free list of order 3' "a free list is watched"
matches "$out" 'no breakpoint 7' "a number that is none is told"
debug three.lua 'break kmem:mm_page_alloc' 'commands 1 print("here"); 40+2' continue
matches "$out" '^42$' "a breakpoint runs its commands"
debug three.lua 'until zone.Normal.free < 0' 'back-until true' 'until nosuch.field' 'condition 1 x' 'watch alloc_page(GFP_KERNEL)' c
matches "$out" 'attempt to index a nil value' "an expression that fails stops and says why"
matches "$out" 'Which breakpoint' "condition wants a number"
debug three.lua continue 'why free Normal 3 Unmovable' 'history page 0' 'next-change' 'why free Normal 99' 'why'
matches "$out" 'Why the Unmovable free list' "why shows the chain"
matches "$out" 'goto [0-9]+\.[0-9]+ +.*(buddy:|pcp:)' "that ends with the event"
matches "$out" 'there is no such order' "what is not there is told"
debug three.lua 'b expand' c bt up down 'down' 'frame 99' list 'mark here a note' marks c 'goto here'
matches "$out" '^#0 +expand\(' "backtrace begins with the innermost frame"
matches "$out" '^#[0-9]+ +function <three.lua:4> at three.lua:6$' "and ends with the script's line"
matches "$out" 'innermost frame already' "down stops at the innermost"
matches "$out" 'outermost frame already' "a frame that is not there is told"
matches "$out" '^=> 6[[:space:]]' "list marks the line"
matches "$out" 'goto here +here  main, operation [0-9.]+  a note' "marks lists the marks"
debug three.lua 'info zones' 'info pcp' 'i tlb' 'info cpus' 'info registers' 'info buddy' 'info machine' info
matches "$out" '^DMA +0x1' "info zones"
matches "$out" '^cr3 +0x[0-9a-f]+' "info registers"
matches "$out" 'arch=i386' "info machine"
debug three.lua 'x/4xw 0xc0100000' 'x/2xg phys 0' 'x/s 0xc0100000' 'x 0x10' 'x/zz 1' 'vtop 0xc0200000' 'vtop 0x10' 'whatis 0xc0200000' 'whatis phys 0x200000' 'whatis' 'x' 'kmem -f' 'kmem -i' 'kmem -p 1000' kmem
matches "$out" '^0xc0100000:' "x examines virtual memory"
matches "$out" 'Cannot access memory at address 0x10' "what cannot be read is told"
matches "$out" 'PGD: [0-9a-f]+ => [0-9a-f]+' "vtop shows the walk"
matches "$out" 'not mapped' "an address without a page too"
matches "$out" 'virtual +0xc0200000 in direct map' "whatis tells a virtual address"
matches "$out" 'also at +0xc0200000' "and a physical one with its addresses"
matches "$out" 'whatis wants an address' "and what it wants"
matches "$out" 'nr_free_pages: [0-9]+' "kmem -f counts"
debug three.lua 'apropos watermark' 'apropos zzzz' 'x = 5' 'x' 'p x*2'
matches "$out" 'event mm:watermark_test' "apropos finds events"
matches "$out" '^10$' "print"
debug three.lua continue 'goto 2' 'mark early' 'alloc 1 GFP_KERNEL' c 'b expand if order > 2' 'save one.mmscope' digest
matches "$out" 'Saved as one.mmscope' "a session is saved"
before=$(printf '%s\n' "$out" | grep '^Digest')
debug one.mmscope digest 'branch list' marks breakpoints 'save two.mmscope' 'load three.lua' 'load nothing.mmscope'
is "$(printf '%s\n' "$out" | grep '^Digest')" "$before" "and loaded, the same machine at the same place"
matches "$out" 'goto early' "with its marks"
matches "$out" 'call of expand\(\) if order > 2' "and breakpoints"
is "$(cmp one.mmscope two.mmscope && echo same)" same "saved again, it is the same file"
matches "$out" 'nothing.mmscope: No such file' "a file that is not there is told, and the session stays"
sed 's/^digest \([0-9]*\) ./digest \1 x/' one.mmscope >bad.mmscope
debug bad.mmscope digest
is "$status" 2 "a session that replays to another digest is refused"
matches "$err" 'digest' "and told why"
debug three.lua continue 'export view v.svg' 'export view v.html' 'export view v.txt' 'export events e.ndjson' 'export events e.ftrace' 'export events e.txt' 'export counters c.csv' export 'export view /no/such/folder'
matches "$(head -c 60 v.svg)" '^<svg xmlns' "a view as SVG"
matches "$(cat v.html)" '<pre style=' "as HTML"
matches "$(cat v.txt)" 'Free lists' "as text"
matches "$(grep -m1 buddy:split e.ndjson)" '^\{"op":[0-9]+,"n":[0-9]+,"cpu":0,"event":"buddy:split","zone":"Normal"' "events as NDJSON"
matches "$(cat e.ftrace)" '^ +mmscope-1 +\[000\] [d.]\.\.[0-9a-f]\. +0\.[0-9]{6}: mm_page_alloc: pfn=' "in ftrace's layout"
matches "$(cat e.txt)" '^3\.1[[:space:]]mm:zone_try' "as text"
is "$(head -n 1 c.csv | cut -d, -f1-4)" "op,events,free_DMA,pcp_DMA" "counters as CSV"
is "$(wc -l <c.csv)" 8 "a line an operation"
matches "$out" 'cannot be written' "a file that cannot be written is told"
debug three.lua continue 'goto 2' 'alloc 1 GFP_KERNEL' c branch-diff 'branch-diff main, branch 1' 'branch-diff nosuch'
matches "$out" 'Both begin with the same 2 operations' "branch-diff tells where two branches part"
matches "$out" 'They part at event 1:' "and at which event"
matches "$out" '^operations +[0-9]+ +[0-9]+ +[+-][0-9]+' "and how their ends differ"
matches "$out" 'Which two branches' "branches that are not there are told"
debug sandbox 'kmalloc(200, GFP_KERNEL)' 'vmalloc(9000)' 'kmap(alloc_page(GFP_HIGHUSER))' slabtop 'kmem -s kmalloc-256' 'kmem -S kmalloc-256' 'info vmalloc' 'info pkmap' 'info slab' slabinfo 'proc vmallocinfo' 'kmem -S nosuch'
matches "$out" '^ Active / Total Objects' "slabtop"
matches "$out" '^[0-9]+ +256 +[0-9]+ +16 +1 +4k +kmalloc-256' "kmem -s"
matches "$out" '^0x[0-9a-f]+ +0x[0-9a-f]+ +0 +16 +[0-9]+ +[0-9]+$' "kmem -S"
matches "$out" '^  \[c[0-9a-f]+\]$' "with the objects that are in use"
matches "$out" 'vmalloc, operation [0-9]+, CPU' "info vmalloc"
matches "$out" '^ *[0-9]+ +2 0xff' "info pkmap"
matches "$out" 'tunables' "slabinfo"
matches "$out" 'there is no nosuch' "a cache that is not there is told"
debug three.lua 'compare pcp_cold=true' 'compare ram=128M' 'compare close' 'compare' 'compare ram=nonsense'
matches "$out" 'does the same on both: [0-9]+ operations' "compare: what makes no difference"
matches "$out" 'The first [0-9]+ operations are the same. Operation [0-9]+ is not:' "and where two machines part"
matches "$out" 'Their events part at number [0-9]+' "at which event"
matches "$out" 'Compare with what' "compare wants an option"
matches "$out" 'nonsense' "and a good one"
cat >user.lua <<'END'
return lesson {
    title = "User",
    machine = { arch = "i386", ram = "64M" },
    run = function()
        local other, mine = process(), process()
        other:switch()
        local there = other:mmap(8192, "rw", 0x10000000)
        write_u32(0x10000000, 7, "user")
        mine:switch()
        mine:mmap(8192, "rw", 0x10000000)
        write_u32(0x10000000, 1, "user")
        write_u32(0x10000000, 2, "user")
        other:switch()
        write_u32(0x10000000, 8, "user")
    end,
}
END
debug user.lua 'break 12' continue delete 'watch virt 0x10000000 4' continue 'why virt 0x10000000 4' continue continue
matches "$out" '^12[[:space:]]+write_u32\(0x10000000, 2' "a user's address is watched in his tables"
matches "$out" 'now: 0x00000002' "and asked why"
is "$(printf '%s\n' "$out" | grep -c 'Watchpoint 2')" 2 "another process's page at that address is another one"
# The kernel's source comes out of a tar file, packed or not; what is no kernel is told.
mkdir -p linux-6.1/mm home
printf 'static inline void expand(struct zone *zone)\n{\n\treturn;\n}\n' >linux-6.1/mm/page_alloc.c
printf 'none of ours\n' >linux-6.1/Makefile
tar -cf linux.tar linux-6.1/mm/page_alloc.c linux-6.1/Makefile && xz -k linux.tar
tar -cf other.tar one.mmscope && head -c 1100 linux.tar >cut.tar && head -c 200 linux.tar.xz >cut.tar.xz
source_of() { # command...
    out=$(printf '%s\n' "break expand" continue "$@" code |
        HOME=$PWD/home XDG_CACHE_HOME=$PWD/home/cache "$MMSCOPE" debug three.lua 2>&1)
}
source_of 'kernel-source unpack linux.tar.xz'
matches "$out" 'source is in .*/home/cache/mmscope/linux-6.1' "the kernel's source comes out of a .tar.xz"
matches "$out" '1 static inline void expand' "and its text is shown"
is "$(cd home/cache/mmscope/linux-6.1 && find . -type f)" ./mm/page_alloc.c "only what is needed is kept"
source_of
matches "$out" '1 static inline void expand' "the next time it is there"
rm -r home/cache
source_of 'kernel-source unpack linux.tar'
matches "$out" '1 static inline void expand' "out of a .tar"
rm -r home/cache
source_of 'kernel-source unpack other.tar' 'kernel-source unpack cut.tar' 'kernel-source unpack cut.tar.xz' 'kernel-source unpack missing.tar' 'kernel-source /no/such/folder'
matches "$out" 'other.tar: there is no kernel in it' "a tar file without a kernel is told"
matches "$out" 'cut.tar is cut off' "so is one that is cut off"
matches "$out" 'Not unpacked: cut.tar.xz' "packed or not"
matches "$out" 'missing.tar cannot be opened: No such file' "and one that is not there"
matches "$out" 'kernel-source unpack|no Linux 6.1 in /no/such/folder' "a folder without a kernel too"
mkdir -p config/mmscope
printf '# mine\nbreak expand\nnosuch(\nmark start\n' >config/mmscope/rc
out=$(printf 'breakpoints\nmarks\n' | XDG_CONFIG_HOME=$PWD/config "$MMSCOPE" debug three.lua)
matches "$out" 'call of expand' "the rc file's commands are run"
matches "$out" 'goto start' "all of them"
matches "$out" 'mmscope/rc:3: ' "and what is wrong in it is told with its line"
debug three.lua prompt
matches "$out" 'for the screen' "what needs a screen says so"
debug missing.lua step
is "$status" 2 "a file that is not there exits with 2"
matches "$err" 'missing.lua' "and is named"
printf 'return lesson { run = function() error("told") end }\n' >bad.lua
debug bad.lua continue
is "$status" 2 "a script that fails exits with 2"
matches "$out" 'told' "and says why"
# Operations have one number wherever they are shown or typed: of the object that operation 5 allocates.
cat >numbers.lua <<'END'
return lesson {
    title = "Numbers",
    machine = { arch = "i386", ram = "64M", slab = "slub", slub_debug = "FZPU" },
    run = function()
        local page = alloc_pages(GFP_KERNEL, 1)
        local cache = kmem_cache_create("numbered", 100)
        local address = kmem_cache_alloc(cache, GFP_KERNEL)
        say "In between."
        vmalloc(4096)
        kmem_cache_free(cache, address)
        kmem_cache_free(cache, address)
    end,
}
END
object=$("$MMSCOPE" run --json numbers.lua | sed -n 's/.*"op":5,"name":"kmem_cache_alloc".*"result":"\(0x[0-9a-f]*\)".*/\1/p')
matches "$object" '^0x' "run --json says which operation allocates the object"
debug numbers.lua c "object_at($object).alloc_op" "object_at($object).alloc_track.op" "object_at($object).free_op" 'areas()[1].op' 'machine.nr_ops' rs report
is "$(printf '%s\n' "$out" | grep -xE '[0-9]+' | tr '\n' ' ')" '5 5 8 7 9 ' "so does Lua, of what was allocated and freed"
matches "$out" 'last allocated by operation 5, numbers.lua:7' "so does the kernel's report"
matches "$out" '^op 9\.2/' "made in operation 9"
debug numbers.lua c 'goto 5' "whatis 0x${object#0x}" 'view objects' 'export view five.txt' bt "why object $object" "history object $object" 'goto 5.1' 'goto 5.0' 'export events events.txt' 'break op 5' 'save op.mmscope' restart c
matches "$out" '^op 5, CPU 0, kmem_cache_alloc\(numbered, GFP_KERNEL\) = '"$object" "goto 5 shows what operation 5 did"
matches "$(head -n 1 five.txt)" 'op 5 *$' "and so does the status line"
matches "$(cat five.txt)" 'allocated by operation 5' "and the object's details"
matches "$out" '^--- operation 5 on CPU 0: kmem_cache_alloc' "and the backtrace"
matches "$out" '^  goto 5 +operation 5: kmem_cache_alloc' "and why"
matches "$out" '^  goto 5\.[0-9]+ +5\.[0-9]+ +in use, allocated by operation 5$' "and the history"
matches "$out" '^op 5\.1/[0-9]+, CPU 0, kmem_cache_alloc' "5.1 is its first event"
matches "$out" '^op 4, CPU 0, kmem_cache_create' "5.0, where it begins, is the end of operation 4"
matches "$(cat events.txt)" '^5[[:space:]]kmem_cache_alloc' "an export has the same number"
matches "$(cat events.txt)" '^5\.1[[:space:]]' "of its events too"
matches "$out" 'Breakpoint 1: operation 5\.' "and a breakpoint"
is "$(printf '%s\n' "$out" | grep -c '^op 5\.1/')" 2 "which stops where it begins"
debug numbers.lua c 'goto 5.2' 'view pages' 'pane 8' zoom 'export view pane.txt' 'goto 0.1' 'goto 5.' 'goto -1' 'break op 0' 'break op 5.1'
matches "$(cat pane.txt)" '^ +5 +kmem_cache_alloc' "and the events pane"
matches "$(head -n 1 pane.txt)" 'op 5\.2/' "inside of it, too"
is "$(printf '%s\n' "$out" | grep -c '^goto wants')" 3 "there is no operation 0, and a position is a number"
is "$(printf '%s\n' "$out" | grep -c 'is no event, no function')" 2 "the same for a breakpoint"
# In a session file operations count from 0, as they always did.
is "$(grep -c '^note do break op 4$' op.mmscope)" 1 "a session's file keeps its numbers"
debug op.mmscope breakpoints
matches "$out" ' operation 5, hit' "and is read with them"
# Ctrl-C: sent until it has stopped what runs; the program goes on with the next line.
interrupted() { # what stops: only that, not a limit
    printf '%s\n' "$1" 'print("still here")' quit >lines
    : >stopped.txt
    "$MMSCOPE" debug sandbox <lines >stopped.txt 2>&1 &
    pid=$!
    until [ -s stopped.txt ]; do sleep 0.02; done
    while kill -INT "$pid" 2>kill.txt; do sleep 0.02; done
    wait "$pid"
    out=$(cat stopped.txt)
}
interrupted '(function() while true do end end)()'
matches "$out" '^stopped$' "Ctrl-C stops a line of Lua that never ends"
matches "$out" 'still here' "and the session goes on"
debug sandbox 'alloc_pages(GFP_KERNEL, 2)' 'rs' 's'
is "$status" 0 "the sandbox"
matches "$out" 'op 1\.[0-9]+/' "going back into what was done by hand"
done_testing
