#!/usr/bin/env bash
# Asks an installed program what its users will: release/exercise.sh NAME VERSION TARGET COMMAND...
# COMMAND starts the program in this folder, in which `check.sh` has put what it needs. Prints a row of a table; details
# of what is off go to stderr.
set -uo pipefail
name=$1
version=$2
target=$3
shift 3
run=("$@")

row=$name
failed=0
# A cell of the row: whether the test's condition holds, and what was seen if not.
cell() {
    local what=$1 seen=$2
    shift 2
    if "$@"; then
        row+=$'\tok'
    else
        row+=$'\tFAILED'
        failed=1
        echo "$name, $what: $seen" >&2
    fi
}
# Runs the program; leaves `out`, `err` and `code`. Windows' lines end otherwise.
ask() {
    "${run[@]}" "$@" > out.txt 2> err.txt < /dev/null
    code=$?
    out=$(tr -d '\r' < out.txt)
    err=$(tr -d '\r' < err.txt)
}
refused() { [ "$code" = 2 ] && [[ $err == *"$1: $2"* && $err != *panicked* ]]; }

ask --version
cell version "$out $err ($code)" [ "$code $out" = "0 mobilenet $version" ]

ask doctor
well() { [ "$code" = 0 ] && grep -Eq "^target +$target\$" <<< "$out" && grep -Eq '^kernels +[a-z0-9]' <<< "$out"; }
cell doctor "$out $err ($code)" well

# A file's name says which digit it shows; samples/README.md says that one is misread.
ask classify --weights digits.safetensors -k 1 --format tsv digits
well_read=$(tr '\\' / <<< "$out" | grep -Ec $'^digits/([0-9])-[01]\\.png\t.*\t\\1\t')
cell digits "$well_read of 20 ($code) $err" [ "$code $well_read" = "0 19" ]

# A tabby cat, by the published network if it is here; if not, any answer does.
ask classify --weights cat.h5 -k 1 cat.jpg
[ -e cat.h5 ] || ask classify --weights digits.safetensors -k 1 cat.jpg
is_cat() { [ "$code" = 0 ] && { [ ! -e cat.h5 ] || [[ $out == *"tabby"* || $out == *"Egyptian cat"* ]]; }; }
cell JPEG "$out $err ($code)" is_cat

# libjpeg's own errors unwind through C.
ask classify --weights digits.safetensors bad.jpg broken.jpg short.jpg none.jpg cat.jpg
all_refused() {
    refused bad.jpg 'not an image' && refused broken.jpg 'damaged JPEG' && refused short.jpg 'the file is truncated' \
        && refused none.jpg 'no such file'
}
cell 'bad files' "$err ($code)" all_refused

ask grep --weights digits.safetensors '^nothing$' digits
cell 'no match' "$out $err ($code)" [ "$code" = 1 ]

# More than a pipe holds.
"${run[@]}" completions bash 2> err.txt | head -n 1 > out.txt
codes="${PIPESTATUS[*]}"
ended_well() { [ "$codes" = '0 0' ] && [ ! -s err.txt ]; }
cell 'closed pipe' "$(cat err.txt) ($codes)" ended_well

echo "$row"
exit "$failed"
