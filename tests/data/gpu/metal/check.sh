#!/usr/bin/env bash
# Checks the text of the kernels for Metal as far as a machine without Apple's compiler can: as C++ for
# OpenCL, whose address spaces have the rules of Metal's.
set -euo pipefail
cd "$(dirname "$0")/../../../.."
check() {
    clang++ -x cl -cl-std=clc++2021 -target spir64 -fsyntax-only -Wall -Werror -Wno-unknown-attributes \
        -Xclang -finclude-default-header -I tests/data/gpu/metal "$@"
}
if ! why=$(check - < /dev/null 2>&1); then
    echo "skipped: no clang++ that knows C++ for OpenCL ($why)"
    exit 0
fi
text=$(mktemp)
trap 'rm -f "$text"' EXIT
# As src/gpu/metal.rs puts it together. There a structure can be copied from constant memory, here not.
sed 's/constant Sizes &sizes/Sizes sizes/' src/gpu/kernels.metal > "$text"
cat src/gpu/kernels.h >> "$text"
printf '\nKERNELS(%s)' 'float, f32, 4' 'half, f16, 8' 'bfloat, bf16, 8' >> "$text"
check "$text"
echo "the kernels for Metal are well-formed"
