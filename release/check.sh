#!/usr/bin/env bash
# Installs what build.sh made as its users would, in Debian 11, under qemu and under wine, and asks it what they will:
#     release/check.sh [FOLDER]
# Prints a table; the exit code is 1 if anything is off. Wants root, for Debian 11 is a chroot. DEBIAN_MIRROR says where
# Debian comes from.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
repository=$PWD
files=$(cd "${1:-target/release-files}" && pwd)
work=$PWD/target/release-check
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
version=$(cargo pkgid --locked)
version=${version##*[#@]}

missing=()
for need in debootstrap:debootstrap objdump:binutils qemu-aarch64:qemu-user python3:python3-venv wine:wine \
    x86_64-w64-mingw32-gcc:gcc-mingw-w64-x86-64-posix; do
    command -v "${need%%:*}" > /dev/null || missing+=("${need#*:}")
done
if [ "${#missing[@]}" -gt 0 ]; then
    echo "release: this needs what is not here: ${missing[*]} (so the packages are called in Debian)" >&2
    exit 1
fi

# A Debian 11 for each architecture, kept between runs; ARM's is only unpacked, which is enough for its libraries.
debian=$work/debian-amd64
debian_arm=$work/debian-arm64
mkdir -p "$work"
if [ ! -e "$debian/complete" ]; then
    debootstrap --variant=minbase --include=python3-venv bullseye "$debian" "$mirror" > "$work/debootstrap.log"
    touch "$debian/complete"
fi
if [ ! -e "$debian_arm/complete" ]; then
    debootstrap --variant=minbase --foreign --arch=arm64 bullseye "$debian_arm" "$mirror" >> "$work/debootstrap.log"
    touch "$debian_arm/complete"
fi

# What the questions are about.
kit() {
    local folder=$1
    rm -rf "$folder"
    mkdir -p "$folder"
    cp -r samples/digits samples/cat.jpg weights/digits.safetensors "$folder"
    local network=../shared/pretrained/keras/mobilenet_2_5_224_tf.h5
    [ ! -e "$network" ] || cp "$network" "$folder/cat.h5"
    echo 'no picture' > "$folder/bad.jpg"
    head -c 20000 samples/cat.jpg > "$folder/short.jpg"
    # A Huffman table that says nonsense.
    python3 - samples/cat.jpg "$folder/broken.jpg" << 'END'
import sys
contents = bytearray(open(sys.argv[1], "rb").read())
table = contents.index(b"\xff\xc4") + 5
contents[table : table + 16] = b"\xff" * 16
open(sys.argv[2], "wb").write(contents)
END
}

table=$work/table.tsv
printf 'artefact\tversion\tdoctor\tdigits\tJPEG\tbad files\tno match\tclosed pipe\n' > "$table"
failed=0
# ask FOLDER NAME TARGET COMMAND...
ask() {
    local folder=$1 name=$2 target=$3
    shift 3
    (cd "$folder" && "$repository/release/exercise.sh" "$name" "$version" "$target" "$@") >> "$table" || failed=1
}
# must WHAT COMMAND...
must() {
    local what=$1
    shift
    if ! "$@"; then
        echo "release: $what" >&2
        failed=1
    fi
}

# Which libraries and which glibc an ELF file wants.
is_old() {
    local needed newest
    needed=$(objdump -p "$1" | sed -n 's/^ *NEEDED *//p' | grep -Ev '^(lib(c|m|dl|rt|util|pthread)\.so\.[0-9]|ld-linux-.*)$' || true)
    newest=$(objdump -T "$1" | grep -o 'GLIBC_[0-9.]*' | sort -Vu | tail -n 1)
    echo "${1##*/}: $newest, other libraries: ${needed:-none}" >> "$work/libraries.txt"
    [ -z "$needed" ] && [ "$(printf '%s\nGLIBC_2.17\n' "$newest" | sort -V | tail -n 1)" = GLIBC_2.17 ]
}

linux_amd64() {
    local archive=mobilenet-$version-x86_64-unknown-linux-gnu wheel
    local in_debian=(chroot "$debian" /usr/bin/env -C /check PATH=/usr/sbin:/usr/bin:/sbin:/bin)
    kit "$debian/check"
    rm -rf "$debian/opt" && mkdir "$debian/opt"
    tar -xf "$files/$archive.tar.gz" -C "$debian/opt"
    must 'the archive wants newer libraries' is_old "$debian/opt/$archive/mobilenet"
    ask "$debian/check" 'amd64 .tar.gz, Debian 11' x86_64-linux "${in_debian[@]}" "/opt/$archive/mobilenet"

    cp "$files/mobilenet_$version-1_amd64.deb" "$debian/check"
    "${in_debian[@]}" dpkg -i "mobilenet_$version-1_amd64.deb" > "$work/dpkg.log"
    for path in man/man1/mobilenet.1.gz man/man1/mobilenet-classify.1.gz fish/vendor_completions.d/mobilenet.fish \
        bash-completion/completions/mobilenet zsh/vendor-completions/_mobilenet doc/mobilenet/THIRD-PARTY; do
        must "the .deb is without $path" grep -qx "/usr/share/$path" "$debian/var/lib/dpkg/info/mobilenet.list"
    done
    ask "$debian/check" 'amd64 .deb, Debian 11' x86_64-linux "${in_debian[@]}" mobilenet
    "${in_debian[@]}" dpkg -r mobilenet > "$work/dpkg.log"

    wheel=$(basename "$files"/*manylinux*x86_64.whl)
    cp "$files/$wheel" "$debian/check"
    rm -rf "$debian/venv"
    "${in_debian[@]}" python3 -m venv /venv
    "${in_debian[@]}" /venv/bin/pip install --quiet --no-index "./$wheel"
    ask "$debian/check" 'amd64 wheel, Debian 11' x86_64-linux "${in_debian[@]}" /venv/bin/mobilenet
    if [[ $wheel == *-abi3-* ]]; then
        must 'the module of the amd64 wheel does not answer' "${in_debian[@]}" /venv/bin/python -c "
import mobilenet
rows = list(mobilenet.Classifier('digits.safetensors').classify(['digits/7-0.png']))
assert rows[0]['predictions'][0]['label'] == '7', rows"
    fi
}

linux_arm64() {
    local folder=$work/arm64 archive=mobilenet-$version-aarch64-unknown-linux-gnu cpu wheel
    local emulated=(qemu-aarch64 -L "$debian_arm")
    kit "$folder/check"
    tar -xf "$files/$archive.tar.gz" -C "$folder"
    must 'the ARM archive wants newer libraries' is_old "$folder/$archive/mobilenet"
    # With all that the kernels use, and with what the Raspberry Pi 3 and 4 have.
    for cpu in max cortex-a53 cortex-a72; do
        ask "$folder/check" "arm64 .tar.gz, $cpu" aarch64-linux "${emulated[@]}" -cpu "$cpu" "$folder/$archive/mobilenet"
    done
    dpkg -x "$files/mobilenet_$version-1_arm64.deb" "$folder/deb"
    ask "$folder/check" 'arm64 .deb' aarch64-linux "${emulated[@]}" "$folder/deb/usr/bin/mobilenet"
    wheel=$(echo "$files"/*manylinux*aarch64.whl)
    python3 -m pip install --quiet --disable-pip-version-check --no-index --no-deps --platform manylinux2014_aarch64 \
        --only-binary=:all: --target "$folder/wheel" "$wheel"
    ask "$folder/check" 'arm64 wheel' aarch64-linux "${emulated[@]}" "$folder/wheel/bin/mobilenet"
}

windows() {
    local folder=$work/windows archive=mobilenet-$version-x86_64-pc-windows-gnu
    kit "$folder/check"
    python3 -m zipfile -e "$files/$archive.zip" "$folder"
    # Older wines are without this part of Windows, from which Rust's standard library takes random numbers.
    x86_64-w64-mingw32-gcc -shared -O2 -o "$folder/$archive/bcryptprimitives.dll" release/bcryptprimitives.c -ladvapi32
    export WINEPREFIX=$work/wine WINEDEBUG=-all
    wine wineboot --init > /dev/null 2>&1 || true
    ask "$folder/check" 'Windows .zip, wine' x86_64-windows wine "$folder/$archive/mobilenet.exe"
    wheel=$(echo "$files"/*win_amd64.whl)
    python3 -m zipfile -e "$wheel" "$folder/wheel"
    must "the wheel's program is another than the archive's" \
        cmp "$folder/wheel/mobilenet_cli-$version.data/scripts/mobilenet.exe" "$folder/$archive/mobilenet.exe"
}

is_sbom() {
    python3 - "$1" "$version" << 'END'
import json
import sys
sbom = json.load(open(sys.argv[1]))
assert sbom["bomFormat"] == "CycloneDX" and sbom["metadata"]["component"]["version"] == sys.argv[2]
assert {"candle-core", "mozjpeg-sys"} <= {component["name"] for component in sbom["components"]}
END
}

rm -f "$work/libraries.txt"
are_summed() (cd "$files" && sha256sum --quiet -c SHA256SUMS)
must 'SHA256SUMS is not of these files' are_summed
for sbom in "$files"/*.cdx.json; do
    must "${sbom##*/} is no SBOM" is_sbom "$sbom"
done
checked=0
for system in linux_amd64:x86_64-unknown-linux-gnu.tar.gz linux_arm64:aarch64-unknown-linux-gnu.tar.gz \
    windows:x86_64-pc-windows-gnu.zip; do
    if [ -e "$files/mobilenet-$version-${system#*:}" ]; then
        "${system%%:*}"
        checked=1
    fi
done
must "$files has nothing of version $version" [ "$checked" = 1 ]

column -t -s $'\t' "$table"
[ ! -e "$work/libraries.txt" ] || cat "$work/libraries.txt"
exit "$failed"
