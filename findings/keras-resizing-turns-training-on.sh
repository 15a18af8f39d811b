#!/usr/bin/env bash
# Keras 3: calling a model that begins with Resizing, CenterCrop or RandomFlip runs all of it in training mode.
#
# model(x) means inference: with Rescaling in front the answer is that of model.predict(x). These layers have
# training=True for a default, which becomes that of the whole call: batch normalisation after them uses the batch's
# statistics and changes its own, and dropout drops. So the answers are wrong, depend on which pictures share a batch,
# and the weights are others afterwards, in a model that was only asked. predict() and model(x, training=False) are
# right, until the first such call.
# Source: keras 3.15.1, layers/preprocessing/image_preprocessing/base_image_preprocessing_layer.py (call), layers/layer.py
# (the training argument's order of defaults).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check uv==0.13.9
"$work/venv/bin/uv" pip install --quiet --python "$work/venv/bin/python" \
    tensorflow-cpu==2.21.0 keras==3.15.1 numpy==2.4.6
KERAS_BACKEND=tensorflow TF_CPP_MIN_LOG_LEVEL=3 "$work/venv/bin/python" - 2>"$work/log" <<'PYTHON' ||
import sys

import keras
import numpy as np
from keras import layers

pictures = np.random.default_rng(1).uniform(0, 255, (2, 20, 20, 3)).astype(np.float32)
print(f"Keras {keras.__version__}: a model with batch normalisation, its answers by predict(x) and by model(x)")
print("expected: the same, and the weights as they were")
changed = {}
for front in [layers.Rescaling(1 / 255), layers.Resizing(20, 20), layers.CenterCrop(20, 20), layers.RandomFlip()]:
    model = keras.Sequential([
        layers.Input((20, 20, 3)), front, layers.BatchNormalization(), layers.GlobalAveragePooling2D(),
        layers.Dense(1, kernel_initializer="ones")])
    name, norm = type(front).__name__, model.layers[1]
    predicted = model.predict(pictures, verbose=0).ravel()
    before = norm.moving_mean.numpy().copy()
    called = np.asarray(model(pictures)).ravel()
    moved = not np.array_equal(before, norm.moving_mean.numpy())
    changed[name] = moved and not np.allclose(predicted, called, rtol=0.1)
    print(f"observed: {name:>10}: {predicted.round(2)} and {called.round(2)}; moving mean {'changed' if moved else 'as it was'}")
as_stated = changed == {"Rescaling": False, "Resizing": True, "CenterCrop": True, "RandomFlip": True}
sys.exit(0 if as_stated else "The behaviour is not as stated.")
PYTHON
    { cat "$work/log" >&2; exit 1; }
