# Every lesson in mmscope debug and through mmscope dap: it runs to its end, every claim holds, the way back and forth
# comes to the same machine, a stack and variables can be asked for.
#
# SPDX-License-Identifier: GPL-3.0-or-later
. "$MMSCOPE_SOURCE/tests/tap.sh"
export XDG_STATE_HOME=/nonexistent XDG_CONFIG_HOME=/nonexistent

# Requests as lines of "command arguments"; answers one a line.
talk() {
    local seq=0 command arguments body
    while read -r command arguments; do
        seq=$((seq + 1))
        body="{\"seq\":$seq,\"type\":\"request\",\"command\":\"$command\",\"arguments\":${arguments:-{\}}}"
        printf 'Content-Length: %d\r\n\r\n%s' "${#body}" "$body"
    done | "$MMSCOPE" dap | sed 's/Content-Length: [0-9]*\r*$//; s/\r$//' | grep '^{'
}

for lesson in "$MMSCOPE_SOURCE"/lessons/[0-9]*.lua; do
    name=$(basename "$lesson" .lua)
    out=$(printf '%s\n' step step bt locals continue digest rs rs restart now digest check |
        "$MMSCOPE" debug "$lesson" 2>&1)
    is "$?" 0 "$name: mmscope debug ends in order"
    is "$(printf '%s\n' "$out" | grep -E 'DOES NOT HOLD|script failed|^error:')" "" "$name: every claim holds"
    matches "$out" 'The script ends here' "$name: it runs to its end"
    is "$(printf '%s\n' "$out" | sed -n 's/^Digest \([0-9a-f]*\).*/\1/p' | uniq | wc -l)" 1 \
        "$name: back and forth is the same machine"
    matches "$out" 'All invariants hold' "$name: which is sound"
    out=$(talk <<END_OF_TALK
initialize
launch {"program":"$lesson","stopOnEntry":true}
configurationDone
stepIn
next
next
stackTrace {"threadId":1}
scopes {"frameId":1}
variables {"variablesReference":1}
stepBack
continue
reverseContinue
disconnect
END_OF_TALK
    )
    is "$(printf '%s\n' "$out" | grep -c '"success":true')" 13 "$name: mmscope dap answers every request"
    is "$(printf '%s\n' "$out" | grep -c 'DOES NOT HOLD')" 0 "$name: and every claim holds there"
    matches "$out" 'The script ends here' "$name: up to its end"
done
done_testing
