#!/usr/bin/env bash
# The same tensors with the same metadata, saved twice as safetensors, give two files with different bytes.
#
# The order of the metadata's keys in the header is that of a hash map with a random seed: it changes from call to call,
# also within one process. With a single key (the usual {"format": "pt"}) files are the same every time, with more the
# SHA-256 of a checkpoint says nothing about its contents; caches, build outputs and checksums in release notes break.
# The tensors themselves are sorted. Source: safetensors 0.8.0, src/tensor.rs (metadata is a HashMap).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check safetensors==0.8.0 numpy==2.4.6
"$work/venv/bin/python" - <<'PYTHON'
import hashlib
import sys

import numpy as np
import safetensors
from safetensors.numpy import save

tensors = {"weight": np.ones(3, np.float32), "bias": np.zeros(3, np.float32)}
metadata = {"format": "pt", "alpha": "1.0", "size": "224", "classes": "1000", "activation": "relu6"}


def files(metadata):
    return {hashlib.sha256(save(tensors, metadata)).hexdigest() for _ in range(50)}


print(f"safetensors {safetensors.__version__}: the same content saved 50 times")
print("expected: one file")
one, five = len(files({"format": "pt"})), len(files(metadata))
print(f"observed: {one} with one key of metadata, {five} with five")
sys.exit(0 if one == 1 and five > 5 else "The behaviour is not as stated.")
PYTHON
