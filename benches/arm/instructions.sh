#!/usr/bin/env bash
# Instructions that a pass of the network executes, in millions, by qemu: each set of kernels in each type,
# and what share of the plainest one's in f32 that is.
#
#     benches/arm/instructions.sh PASSES [ALPHA] [SIZE]
#
# PASSES is the example `passes`, built for aarch64. Needs qemu-aarch64 (qemu-user) with plugins, a C
# compiler, and the C library for aarch64 (libc6-dev-arm64-cross).
set -euo pipefail
passes=$1 alpha=${2:-1.0} size=${3:-224}
here=$(cd "$(dirname "$0")" && pwd)
plugin=$(mktemp -d)/count.so
trap 'rm -r "$(dirname "$plugin")"' EXIT
cc -shared -fPIC -O2 "$here/count.c" -o "$plugin"

count() { # TYPE KERNELS PASSES
    qemu-aarch64 -cpu max -L /usr/aarch64-linux-gnu -plugin "$plugin" -d plugin \
        "$passes" "$alpha" "$size" "$1" "$2" "$3" 2>&1 > /dev/null | awk '/^instructions/ { print $2 }'
}

qemu-aarch64 --version | head -n 1
echo "alpha $alpha, ${size}x$size, one thread"
whole=
for set in f32:portable f32:neon int8:portable int8:neon int8:neondotprod int8:neoni8mm bf16:neonbf16; do
    once=$(count "${set%:*}" "${set#*:}" 1)
    thrice=$(count "${set%:*}" "${set#*:}" 3)
    pass=$(((thrice - once) / 2))
    whole=${whole:-$pass}
    awk -v set="$set" -v pass="$pass" -v whole="$whole" \
        'BEGIN { printf "%-18s %8.1f  %.3f\n", set, pass / 1e6, pass / whole }'
done
