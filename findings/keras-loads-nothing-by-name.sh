#!/usr/bin/env bash
# Keras's load_weights(by_name=True) loads nothing, without a word, into a network that was built a second time.
#
# Automatic names go on counting in one process: the second network's layers are conv2d_1, depthwise_conv2d_1 ..., which
# the file of the first does not have. What has no match is skipped silently, so the network keeps its random weights.
# It works in a fresh process and fails in a notebook, a test suite or a server that builds more than one model, which
# is where by_name is used: to carry a body over to a new head.
# Source: keras 3.15.1, src/legacy/saving/legacy_h5_format.py, load_weights_from_hdf5_group_by_name().
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


def network(classes):
    picture = keras.Input((32, 32, 3))
    features = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(picture)
    features = layers.ReLU(6)(layers.BatchNormalization()(features))
    features = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(features)
    features = layers.ReLU(6)(layers.BatchNormalization()(features))
    return keras.Model(picture, layers.Dense(classes)(layers.GlobalAveragePooling2D()(features)))


def kernels(model):
    return {type(layer).__name__: layer.get_weights()[0] for layer in model.layers if "Conv" in type(layer).__name__}


def loaded(fresh):
    """The share of convolutions that got their weights, with names counted from the start or not."""
    keras.backend.clear_session()
    first = network(10)
    first.save("first.h5")
    if fresh:
        keras.backend.clear_session()
    second = network(5)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        second.load_weights("first.h5", by_name=True, skip_mismatch=True)
    equal = [np.array_equal(kernel, kernels(second)[name]) for name, kernel in kernels(first).items()]
    about = [str(warning.message) for warning in warned if "conv" in str(warning.message).lower()]
    return sum(equal), len(equal), len(about)


print(f"Keras {keras.__version__}: a network of 10 classes into one of 5, the same body, load_weights(by_name=True)")
print("expected: the body is loaded, or there is a warning that no name was found")
results = {}
for fresh in [True, False]:
    results[fresh] = loaded(fresh)
    count, of, about = results[fresh]
    print(f"observed: {'as in a fresh process' if fresh else 'second one in a process':>23}: {count} of {of}"
          f" convolutions loaded, {about} warnings about one")
sys.exit(0 if results == {True: (2, 2, 0), False: (0, 2, 0)} else "The behaviour is not as stated.")
PYTHON
    { cat "$work/log" >&2; exit 1; }
