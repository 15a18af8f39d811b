#!/usr/bin/env bash
# Keras's .weights.h5 does not hold the names of layers: weights are given out by class of layer and order.
#
# A model is saved as conv2d, conv2d_1, dense, dense_1 ..., counted in the order in which the layers stand in the graph,
# whatever their names are. Two models with the same named layers in another order load each other's files without a
# word, each layer with another one's weights, as long as the shapes fit (MobileNet has five equal blocks in a row).
# Source: keras 3.15.1, src/saving/saving_lib.py, _save_container_state().
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check uv==0.13.9
"$work/venv/bin/uv" pip install --quiet --python "$work/venv/bin/python" \
    tensorflow-cpu==2.21.0 keras==3.15.1 numpy==2.4.6
cd "$work"
KERAS_BACKEND=tensorflow TF_CPP_MIN_LOG_LEVEL=3 "$work/venv/bin/python" - 2>"$work/log" <<'PYTHON' ||
import sys
import warnings

import keras
import numpy as np
from keras import layers


def network(order):
    named = {name: layers.Conv2D(4, 1, name=name) for name in ["early", "late"]}
    picture = features = keras.Input((8, 8, 4))
    for name in order:
        features = named[name](features)
    return keras.Model(picture, features)


def kernel(model, name):
    return model.get_layer(name).get_weights()[0]


saved, loaded = network(["early", "late"]), network(["late", "early"])
with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always")
    warnings.simplefilter("ignore", DeprecationWarning)  # Keras 3.15 causes some in NumPy itself
    saved.save_weights("model.weights.h5")
    loaded.load_weights("model.weights.h5")
right = np.array_equal(kernel(loaded, "early"), kernel(saved, "early"))
swapped = np.array_equal(kernel(loaded, "early"), kernel(saved, "late"))
print(f"Keras {keras.__version__}: layers called early and late, saved from one model and loaded into another")
print("expected: the layer called early gets the weights of early, or an error")
print(f"observed: early has the weights of early: {right}; of late: {swapped}; warnings: {len(warned)}")
sys.exit(0 if swapped and not right and not warned else "The behaviour is not as stated.")
PYTHON
    { cat "$work/log" >&2; exit 1; }
