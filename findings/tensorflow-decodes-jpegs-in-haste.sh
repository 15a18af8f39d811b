#!/usr/bin/env bash
# TensorFlow decodes JPEGs with libjpeg's fast, inexact transform unless told otherwise.
#
# tf.io.decode_jpeg, decode_image and so image_dataset_from_directory use INTEGER_FAST; Pillow, OpenCV and browsers the
# accurate one. Most bytes of a detailed picture differ, by 10 levels and more, before any resizing. A network that was
# trained in tf.data and is served behind Pillow never sees the pixels that it knows. decode_image has no option for it.
# Source: tf.io.decode_jpeg(dct_method=""): the documentation says "system-specific default", the code INTEGER_FAST.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check uv==0.13.9
"$work/venv/bin/uv" pip install --quiet --python "$work/venv/bin/python" \
    tensorflow-cpu==2.21.0 numpy==2.4.6 pillow==13.0.0
TF_CPP_MIN_LOG_LEVEL=3 "$work/venv/bin/python" - 2>"$work/log" <<'PYTHON' || { cat "$work/log" >&2; exit 1; }
import io
import sys

import numpy as np
import tensorflow as tf
from PIL import Image

y, x = np.mgrid[:256, :256]
waves = np.stack([np.sin(x / 7 + y / 11), np.sin(x / 5), np.cos(y / 3)], -1)
picture = 128 + 100 * waves + np.random.default_rng(1).normal(0, 12, waves.shape)
file = io.BytesIO()
Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=95)
jpeg = file.getvalue()
pillow = np.asarray(Image.open(io.BytesIO(jpeg))).astype(int)

print(f"TensorFlow {tf.__version__} and Pillow 13.0.0: the same JPEG, decoded")
print("expected: the same bytes")
found = {}
for name, decoded in [
    ("decode_jpeg", tf.io.decode_jpeg(jpeg)),
    ("decode_image", tf.io.decode_image(jpeg)),
    ("decode_jpeg, INTEGER_ACCURATE", tf.io.decode_jpeg(jpeg, dct_method="INTEGER_ACCURATE")),
]:
    difference = abs(decoded.numpy().astype(int) - pillow)
    found[name] = (difference > 0).mean(), difference.max()
    print(f"observed: {name:>29}: {found[name][0]:.0%} of the bytes differ, at most by {found[name][1]}")
hasty, image, accurate = found.values()
sys.exit(0 if hasty[0] > 0.5 and hasty[1] >= 8 and image == hasty and accurate[1] == 0 else
         "The behaviour is not as stated.")
PYTHON
