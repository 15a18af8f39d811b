#!/usr/bin/env bash
# Makes a release:
#     release/build.sh [--output FOLDER] [TARGET...]
# An archive, a wheel, a .deb and an SBOM for each target, and SHA256SUMS, in target/release-files unless FOLDER says
# otherwise. README.md beside this says what each is for and what has to be installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

output=$PWD/target/release-files
targets=()
while [ "$#" -gt 0 ]; do
    case $1 in
        --output)
            mkdir -p "${2:?--output wants a folder}"
            output=$(cd "$2" && pwd)
            shift 2
            ;;
        -*)
            sed -n '2,6s/^# //p' "release/build.sh" >&2
            exit 1
            ;;
        *)
            targets+=("$1")
            shift
            ;;
    esac
done
[ "${#targets[@]}" -gt 0 ] || targets=(x86_64-unknown-linux-gnu aarch64-unknown-linux-gnu x86_64-pc-windows-gnu)
# This machine's own comes first: only a program that runs here can print the man pages of all.
own=$("${RUSTC:-rustc}" -vV | sed -n 's/^host: //p')
ordered=("$own")
for target in "${targets[@]}"; do
    [ "$target" = "$own" ] || ordered+=("$target")
done

tools=$PWD/target/release-tools
release/tools.sh "$tools"
export PATH=$tools/bin:$PATH
# Of the same commit the same bytes: nothing may tell when or where it was packed.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH LC_ALL=C TZ=UTC
unset CARGO_TARGET_DIR CARGO_BUILD_TARGET
version=$(cargo pkgid --locked)
version=${version##*[#@]}
# The Linux programs ask for a glibc of 2012 or newer.
glibc=2.17
pages=$PWD/target/release-pages
staging=$PWD/target/release-staging
rm -rf "$staging"
mkdir -p "$output" "$staging"

# Sets `program` to what was compiled.
compile() {
    local target=$1
    program=$PWD/target/$target/dist/mobilenet
    local build=(cargo build --target "$target")
    case $target in
        *-linux-gnu) build=(cargo zigbuild --target "$target.$glibc") ;;
        *-windows-*) program+=.exe ;;
    esac
    release/compile.sh "$target" "${build[@]}" --locked --profile dist --bin mobilenet
}

archive() {
    local target=$1 name=mobilenet-$version-$1 kind=tar.gz
    local folder=$staging/$name
    mkdir -p "$folder/licences"
    cp "$program" README.md CHANGELOG.md "$folder"
    cp -r "$pages/completions" "$pages/man" "$folder"
    cp LICENSE-* src/labels/LICENSE-WordNet src/figures/LICENSE-DejaVu "$notices" "$folder/licences"
    [[ $target != *-windows-* ]] || kind=zip
    python3 release/archive.py "$folder" "$output/$name.$kind"
}

# The program in a wheel, with the Python module where there is one.
wheel() {
    local target=$1 platform module=()
    case $target in
        *-linux-gnu) platform=manylinux_2_17_${target%%-*}.manylinux2014_${target%%-*} ;;
        x86_64-pc-windows-*) platform=win_amd64 ;;
        aarch64-apple-darwin) platform=macosx_11_0_arm64 ;;
        x86_64-apple-darwin) platform=macosx_10_12_x86_64 ;;
        *) return ;;
    esac
    if [ -e python/pyproject.toml ] && [[ $target == *-linux-gnu ]]; then
        release/compile.sh "$target" maturin build --manifest-path python/Cargo.toml --zig --release --locked \
            --target "$target" --compatibility manylinux2014 --out "$staging/$target"
        module=("$staging/$target"/*.whl)
    fi
    python3 release/program_wheel.py "$program" "$version" "$platform" "$notices" "$output" \
        ${module[@]+"${module[@]}"}
}

deb() {
    # Its assets are named in Cargo.toml.
    cargo deb --no-build --no-strip --locked --profile dist --target "$1" --output "$output"
}

sbom() {
    # It writes beside Cargo.toml only.
    cargo cyclonedx --quiet --format json --spec-version 1.5 --target "$1" --override-filename "mobilenet-$version-$1.cdx"
    mv "mobilenet-$version-$1.cdx.json" "$output"
}

for target in "${ordered[@]}"; do
    compile "$target"
    [ "$target" != "$own" ] || release/pages.sh "$program" "$pages"
    notices=$staging/THIRD-PARTY
    python3 release/notices.py "$target" > "$notices"
    archive "$target"
    wheel "$target"
    [[ $target != *-linux-gnu ]] || deb "$target"
    sbom "$target"
done
cd "$output"
rm -f SHA256SUMS
sha256sum -- mobilenet*"$version"* > "$staging/SHA256SUMS"
mv "$staging/SHA256SUMS" .
cat SHA256SUMS
