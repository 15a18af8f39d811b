#!/usr/bin/env bash
# Installs what releases are made with into FOLDER, in the versions that are written here: release/tools.sh FOLDER
# Says what is missing that only the system's packages bring.
set -euo pipefail
folder=$(realpath -m "$1")

python_packages=(cargo-zigbuild==0.24.1 maturin==1.16.0 wheel==0.48.0 ziglang==0.15.2)
cargo_packages=(cargo-cyclonedx@0.5.9 cargo-deb@3.8.0)

missing=()
for need in cargo:cargo cc:gcc git:git nasm:nasm python3:python3-venv; do
    command -v "${need%%:*}" > /dev/null || missing+=("${need#*:}")
done
if [ "${#missing[@]}" -gt 0 ]; then
    echo "release: this needs what is not here: ${missing[*]} (so the packages are called in Debian)" >&2
    exit 1
fi

# What is there in this version stays.
wanted="${python_packages[*]} ${cargo_packages[*]}"
if [ "$(cat "$folder/versions" 2> /dev/null)" = "$wanted" ]; then
    exit
fi
python3 -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check "${python_packages[@]}"
for package in "${cargo_packages[@]}"; do
    # They run for seconds; optimising them would take minutes.
    cargo install --quiet --locked --debug --root "$folder" --target-dir "$folder/target" "$package"
done
rm -rf "$folder/target"
echo "$wanted" > "$folder/versions"
