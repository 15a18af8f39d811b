#!/usr/bin/env bash
# Keras 3 and Keras 2 update batch normalisation's moving variance with two different variances.
#
# For pictures Keras 2 (tf_keras), like PyTorch, keeps the unbiased variance, over n - 1; Keras 3 the biased one, over
# n. In MobileNet's last layers n is the batch times 7x7, which hides it. With small pictures and batches (32 pixels end
# in one value a channel and picture) the variance that is kept is up to half of what it was, and a network that was
# trained alike answers otherwise in evaluation. Code that was moved from the one to the other is not to blame.
# Source: keras 3.15.1, layers/normalization/batch_normalization.py (ops.moments); tf_keras uses the fused kernel.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check uv==0.13.9
"$work/venv/bin/uv" pip install --quiet --python "$work/venv/bin/python" \
    tensorflow-cpu==2.21.0 keras==3.15.1 tf_keras==2.21.0 numpy==2.4.6
KERAS_BACKEND=tensorflow TF_CPP_MIN_LOG_LEVEL=3 "$work/venv/bin/python" - 2>"$work/log" <<'PYTHON' ||
import sys

import keras
import numpy as np
import tf_keras

features = np.random.default_rng(1).normal(0, 1, (2, 1, 1, 3)).astype(np.float32)


def moving_variance(library, shape):
    layer = library.layers.BatchNormalization(momentum=0)  # the moving value is the last batch's
    layer(features.reshape(shape), training=True)
    return np.asarray(layer.moving_variance) / features.reshape(2, 3).var(0)


print(f"Keras {keras.__version__} and tf_keras {tf_keras.__version__}: the variance kept of one batch of two,"
      " over the variance of numpy")
print("expected: the same in both")
kept = {}
for name, library in [("Keras 3", keras), ("Keras 2", tf_keras)]:
    for what, shape in [("pictures [N, 1, 1, 3]", (2, 1, 1, 3)), ("vectors [N, 3]", (2, 3))]:
        kept[name, what[0]] = moving_variance(library, shape)
        print(f"observed: {name}, {what:>21}: {kept[name, what[0]].round(3)}")
as_stated = (
    np.allclose(kept["Keras 3", "p"], 1, atol=1e-3)
    and np.allclose(kept["Keras 2", "p"], 2, atol=1e-3)
    and np.allclose(kept["Keras 2", "v"], 1, atol=1e-3)
)
sys.exit(0 if as_stated else "The behaviour is not as stated.")
PYTHON
    { cat "$work/log" >&2; exit 1; }
