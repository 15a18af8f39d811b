#!/usr/bin/env bash
# Builds the program with `--features cuda` and runs it, as it is, on a GPU made of software (device/): the tests of
# the GPU's network, and a folder of pictures beside the CPU. Takes about eight minutes on two cores, and leaves the
# program as it was built for that.
set -euo pipefail
cd "$(dirname "$0")/../../.."
. tests/data/gpu/toolkit.sh

# The generation that the device says it is of.
export CUDA_COMPUTE_CAP=90
# The tests build the program too. `cargo build` before them would build candle's kernels twice.
cargo test --release --locked --features cuda --test integration --no-run
readelf --version > /dev/null
if readelf -d target/release/mobilenet | grep NEEDED | grep -E 'libcu|libnv'; then
    echo "the program needs CUDA's libraries to start"
    exit 1
fi
# Without a driver it is a program for the CPU, and says why it isn't one for a GPU.
target/release/mobilenet classify --weights weights/digits.safetensors samples/digits > /dev/null
target/release/mobilenet doctor | grep 'device cuda'

device=$PWD/target/gpu/device
tests/data/gpu/device/build.sh "$device"
export LD_LIBRARY_PATH=$device${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
target/release/mobilenet doctor | grep 'device cuda *available'
cargo test --release --locked --features cuda --test integration gpu
python3 benches/gpu/check.py target/release/mobilenet samples/digits --weights weights/digits.safetensors
