"""Make the TFLite fixtures whose weights take less room than one byte a value, or whose activations take two.

    pip install tensorflow-cpu==2.21.0 keras==3.15.1 ai-edge-litert==2.3.0 ai-edge-quantizer==0.10.0 safetensors==0.8.0
    python make_small_weights.py

| file | what wrote it | weights |
| --- | --- | --- |
| int16x8 | TFLiteConverter, from float pixels to float scores | int8 a channel, int64 biases; int16 between the layers |
| int16_pixels | the same, from int16 to int16 | the same |
| int4 | ai-edge-quantizer's dynamic_wi4_afp32 | int4 a channel, depthwise ones in float32 |
| int4_weight_only | its weight_only_wi4_afp32 | the same behind DEQUANTIZE |
| int4_blocks | its dynamic_wi4b32_afp32 | the classifier's in int4 by blocks of 32, with float16 scales |
| int2 | its dynamic_wi2c_afp32 | int2 a channel |
| sparse | TFLiteConverter, EXPERIMENTAL_SPARSITY | float32, four of five values left out, most behind DENSIFY |
| sparse_int8 | the same with DEFAULT | the same, the larger in int8 |
| sparse_blocks | the same, its classifier pruned by blocks of 4 | float32 |
| sparse_float16 | the same with float16 | float16 behind DENSIFY and DEQUANTIZE |

Each is packed as NAME.tflite.gz. small_weights.safetensors holds of each uint8 pixels (the networks see x / 127.5 - 1) and float32
logits: of sparse, sparse_blocks, sparse_float16 and int4_weight_only as LiteRT answers; of the others as Keras does with the numbers that
ai-edge-quantizer says their weights stand for, since LiteRT rounds the activations of such files as it goes.
"""

import gzip
import os
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from ai_edge_quantizer import qtyping, quantizer, recipe
from ai_edge_quantizer.algorithms.uniform_quantize.uniform_quantize_tensor import uniform_dequantize
from keras import layers
from safetensors.numpy import save_file
from tensorflow.lite.python import schema_py_generated as schema

from make_tflite import fill, network, pictures, scaled

HERE = Path(__file__).parent
SIZE = 40
KIND = dict(size=SIZE, shallow=True, padding="same", activation="relu6", dense=True)
LEFT_OUT = 0.8


def convert(model, rng=None, **settings):
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    for name, value in settings.items():
        setattr(converter, name, value)
    if rng is not None:
        calibration = scaled(pictures(rng, SIZE, 64))
        converter.representative_dataset = lambda: ([picture[None]] for picture in calibration)
    return converter.convert()


def quantised(file, steps):
    return bytes(quantizer.Quantizer(bytearray(file), steps).quantize().quantized_model)


def pruned(model, block):
    """The same network without the smallest of its pointwise and dense weights, or blocks of them in a row."""
    copy = network(**KIND)
    copy.set_weights(model.get_weights())
    for layer in copy.layers:
        kernel, *rest = layer.get_weights() or [np.zeros(0)]
        is_dense = isinstance(layer, layers.Dense)
        is_pointwise = kernel.ndim == 4 and kernel.shape[0] == 1
        if is_dense or is_pointwise:
            # As TFLite has it, outputs first.
            rows = kernel.reshape(-1, kernel.shape[-1]).T.copy()
            blocks = rows.reshape(len(rows), -1, block if is_dense else 1)
            sizes = np.abs(blocks).sum(-1)
            blocks[sizes < np.quantile(sizes, LEFT_OUT)] = 0
            layer.set_weights([rows.T.reshape(kernel.shape), *rest])
    return copy


def interpreter(file):
    # Without XNNPACK, which keeps weights in a form of its own.
    return Interpreter(model_content=file, experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)


def answer(file, pixels):
    """LiteRT's logits."""
    run = interpreter(file)
    run.allocate_tensors()
    (entry,), (end,) = run.get_input_details(), run.get_output_details()
    run.set_tensor(entry["index"], scaled(pixels))
    run.invoke()
    return run.get_tensor(end["index"])[0]


def numbers(file):
    """Weight and bias of every convolution in order, by ai-edge-quantizer."""
    model = schema.ModelT.InitFromPackedBuf(file, 0)
    graph = model.subgraphs[0]
    values = interpreter(file)
    details = {detail["index"]: detail for detail in values.get_tensor_details()}

    def number(index):
        tensor, data = graph.tensors[index], values.get_tensor(index)
        steps = tensor.quantization
        if tensor.type in (schema.TensorType.FLOAT32, schema.TensorType.FLOAT16):
            return data.astype(np.float32)
        bits = {"INT2": 2, "INT4": 4, "INT8": 8, "INT32": 32, "INT64": 64}
        kinds = {getattr(schema.TensorType, name): n for name, n in bits.items()}
        if steps.details is not None:
            of = graph.tensors[steps.details.scales]
            scale = np.array(model.buffers[of.buffer].data).view(np.float16).astype(np.float32)
            scale, axis, block = scale.reshape(of.shape), 1, steps.details.blockSize
            zero = np.zeros_like(scale, np.int32)
        else:
            found = details[index]["quantization_parameters"]
            scale, zero, axis, block = found["scales"], found["zero_points"], found["quantized_dimension"], 0
        parameters = qtyping.UniformQuantParams(
            num_bits=kinds[tensor.type], quantized_dimension=axis, scale=scale, zero_point=zero, block_size=block,
        )
        return uniform_dequantize(data, parameters).astype(np.float32)

    kinds = (schema.Conv2DOptionsT, schema.DepthwiseConv2DOptionsT, schema.FullyConnectedOptionsT)
    operators = [o for o in graph.operators if isinstance(o.builtinOptions, kinds)]
    return [(number(o.inputs[1]), number(o.inputs[2])) for o in operators]


def with_weights_of(file):
    """Keras's network without batch norm, with a file's weights."""
    model = network(**KIND, batch_norm=False)
    found = iter(numbers(file))
    for layer in model.layers:
        if layer.get_weights():
            weight, bias = next(found)
            layer.set_weights([weight.transpose((1, 2, 3, 0) if weight.ndim == 4 else (1, 0)), bias])
    assert next(found, None) is None
    return model


def main():
    rng = np.random.default_rng(23)
    golden = {}

    def keep(name, file, logits):
        (HERE / f"{name}.tflite.gz").write_bytes(gzip.compress(file, mtime=0))
        pixels = pictures(rng, SIZE, 1)
        golden[f"{name}.input"], golden[f"{name}.logits"] = pixels[0], logits(pixels)
        print(f"{name}: {len(file)} bytes, {golden[f'{name}.logits']}")

    def dequantised(file):
        return lambda pixels: with_weights_of(file).predict(scaled(pixels), verbose=0)[0]

    model = network(**KIND)
    fill(model, rng)
    integers = [tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8]
    settings = dict(
        optimizations=[tf.lite.Optimize.DEFAULT], target_spec=tf.lite.TargetSpec(supported_ops=integers),
    )
    file = convert(model, rng, **settings)
    keep("int16x8", file, dequantised(file))
    file = convert(model, rng, inference_input_type=tf.int16, inference_output_type=tf.int16, **settings)
    keep("int16_pixels", file, dequantised(file))

    floats = convert(model)
    for name, steps in [
        ("int4", recipe.dynamic_wi4_afp32()), ("int4_blocks", recipe.dynamic_wi4b32_afp32()),
        ("int2", recipe.dynamic_wi2c_afp32()),
    ]:
        file = quantised(floats, steps)
        keep(name, file, dequantised(file))
    file = quantised(floats, recipe.weight_only_wi4_afp32())
    keep("int4_weight_only", file, lambda pixels: answer(file, pixels))

    sparsity, default = tf.lite.Optimize.EXPERIMENTAL_SPARSITY, tf.lite.Optimize.DEFAULT
    halves = tf.lite.TargetSpec(supported_types=[tf.float16])
    for name, block, settings in [
        ("sparse", 1, dict(optimizations=[sparsity])),
        ("sparse_int8", 1, dict(optimizations=[sparsity, default])),
        ("sparse_blocks", 4, dict(optimizations=[sparsity])),
        ("sparse_float16", 1, dict(optimizations=[sparsity, default], target_spec=halves)),
    ]:
        less = pruned(model, block)
        file = convert(less, **settings)
        if name == "sparse_int8":
            # The same weights in int8, of which all values are in the file.
            dense = convert(less, optimizations=[default])
            keep(name, file, dequantised(dense))
        else:
            keep(name, file, lambda pixels: answer(file, pixels))
    save_file(golden, HERE / "small_weights.safetensors")


if __name__ == "__main__":
    main()
