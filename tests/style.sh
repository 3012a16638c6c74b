# The house style, as far as a program can see it.
#
# SPDX-License-Identifier: GPL-3.0-or-later
. "$MMSCOPE_SOURCE/tests/tap.sh"
cd "$MMSCOPE_SOURCE" || bail_out "no source in $MMSCOPE_SOURCE"

code=$(find hw engine scripts ui tests -name '*.[ch]' -o -name '*.def' | sort)
lua=$(find lessons tests -name '*.lua' 2>/dev/null | sort)
shell=$(printf '%s\n' run check .ci/run .ci/*.sh tests/*.sh)
build=$(find . -name meson.build -not -path './build*' -o -name 'meson*options*' -not -path './build*' | sort)

licensed="$(printf '%s\n' $code | grep -v '\.def$') $lua $shell meson.build"
is "$(grep -L 'SPDX-License-Identifier: GPL-3.0-or-later' $licensed)" "" \
    "every source file names its licence"
is "$(grep -nP '\t' $code $lua $shell $build)" "" "no tabs"
is "$(grep -nE '[ ]+$' $code $lua $shell $build | head)" "" "no blanks at the end of a line"
# A URL, a sentence of a table and a picture in a comment may not be broken.
is "$(grep -nE '^.{91,}$' $code $lua | grep -v -e '://' -e '^[^:]*\.def:' \
    -e '^[^:]*:[0-9]*: \*.*[^ ]   *[^ ]' | head -n 40)" "" \
    "no line over 90 columns"

# What a user keeps at the root is his own affair; what is committed there is not.
if committed=$(git ls-files 2>/dev/null) && [ -n "$committed" ]; then
    is "$(printf '%s\n' $committed | grep -v -e / -e '^\.' | tr '\n' ' ')" \
        "LICENSE README.md check meson.build meson_options.txt run " \
        "nothing is committed at the root that does not belong there"
else
    skip "this is no clone"
fi

long=
for file in $code $lua; do
    lines=$(wc -l <"$file")
    if [ "$lines" -gt 800 ] && ! grep -qiE 'over 800 lines|lines because' "$file"; then
        long="$long $file ($lines)"
    fi
done
is "$long" "" "a file over 800 lines says why (\"over 800 lines because ...\")"

is "$(grep -nE '^[[:space:]]*(//|/\*) *(if|for|while|return|int|static) *[({;a-z].*[;{] *(\*/)?$' $code | head)" "" \
    "no commented-out code"

# The README's reading order names every file of the four floors: by its stem for a .c and its .h.
unnamed=
for file in $(find hw engine scripts ui -name '*.[ch]' -o -name '*.def' -o -name '*.lua' | sort); do
    stem=${file%.*}
    grep -q -e "\`$file\`" -e "\`$stem\`" README.md || unnamed="$unnamed $file"
done
is "$unnamed" "" "the README's reading order names every source file"
gone=
named=$(sed -n '/^## Reading order/,/^## Licence/s/`\([a-z]*\/[a-z_\/]*\)[.`]/\n@\1\n/gp' README.md)
for file in $(printf '%s\n' "$named" | sed -n 's/^@//p'); do
    ls "$file".* >/dev/null 2>&1 || gone="$gone $file"
done
is "$gone" "" "and none that is gone"

# Another version of clang-format has another taste: version 14 (Debian 12) decides.
formatter=
for name in clang-format-14 clang-format; do
    if "$name" --version 2>/dev/null | grep -q 'version 14\.'; then
        formatter=$name
        break
    fi
done
if [ -z "$formatter" ]; then
    skip "there is no clang-format 14 to ask"
else
    # All at once: a process for each file takes most of the test's time.
    ragged=$(printf '%s\n' $code | grep -v '\.def$' | xargs -n 40 "$formatter" --dry-run 2>&1 |
        sed -n 's/:[0-9]*:[0-9]*: .*clang-format.*//p' | sort -u)
    is "$ragged" "" "clang-format has nothing to change"
fi

done_testing
