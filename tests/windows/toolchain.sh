#!/usr/bin/env bash
# A compiler for Windows and a Wine to run its programs, on a Debian machine; each step is skipped when it is done.
#
#   tests/windows/toolchain.sh FOLDER     about 1.5 GB; then: source FOLDER/environment
#
# rustup is not needed: Debian's own compiler builds the Windows standard library, once, into a private sysroot.

set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/../packages.sh"

target=x86_64-pc-windows-gnu
packages=(rustc-web cargo-web rust-web-src rust-web-clippy gcc-mingw-w64-x86-64-posix g++-mingw-w64-x86-64-posix
    wine64 wine libwine)

install_packages() {
    local missing=() name
    for name in "${packages[@]}"; do
        dpkg-query --show --showformat='${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || missing+=("$name")
    done
    install_debian "$work/apt.log" "${missing[@]}"
}

# What is built with the toolchain, and how its programs run: sourced here and by whoever uses it.
write_environment() {
    cat >"$work/environment" <<END
export PATH=/usr/bin:/usr/sbin:/bin:/sbin RUSTC=/usr/bin/rustc
export CARGO_TARGET_DIR=$work/target
export CARGO_BUILD_TARGET=$target
export CARGO_PROFILE_DEV_STRIP=debuginfo
export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUSTFLAGS="--sysroot=$work/sysroot"
export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER=wine
export WINEPREFIX=$work/wine WINEDEBUG=-all
END
}

build_sysroot() {
    local libraries=$work/sysroot/lib/rustlib/$target/lib source=$work/std
    [ -e "$libraries/done-with-bitcode" ] && return
    # A library of an earlier version of this script has no bitcode, so nothing can be linked to it with `lto`.
    rm -rf "$libraries" "$work/target-std" "$work/target"
    mkdir -p "$source/src" "$libraries"
    : >"$source/src/lib.rs"
    printf '[package]\nname = "std-of-%s"\nedition = "2024"\n[lib]\nname = "empty"\n[workspace]\n' "$target" \
        >"$source/Cargo.toml"
    (
        cd "$source"
        # Cargo leaves the bitcode out, as it is not asked for a program here; release/build needs it.
        export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUSTFLAGS=-Cembed-bitcode=yes
        RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$work/target-std cargo build --release --target "$target" \
            -Zbuild-std=std,panic_unwind,panic_abort,proc_macro,test
    )
    cp "$work/target-std/$target/release/deps"/lib*.rlib "$libraries/"
    rm -f "$libraries"/libempty*
    ln -sfn /usr/lib/rustlib/x86_64-unknown-linux-gnu "$work/sysroot/lib/rustlib/x86_64-unknown-linux-gnu"
    touch "$libraries/done-with-bitcode"
}

# What Wine 8 lacks and every Rust program needs. For these tests alone, never shipped.
build_shims() {
    mkdir -p "$work/shims"
    x86_64-w64-mingw32-gcc -O2 -shared -o "$work/shims/bcryptprimitives.dll" "$here/shims/bcryptprimitives.c" -ladvapi32
    x86_64-w64-mingw32-gcc -O2 -shared -o "$work/shims/pdh.dll" "$here/shims/pdh.c"
}

prepare_wine() {
    if [ ! -e "$WINEPREFIX/ready" ]; then
        wineboot --init
        wine winecfg -v win10
        wineserver --wait
        touch "$WINEPREFIX/ready"
    fi
    cp "$work/shims/bcryptprimitives.dll" "$WINEPREFIX/drive_c/windows/system32/"
}

mkdir -p "${1:?folder}"
work=$(cd "$1" && pwd)
install_packages
write_environment
source "$work/environment"
build_sysroot
build_shims
prepare_wine >"$work/wine.log" 2>&1 </dev/null
