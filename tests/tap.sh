# tests/tap.h for shell: a script says what is ok, then done_testing. Sourced by bash.
#
# SPDX-License-Identifier: GPL-3.0-or-later
set -u
tap_run=0
tap_failed=0

ok() { # name
    tap_run=$((tap_run + 1))
    printf 'ok %d - %s\n' "$tap_run" "$1"
}
not_ok() { # name, what there is to say about it
    tap_run=$((tap_run + 1))
    tap_failed=$((tap_failed + 1))
    printf 'not ok %d - %s\n' "$tap_run" "$1"
    shift
    [ $# = 0 ] || diag "$*"
}
is() { # got want name
    if [ "$1" = "$2" ]; then
        ok "$3"
    else
        not_ok "$3" "     got ${1:-(nothing)}
expected ${2:-(nothing)}"
    fi
}
matches() { # got extended-regex name
    if printf '%s' "$1" | grep -qE -- "$2"; then
        ok "$3"
    else
        not_ok "$3" "     got ${1:-(nothing)}
expected to match $2"
    fi
}
diag() { printf '%s\n' "$*" | sed 's/^/# /'; }
skip() { # why
    tap_run=$((tap_run + 1))
    printf 'ok %d # SKIP %s\n' "$tap_run" "$1"
}
bail_out() {
    printf 'Bail out! %s\n' "$1"
    exit 1
}
done_testing() {
    printf '1..%d\n' "$tap_run"
    [ "$tap_failed" = 0 ] && [ "$tap_run" != 0 ]
    exit
}
