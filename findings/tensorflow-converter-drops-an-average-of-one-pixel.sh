#!/usr/bin/env bash
# TensorFlow's converter leaves the global average out of a MobileNet for pictures of 32 to 62 pixels.
#
# The last feature map is then 1x1, and an average that keeps its dimensions changes nothing: Keras's MobileNet, whose
# classifier is a convolution, loses its MEAN. The answers are right, but the file is no longer the network: whoever
# looks for the pool (for the embedding, to cut off the head, to recognise MobileNet) finds none, and the interpreter
# cannot resize the input any more, as it can for a file of 63 pixels. MobileNet V2, whose average drops the dimensions,
# keeps its MEAN at 32 pixels.
# Source: TensorFlow 2.21.0 and LiteRT 2.3.0, observed.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check uv==0.13.9
"$work/venv/bin/uv" pip install --quiet --python "$work/venv/bin/python" \
    tensorflow-cpu==2.21.0 keras==3.15.1 numpy==2.4.6 ai-edge-litert==2.3.0
cd "$work"
KERAS_BACKEND=tensorflow TF_CPP_MIN_LOG_LEVEL=3 "$work/venv/bin/python" - 2>"$work/log" <<'PYTHON' ||
import contextlib
import sys

import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert import interpreter as litert
from keras.applications import MobileNet, MobileNetV2


def scores(interpreter, picture):
    at = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(at, picture.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(at, picture)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def seen(network, size):
    """Whether the file has an average, whether its answer is Keras's, and whether it takes pictures of 96 pixels."""
    keras.utils.set_random_seed(1)
    model = network(input_shape=(size, size, 3), alpha=0.5, weights=None, classes=10)
    with contextlib.redirect_stdout(sys.stderr):
        converted = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    plain = litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES  # so that operators keep their names
    interpreter = litert.Interpreter(model_content=converted, experimental_op_resolver_type=plain)
    interpreter.allocate_tensors()
    operators = [operator["op_name"] for operator in interpreter._get_ops_details()]
    averages = [name for name in operators if name in ("MEAN", "AVERAGE_POOL_2D", "SUM", "REDUCE_WINDOW")]
    random = np.random.default_rng(1)
    picture, larger = (random.uniform(-1, 1, (1, side, side, 3)).astype(np.float32) for side in (size, 96))
    right = np.allclose(scores(interpreter, picture), model(picture, training=False), atol=1e-4)
    try:
        resized = f"{scores(interpreter, larger).shape[1]} scores"
    except RuntimeError as error:
        resized = str(error).split("utils.h ")[-1].split("Node number")[0]
    return averages, right, resized


print(f"TensorFlow {tf.__version__}'s converter, Keras {keras.__version__}, LiteRT 2.3.0: networks of 10 classes")
print("expected: a network has the same operators for every size of picture")
results = {}
for network in [MobileNet, MobileNetV2]:
    for size in [32, 62, 63]:
        averages, right, resized = results[network.__name__, size] = seen(network, size)
        print(f"observed: {network.__name__:>11}, {size} pixels: averages in the file: {' '.join(averages) or 'none'};"
              f" answers as Keras: {right}; at 96 pixels: {resized}")
whole = ["MEAN"], True, "10 scores"
small = [results.pop(("MobileNet", size)) for size in [32, 62]]
as_stated = all(not averages and right and "num_input_elements !=" in resized for averages, right, resized in small)
as_stated &= all(result == whole for result in results.values())
sys.exit(0 if as_stated else "The behaviour is not as stated.")
PYTHON
    { cat "$work/log" >&2; exit 1; }
