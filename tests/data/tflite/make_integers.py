"""Make the TFLite fixtures whose integers are compared with LiteRT's one by one, and LiteRT's integers.

    pip install tensorflow==2.21.0 ai-edge-litert==2.3.0 safetensors
    python make_integers.py

| file | network | integers |
| --- | --- | --- |
| pool_uint8 | shallow, SAME padding, 40x40, ReLU6, AVERAGE_POOL_2D, a 1x1 convolution | uint8, a scale a tensor, weights with zero points that leave differences of nine bits |
| pool_int8 | full, Keras's padding (PAD, then VALID), 80x80, ReLU6, AVERAGE_POOL_2D, a 1x1 convolution | int8, a scale a channel |
| mean_int8 | shallow, SAME, 64x64, ReLU, MEAN, FULLY_CONNECTED | int8, a scale a channel; QUANTIZE and DEQUANTIZE at the ends, floats outside |

The weights are random. Each is packed as NAME.tflite.gz. integers.safetensors holds, for each and for the file int8 of make_tflite.py, uint8
pixels, and for LiteRT's default kernels and its reference kernels (`reference`) the numbers that the integers of the average, of the logits
and of the scores stand for: (integer - zero point) * scale in float32.
"""

import gzip
import os
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import flatbuffers
import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from keras import layers
from safetensors.numpy import save_file
from tensorflow.lite.python import schema_py_generated as schema

import make_tflite as small

HERE = Path(__file__).parent
PICTURES = 3
KERNELS = {"": OpResolverType.AUTO, "reference.": OpResolverType.BUILTIN_REF}


def parse(file):
    return schema.ModelT.InitFromPackedBuf(file, 0)


def pack(model):
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def code(model, operator):
    code = model.operatorCodes[operator.opcodeIndex]
    return max(code.builtinCode, code.deprecatedBuiltinCode)


def cut(file, kind):
    """The same network up to the last operator of a kind."""
    model = parse(file)
    graph = model.subgraphs[0]
    last = max(i for i, o in enumerate(graph.operators) if code(model, o) in kind)
    graph.outputs = list(graph.operators[last].outputs)
    graph.operators = graph.operators[: last + 1]
    model.signatureDefs = []
    return pack(model)


def run(file, kernels, pictures):
    """The numbers that come of pixels."""
    interpreter = Interpreter(model_content=file, experimental_op_resolver_type=kernels)
    interpreter.allocate_tensors()
    (entry,), (end,) = interpreter.get_input_details(), interpreter.get_output_details()
    found = []
    for picture in pictures:
        if entry["dtype"] == np.float32:
            picture = small.scaled(picture)
        elif entry["dtype"] == np.int8:
            picture = (picture.astype(np.int16) - 128).astype(np.int8)
        interpreter.set_tensor(entry["index"], picture[None])
        interpreter.invoke()
        found.append(interpreter.get_tensor(end["index"]).reshape(-1))
    found = np.stack(found)
    if found.dtype == np.float32:
        return found
    scale, zero = end["quantization"]
    return (found.astype(np.int32) - zero).astype(np.float32) * np.float32(scale)


B = schema.BuiltinOperator
POOL = (B.AVERAGE_POOL_2D, B.MEAN)
LOGITS = (B.CONV_2D, B.FULLY_CONNECTED)


def as_uint8(file, rng):
    """An int8 file in uint8, with weights and zero points of its own, as the files of 2018 have them."""
    model = parse(file)
    graph = model.subgraphs[0]
    weights = {}
    for operator in graph.operators:
        if code(model, operator) in (B.CONV_2D, B.DEPTHWISE_CONV_2D):
            weights[operator.inputs[1]] = operator
    for number, tensor in enumerate(graph.tensors):
        if tensor.type != schema.TensorType.INT8:
            continue
        tensor.type = schema.TensorType.UINT8
        q = tensor.quantization
        if number not in weights:
            q.zeroPoint = [q.zeroPoint[0] + 128]
            continue
        zero = int(rng.integers(60, 200))
        deviation = rng.uniform(25, 45)
        values = np.round(rng.normal(zero, deviation, tensor.shape)).clip(0, 255).astype(np.uint8)
        # Some of either end.
        values.reshape(-1)[:2] = 0, 255
        depthwise = code(model, weights[number]) == B.DEPTHWISE_CONV_2D
        inputs = 9 if depthwise else np.prod(tensor.shape[1:])
        q.scale, q.zeroPoint = [np.float32((2 / inputs) ** 0.5 / deviation)], [zero]
        q.quantizedDimension = 0
        model.buffers[tensor.buffer].data = np.frombuffer(values.tobytes(), np.uint8)
        source, _, bias = (graph.tensors[i] for i in weights[number].inputs)
        scale = np.float32(source.quantization.scale[0]) * np.float32(q.scale[0])
        bias.quantization.scale, bias.quantization.zeroPoint = [scale], [0]
        real = rng.normal(0.3, 0.4, bias.shape)
        data = np.round(real / scale).astype(np.int32)
        model.buffers[bias.buffer].data = np.frombuffer(data.tobytes(), np.uint8)
    return pack(model)


def convert(model, rng, kind, disable_per_channel=False):
    integers = tf.lite.TargetSpec(supported_ops=[tf.lite.OpsSet.TFLITE_BUILTINS_INT8])
    return small.convert(
        model, rng, target_spec=integers, optimizations=[tf.lite.Optimize.DEFAULT],
        inference_input_type=kind, inference_output_type=kind, _experimental_disable_per_channel=disable_per_channel,
    )


def main():
    rng = np.random.default_rng(11)
    golden = {}

    def keep(name, file, size):
        if name != "int8":
            (HERE / f"{name}.tflite.gz").write_bytes(gzip.compress(file, mtime=0))
        pixels = small.pictures(rng, size, PICTURES)
        golden[f"{name}.input"] = pixels
        for prefix, kernels in KERNELS.items():
            golden[f"{name}.{prefix}average"] = run(cut(file, POOL), kernels, pixels)
            golden[f"{name}.{prefix}logits"] = run(cut(file, LOGITS), kernels, pixels)
            golden[f"{name}.{prefix}scores"] = run(file, kernels, pixels)
        for what in ("average", "logits", "scores"):
            a, b = (golden[f"{name}.{prefix}{what}"].astype(float) for prefix in KERNELS)
            print(f"{name}: {len(file)} bytes, {what} {a[0][:5]} to {a.max()}, {(a != b).mean():.1%} differ, at most by {abs(a - b).max()}")

    def filled(**kind):
        model = small.network(**kind)
        small.fill(model, rng)
        # Not all of the probability for one class.
        last = [layer for layer in model.layers if layer.get_weights()][-1]
        last.set_weights([0.3 * weights for weights in last.get_weights()])
        return model

    model = filled(size=40, shallow=True, padding="same", activation="relu6", dense=False)
    keep("pool_uint8", as_uint8(convert(model, rng, tf.int8, True), rng), 40)
    model = filled(size=80, shallow=False, padding="keras", activation="relu6", dense=False)
    keep("pool_int8", convert(model, rng, tf.int8), 80)
    model = filled(size=64, shallow=True, padding="same", activation="relu", dense=True)
    keep("mean_int8", convert(model, rng, tf.float32), 64)
    keep("int8", gzip.decompress((HERE / "int8.tflite.gz").read_bytes()), 40)
    save_file(golden, HERE / "integers.safetensors")


if __name__ == "__main__":
    main()
