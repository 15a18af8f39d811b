#!/usr/bin/env bash
# A uint8 model that is shifted by 128 to int8 has other averages: AVERAGE_POOL_2D rounds halves the other way.
#
# uint8 and int8 differ by an offset of 128, and tools move a model from the one to the other by it. AVERAGE_POOL_2D
# rounds the mean of the stored integers, whatever their zero point is: in uint8 halves go up, in int8 away from zero,
# which for the lower half of all values is down. After a ReLU most values are there. A window of an even size has
# halves: 4x4 at the end of a MobileNet at 128 pixels, 6x6 at 192, 8x8 at 256. 7x7 and 5x5 (224 and 160 pixels) have
# none, so the usual test does not show it.
# Source: LiteRT, kernels/internal/reference/integer_ops/pooling.h and kernels/internal/reference/pooling.h.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check uv==0.13.9
"$work/venv/bin/uv" pip install --quiet --python "$work/venv/bin/python" \
    ai-edge-litert==2.3.0 flatbuffers==25.12.19 numpy==2.4.6
"$work/venv/bin/python" - 2>"$work/log" <<'PYTHON' ||
import sys

import flatbuffers
import numpy as np
from ai_edge_litert import interpreter as litert
from ai_edge_litert import schema_py_generated as schema


def pool(features, kernels):
    """The averages of pictures, over all of their pixels; 0 is the least integer."""
    size = features.shape[1]
    graph, model = schema.SubGraphT(), schema.ModelT()
    graph.tensors, graph.inputs, graph.outputs, model.buffers = [], [0], [1], [schema.BufferT()]
    for name, shape in [("features", features.shape), ("averages", (len(features), 1, 1, features.shape[3]))]:
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.buffer = name, shape, 0
        tensor.type = getattr(schema.TensorType, features.dtype.name.upper())
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale, tensor.quantization.zeroPoint = [6 / 255], [np.iinfo(features.dtype).min]
        graph.tensors.append(tensor)
    options, node, code = schema.Pool2DOptionsT(), schema.OperatorT(), schema.OperatorCodeT()
    options.filterWidth = options.filterHeight = options.strideW = options.strideH = size
    options.padding = schema.Padding.VALID
    node.inputs, node.outputs, node.builtinOptions = [0], [1], options
    node.builtinOptionsType = schema.BuiltinOptions.Pool2DOptions
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.AVERAGE_POOL_2D
    code.version = 2
    graph.operators, model.subgraphs, model.operatorCodes, model.version = [node], [graph], [code], 3
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    run = litert.Interpreter(model_content=bytes(builder.Output()), experimental_op_resolver_type=kernels)
    run.allocate_tensors()
    run.set_tensor(run.get_input_details()[0]["index"], features)
    run.invoke()
    return run.get_tensor(run.get_output_details()[0]["index"]).astype(int)[:, 0, 0]


print("LiteRT 2.3.0: AVERAGE_POOL_2D over the last 64 channels of 256 pictures, in uint8 and in int8 less 128")
print("expected: the averages in int8 are those in uint8 less 128")
as_stated = True
for name, kernels in [("default", litert.OpResolverType.AUTO), ("reference", litert.OpResolverType.BUILTIN_REF)]:
    for size in [4, 5, 6, 7, 8]:
        random = np.random.default_rng(size)
        features = np.minimum(random.exponential(25, (256, size, size, 64)), 255).astype(np.uint8)
        unsigned = pool(features, kernels)
        signed = pool((features.astype(int) - 128).astype(np.int8), kernels) + 128
        differ = signed != unsigned
        means = features.mean((1, 2))
        up = np.array_equal(unsigned, np.floor(means + 0.5))
        away = np.array_equal(signed - 128, np.sign(means - 128) * np.floor(abs(means - 128) + 0.5))
        print(f"observed: {name:>9} kernels, {size}x{size}: {differ.mean():5.2%} of the averages differ;"
              f" uint8: halves up: {up}, int8: halves away from zero: {away}")
        as_stated &= up and away and (not differ.any() if size % 2 else differ.mean() > 0.005)
sys.exit(0 if as_stated else "The behaviour is not as stated.")
PYTHON
    { cat "$work/log" >&2; exit 1; }
