#!/usr/bin/env bash
# LiteRT multiplies the scales of a uint8 convolution in float32 and those of an int8 one in float64.
#
# A sum becomes an output by scale(x) * scale(w) / scale(y). In the reference kernels of int8 that is a product in
# float64; for uint8, of files that TensorFlow 1 made (Google's quantised MobileNets), scale(x) * scale(w) is rounded to
# float32 first. The multiplier of 31 bits keeps the difference: one sum in some 200,000 becomes another integer. A test
# on few values passes with either rule, and a file that was moved from uint8 to int8 by 128 is not quite the same.
# Source: LiteRT, kernels/kernel_util.cc: GetQuantizedConvolutionMultipler(),
# PopulateConvolutionQuantizationParams().
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check uv==0.13.9
"$work/venv/bin/uv" pip install --quiet --python "$work/venv/bin/python" \
    ai-edge-litert==2.3.0 flatbuffers==25.12.19 numpy==2.4.6
"$work/venv/bin/python" - 2>"$work/log" <<'PYTHON' ||
import math
import sys

import flatbuffers
import numpy as np
from ai_edge_litert import interpreter as litert
from ai_edge_litert import schema_py_generated as schema


def layer(operator, dtype, scales, bias):
    """A file of one 1x1 convolution with an output for each bias; all weights stand for 0."""
    zero = 128 if dtype == np.uint8 else 0  # of the features and weights; the output's is the least integer
    count = len(bias)
    depthwise = operator == "DEPTHWISE_CONV_2D"
    weights = np.full((1, 1, 1, count) if depthwise else (count, 1, 1, 1), zero, dtype)
    tensors = [
        ((1, 1, 1, count if depthwise else 1), None, scales[0], zero),
        (weights.shape, weights, scales[1], zero),
        (bias.shape, bias, scales[0] * scales[1], 0),
        ((1, 1, 1, count), None, scales[2], np.iinfo(dtype).min),
    ]
    graph, model = schema.SubGraphT(), schema.ModelT()
    graph.tensors, graph.inputs, graph.outputs, model.buffers = [], [0], [3], [schema.BufferT()]
    for index, (shape, values, scale, zero) in enumerate(tensors):
        tensor, buffer = schema.TensorT(), schema.BufferT()
        kind = "INT32" if values is bias else np.dtype(dtype).name.upper()
        tensor.name, tensor.type, tensor.buffer = f"tensor{index}", getattr(schema.TensorType, kind), index + 1
        tensor.shape, tensor.quantization = shape, schema.QuantizationParametersT()
        tensor.quantization.scale, tensor.quantization.zeroPoint = [scale], [zero]
        buffer.data = None if values is None else np.frombuffer(values.tobytes(), np.uint8)
        graph.tensors.append(tensor)
        model.buffers.append(buffer)
    code, node = schema.OperatorCodeT(), schema.OperatorT()
    code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, operator)
    code.version = 3
    options = schema.DepthwiseConv2DOptionsT() if depthwise else schema.Conv2DOptionsT()
    options.depthMultiplier = 1  # of no meaning to the other
    options.strideW = options.strideH = options.dilationWFactor = options.dilationHFactor = 1
    node.inputs, node.outputs, node.builtinOptions = [0, 1, 2], [3], options
    node.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
    graph.operators, model.subgraphs, model.operatorCodes, model.version = [node], [graph], [code], 3
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def outputs(operator, dtype, scales, sums):
    """What these sums become, counted from the least integer."""
    run = litert.Interpreter(model_content=layer(operator, dtype, scales, sums.astype(np.int32)),
                             experimental_op_resolver_type=litert.OpResolverType.BUILTIN_REF)
    run.allocate_tensors()
    source, target = run.get_input_details()[0], run.get_output_details()[0]
    run.set_tensor(source["index"], np.full(source["shape"], source["quantization"][1], dtype))
    run.invoke()
    return run.get_tensor(target["index"]).ravel().astype(np.int64) - np.iinfo(dtype).min


def expected(sums, factor):
    fraction, exponent = math.frexp(factor)  # a negative exponent
    first = (sums * math.floor(fraction * 2**31 + 0.5) + 2**30) >> 31
    return np.clip((first + (1 << -exponent - 1)) >> -exponent, 0, 255)


print("LiteRT 2.3.0, reference kernels: every sum that 100 layers of random scales can turn into 0 to 255,"
      " in uint8 and in int8 less 128")
print("expected: the same scales and the same sums: the same outputs")
as_stated = True
for operator in ["CONV_2D", "DEPTHWISE_CONV_2D"]:
    random = np.random.default_rng(1)
    count, layers, of, example, by_rule = 0, 0, 0, None, True
    for _ in range(100):
        scales = [np.float32(scale) for scale in (6 / 255, random.uniform(0.002, 0.02), 6 / 255)]
        x, w, y = map(float, scales)
        in_f32, in_f64 = float(scales[0] * scales[1]) / y, x * w / y
        sums = np.arange(int(255 / in_f64))
        unsigned, signed = (outputs(operator, dtype, scales, sums) for dtype in (np.uint8, np.int8))
        by_rule &= np.array_equal(unsigned, expected(sums, in_f32)) and np.array_equal(signed, expected(sums, in_f64))
        differ = np.flatnonzero(unsigned != signed)
        count, layers, of = count + len(differ), layers + (len(differ) > 0), of + len(sums)
        if len(differ) and example is None:
            at = differ[0]
            example = f"weights' scale {scales[1]}, sum {sums[at]}: {unsigned[at]} in uint8, {signed[at]} in int8"
    print(f"observed: {operator:>17}: {count} of {of} sums differ, in {layers} of 100 layers; {example}")
    print(f"observed: {operator:>17}: all as computed with the product in float32 for uint8 and in float64 for int8:"
          f" {by_rule}")
    as_stated &= by_rule and count > 0
sys.exit(0 if as_stated else "The behaviour is not as stated.")
PYTHON
    { cat "$work/log" >&2; exit 1; }
