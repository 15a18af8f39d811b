#!/usr/bin/env bash
# Compiles for TARGET, the same bytes wherever the sources lie:
#     release/compile.sh TARGET COMMAND...
# COMMAND is what cargo or maturin shall do (`cargo zigbuild ...`); it gets flags that leave this machine's paths out of
# Rust's and C's output, and the standard library for TARGET, from source where the compiler has no other.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(dirname "$here")
target=$1
shift

rustc=${RUSTC:-rustc}
cargo_home=${CARGO_HOME:-$HOME/.cargo}
build=${CARGO_TARGET_DIR:-$repository/target}
sysroot=$("$rustc" --print sysroot)

# What is looked at last wins, so the inner folder stands after the one around it.
from=("$repository" "$build" "$cargo_home")
to=(/mobilenet /build /cargo)
for source in "$cargo_home"/registry/src/*/; do
    from+=("${source%/}")
    to+=(/crates)
done
if [ -d "$sysroot/lib/rustlib/src/rust" ]; then
    from+=("$(realpath "$sysroot/lib/rustlib/src/rust")")
    to+=(/rust)
fi
rust_flags=()
c_flags=
for index in "${!from[@]}"; do
    rust_flags+=("--remap-path-prefix=${from[index]}=${to[index]}")
    c_flags+=" '-ffile-prefix-map=${from[index]}=${to[index]}'"
done
CARGO_ENCODED_RUSTFLAGS=$(IFS=$'\x1f' && echo "${rust_flags[*]}")
export CARGO_ENCODED_RUSTFLAGS
# `cc` reads the flags as a shell would, so that folders may have spaces in their names.
export CC_SHELL_ESCAPED_FLAGS=1
export "CFLAGS_${target//-/_}=$c_flags"

if [ ! -d "$("$rustc" --print target-libdir --target "$target")" ]; then
    if [ ! -d "$sysroot/lib/rustlib/src/rust/library" ]; then
        echo "release: $rustc has no standard library for $target, nor its source. Add it with \`rustup target add" \
            "$target\` or \`rustup component add rust-src\`, or name another compiler in RUSTC." >&2
        exit 1
    fi
    # Building it is not stable yet; the program uses nothing else of the kind.
    export RUSTC_BOOTSTRAP=1 CARGO_UNSTABLE_BUILD_STD=std,panic_unwind
fi
if [ "$target" = x86_64-pc-windows-gnu ]; then
    export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER=x86_64-w64-mingw32-gcc CC_x86_64_pc_windows_gnu=x86_64-w64-mingw32-gcc
fi
exec "$@"
