#!/usr/bin/env bash
# Compiles the kernels for NVIDIA GPUs, as the build script does with `--features cuda`, for every
# generation that the toolkit knows from Turing on, and leaves the last as target/gpu/kernels.ptx, where
# the tests take it from. Takes the machine's nvcc, or installs the one that is on PyPI (into
# target/nvcc).
set -euo pipefail
cd "$(dirname "$0")/../../.."

nvcc=$(command -v nvcc || true)
if [ -z "$nvcc" ]; then
    folder=target/nvcc
    if [ ! -e "$folder/done" ]; then
        if ! python3 -m venv "$folder" 2>/dev/null; then
            echo "skipped: neither nvcc nor a Python that could install it"
            exit 0
        fi
        if ! "$folder/bin/pip" install --quiet --disable-pip-version-check \
            'nvidia-cuda-nvcc==13.0.*' 'nvidia-cuda-crt==13.0.*' 'nvidia-nvvm==13.0.*' \
            'nvidia-cuda-runtime==13.0.*' 'nvidia-cuda-cccl==13.0.*'; then
            echo "skipped: nvcc could not be installed"
            exit 0
        fi
        touch "$folder/done"
    fi
    nvcc=$(find "$folder" -path '*/bin/nvcc' | head -n 1)
    chmod +x "$nvcc" "$(dirname "$nvcc")"/* "$(dirname "$nvcc")"/../nvvm/bin/* 2>/dev/null || true
fi
output=target/gpu
mkdir -p "$output"
for architecture in 75 80 86 89 90; do
    "$nvcc" -ptx -std=c++17 -O3 -Werror all-warnings "-arch=sm_$architecture" \
        src/gpu/kernels.cu -o "$output/kernels.ptx"
    for kernel in stem_u8_f16_8 depthwise_biased_bf16_8_s2 average_f32; do
        grep -q "entry $kernel(" "$output/kernels.ptx"
    done
    # A warp writes whole lines.
    grep -q "st.global.v4.b32" "$output/kernels.ptx"
    echo "src/gpu/kernels.cu compiles for sm_$architecture"
done
