# ./run as people start it: from anywhere, through a link, from a path with blanks, without a terminal, after the folder
# has moved, after a build that failed. Everything that is needed is installed here already: installing itself is
# tried with stand-ins for the package manager.
#
# SPDX-License-Identifier: GPL-3.0-or-later
. "$MMSCOPE_SOURCE/tests/tap.sh"
scratch=$(mktemp -d) && trap 'rm -rf "$scratch"' EXIT
unset MMSCOPE_BUILD CI CC CFLAGS
here="$scratch/a folder with blanks/mmscope"
mkdir -p "$here"
(cd "$MMSCOPE_SOURCE" && tar cf - --exclude='./build*' --exclude=./.git .) | tar xf - -C "$here"
cd "$scratch" || bail_out "no scratch folder"

start() { # command...
    "$@" >out 2>err </dev/null
    status=$?
}

start "$here/run" --version
is "$status" 0 "./run configures, builds and starts from nothing"
matches "$(cat out)" '^mmscope [0-9]' "and the program's output is all there is on stdout"
matches "$(cat err)" 'Building' "while stderr says what takes so long"

before=$(date +%s%N)
start "$here/run" --version
after=$(date +%s%N)
is "$status" 0 "a second start"
is "$(cat err)" "" "says nothing"
milliseconds=$(((after - before) / 1000000))
if [ "$milliseconds" -lt 1000 ]; then
    ok "and takes under a second ($milliseconds ms)"
else
    not_ok "and takes under a second ($milliseconds ms)"
fi

ln -s "$here/run" link
ln -s link "link to a link"
start "./link to a link" --version
is "$status" 0 "a start through a link to a link"
"$here/run" --version >out 2>err <&-
is "$?" 0 "a start with stdin closed"
start env -u HOME -u TERM "$here/run" --version
is "$status" 0 "a start without HOME and TERM"
start "$here/run" lsit
is "$status" 2 "the program's exit status is passed on"

mv "$here" "$scratch/elsewhere"
here=$scratch/elsewhere
start "$here/run" --version
is "$status" 0 "after the folder has moved"

echo 'this is no C' >>"$here/ui/main.c"
start "$here/run" --version
is "$status" 2 "a build that fails"
matches "$(cat err)" 'main\.c:[0-9]+' "shows where"
matches "$(cat err)" 'build\.log' "and where the whole log is"
cp "$MMSCOPE_SOURCE/ui/main.c" "$here/ui/main.c"
start "$here/run" --version
is "$status" 0 "is forgotten when it is mended"

# A machine without pkg-config, whose package manager is ours.
fake=$scratch/fake
mkdir "$fake"
for program in bash env cat tr printf id uname ls rm mkdir find grep sed tail dirname readlink \
    cc gcc as ld ninja meson python3; do
    path=$(command -v "$program") && ln -s "$path" "$fake/$program"
done
printf '#!/bin/sh\necho "apt-get $*" >>"%s"\nexit 1\n' "$scratch/asked" >"$fake/apt-get"
printf '#!/bin/sh\necho 1000\n' >"$fake/id.new"
chmod +x "$fake"/apt-get "$fake"/id.new
rm -rf "$here/build"
rm -f asked
if [ "$(id -u)" = 0 ]; then
    start env -i PATH="$fake" "$here/run" --version
    is "$status" 2 "a package manager that fails"
    matches "$(cat err)" 'pkg-config: finds libraries' "what is missing is named, and what it is for"
    matches "$(cat err)" 'is there a network.*' "and what may be the matter"
    matches "$(cat asked)" 'install -y .*libreadline-dev' "it was asked for the packages"
else
    skip "installing is tried as root only"
fi
mv "$fake/id.new" "$fake/id"
rm -f asked
start env -i PATH="$fake" "$here/run" --version
is "$status" 2 "without root and without sudo"
matches "$(cat err)" 'as root' "one is told what to run as root"
is "$(cat asked 2>/dev/null)" "" "and nothing was run"
printf '#!/bin/sh\n[ "$1" = -n ] && exit 1\necho sudo >>"%s"\n' "$scratch/asked" >"$fake/sudo"
chmod +x "$fake/sudo"
start env -i PATH="$fake" "$here/run" --version
matches "$(cat err)" 'needs a password' "sudo that wants a password is not run where nobody can type one"
is "$(cat asked 2>/dev/null)" "" "and nothing was run"
rm "$fake/apt-get"
start env -i PATH="$fake" "$here/run" --version
matches "$(cat err)" 'no apt, dnf, pacman or brew' "a machine without a package manager"

done_testing
