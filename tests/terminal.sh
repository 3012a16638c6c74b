# The screen on a real terminal (tmux): opens lesson 01, steps, goes back, is resized meanwhile, asks for help,
# quits, and the terminal is whole again; also after kill -TERM and a crash, through Ctrl-Z, on a vt100, without
# colours, in ASCII.
#
# Nothing sleeps for a fixed time: the screen is looked at until it shows what is expected, or too long has passed.
#
# SPDX-License-Identifier: GPL-3.0-or-later
. "$MMSCOPE_SOURCE/tests/tap.sh"
command -v tmux >/dev/null || {
    echo "1..0 # SKIP tmux is not installed"
    exit 0
}
scratch=$(mktemp -d)
socket=none
trap 'tmux -L "$socket" kill-server 2>/dev/null; rm -rf "$scratch"' EXIT
export MMSCOPE_LESSONS=$MMSCOPE_SOURCE/lessons XDG_STATE_HOME=$scratch/state HOME=$scratch
unset NO_COLOR TMUX

t() { tmux -L "$socket" -f /dev/null "$@"; }
screen() { t capture-pane -p -t test; }
keys() { t send-keys -t test "$@"; }

# until_screen DESCRIPTION PATTERN: looks until the screen matches the extended regular expression.
until_screen() {
    local i
    for ((i = 0; i < 400; i++)); do
        if screen 2>/dev/null | grep -qE -- "$2"; then
            ok "$1"
            return 0
        fi
        read -r -t 0.02 <>"$scratch/never"
    done
    not_ok "$1"
    screen | sed 's/^/# /'
    [ "$tap_failed" -lt 4 ] || bail_out "too much is wrong: each failure takes its time"
    return 1
}
mkfifo "$scratch/never"

# A shell with a prompt of ours, in a terminal of COLS x ROWS with that TERM.
terminal() { # cols rows term
    t kill-server 2>/dev/null
    socket=mmscope-$$-$tap_run
    t start-server \; set -g default-terminal "$3" \; new-session -d -s test -x "$1" -y "$2" \
        "env PS1='ready> ' LC_ALL=C.UTF-8 TERM=$3 bash --norc --noprofile"
    until_screen "a shell on a terminal of $1x$2, TERM=$3" '^ready>'
}
say() { keys -l "$1" && keys Enter; }
alternate() { t display -p -t test '#{alternate_on}'; }
modes() { # file: how the terminal is set, and whether the shell's prompt is back
    say "clear; stty -a > $scratch/$1; echo done-$1"
    until_screen "the shell answers" "^done-$1"
}

whole_again() { # after what
    until_screen "$1: the shell's prompt is back" 'ready> *$'
    is "$(alternate)" 0 "$1: the normal screen is back"
    is "$(t display -p -t test '#{mouse_any_flag}#{keypad_cursor_flag}#{keypad_flag}')" 000 \
        "$1: no mouse and keypad modes are left on"
    is "$(t display -p -t test '#{cursor_flag}')" 1 "$1: the cursor is seen"
    modes after
    is "$(cat "$scratch/after")" "$(cat "$scratch/before")" "$1: the terminal's modes are as before"
}

# ---- a walk through lesson 01 ----

terminal 80 24 screen-256color || exit 1
modes before
say "clear; '$MMSCOPE' open 01"
until_screen "lesson 01 opens" '1 Script: 01-'
until_screen "and says what to press" 's step'
is "$(alternate)" 1 "on the alternate screen"
keys s s
until_screen "s: the lesson speaks" '^─ 1\. '
before=$(screen)
keys S
until_screen "S: back" '(Nothing has been told yet|op [0-2]\b)'
keys s
for ((i = 0; i < 200; i++)); do
    [ "$(screen)" = "$before" ] && break
    read -r -t 0.02 <>"$scratch/never"
done
is "$(screen)" "$before" "forward again: the very same screen"

for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do keys s; done
until_screen "steps: a block comes off a free list" 'op [0-9]+'
for size in "120 40" "61 16" "200 60" "40 10" "80 24"; do
    t resize-window -t test -x "${size% *}" -y "${size#* }"
    keys s
    if [ "${size% *}" -lt 60 ]; then
        until_screen "resized to $size while stepping: a notice" 'too small'
    else
        until_screen "resized to $size while stepping" '(mmscope|Pages) .*op [0-9]+'
    fi
done
is "$(screen | wc -l)" 24 "80x24 again"
keys '?'
until_screen "?: help" 'capitals backwards'
keys q
until_screen "q closes it" 'step'
keys :
keys -l 'goto 5'
until_screen "the command line" '^:goto 5'
keys Enter
until_screen "goto" 'op 5 *$'
keys :
keys -l 'che'
keys Tab
until_screen "completion" '^:check'
keys Escape
until_screen "a lone Escape cancels the command line" '^ s step'
keys : Up
until_screen "the history remembers" '^:goto 5'
keys C-c
until_screen "so does Ctrl-C cancel" '^ s step'
keys :
keys -l '1 + 1'
keys Enter
until_screen "a line of Lua" '^ 2 *$'
keys :
keys -l digest
keys Enter
until_screen "digest" 'Digest [0-9a-f]{16}'
keys :
keys -l check
keys Enter
until_screen "check" 'invariants hold'
keys 4 z
until_screen "z zooms a pane" '4 Free.*5 Per'
keys z
until_screen "and back" '1 Script'
keys a
until_screen "a asks what to allocate" 'Allocate pages'
keys Enter
until_screen "in the past that makes a branch" 'Now on branch 1'
keys x
until_screen "x frees it again" '__free_pages'
keys S
keys q
until_screen "q asks" 'Leave mmscope'
keys y
whole_again "quit"
is "$(tail -n 1 "$scratch/state/mmscope/history")" check "the command line's history is kept"

# ---- the menu ----

say "clear; '$MMSCOPE'"
until_screen "no arguments: the menu" 'Choose a lesson'
keys Down Enter
until_screen "Enter opens the second lesson" '1 Script: 02-'
keys q m
until_screen "m goes back to the menu" 'Choose a lesson'
keys 1
until_screen "a digit opens when no other one follows" '1 Script: 01-'
keys q m
until_screen "the menu again" 'Choose a lesson'
keys 1 4
until_screen "two digits open a lesson" '1 Script: 14-'
keys q m
until_screen "and the menu again" 'Choose a lesson'
keys End Enter
until_screen "the free sandbox" 'Operations: sandbox'
keys a Enter
until_screen "where a key allocates" 'alloc_pages\(GFP_KERNEL, 0\) = 0x'
keys '!' 1
until_screen "and another lets an interrupt come" 'interrupt has come and gone'
keys q q
whole_again "quit from the sandbox"

# ---- suspended and continued ----

say "clear; '$MMSCOPE' open 01"
until_screen "again" '1 Script: 01-'
keys s C-z
until_screen "Ctrl-Z: the shell" 'Stopped'
is "$(alternate)" 0 "Ctrl-Z: on the normal screen"
say "clear; fg"
until_screen "fg: the lesson where it was" '1 Script: 01-'
keys s
until_screen "and it goes on" 'op [0-9]+'

# ---- killed, crashed ----

# A key that the program has not read yet when it dies is the shell's: so it is waited for.
until_changed() { # what the screen was
    local i
    for ((i = 0; i < 400; i++)); do
        [ "$(screen)" = "$1" ] || return 0
        read -r -t 0.02 <>"$scratch/never"
    done
}
for signal in TERM SEGV HUP ABRT; do
    before_key=$(screen)
    keys s
    until_changed "$before_key"
    pid=$(t list-panes -t test -F '#{pane_pid}')
    kill -"$signal" "$(pgrep -P "$pid" -f mmscope | head -n 1)"
    whole_again "kill -$signal"
    say "clear; '$MMSCOPE' open 01"
    until_screen "again" '1 Script: 01-'
done
keys q y
until_screen "and out" 'ready> *$'

# ---- poorer terminals ----

for kind in "vt100:" "xterm:NO_COLOR=1" "screen:" "xterm-256color:LC_ALL=C" "linux:"; do
    terminal 80 24 "${kind%%:*}" || continue
    say "clear; env ${kind#*:} '$MMSCOPE' open 01"
    until_screen "$kind: the lesson opens" '1 Script: 01-'
    keys s s s s s s
    until_screen "$kind: and goes" 'op [0-9]+'
    case $kind in
    vt100* | *NO_COLOR*)
        coloured=$'\033\\[[0-9;]*(3[0-7]|4[0-7]|38|48)[;0-9]*m'
        is "$(t capture-pane -p -e -t test | grep -cE "$coloured")" 0 "$kind: without colours"
        ;;
    *C)
        is "$(screen | LC_ALL=C grep -c '[^ -~]')" 0 "$kind: in ASCII"
        ;;
    esac
    keys q y
    until_screen "$kind: and out" 'ready> *$'
done

say "clear; '$MMSCOPE' open 01 </dev/null"
until_screen "without a terminal: a message" 'needs a terminal'
say "clear; TERM=nonsense '$MMSCOPE' open 01"
until_screen "on an unknown one: a message" 'TERM=xterm'
done_testing
