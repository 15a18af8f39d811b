#!/usr/bin/env bash
# One int8 TFLite file has two answers: LiteRT's default kernels and its reference kernels compute other integers.
#
# The quantisation specification describes multipliers of 31 bits and a rounding shift, and the reference kernels do
# that. The default delegate (XNNPACK), which everybody runs, multiplies in float32 and rounds once. So a simulator,
# an accelerator or a microcontroller that follows the specification to the bit does not match the desktop, and a
# golden file made with the one fails with the other.
# Source: google/gemmlowp's fixed-point functions as used by the reference kernels; XNNPACK's qs8 requantisation "fp32".
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
from keras import layers

keras.utils.set_random_seed(1)
random = np.random.default_rng(1)
pictures = random.uniform(-1, 1, (32, 64, 64, 3)).astype(np.float32)


def convolution(features, layer):
    return layers.ReLU(6)(layers.BatchNormalization(momentum=0)(layer(features)))


def network():
    picture = keras.Input((64, 64, 3))
    options = {"padding": "same", "use_bias": False}
    features = convolution(picture, layers.Conv2D(16, 3, strides=2, **options))
    for channels, stride in [(32, 1), (64, 2), (64, 1), (128, 2)]:
        features = convolution(features, layers.DepthwiseConv2D(3, strides=stride, **options))
        features = convolution(features, layers.Conv2D(channels, 1, **options))
    features = layers.GlobalAveragePooling2D()(features)
    features = layers.Dense(1000, kernel_initializer=keras.initializers.RandomNormal(0, 0.5))(features)
    model = keras.Model(picture, features)
    model(pictures, training=True)  # with a momentum of 0: true statistics, so that the signal keeps its size
    return model


converter = tf.lite.TFLiteConverter.from_keras_model(network())
converter.optimizations = [tf.lite.Optimize.DEFAULT]
converter.representative_dataset = lambda: ([picture[None]] for picture in pictures)
converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
converter.inference_input_type = converter.inference_output_type = tf.int8
with contextlib.redirect_stdout(sys.stderr):
    model = converter.convert()


def integers(kernels):
    """The output's integers for each picture, with their scale and zero point."""
    run = litert.Interpreter(model_content=model, experimental_op_resolver_type=kernels)
    run.allocate_tensors()
    source, target = run.get_input_details()[0], run.get_output_details()[0]
    scale, zero = source["quantization"]
    answers = []
    for picture in pictures:
        quantised = np.clip(np.round(picture / scale) + zero, -128, 127).astype(np.int8)
        run.set_tensor(source["index"], quantised[None])
        run.invoke()
        answers.append(run.get_tensor(target["index"])[0].astype(int))
    return np.array(answers), *target["quantization"]


default, scale, zero = integers(litert.OpResolverType.AUTO)
reference, _, _ = integers(litert.OpResolverType.BUILTIN_REF)
again, _, _ = integers(litert.OpResolverType.AUTO)
differ = (default != reference).mean()
steps = abs(default - reference).max()
print(f"TensorFlow {tf.__version__}'s converter, LiteRT 2.3.0: the logits of one int8 file by two sets of kernels")
print("expected: integer arithmetic is exact: the same integers")
print(f"observed: {differ:.1%} of {default.size} integers differ, at most by {steps} steps of {scale:.4f};"
      f" the default repeats itself: {np.array_equal(default, again)}")
others = (default.argmax(1) != reference.argmax(1)).sum()
print(f"observed: another first class for {others} of {len(default)} pictures")
sys.exit(0 if differ > 0.01 and np.array_equal(default, again) else "The behaviour is not as stated.")
PYTHON
    { cat "$work/log" >&2; exit 1; }
