#!/usr/bin/env bash
# A whole model's .h5 with LoRA adapters on dense layers answers otherwise once Keras has read it back.
#
# An adapter adds (alpha / rank) * a @ b to a kernel. The .keras form stores the sum, the .h5 form the three parts, and
# alpha in the description. Reading that, Dense is built with enable_lora(rank), which sets alpha to the rank: the adapter
# counts for rank / alpha of what was trained, without a word. Convolutions keep theirs.
# Source: keras 3.15.1, layers/core/dense.py (build) and layers/convolutional/base_conv.py (build).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check uv==0.13.9
"$work/venv/bin/uv" pip install --quiet --python "$work/venv/bin/python" \
    tensorflow-cpu==2.21.0 keras==3.15.1 numpy==2.4.6
KERAS_BACKEND=tensorflow TF_CPP_MIN_LOG_LEVEL=3 "$work/venv/bin/python" - "$work" 2>"$work/log" <<'PYTHON' ||
import sys

import keras
import numpy as np

rng = np.random.default_rng(1)
features = rng.normal(0, 1, (4, 3, 3, 6)).astype(np.float32)


def changed(layer, shape):
    """How far answers move from before saving to after reading, in each form, over how far the adapter moves them."""
    pixels = keras.Input(shape)
    model = keras.Model(pixels, layer(pixels))
    inputs = features if len(shape) == 3 else features[:, 0, 0]
    plain = np.asarray(model(inputs))
    layer.enable_lora(2, lora_alpha=8)
    layer.lora_kernel_b.assign(rng.normal(0, 1, layer.lora_kernel_b.shape))
    adapted = np.asarray(model(inputs))
    found = {}
    for form in ("keras", "h5"):
        path = f"{sys.argv[1]}/model.{form}"
        model.save(path)
        found[form] = np.abs(np.asarray(keras.models.load_model(path)(inputs)) - adapted).max()
    return {form: off / np.abs(adapted - plain).max() for form, off in found.items()}


dense = changed(keras.layers.Dense(3), (6,))
convolution = changed(keras.layers.Conv2D(3, 1), (3, 3, 6))
print(f"Keras {keras.__version__}: adapters of rank 2 and alpha 8, the share of their effect that saving and reading loses")
print("expected: none in either form")
for name, found in (("Dense", dense), ("Conv2D", convolution)):
    print(f"observed: {name:>6}: .keras {found['keras']:.3f}, .h5 {found['h5']:.3f}")
as_stated = max(dense["keras"], convolution["keras"], convolution["h5"]) < 1e-4 and abs(dense["h5"] - 0.75) < 1e-3
sys.exit(0 if as_stated else "The behaviour is not as stated.")
PYTHON
    { cat "$work/log" >&2; exit 1; }
