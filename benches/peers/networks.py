"""One MobileNet V1 for every engine: its weights in a safetensors file of ours, written again as ONNX or TFLite.

The ONNX has batch norm folded; the TFLite is Keras's own network, converted by TensorFlow. It is made in a
process of its own, because TensorFlow's start takes longer than most measurements:

    python networks.py WEIGHTS.safetensors BATCH OUT.tflite
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

SIZE = 224
CLASSES = 1000
# Stride and, at alpha 1.0, the channels of each pair of a depthwise and a pointwise layer.
BLOCKS = [
    (1, 64), (2, 128), (1, 128), (2, 256), (1, 256), (2, 512),
    (1, 512), (1, 512), (1, 512), (1, 512), (1, 512), (2, 1024), (1, 1024),
]
EPSILON = 1e-3
BATCH_NORM = ["weight", "bias", "running_mean", "running_var"]


def layers(alpha):
    """Name, stride, groups and kernel shape of each convolution up to the pooling."""
    channels = int(32 * alpha)
    yield "conv1", 2, 1, (channels, 3, 3, 3)
    for number, (stride, base) in enumerate(BLOCKS, 1):
        yield f"conv_dw_{number}", stride, channels, (channels, 1, 3, 3)
        yield f"conv_pw_{number}", 1, 1, (int(base * alpha), channels, 1, 1)
        channels = int(base * alpha)


def random_weights(alpha, seed=0):
    """Weights by our names, such that activations neither vanish nor saturate."""
    rng = np.random.default_rng(seed)

    def normal(deviation, *shape):
        return rng.normal(0, deviation, shape).astype(np.float32)

    weights = {}
    for name, _, _, shape in layers(alpha):
        weights[f"{name}.weight"] = normal((2 / np.prod(shape[1:])) ** 0.5, *shape)
        parts = [np.ones(shape[0]), normal(0.1, shape[0]), np.zeros(shape[0]), np.ones(shape[0])]
        for part, values in zip(BATCH_NORM, parts):
            weights[f"{name}_bn.{part}"] = values.astype(np.float32)
    channels = int(1024 * alpha)
    weights["conv_preds.weight"] = normal(channels ** -0.5, CLASSES, channels, 1, 1)
    weights["conv_preds.bias"] = np.zeros(CLASSES, np.float32)
    return weights


def save(path, alpha, weights):
    from safetensors.numpy import save_file

    header = {
        "version": 1, "alpha": alpha, "classes": CLASSES, "shallow": False, "activation": "relu6",
        "padding": "keras", "batch_norm_epsilon": EPSILON,
        "preprocessing": {"size": SIZE, "crop": {"center": 0.875}, "filter": "bilinear"},
    }
    save_file(weights, path, {"mobilenet_v1": json.dumps(header)})


def load(path):
    """Alpha and weights of a file that `save` or `mobilenet convert` wrote."""
    from safetensors import safe_open

    with safe_open(path, "numpy") as file:
        alpha = json.loads(file.metadata()["mobilenet_v1"])["alpha"]
        return alpha, {name: file.get_tensor(name) for name in file.keys()}


def folded(weights, name):
    """Kernel and bias of a convolution with its batch norm."""
    gamma, beta, mean, variance = (weights[f"{name}_bn.{part}"].astype(np.float64) for part in BATCH_NORM)
    scale = gamma / np.sqrt(variance + EPSILON)
    return weights[f"{name}.weight"] * scale[:, None, None, None], beta - mean * scale


def write_onnx(path, alpha, weights, batch):
    """`batch` is a number, or a name where any number will do."""
    from onnx import TensorProto, helper, numpy_helper
    from onnx import save as save_onnx

    nodes, constants = [], []

    def constant(values):
        name = f"w{len(constants)}"
        constants.append(numpy_helper.from_array(np.asarray(values, np.float32), name))
        return name

    low, high = constant(0.0), constant(6.0)
    x = "input"
    for name, stride, groups, shape in layers(alpha):
        kernel, bias = map(constant, folded(weights, name))
        pads = [0, 0, 1, 1] if stride == 2 else [shape[2] // 2] * 4
        nodes.append(helper.make_node(
            "Conv", [x, kernel, bias], [name], strides=[stride, stride], pads=pads, group=groups))
        x = f"{name}_relu"
        nodes.append(helper.make_node("Clip", [name, low, high], [x]))
    nodes.append(helper.make_node("GlobalAveragePool", [x], ["pool"]))
    nodes.append(helper.make_node("Flatten", ["pool"], ["flat"]))
    kernel = constant(weights["conv_preds.weight"].reshape(CLASSES, -1))
    bias = constant(weights["conv_preds.bias"])
    nodes.append(helper.make_node("Gemm", ["flat", kernel, bias], ["logits"], transB=1))
    graph = helper.make_graph(
        nodes, "mobilenet",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [batch, 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch, CLASSES])],
        constants)
    opset = helper.make_opsetid("", 17)
    save_onnx(helper.make_model(graph, opset_imports=[opset], ir_version=8), path)


def pictures(batch, count=4):
    """Noise to find the activations' ranges with: for speed any ranges will do."""
    rng = np.random.default_rng(1)
    return [rng.uniform(-1, 1, (batch, 3, SIZE, SIZE)).astype(np.float32) for _ in range(count)]


def quantise_onnx(path, batch):
    """The network in eight bits as ONNX Runtime quantises it; returns the new file."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.left = iter([{"input": x} for x in pictures(batch)])

        def get_next(self):
            return next(self.left, None)

    quantised = f"{path}.int8.onnx"
    quantize_static(
        path, quantised, Reader(), quant_format=QuantFormat.QDQ, per_channel=True,
        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)
    return quantised


def write_tflite(path, source, batch, dtype="f32"):
    """`source` is the safetensors file."""
    command = [sys.executable, __file__, source, str(batch), path, dtype]
    subprocess.run(command, check=True, capture_output=True)


def convert_to_tflite(source, batch, path, dtype):
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    alpha, weights = load(source)
    model = keras.applications.MobileNet(
        alpha=alpha, weights=None, input_shape=(SIZE, SIZE, 3), classifier_activation=None)
    for name, _, groups, _ in layers(alpha):
        # To Keras's height, width, input, output; a depthwise kernel's last two are the other way round.
        axes = (2, 3, 0, 1) if groups > 1 else (2, 3, 1, 0)
        model.get_layer(name).set_weights([weights[f"{name}.weight"].transpose(axes)])
        model.get_layer(f"{name}_bn").set_weights([weights[f"{name}_bn.{part}"] for part in BATCH_NORM])
    model.get_layer("conv_preds").set_weights(
        [weights["conv_preds.weight"].transpose(2, 3, 1, 0), weights["conv_preds.bias"]])
    spec = tf.TensorSpec([batch, SIZE, SIZE, 3], tf.float32)
    function = tf.function(lambda x: model(x, training=False)).get_concrete_function(spec)
    # XNNPACK takes only weights that are constants; the converter leaves Keras's as variables.
    frozen = convert_variables_to_constants_v2(function)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen])
    if dtype == "int8":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([x.transpose(0, 2, 3, 1)] for x in pictures(batch))
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    Path(path).write_bytes(converter.convert())


if __name__ == "__main__":
    convert_to_tflite(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
