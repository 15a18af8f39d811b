#!/usr/bin/env bash
# Compiles the kernels for NVIDIA GPUs, as the build script does with `--features cuda`, for every
# generation that the toolkit knows from Turing on, and leaves the last as target/gpu/kernels.ptx, where
# the tests take it from.
set -euo pipefail
cd "$(dirname "$0")/../../.."
. tests/data/gpu/toolkit.sh

output=target/gpu
mkdir -p "$output"
for architecture in 75 80 86 89 90; do
    nvcc -ptx -std=c++17 -O3 -Werror all-warnings "-arch=sm_$architecture" \
        src/gpu/kernels.cu -o "$output/kernels.ptx"
    for kernel in stem_u8_f16_8 depthwise_biased_bf16_8_s2 average_f32; do
        grep -q "entry $kernel(" "$output/kernels.ptx"
    done
    # A warp writes whole lines.
    grep -q "st.global.v4.b32" "$output/kernels.ptx"
    echo "src/gpu/kernels.cu compiles for sm_$architecture"
done
