#!/usr/bin/env bash
# Builds the GPU of software into a folder, for a program with `--features cuda` to find:
#
#     tests/data/gpu/device/build.sh FOLDER
#     LD_LIBRARY_PATH=FOLDER mobilenet classify --device cuda photo.jpg
set -euo pipefail
folder=${1:?a folder to build into}
mkdir -p "$folder"
c++ -std=c++17 -O2 -Wall -shared -fPIC "$(dirname "$0")/device.cpp" -o "$folder/libcuda.so.1"
for library in libcublas.so.13 libcurand.so.10; do
    ln -sf libcuda.so.1 "$folder/$library"
done
