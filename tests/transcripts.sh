# What every command of the debugger answers: tests/transcripts/COMMAND.in is typed, COMMAND.out is the whole session.
# The first line of a .in file says what is debugged, and for a list that grows how many lines of it are compared
# ("..., the first 30 lines"). A command of ui/command.def without a transcript is a failure.
# GENERATE=1 writes the .out files anew, for a person to review:
#
#   MMSCOPE=build/ui/mmscope MMSCOPE_SOURCE=. GENERATE=1 bash tests/transcripts.sh
#
# SPDX-License-Identifier: GPL-3.0-or-later
MMSCOPE=$(realpath "$MMSCOPE")
MMSCOPE_SOURCE=$(realpath "$MMSCOPE_SOURCE")
. "$MMSCOPE_SOURCE/tests/tap.sh"
transcripts=$MMSCOPE_SOURCE/tests/transcripts
scratch=$(mktemp -d) && trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || bail_out "no scratch folder"
export LC_ALL=C.UTF-8 HOME=$scratch/home TZ=UTC
unset XDG_STATE_HOME XDG_CONFIG_HOME XDG_CACHE_HOME NO_COLOR COLUMNS LINES

# A kernel tree of a few lines: what there is on this machine must not matter.
mkdir -p home none/mm tree/mm
printf 'int x;\n' >none/mm/page_alloc.c
printf 'static void expand(struct zone *zone)\n{\n\tsplit(zone); /* and again */\n}\n' >tree/mm/page_alloc.c

# The session that COMMAND.in types, on standard output.
session() { # .in file
    local what first
    what=$(sed -n '1s/^# mmscope debug //p' "$1")
    first=$(printf '%s' "$what" | sed -n 's/.*, the first \([0-9]*\) lines$/\1/p')
    what=${what%%,*}
    [ -n "$what" ] || bail_out "$1 does not say what it debugs"
    rm -rf here && mkdir here && cp "$transcripts"/*.lua here/ && cp -r tree here/
    # shellcheck disable=SC2086
    (cd here && sed 1d "$1" | "$MMSCOPE" debug --echo --kernel-src ../none $what 2>&1) >whole
    echo "exit status $?" >>whole
    # Digests and sizes in host memory change whenever the machine's memory does: what matters is which are equal.
    local script='/; history/s/[0-9.]+ [KMG]iB/N iB/g; s/, [0-9]+ bytes\./, N bytes./' n=0 digest
    for digest in $(sed -nE 's/.*Digest ([0-9a-f]{16}) .*/\1/p' whole | uniq); do
        case $script in *"$digest"*) continue ;; esac
        n=$((n + 1))
        script="$script; s/Digest $digest/Digest number $n/"
    done
    sed -E "$script" whole | head -n "${first:-100000}"
}

for command in $(sed -n 's/^COMMAND([a-z_]*, "\([^"]*\)".*/\1/p' "$MMSCOPE_SOURCE/ui/command.def"); do
    if grep -qE "^$command( |/|\$)" "$transcripts/$command.in" 2>/dev/null; then
        ok "there is a transcript of $command"
    else
        not_ok "there is a transcript of $command" "tests/transcripts/$command.in should have a line with it"
    fi
done

for file in "$transcripts"/*.in; do
    name=$(basename "$file" .in)
    session "$file" >got
    if [ -n "${GENERATE:-}" ]; then
        cp got "$transcripts/$name.out"
        ok "$name: generated"
    elif difference=$(diff -u "$transcripts/$name.out" got 2>&1); then
        ok "$name: as it was"
    else
        not_ok "$name: as it was" "$difference"
    fi
done
done_testing
