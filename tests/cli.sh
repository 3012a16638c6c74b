# The program as one meets it on the command line: help, mistakes, exit statuses, what is installed beside it.
#
# SPDX-License-Identifier: GPL-3.0-or-later
. "$MMSCOPE_SOURCE/tests/tap.sh"
scratch=$(mktemp -d) && trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || bail_out "no scratch folder"

# Runs mmscope; its output in $out, its errors in $err, its exit status in $status.
run() {
    "$MMSCOPE" "$@" >out 2>err </dev/null
    status=$?
    out=$(cat out)
    err=$(cat err)
}
mistake() { # expected-message argument...
    local expected=$1
    shift
    run "$@"
    is "$status" 2 "mmscope $* exits with 2"
    is "$out" "" "and prints nothing on its output"
    matches "$err" "$expected" "but says: $expected"
}

run --version
matches "$out" '^mmscope [0-9]+\.[0-9]+\.[0-9]+' "--version"
run --help
is "$status" 0 "--help exits with 0"
matches "$out" '^Usage: mmscope' "and explains the usage"
is "$(grep -nE '^.{81,}$' out)" "" "in 80 columns"
subcommands=$(sed -n 's/^SUBCOMMAND([a-z]*, "\([^"]*\)".*/\1/p' "$MMSCOPE_SOURCE/ui/subcommands.def")
for sub in $subcommands; do
    run help "$sub"
    is "$status" 0 "help $sub exits with 0"
    matches "$out" "^Usage: mmscope $sub" "and explains it"
    is "$(grep -nE '^.{81,}$' out)" "" "in 80 columns"
    cp out first
    run "$sub" --help
    is "$(cmp out first && echo same)" same "$sub --help says the same"
done

mistake 'did you mean mmscope (list|help)' lsit
mistake 'did you mean .*show' shwo
mistake 'neither a subcommand nor a Lua file' banana
mistake 'did you mean --seed' --sede=3
mistake 'no option -%|no option -y' -y
mistake 'needs an argument' --seed
mistake 'takes no argument' --ascii=yes
mistake 'NAME=VALUE' --set ram
mistake 'from 1 to' --seed=0
mistake 'size' --history=lots
mistake 'no option of mmscope list' list --seed=3
mistake 'one too many' list all
mistake 'did you mean events' show evnets
mistake 'mmscope show' show events functions
mistake 'no subcommand' help banana

# Scripts that go wrong: each says where and why, with 2.
printf 'return lesson { run = function()\nlocal n = 0\nwhile true do n = n + 1 end\nend }\n' >hangs.lua
run run hangs.lua
is "$status" 2 "an endless loop ends"
matches "$err" 'hangs.lua:[234]: .*for ever' "and its place is told"
matches "$err" 'stack traceback' "with a traceback"
echo 'return lesson { run = function() local function f() return 1 + f() end f() end }' >deep.lua
run run deep.lua
is "$status" 2 "an endless recursion ends"
matches "$err" 'deep.lua:1: in ' "its place too"
printf '\033LuaT' >bytes.lua
mistake 'bytes.lua: is compiled Lua' run bytes.lua
printf '\357\273\277#!/usr/bin/env mmscope\nreturn lesson { machine = { ram = 160 * 2^20, cpus = 2.0 },
    run = function() error "here" end }\n' >head.lua
run run head.lua
matches "$err" 'head.lua:3: here' "a byte order mark and a #! line are passed over"
echo 'return lesson { run = function() say "from a pipe" end }' >piped.lua
is "$("$MMSCOPE" run - <piped.lua | grep -c "from a pipe")" 1 "- is the standard input"
"$MMSCOPE" run --set highmem=200M piped.lua >out 2>err </dev/null
is "$?" 0 "a highmem= that the kernel does not take"
matches "$(cat err)" 'highmem=200M is ignored' "is not passed over in silence"

# Options may stand anywhere; -- ends them.
run show --ascii events
is "$status" 0 "an option after the subcommand"
run --ascii show events
is "$status" 0 "and before it"
mistake '-*ascii' show -- --ascii

for topic in $("$MMSCOPE" show | awk '$1 ~ /^[a-z]+$/ { print $1 }'); do
    run show "$topic"
    is "$status" 0 "show $topic"
    is "$(grep -c . out | awk '{ print ($1 >= 2) }')" 1 "prints something"
done

"$MMSCOPE" show events >/dev/full 2>err
is "$?" 2 "a full disk is noticed"
is "$("$MMSCOPE" show events | head -n 1 | wc -l)" 1 "and a reader that goes away is not trouble"

# What is made from the tables.
pages=$MMSCOPE_BUILD/ui/share
if [ -f "$pages/mmscope.1" ]; then
    for word in $subcommands EXIT FILES EVENTS buddy:split; do
        matches "$(cat "$pages/mmscope.1")" "$word" "the manual tells of $word"
    done
    if command -v groff >/dev/null; then
        is "$(groff -man -Tutf8 -ww -z "$pages/mmscope.1" 2>&1)" "" "groff has nothing to say about the manual"
    else
        skip "there is no groff to read the manual"
    fi
    completions() { # words of a command line, the last one to be completed
        bash -c '. "$1"; shift; PATH=$(dirname "$MMSCOPE"):$PATH
                 COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _mmscope; echo "${COMPREPLY[*]}"' \
            - "$pages/mmscope" "$@" 2>&1
    }
    is "$(completions mmscope li)" "list" "bash completes a subcommand"
    is "$(completions mmscope show ev)" "events" "and a topic"
    is "$(completions mmscope list --no)" "--no-color" "and an option"
    is "$(completions mmscope list --see)" "" "but none that the subcommand does not take"
    is "$(completions mmscope help lis)" "list" "and what help explains"
    matches "$(completions mmscope --set = ra)" "^ram=" "and a machine's option"
    if command -v zsh >/dev/null; then
        is "$(zsh -n "$pages/_mmscope" 2>&1)" "" "zsh can read its completion"
    else
        skip "there is no zsh"
    fi
else
    skip "the manual and the completions are not built"
fi

done_testing
