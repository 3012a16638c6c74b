# The floors: hw <- engine <- scripts <- ui, and what may be used on which.
#
# Meson already keeps a floor's headers from the floors below it. This looks at the rest: the libraries' headers,
# and, in the built libraries, whether the two lower floors call anything that does I/O or tells the time, or keep
# anything that can change outside a machine.
#
# SPDX-License-Identifier: GPL-3.0-or-later
. "$MMSCOPE_SOURCE/tests/tap.sh"
cd "$MMSCOPE_SOURCE" || bail_out "no source in $MMSCOPE_SOURCE"

sources() { # floor...
    find "$@" -name '*.[ch]' -o -name '*.def' | sort
}

# Headers of the floors below and of its own.
reach=
for floor in hw engine scripts ui; do
    reach="$reach $floor"
    strangers=
    for file in $(sources "$floor"); do
        for header in $(sed -n 's/^ *# *include "\(.*\)".*/\1/p' "$file"); do
            found=
            for floor_below in $reach; do
                [ -f "$floor_below/$header" ] && found=yes
                [ -f "$floor/$header" ] && found=yes
            done
            case $header in
            version.h | prelude.h) found=yes ;; # made by the build
            esac
            [ -n "$found" ] || strangers="$strangers $file:$header"
        done
    done
    is "$strangers" "" "$floor includes nothing but$reach"
done

# Libraries' headers: <pattern> is included by at most n files, all of them under a folder.
only_in() { # what extended-regex folder n
    local users others count
    users=$(grep -lE "^ *# *include *<($2)>" $(sources hw engine scripts ui))
    others=$(printf '%s' "$users" | grep -v "^$3/")
    count=$(printf '%s' "$users" | grep -c .)
    is "$others" "" "$1 only in $3/"
    [ "$4" = any ] || at_most "$count" "$4" "$1 in $4 file at most" "$users"
}
at_most() {
    if [ "$1" -le "$2" ]; then
        ok "$3"
    else
        not_ok "$3" "$4"
    fi
}
only_in curses '(ncursesw?/)?n?curses\.h|term\.h|panel\.h' ui 1
only_in readline 'readline/.*' ui 1
only_in Lua '(lua5\.4/)?(lua|lauxlib|lualib)\.h' scripts any

# Bare C11 below: these headers and no feature macros.
bare='assert|float|inttypes|iso646|limits|setjmp|stdalign|stdarg|stdatomic|stdbool|stddef'
bare="$bare|stdint|stdio|stdlib|stdnoreturn|string"
is "$(grep -nE '^ *# *include *<' $(sources hw engine) | grep -vE "<($bare)\.h>")" "" \
    "hw and engine include only headers of bare C11"
is "$(grep -nE '^ *# *define +_[A-Z]+(_SOURCE|_OFFSET_BITS)' $(sources hw engine))" "" \
    "hw and engine define no feature macro"

# What the built libraries ask of the world. snprintf is text, not I/O; malloc serves the timeline.
asked='memcpy|memmove|memset|memcmp|memchr|mempcpy|str[a-z]+|snprintf|vsnprintf|abort'
asked="$asked|malloc|calloc|aligned_alloc|realloc|free|qsort|bsearch"
asked="$asked|_?_?(sig)?setjmp|_?longjmp|__longjmp_chk|__assert_fail|__[a-z]+_chk"
asked="$asked|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_"
asked="$asked|__cpu_model|__cpu_indicator_init" # what the processor can do
asked="$asked|__builtin_.*|__popcountdi2|__(u)?(div|mod)[a-z]*|bcmp|ffs(l|ll)?|__isoc[0-9]+_.*"
if grep -qs -e '-fsanitize' "$MMSCOPE_BUILD/build.ninja"; then
    skip "symbols of hw and engine: a sanitizer adds its own"
elif ! command -v nm >/dev/null; then
    skip "symbols of hw and engine: there is no nm"
else
    libs="$MMSCOPE_BUILD/hw/libhw.a $MMSCOPE_BUILD/engine/libengine.a"
    defined=$(nm --defined-only $libs | awk 'NF == 3 { print $3 }' | sort -u)
    wanted=$(nm -u $libs | awk '$1 == "U" { print $2 }' | sort -u | comm -23 - <(printf '%s\n' "$defined"))
    foreign=
    for symbol in $(printf '%s\n' "$wanted" | grep -vE "^($asked)\$"); do
        # Our own, of a file that is still to come?
        grep -qsw "$symbol" hw/*.h engine/*.h || foreign="$foreign $symbol"
    done
    is "$foreign" "" \
        "hw and engine call no I/O, no clock, no rand and nothing else of the host's"
    mutable=$(nm --format=sysv --defined-only $libs | awk -F'|' '
        { section = $7; gsub(/ /, "", section) }
        section ~ /^\.(data|bss|tdata|tbss)/ && section !~ /^\.data\.rel\.ro/ { print $1, section }
        section == "*COM*" { print $1, section }')
    is "$mutable" "" "hw and engine keep nothing mutable outside a machine"
fi

# ./run knows what to install for every library that the build asks for.
unknown=
for library in $(sed -n "s/.*[^a-z_]dependency('\([^']*\)'.*/\1/p" meson.build */meson.build | sort -u); do
    grep -qE "^ *(need )?has_(library|lua).*[ (]$library " .ci/common.sh || unknown="$unknown $library"
done
is "$unknown" "" "every library that the build asks for stands in .ci/common.sh"

done_testing
