#!/usr/bin/env bash
# Makes the figures of README.md again:
#   docs/figures/make.sh PROGRAM CHECKPOINT
# with Google's weights of alpha 0.5 at 160 pixels as CHECKPOINT.
set -euo pipefail
program=$(realpath "$1")
checkpoint=$(realpath "$2")
cd "$(dirname "$0")/../.."
export PATH="$(dirname "$program"):$PATH"
python3 docs/figures/terminal.py docs/figures/classify.svg 84 \
    'mobilenet classify --alpha 0.5 --size 160 -k 3 samples/cat.jpg samples/coffee.jpg' \
    mobilenet classify --weights "$checkpoint" --size 160 -k 3 samples/cat.jpg samples/coffee.jpg
mobilenet explain --weights "$checkpoint" --size 160 --class espresso --class cup --max-side 420 \
    samples/coffee.jpg -o docs/figures/coffee.png
