#!/usr/bin/env bash
# An int8 model with float inputs takes every byte of a picture to the middle between two integers.
#
# With inputs in [-1, 1], as MobileNet has them, TensorFlow's converter gives the input scale 2/255 and zero point -1.
# The byte p is p / 127.5 - 1, and divided by the scale p - 127.5: a tie, for all 256 bytes. What is lost in float32
# decides. Three ways to write that scaling, all of them in use and equal on paper, give other integers for a fifth to a
# half of all bytes. So do the two sets of kernels for a sixth to a half: the default multiplies by 1/scale and rounds
# halves to even, the reference divides and rounds them away from zero. With Keras's way the default leaves 41 of the
# 256 integers unused. With inference_input_type=tf.uint8 bytes stay what they are.
# Source: TensorFlow 2.21.0 and LiteRT 2.3.0, observed. The three ways are those of Keras's preprocess_input(), TFLite
# Support's NormalizeOp and OpenCV's blobFromImage().
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check uv==0.13.9
"$work/venv/bin/uv" pip install --quiet --python "$work/venv/bin/python" \
    tensorflow-cpu==2.21.0 numpy==2.4.6 ai-edge-litert==2.3.0
cd "$work"
TF_CPP_MIN_LOG_LEVEL=3 "$work/venv/bin/python" - 2>"$work/log" <<'PYTHON' ||
import contextlib
import sys

import numpy as np
import tensorflow as tf
from ai_edge_litert import interpreter as litert

bytes_ = np.arange(256, dtype=np.float32).reshape(1, 16, 16, 1)
pixels = {
    "x / 127.5 - 1": bytes_ / np.float32(127.5) - np.float32(1),
    "(x - 127.5) / 127.5": (bytes_ - np.float32(127.5)) / np.float32(127.5),
    "(x - 127.5) * (1 / 127.5)": (bytes_ - np.float32(127.5)) * np.float32(1 / 127.5),
}
first, keras = next(iter(pixels.items()))


class Network(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec((1, 16, 16, 1))])
    def __call__(self, picture):
        return tf.nn.max_pool2d(picture, 1, 1, "VALID")  # of one pixel: gives out the integers that come in


def converted(input_type):
    network = Network()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([network.__call__.get_concrete_function()], network)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: [[keras]]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type, converter.inference_output_type = input_type, tf.int8
    with contextlib.redirect_stdout(sys.stderr):
        return converter.convert()


def integers(model, picture, kernels):
    run = litert.Interpreter(model_content=model, experimental_op_resolver_type=kernels)
    run.allocate_tensors()
    run.set_tensor(run.get_input_details()[0]["index"], picture)
    run.invoke()
    target = run.get_output_details()[0]
    return run.get_tensor(target["index"]).ravel().astype(int), *target["quantization"]


sets = {"default": litert.OpResolverType.AUTO, "reference": litert.OpResolverType.BUILTIN_REF}
model = converted(tf.float32)
_, scale, zero = integers(model, keras, sets["default"])
steps = keras.astype(np.float64) / (2 / 255)
ties = (abs(steps % 1 - 0.5) < 1e-4).sum()
print(f"TensorFlow {tf.__version__}'s converter, LiteRT 2.3.0: the 256 bytes as floats in [-1, 1], made int8 by a file")
print("expected: each byte is one integer, in whatever way the same scaling is written")
print(f"observed: scale {scale:.7f} (2/{2 / scale:.0f}), zero point {zero};"
      f" {ties} of 256 bytes are ties within 1/10,000")
seen = {}
for way, picture in pixels.items():
    for name, kernels in sets.items():
        seen[name, way], *_ = integers(model, picture, kernels)
rules = True
scale32 = np.float32(scale)
others = {}
for way, picture in pixels.items():
    others[way] = [int((seen[name, way] != seen[name, first]).sum()) for name in sets]
    others[way].append(int((seen["default", way] != seen["reference", way]).sum()))
    print(f"observed: {way:>25}: unlike the first way for {others[way][0]:>2} bytes with the default kernels, for"
          f" {others[way][1]:>3} with the reference; default and reference differ for {others[way][2]:>3}")
    default = np.rint(picture * (np.float32(1) / scale32))
    reference = np.trunc(picture / scale32 + np.copysign(np.float32(0.5), picture))
    for name, rounded in [("default", default), ("reference", reference)]:
        rules &= np.array_equal(seen[name, way], np.clip(rounded.ravel() + zero, -128, 127))
print(f"observed: all as x * (1 / scale), halves to even, and as x / scale, halves away from zero: {rules}")
used = [len(np.unique(seen[name, first])) for name in sets]
print(f"observed: the first way makes {used[0]} integers of the 256 bytes by the default kernels,"
      f" {used[1]} by the reference")
kept, *_ = integers(converted(tf.uint8), bytes_.astype(np.uint8), sets["default"])
exact = np.array_equal(kept, np.arange(256) - 128)
print(f"observed: with inference_input_type=tf.uint8 each byte is its own integer: {exact}")
_, *rest = others.values()
as_stated = (
    abs(scale - 2 / 255) < 1e-8 and zero == -1 and ties == 256 and rules and exact
    and all(min(counts[:2]) > 30 for counts in rest) and all(counts[2] > 20 for counts in others.values())
)
sys.exit(0 if as_stated else "The behaviour is not as stated.")
PYTHON
    { cat "$work/log" >&2; exit 1; }
