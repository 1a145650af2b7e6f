#!/usr/bin/env bash
# The system libraries and tools that the wheels do not bring. Silent and quick when all is there.
# As root (or with passwordless sudo) on a Debian-like system it installs what is missing; elsewhere it
# prints the one command to run and fails.
set -eu

# library file : Debian package : what needs it
libraries="
libGL.so.1:libgl1:open3d
libEGL.so.1:libegl1:open3d
libX11.so.6:libx11-6:open3d
libusb-1.0.so.0:libusb-1.0-0:open3d
libudev.so.1:libudev1:open3d
libidn2.so.0:libidn2-0:open3d
libexpat.so.1:libexpat1:rasterio
libstdc++.so.6:libstdc++6:numpy
libz.so.1:zlib1g:numpy
"

missing=""
why=""
need() { # package, reason
    case " $missing " in *" $1 "*) ;; *) missing="$missing $1" ;; esac
    why="$why
  $2"
}

machine=$(uname -s)-$(uname -m)
if [ "$machine" != Linux-x86_64 ]; then
    echo "COSMA QC is built for Linux on x86_64; this is $machine." >&2
    exit 1
fi
glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null | cut -d' ' -f2)
if [ -n "$glibc" ] && [ "$(printf '%s\n2.35\n' "$glibc" | sort -V | head -n 1)" != 2.35 ]; then
    echo "glibc 2.35 or newer is needed (Debian 12, Ubuntu 22.04); this system has $glibc." >&2
    exit 1
fi

known=$(PATH="$PATH:/sbin:/usr/sbin" ldconfig -p 2>/dev/null || true)
for entry in $libraries; do
    IFS=: read -r library package user <<<"$entry"
    case "$known" in
    *"$library "*) ;;
    *) need "$package" "$library, for $user" ;;
    esac
done
command -v ffmpeg >/dev/null || need ffmpeg "ffmpeg, for the tests' clips"

# Set by the Makefile while there is no .venv yet.
if [ -n "${PYTHON:-}" ] && ! "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null; then
    need python3-venv "ensurepip, to create .venv"
fi

[ -n "$missing" ] || exit 0

sudo=""
if [ "$(id -u)" != 0 ]; then
    sudo="sudo"
fi
install="apt-get install -y --no-install-recommends$missing"
echo "missing on this system:$why" >&2
if command -v apt-get >/dev/null && { [ -z "$sudo" ] || sudo -n true 2>/dev/null; }; then
    echo "installing:$missing" >&2
    log=$(mktemp)
    trap 'rm -f "$log"' EXIT
    export DEBIAN_FRONTEND=noninteractive
    if { $sudo apt-get update && $sudo $install; } >"$log" 2>&1; then
        exit 0
    fi
    tail -n 20 "$log" >&2
fi
echo "Install them, then run this again (names are Debian's and Ubuntu's):" >&2
echo "  ${sudo:+sudo }apt-get update && ${sudo:+sudo }$install" >&2
exit 1
