#!/usr/bin/env bash
# Compiles the kernels for NVIDIA GPUs, as the build script does with `--features cuda`, for generations from
# Turing to Hopper, and assembles them, as drivers do: nothing may spill. Leaves what the tests interpret in
# target/gpu, for the oldest and the newest.
set -euo pipefail
cd "$(dirname "$0")/../../.."
. tests/data/gpu/toolkit.sh

output=target/gpu
mkdir -p "$output"
for architecture in 75 80 86 89 90; do
    ptx=$output/kernels-$architecture.ptx
    nvcc -ptx -std=c++17 -O3 -Werror all-warnings "-arch=sm_$architecture" src/gpu/kernels.cu -o "$ptx"
    for kernel in stem_u8_f16_8 depthwise_biased_bf16_8_s2 average_f32; do
        grep -q "entry $kernel(" "$ptx"
    done
    # A warp writes whole lines.
    grep -q "st.global.v4.b32" "$ptx"
    report=$(ptxas -v "-arch=sm_$architecture" "$ptx" -o "$output/kernels.cubin" 2>&1)
    if grep -v " 0 bytes spill stores, 0 bytes spill loads" <<< "$report" | grep "spill"; then
        echo "a kernel for sm_$architecture has too few registers"
        exit 1
    fi
    echo "src/gpu/kernels.cu compiles for sm_$architecture"
done
