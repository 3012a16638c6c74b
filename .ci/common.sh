# What ./run and ./check share: find what is missing and install it, configure, build.
# Sourced by bash (3.2 or later), with $root set to the source's root. Speaks on stderr only, so
# that the program's own output can be piped.
#
# SPDX-License-Identifier: GPL-3.0-or-later
set -u
LC_ALL=${LC_ALL:-} # meson and ninja in the user's own language and locale
me=${0##*/}

say() { printf '%s\n' "$*" >&2; }
die() {
    say "$me: $*"
    exit 2
}

# stdin may be closed: the first file that anything opens would then become it.
[ -e /dev/fd/0 ] || exec </dev/null

# The build folder: in the source where that can be written, else in the user's cache.
if [ -n "${MMSCOPE_BUILD:-}" ]; then
    build=$MMSCOPE_BUILD
elif [ -w "$root" ]; then
    build=$root/build
else
    build=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/mmscope/build$(printf %s "$root" | tr -c 'A-Za-z0-9' -)
fi

# ---- what is needed ---------------------------------------------------------------------------

# One row each: how to see that it is there; its package for apt, dnf, pacman and brew; what for.
# A "-" has no package there. Sets $missing (packages) and $reasons for this machine's manager.
need() { # test-function argument apt dnf pacman brew why
    "$1" "$2" && return
    local package
    case $manager in
    apt) package=$3 ;;
    dnf) package=$4 ;;
    pacman) package=$5 ;;
    brew) package=$6 ;;
    *) package=$3 ;;
    esac
    [ "$package" = - ] && return
    missing="$missing $package"
    reasons="$reasons
    $package: $7"
}

has_program() { command -v "$1" >/dev/null 2>&1; }
has_compiler() {
    printf '#include <stdio.h>\nint main(void) { return 0; }\n' |
        ${CC:-cc} -x c -o /dev/null - >/dev/null 2>&1
}
has_ninja() { find_ninja; }
has_library() { has_program pkg-config && pkg-config --exists "$1" 2>/dev/null; }
has_lua() {
    has_library lua5.4 || has_library lua-5.4 || has_library lua54 || has_library 'lua >= 5.4 lua < 5.5'
}

needs_of_build() {
    need has_compiler - 'gcc libc6-dev' gcc gcc gcc "the C compiler"
    need has_program pkg-config pkg-config pkgconf-pkg-config pkgconf pkgconf "finds libraries"
    need has_ninja - ninja-build ninja-build ninja ninja "runs the build"
    need has_program meson meson meson meson meson "configures the build"
    need has_library ncursesw libncurses-dev ncurses-devel ncurses ncurses "draws on the terminal"
    need has_library readline libreadline-dev readline-devel readline readline "edits the command line"
    need has_lua - liblua5.4-dev lua-devel lua lua@5.4 "runs the lessons"
    need has_library jansson libjansson-dev jansson-devel jansson jansson "speaks with editors"
    need has_library liblzma liblzma-dev xz-devel xz xz "reads .xz records"
    need has_library libzstd libzstd-dev libzstd-devel zstd zstd "reads .zst traces"
    need has_library zlib zlib1g-dev zlib-devel zlib zlib "reads .gz records"
}
needs_of_tests() {
    need has_program tmux tmux tmux tmux tmux "the tests look at the screen through it"
}
needs_of_long_tests() {
    need has_program valgrind valgrind valgrind valgrind - "finds errors in memory use"
    need has_program clang clang clang clang - "the second compiler, and the fuzzers"
    [ "$manager" = dnf ] && need has_sanitizers - - 'libasan libubsan' - - "finds undefined behaviour"
    return 0
}
has_sanitizers() {
    printf 'int main(void) { return 0; }\n' |
        ${CC:-cc} -fsanitize=address,undefined -x c -o /dev/null - >/dev/null 2>&1
}

find_ninja() {
    local name
    for name in ninja ninja-build samu; do
        if has_program "$name"; then
            ninja=$name
            return 0
        fi
    done
    return 1
}

find_manager() {
    manager=
    local name
    for name in apt-get dnf pacman brew; do
        if has_program "$name"; then
            manager=${name%-get}
            break
        fi
    done
    # Homebrew keeps these out of the compiler's usual places.
    if [ "$manager" = brew ]; then
        local prefix
        prefix=$(brew --prefix)
        for name in ncurses readline lua@5.4; do
            PKG_CONFIG_PATH=$prefix/opt/$name/lib/pkgconfig:${PKG_CONFIG_PATH:-}
        done
        export PKG_CONFIG_PATH
    fi
}

# The command that installs $missing, as text for the user and for sh.
install_command() {
    case $manager in
    apt) echo "apt-get install -y --no-install-recommends$missing" ;;
    dnf) echo "dnf install -y$missing" ;;
    pacman) echo "pacman -S --needed --noconfirm$missing" ;;
    brew) echo "brew install$missing" ;;
    esac
}

# Install $missing; no answer when nothing is.
install_missing() {
    [ -n "$missing" ] || return 0
    say "mmscope needs:$reasons"
    [ -n "$manager" ] ||
        die "there is no apt, dnf, pacman or brew here: please install these yourself (Debian's names), then try again"
    local command as=
    command=$(install_command)
    if [ "$manager" != brew ] && [ "$(id -u)" != 0 ]; then
        has_program sudo || die "please run this as root, then try again:
    $command"
        as=sudo
        if sudo -n true 2>/dev/null; then
            as='sudo -n'
        elif [ -n "${CI:-}" ] || ! [ -t 0 ] || ! [ -t 2 ]; then
            die "installing needs a password; please run this, then try again:
    sudo $command"
        else
            local answer
            printf 'Install with: sudo %s\nsudo may ask for your password. Go on? [Y/n] ' "$command" >&2
            read -r answer || answer=n
            case $answer in
            '' | [Yy]*) sudo -v || die "nothing was installed: sudo says no" ;;
            *) die "nothing was installed; without these mmscope cannot be built" ;;
            esac
        fi
    fi
    say "Installing: ${as:+$as }$command"
    # A machine that has never updated its lists knows no packages; an old list names files that are gone.
    local lists=/var/lib/apt/lists
    if [ "$manager" != apt ]; then
        as_root $command
    elif ls "$lists"/*_Packages* >/dev/null 2>&1 && as_root $command; then
        :
    else
        as_root apt-get update -q && as_root $command
    fi || die "installing failed (is there a network?). Please get this done, then try again:
    ${as:+sudo }$command"
    hash -r
}
# The package manager must not eat what is piped into mmscope; sudo may need the terminal.
as_root() {
    if [ -t 0 ]; then
        $as env DEBIAN_FRONTEND=noninteractive "$@" >&2
    else
        $as env DEBIAN_FRONTEND=noninteractive "$@" >&2 </dev/null
    fi
}

install_needs() { # needs-function...
    find_manager
    missing=
    reasons=
    local kind
    for kind; do
        "$kind"
    done
    install_missing
}

# Meson 1.0 or later: the distribution's, or, where that is older (Ubuntu 22.04), pip's, in a folder of its own.
find_meson() {
    local venv=$build/meson-venv
    if has_program meson && meson_new_enough meson; then
        meson=meson
        return
    fi
    meson=$venv/bin/meson
    [ -x "$meson" ] && meson_new_enough "$meson" && return
    local old
    old=$(meson --version 2>/dev/null || echo none)
    say "This system's Meson ($old) is older than 1.0: taking one from PyPI, only for this build ($venv)."
    missing=
    reasons=
    need has_venv - 'python3 python3-venv' python3 python python "runs Meson in a folder of its own"
    install_missing
    mkdir -p "$build" && python3 -m venv "$venv" >&2 </dev/null &&
        "$venv/bin/pip" --disable-pip-version-check --retries 1 install -q 'meson>=1.0,<2' >&2 </dev/null ||
        die "Meson could not be had from PyPI (is there a network?). Please install Meson 1.0 or later
(pipx install meson, or https://mesonbuild.com/Getting-meson.html), then try again."
}
meson_new_enough() {
    case $("$1" --version 2>/dev/null) in
    [1-9]*.*) return 0 ;;
    *) return 1 ;;
    esac
}
has_venv() { has_program python3 && python3 -c 'import venv, ensurepip' 2>/dev/null; }

# ---- configure and build ----------------------------------------------------------------------

# What the folder was configured for; another path or compiler makes it stale.
stamp() { printf '%s\n' "$root" "${CC:-}" "${CFLAGS:-}" "$@"; }

configure() { # build-folder meson-option...
    local dir=$1
    shift
    local log=$dir/configure.log
    if [ -e "$dir" ] && ! [ -w "$dir" ]; then
        die "$dir belongs to somebody else (sudo?): remove it, then try again"
    fi
    mkdir -p "$dir" || die "cannot make the build folder $dir"
    # A stale one cannot be brought up to date; the rest in there is ours too.
    if [ -e "$dir/meson-private" ]; then
        find "$dir" -mindepth 1 -maxdepth 1 ! -name meson-venv -exec rm -rf {} +
    fi
    if ! "$meson" setup "$dir" "$root" "$@" >"$log" 2>&1 </dev/null; then
        tail -n 30 "$log" >&2
        die "configuring failed; the whole log is $log"
    fi
    stamp "$@" >"$dir/.configured"
}

is_configured() { # build-folder meson-option...
    local dir=$1
    shift
    [ -f "$dir/build.ninja" ] && [ -f "$dir/.configured" ] &&
        [ "$(cat "$dir/.configured")" = "$(stamp "$@")" ]
}

# Build targets in a folder that is configured; silent when there is nothing to do.
build_targets() { # build-folder target...
    local dir=$1
    shift
    case $("$ninja" -C "$dir" -n "$@" 2>/dev/null </dev/null) in
    *'no work to do'*) return 0 ;;
    esac
    say "Building in $dir ..."
    "$ninja" -C "$dir" "$@" >"$dir/build.log" 2>&1 </dev/null
}

# Everything from nothing to a built folder. $options are meson's options for it. A folder that is configured has
# all that it needs: nothing is looked for, so that a second start is quick.
prepare() { # build-folder needs target...
    local dir=$1 needs=$2
    shift 2
    find_ninja
    if [ -z "${ninja:-}" ] || ! is_configured "$dir" "${options[@]}"; then
        install_needs $needs
        find_ninja
        find_meson
        say "Configuring $dir ..."
        configure "$dir" "${options[@]}"
    fi
    build_targets "$dir" "$@" && return
    # Has the source come to need something new, or has Meson been replaced?
    if grep -q '^ERROR: \|meson.build:.*ERROR\|generated with Meson\|meson: not found' "$dir/build.log"; then
        install_needs $needs
        find_meson
        say "Configuring $dir anew ..."
        configure "$dir" "${options[@]}"
        build_targets "$dir" "$@" && return
    fi
    tail -n 40 "$dir/build.log" >&2
    die "the build failed; the whole log is $dir/build.log"
}

# Warnings are errors where nobody would read them. (Never empty: bash 3.2 dislikes empty arrays.)
options=(-Dwerror=$([ -n "${CI:-}" ] && echo true || echo false))
