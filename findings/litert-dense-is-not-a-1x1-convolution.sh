#!/usr/bin/env bash
# A classifier written as FULLY_CONNECTED and as a 1x1 convolution gives two answers in LiteRT's reference kernels.
#
# The reference kernels of CONV_2D and DEPTHWISE_CONV_2D turn a sum into an output with a multiplier of 31 bits and two
# roundings. That of FULLY_CONNECTED multiplies in float64 and rounds once, halves away from zero. About one integer in
# a thousand is another one. So no single rule is "the reference arithmetic" of all layers, and to replace a dense layer
# by a convolution, which is what Keras's MobileNet ends in, is not exact. The default kernels treat all three alike.
# Source: LiteRT, kernels/internal/reference/integer_ops/fully_connected.h (round) and conv.h
# (MultiplyByQuantizedMultiplier).
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

random = np.random.default_rng(1)
rows, inputs, outputs = 4096, 64, 64
features = random.integers(-128, 128, (rows, inputs)).astype(np.int8)
weights = random.integers(-127, 128, (outputs, inputs)).astype(np.int8)
bias = random.integers(-1000, 1000, outputs).astype(np.int32)
scales = np.float32(6 / 255), np.float32(0.009), np.float32(0.15)  # of the features, the weights and the outputs


def layer(operator, options, shape, weights, out_shape):
    """A file of one operator, whose features and outputs have these shapes."""
    stored = [np.empty(0, np.int8), weights, bias, np.empty(0, np.int8)]
    graph, model = schema.SubGraphT(), schema.ModelT()
    graph.tensors, graph.inputs, graph.outputs, model.buffers = [], [0], [3], [schema.BufferT()]
    for index, scale in enumerate([scales[0], scales[1], scales[0] * scales[1], scales[2]]):
        tensor, buffer = schema.TensorT(), schema.BufferT()
        tensor.name, tensor.buffer = f"tensor{index}", index + 1
        tensor.type = getattr(schema.TensorType, stored[index].dtype.name.upper())
        tensor.shape = [shape, weights.shape, bias.shape, out_shape][index]
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale, tensor.quantization.zeroPoint = [scale], [0]
        buffer.data = np.frombuffer(stored[index].tobytes(), np.uint8) if stored[index].size else None
        graph.tensors.append(tensor)
        model.buffers.append(buffer)
    code, node = schema.OperatorCodeT(), schema.OperatorT()
    code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, operator)
    code.version = 4 if operator == "FULLY_CONNECTED" else 3  # the first ones for int8
    node.inputs, node.outputs, node.builtinOptions = [0, 1, 2], [3], options
    node.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
    graph.operators, model.subgraphs, model.operatorCodes, model.version = [node], [graph], [code], 3
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


convolution, depthwise = schema.Conv2DOptionsT(), schema.DepthwiseConv2DOptionsT()
for options in [convolution, depthwise]:
    options.padding, options.strideW, options.strideH = schema.Padding.VALID, 1, 1
    options.dilationWFactor = options.dilationHFactor = 1
depthwise.depthMultiplier = outputs
dense = schema.FullyConnectedOptionsT()
pixels = (rows, 1, 1, outputs)
files = {
    "FULLY_CONNECTED": layer("FULLY_CONNECTED", dense, (rows, inputs), weights, (rows, outputs)),
    "CONV_2D": layer("CONV_2D", convolution, (rows, 1, 1, inputs), weights.reshape(outputs, 1, 1, inputs), pixels),
    "DEPTHWISE_CONV_2D": layer("DEPTHWISE_CONV_2D", depthwise, (rows, 8, 8, 1), weights.T.reshape(1, 8, 8, -1), pixels),
}


def integers(file, kernels):
    run = litert.Interpreter(model_content=file, experimental_op_resolver_type=kernels)
    run.allocate_tensors()
    source, target = run.get_input_details()[0], run.get_output_details()[0]
    run.set_tensor(source["index"], features.reshape(source["shape"]))
    run.invoke()
    return run.get_tensor(target["index"]).reshape(rows, outputs).astype(np.int64)


sums = features.astype(np.int64) @ weights.T.astype(np.int64) + bias
factor = float(scales[0]) * float(scales[1]) / float(scales[2])
once = np.sign(sums) * np.floor(abs(sums * factor) + 0.5)
fraction, exponent = math.frexp(factor)  # a negative exponent
first = (sums * math.floor(fraction * 2**31 + 0.5) + 2**30) >> 31
twice = np.sign(first) * ((abs(first) + (1 << -exponent - 1)) >> -exponent)
rules = {"rounded once, in float64": once, "rounded twice, 31 bits": twice}

print("LiteRT 2.3.0: a layer of 64 inputs and 64 outputs in int8, written with three operators")
print("expected: integer arithmetic is exact: the same integers")
seen = {}
for name, kernels in [("reference", litert.OpResolverType.BUILTIN_REF), ("default", litert.OpResolverType.AUTO)]:
    answers = {operator: integers(file, kernels) for operator, file in files.items()}
    for operator, answer in answers.items():
        others = (answer != answers["CONV_2D"]).sum()
        rule = [rule for rule, result in rules.items() if np.array_equal(answer, np.clip(result, -128, 127))]
        seen[name, operator] = others, rule
        print(f"observed: {name:>9} kernels, {operator:>17}: {others:>3} of {answer.size} differ from CONV_2D's"
              + (f"; {', '.join(rule)}" if name == "reference" else ""))
once, twice = rules
as_stated = (
    100 < seen["reference", "FULLY_CONNECTED"][0] < 1000
    and seen["reference", "FULLY_CONNECTED"][1] == [once]
    and seen["reference", "CONV_2D"] == seen["reference", "DEPTHWISE_CONV_2D"] == (0, [twice])
    and seen["default", "FULLY_CONNECTED"][0] == seen["default", "DEPTHWISE_CONV_2D"][0] == 0
)
sys.exit(0 if as_stated else "The behaviour is not as stated.")
PYTHON
    { cat "$work/log" >&2; exit 1; }
