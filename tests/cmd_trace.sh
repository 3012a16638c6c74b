# mmscope trace from outside: packed files, pipes, mistakes, what is printed.
#
# SPDX-License-Identifier: GPL-3.0-or-later
. "$MMSCOPE_SOURCE/tests/tap.sh"
scratch=$(mktemp -d) && trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || bail_out "no scratch folder"
golden=$MMSCOPE_SOURCE/tests/golden/cache

run() { # argument...; standard input is passed on
    "$MMSCOPE" trace "$@" >out 2>err
    status=$?
    out=$(cat out)
    err=$(cat err)
}

gzip -dc "$golden/cc1_100k.lk.gz" >plain
run --geometry G1 --mode W --counts plain
is "$status" 0 "a plain file"
expected=$(awk -F'\t' '$1 == "cc1_100k" && $2 ~ /^G1_/ && $3 == "W" { print $4, $5 }' "$golden/counts.tsv" | sort)
is "$(sort out)" "$expected" "prints the golden counts and nothing else"
cp out first

run --geometry G1 --counts "$golden/cc1_100k.lk.gz"
is "$(cmp out first && echo same)" same "a .gz"
run --geometry G1 --counts - <plain
is "$(cmp out first && echo same)" same "a pipe"
run --geometry G1 --counts - <"$golden/cc1_100k.lk.gz"
is "$(cmp out first && echo same)" same "a packed pipe"
for packer in xz zstd; do
    if command -v $packer >/dev/null; then
        head -n 50000 plain | $packer -c >packed.$packer
        tail -n 50000 plain | $packer -c >>packed.$packer
        run --geometry G1 --counts packed.$packer
        is "$(cmp out first && echo same)" same "two $packer streams one after the other"
        head -c 30000 packed.$packer >cut.$packer
        run --geometry G1 --counts cut.$packer
        is "$status" 2 "a $packer stream that is cut off exits with 2"
        matches "$err" 'ends in the middle of its compressed data' "and says so"
    else
        skip "no $packer here"
    fi
done
head -c 100000 "$golden/cc1_100k.lk.gz" >cut.gz
run --counts cut.gz
is "$status" 2 "a .gz that is cut off exits with 2"
is "$out" "" "and prints no counts"

# the same trace as extended din
sed -e 's/^I  \([0-9a-f]*\),\(.*\)/i \1 \2/' -e 's/^ L \([0-9a-f]*\),\(.*\)/r \1 \2/' \
    -e 's/^ S \([0-9a-f]*\),\(.*\)/w \1 \2/' -e 's/^ M \([0-9a-f]*\),\(.*\)/r \1 \2/' plain |
    awk '{ printf "%s %s %x\n", $1, $2, $3 }' >trace.din
run --geometry G1 --mode R --counts trace.din
cp out din
run --geometry G1 --mode R --counts plain
is "$(cmp out din && echo same)" same "extended din gives the same counts"

run --view --json plain
is "$status" 2 "--view does not print"
matches "$err" 'one of them' "and says so"
run --view plain </dev/null
is "$status" 2 "--view without a terminal"
matches "$err" 'terminal' "says what it needs"

(cat plain; echo ' L nonsense') >bad
run --counts bad
is "$status" 2 "a malformed line exits with 2"
matches "$err" 'line 100001' "and is told with its number"
is "$out" "" "without counts"
run --counts missing.lk
is "$status" 2 "a file that is not there"
matches "$err" 'missing.lk cannot be opened' "is told"
run --counts .
is "$status" 2 "a folder is no trace"
for wrong in "--geometry G9 plain" "--mode X plain" "--set l1d=1 plain" "--set what=1 plain" "--config none plain" \
    "--syn x" "plain plain" "--counts --json plain" "" "--syn 3 plain"; do
    run $wrong
    is "$status" 2 "mmscope trace $wrong exits with 2"
done

run --syn 0 --counts --geometry T1
is "$(awk '{ s += $2 } END { print s }' out)" 0 "an empty trace counts nothing"
printf '# a small machine\nl1d = 1K,2,32,fifo\nl1i = none # no instruction cache\nl2 = none\ncauses = off\n' >small.conf
run --config small.conf --syn 1000
matches "$out" 'L1 data +1 KiB, 2 ways, 16 sets, lines of 32 bytes, FIFO' "a machine from a file"
printf 'l1d = 1K,2\nl1d 3\n' >wrong.conf
run --config wrong.conf --syn 1000
matches "$err" 'wrong.conf, line 2' "a mistake in it is told with its line"
printf 'geometry = G3 # and then\nl2 = 512K,8\nmode = R\n' >named.conf
run --config named.conf --json --syn 1000
matches "$out" '"mode":"R","l1i":\{"is":"16 KiB, 1 way' "a geometry and a mode in a file; changed, it has no name"
printf 'l1d = 1K,2,32\0,fifo\n' >zero.conf
run --config zero.conf --syn 1000
matches "$err" 'zero.conf, line 1: .*text' "a zero byte in it is no end of a line"
printf '%0600d\n' 3 >long.conf
run --config long.conf --syn 1000
matches "$err" 'long.conf, line 1: .*less than 512' "a line that is too long is not two lines"
run --syn 10 --set ram=1G
matches "$err" 'add --mmu' "the machine's options need the machine"
run --syn 10 --set l1d=8,1,1
matches "$err" 'l1d: its lines need at least 2 bytes' "lines of one byte have no number for the last address"
printf ' L 1000,4294967297\n' >huge
run huge
matches "$err" 'line 1: the size must be from 1 to 65536' "a size beyond all bounds is a size"
"$MMSCOPE" trace --counts --syn 10 2>err >&-
matches "$(cat err)" 'could not be written: .*descriptor' "what cannot be written says why"
run --json plain
is "$status" 0 "--json"
matches "$out" '^\{"references":100000,.*"counts":\{"L1I.access":[0-9]+.*\}\}$' "is one object"
matches "$out" '"l1d":\{[^}]*"reads":[1-9][0-9]*,"read_misses":[1-9]' "with reads and writes of L1"
matches "$out" '"l2":\{[^}]*"fetches":[1-9][0-9]*,"fetch_misses":[0-9]+,"victims":[1-9]' "and what L2 was asked for"
run plain
matches "$out" '  victims of L1 ' "the table has them, too"
matches "$out" 'misses by cause' "the table tells misses by cause"
matches "$out" 'AMAT' "and the average access time"

run --mmu --counts plain
is "$status" 0 "--mmu: a process with page tables"
is "$(grep -E '^(L1[ID]|[ID]TLB)' out | grep -v wmiss)" \
    "$("$MMSCOPE" trace --counts plain | grep -E '^(L1[ID]|[ID]TLB)' | grep -v wmiss)" \
    "counts the same in the first levels"
run --mmu --json --set tags=vivt plain
matches "$out" '"mmu":\{"table_accesses":[1-9]' "and its walks go through L2"
matches "$out" '"cycles":\{.*"walks":[1-9]' "which cost cycles"
printf ' S c5ca6a3affd,16\n' >crossing
run --mmu --counts --set tags=vivt crossing
is "$status" 0 "a store to two new pages marks what it writes in the machine's arena"
run --mmu --set ram=32M --syn 200000
is "$status" 2 "a machine that is too small"
matches "$err" 'memory is used up after [0-9]+ page faults' "says so"
run --mmu --set la57=true --json plain
matches "$out" '"table_pages":21\}' "five levels: a table more than the 20 of four"
run --mmu --set arch=i386 plain
matches "$err" 'no address of this machine' "64-bit addresses are none of an i386"

done_testing
