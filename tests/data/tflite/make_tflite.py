"""Make the TFLite fixtures of this folder: small random networks in the ways that TFLite files hold them.

    pip install tensorflow-cpu==2.21.0 safetensors
    python make_tflite.py

| file | network | weights |
| --- | --- | --- |
| float32 | shallow, SAME padding, 33x33, ReLU6, a 1x1 convolution as classifier, softmax | float32 |
| float16 | shallow, Keras's padding (PAD, then VALID), 33x33, ReLU, a dense classifier | float16 behind DEQUANTIZE |
| dynamic | shallow, symmetric padding (PAD, then VALID), 40x40, ReLU6, a dense classifier; scales its pixels itself | int8, float32 biases |
| int8 | full, SAME, 40x40, ReLU6, a 1x1 convolution | int8 a channel, int32 biases; uint8 pixels |
| uint8 | that of float32, its weights rounded to uint8 a tensor and int32 biases | uint8, int32 biases |

Each is packed as NAME.tflite.gz. golden.safetensors holds, for each, uint8 pixels (the networks see x / 127.5 - 1) and the float32 logits that
Keras computes with batch norm not folded, or, where the weights are quantised, with the values that TFLite's
interpreter says they stand for.
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
from keras import layers
from safetensors.numpy import save_file
from tensorflow.lite.python import schema_py_generated as schema

HERE = Path(__file__).parent
ALPHA = 0.0625
CLASSES = 5
STEM = 32
BLOCKS = [
    (1, 64), (2, 128), (1, 128), (2, 256), (1, 256), (2, 512), (1, 512),
    (1, 512), (1, 512), (1, 512), (1, 512), (2, 1024), (1, 1024),
]


def network(size, shallow, padding, activation, dense, batch_norm=True):
    """The logits of a MobileNet V1."""
    keras.utils.clear_session()

    def strided(x, depthwise):
        """Explicit zeros, and the padding of the convolution after them."""
        if padding == "symmetric":
            return layers.ZeroPadding2D(1)(x), "valid"
        if padding == "keras" and depthwise:
            return layers.ZeroPadding2D(((0, 1), (0, 1)))(x), "valid"
        return x, "same"

    def after(x):
        if batch_norm:
            x = layers.BatchNormalization(epsilon=1e-3)(x)
        return layers.ReLU(6.0 if activation == "relu6" else None)(x)

    bias = not batch_norm
    image = layers.Input((size, size, 3), batch_size=1)
    x, how = strided(image, depthwise=False)
    x = after(layers.Conv2D(int(STEM * ALPHA), 3, strides=2, padding=how, use_bias=bias)(x))
    for number, (stride, channels) in enumerate(BLOCKS, 1):
        if shallow and 7 <= number <= 11:
            continue
        how = "same"
        if stride == 2:
            x, how = strided(x, depthwise=True)
        x = after(layers.DepthwiseConv2D(3, strides=stride, padding=how, use_bias=bias)(x))
        x = after(layers.Conv2D(int(channels * ALPHA), 1, padding="same", use_bias=bias)(x))
    if dense:
        x = layers.GlobalAveragePooling2D()(x)
        x = layers.Dense(CLASSES)(x)
    else:
        x = layers.AveragePooling2D(x.shape[1])(x)
        x = layers.Conv2D(CLASSES, 1)(x)
        x = layers.Reshape((CLASSES,))(x)
    return keras.Model(image, x)


def fill(model, rng):
    """Random weights, and batch norms that change something."""
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            n = layer.gamma.shape[0]
            layer.set_weights([
                rng.uniform(0.8, 1.6, n), rng.normal(0.4, 0.4, n),
                rng.normal(0, 0.2, n), rng.uniform(0.5, 1.5, n),
            ])
        elif layer.get_weights():
            kernel, *bias = [w.shape for w in layer.get_weights()]
            inputs = 9 if isinstance(layer, layers.DepthwiseConv2D) else np.prod(kernel[:-1])
            layer.set_weights([
                rng.normal(0, (2 / inputs) ** 0.5, kernel), *(rng.normal(0, 1, b) for b in bias),
            ])


def pictures(rng, size, n):
    grid = rng.integers(0, 256, (n, 5, 5, 3))
    return tf.image.resize(grid, (size, size), "bicubic").numpy().clip(0, 255).astype(np.uint8)


def scaled(pixels):
    return pixels.astype(np.float32) / np.float32(127.5) - np.float32(1)


def convert(model, rng=None, scales=False, **settings):
    image = layers.Input(model.inputs[0].shape[1:], batch_size=1)
    x = layers.Rescaling(1 / 127.5, offset=-1)(image) if scales else image
    whole = keras.Model(image, layers.Softmax()(model(x)))
    converter = tf.lite.TFLiteConverter.from_keras_model(whole)
    for name, value in settings.items():
        setattr(converter, name, value)
    if rng is not None:
        size = model.inputs[0].shape[1]
        calibration = scaled(pictures(rng, size, 64))
        converter.representative_dataset = lambda: ([picture[None]] for picture in calibration)
    return converter.convert()


def convolutions(file):
    """Weight and bias of every convolution in order, as numbers, by TFLite's own interpreter."""
    # Tensors are not allocated: constants are there without, and the uint8 file, whose activations are floats, can't run.
    interpreter = tf.lite.Interpreter(
        model_content=file,
        experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    details = {detail["index"]: detail for detail in interpreter.get_tensor_details()}

    operators = interpreter._get_ops_details()
    # What a DEQUANTIZE makes of half-precision weights is not kept: they are asked for themselves.
    behind = {o["outputs"][0]: o["inputs"][0] for o in operators if o["op_name"] == "DEQUANTIZE"}

    def number(index):
        index = behind.get(index, index)
        values = interpreter.get_tensor(index)
        quantised = details[index]["quantization_parameters"]
        scale, zero = quantised["scales"], quantised["zero_points"]
        if not len(scale):
            return values.astype(np.float32)
        shape = np.ones(values.ndim, int)
        if len(scale) > 1:
            shape[quantised["quantized_dimension"]] = len(scale)
        values = values.astype(np.float64) - zero.reshape(shape)
        return (values * scale.astype(np.float64).reshape(shape)).astype(np.float32)

    kinds = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
    operators = [o for o in operators if o["op_name"] in kinds]
    return [(o["op_name"], number(o["inputs"][1]), number(o["inputs"][2])) for o in operators]


def with_weights_of(file, **kind):
    """Keras's network without batch norm, with a file's weights."""
    model = network(**kind, batch_norm=False)
    found = iter(convolutions(file))
    for layer in model.layers:
        if layer.get_weights():
            name, weight, bias = next(found)
            order = {"CONV_2D": (1, 2, 3, 0), "DEPTHWISE_CONV_2D": (1, 2, 3, 0), "FULLY_CONNECTED": (1, 0)}
            layer.set_weights([weight.transpose(order[name]), bias])
    assert next(found, None) is None
    return model


def as_uint8(file):
    """A float32 file with its weights in uint8, as toco wrote them: a scale and a zero point a tensor."""
    model = schema.ModelT.InitFromPackedBuf(file, 0)
    graph = model.subgraphs[0]
    for operator in graph.operators:
        if not isinstance(operator.builtinOptions, (schema.Conv2DOptionsT, schema.DepthwiseConv2DOptionsT)):
            continue
        weight, bias = (graph.tensors[i] for i in operator.inputs[1:3])
        for tensor, kind, dtype in [
            (weight, schema.TensorType.UINT8, np.uint8),
            (bias, schema.TensorType.INT32, np.int32),
        ]:
            values = bytes(model.buffers[tensor.buffer].data)
            values = np.frombuffer(values, np.float32).astype(np.float64)
            low, high = min(values.min(), 0), max(values.max(), 0)
            scale, zero = np.float32((high - low) / 255), 0
            if dtype is np.uint8:
                zero = int(np.clip(round(-low / scale), 0, 255))
                quantised = np.clip(np.round(values / scale) + zero, 0, 255)
            else:
                scale = np.float32(scale / 1000)
                quantised = np.round(values / scale)
            data = np.frombuffer(quantised.astype(dtype).tobytes(), np.uint8)
            model.buffers[tensor.buffer].data = data
            tensor.type = kind
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = [scale]
            tensor.quantization.zeroPoint = [zero]
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def main():
    rng = np.random.default_rng(7)
    golden = {}

    def keep(name, file, model):
        (HERE / f"{name}.tflite.gz").write_bytes(gzip.compress(file, mtime=0))
        pixels = pictures(rng, model.inputs[0].shape[1], 1)
        logits = model.predict(scaled(pixels), verbose=0)[0]
        golden[f"{name}.input"], golden[f"{name}.logits"] = pixels[0], logits
        print(f"{name}: {len(file)} bytes, {logits}")

    kind = dict(size=33, shallow=True, padding="same", activation="relu6", dense=False)
    model = network(**kind)
    fill(model, rng)
    float32 = convert(model)
    keep("float32", float32, model)

    uint8 = as_uint8(float32)
    keep("uint8", uint8, with_weights_of(uint8, **kind))

    kind = dict(size=33, shallow=True, padding="keras", activation="relu", dense=True)
    model = network(**kind)
    fill(model, rng)
    optimised = dict(optimizations=[tf.lite.Optimize.DEFAULT])
    float16 = convert(model, target_spec=tf.lite.TargetSpec(supported_types=[tf.float16]), **optimised)
    keep("float16", float16, with_weights_of(float16, **kind))

    kind = dict(size=40, shallow=True, padding="symmetric", activation="relu6", dense=True)
    model = network(**kind)
    fill(model, rng)
    dynamic = convert(model, scales=True, _experimental_disable_per_channel=False, **optimised)
    keep("dynamic", dynamic, with_weights_of(dynamic, **kind))

    kind = dict(size=40, shallow=False, padding="same", activation="relu6", dense=False)
    model = network(**kind)
    fill(model, rng)
    integers = tf.lite.TargetSpec(supported_ops=[tf.lite.OpsSet.TFLITE_BUILTINS_INT8])
    int8 = convert(
        model, rng, target_spec=integers, inference_input_type=tf.uint8, inference_output_type=tf.uint8, **optimised,
    )
    keep("int8", int8, with_weights_of(int8, **kind))
    save_file(golden, HERE / "golden.safetensors")


if __name__ == "__main__":
    main()
