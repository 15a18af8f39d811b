#!/usr/bin/env bash
# Trains ../digits.safetensors from nothing, in a few minutes on two cores. Needs the program in the
# PATH (or MOBILENET=path/to/it), and Python with scikit-learn and Pillow (or PYTHON=path/to/it).
set -euo pipefail
cd "$(dirname "$0")"
mobilenet=${MOBILENET:-mobilenet}
python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$python" make_pictures.py "$work" --samples ../../samples/digits --sheet ../../tests/data/train/digits.png
# Digits have a left and a right, and no margin to spare. A tenth of the pictures to learn from is kept for the
# validation that is in the log; those to test with are not looked at here.
"$mobilenet" train "$work/train" -o "$work/digits.safetensors" --curves curves.png \
  --alpha 0.25 --shallow --size 32 --crop squash --no-mirror --least-area 0.7 \
  --epochs 80 --learning-rate 0.01 --validation 0.1
cp "$work/digits.csv" log.csv
"$mobilenet" convert "$work/digits.safetensors" -o ../digits.safetensors --dtype f16 --fold-batch-norm

# The accuracy on the pictures that nothing was chosen by: in f32, and as the file is.
for weights in "$work/digits.safetensors" ../digits.safetensors; do
  "$mobilenet" classify --weights "$weights" -k 1 --format tsv --quiet "$work/test" |
    awk -F '\t' -v name="$weights" 'NR > 1 {
      n = split($1, part, "/"); all++; right += part[n - 1] == $5
      if (part[n - 1] != $5) print part[n - 1] "/" part[n], "was taken for", $5
    } END { printf "%s: %d of %d right, %.2f %%\n", name, right, all, 100 * right / all }'
done
