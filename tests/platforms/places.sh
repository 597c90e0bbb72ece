# Where things are; the scripts beside it read it.

# What `setup` makes: standard libraries, and Wine's folder.
PLATFORMS=${OFFPROC_PLATFORMS:-${XDG_CACHE_HOME:-$HOME/.cache}/offproc/platforms}
SYSROOT=$PLATFORMS/sysroot
export WINEPREFIX=$PLATFORMS/wine

# Debian's toolchain, which comes with the source of the standard library; another may come first in PATH.
DEBIAN=/usr

TARGETS=(x86_64-unknown-linux-musl aarch64-unknown-linux-gnu x86_64-pc-windows-gnu
    aarch64-apple-darwin x86_64-apple-darwin x86_64-unknown-freebsd)

# Whether programs for a target can be linked and run here. The rest can be checked.
is_runnable() {
    case $1 in
    *-apple-darwin | *-freebsd) return 1 ;;
    esac
}

# Runs a program of Wine's or for Windows, without a display, and without Wine's remarks.
wine() {
    env -u DISPLAY WINEDEBUG="${WINEDEBUG:--all}" WINEDLLOVERRIDES="mscoree,mshtml=;winemenubuilder.exe=d" \
        /usr/lib/wine/wine64 "$@"
}
