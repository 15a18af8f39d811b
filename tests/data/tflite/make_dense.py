"""Make the TFLite fixtures that end in a FULLY_CONNECTED with one scale for all of its weights, and LiteRT's integers.

    pip install ai-edge-litert==2.3.0 flatbuffers==25.12.19 numpy==2.4.6 safetensors==0.8.0
    python make_dense.py

| file | network | what a sum is multiplied with |
| --- | --- | --- |
| halves_uint8, halves_int8 | of pool_uint8, of mean_int8 without floats outside | an eighth: of eight sums one is a half, and it matters how those are rounded |
| near_halves_uint8, near_halves_int8 | the same | an eighth in float32 and in 31 bits, in float64 a little less: the halves are none |

The networks are those of make_integers.py, up to their averages. Each is packed as NAME.tflite.gz. dense.safetensors holds of each what
integers.safetensors does.
"""

import gzip
from pathlib import Path

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from safetensors.numpy import save_file

HERE = Path(__file__).parent
KERNELS = {"": OpResolverType.AUTO, "reference.": OpResolverType.BUILTIN_REF}
CLASSES = 80
PICTURES = 3
B = schema.BuiltinOperator
POOL = (B.AVERAGE_POOL_2D, B.MEAN)
LOGITS = (B.CONV_2D, B.FULLY_CONNECTED)


def parse(file):
    return schema.ModelT.InitFromPackedBuf(file, 0)


def pack(model):
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def code(model, operator):
    code = model.operatorCodes[operator.opcodeIndex]
    return max(code.builtinCode, code.deprecatedBuiltinCode)


def last(model, kinds):
    """Where the last operator of some kinds is."""
    return max(i for i, o in enumerate(model.subgraphs[0].operators) if code(model, o) in kinds)


def scales(entry, is_nearly):
    """Scales of weights and of outputs, of which the input's is an eighth."""
    weights = np.float32(1 / 16)
    while is_nearly:
        weights = np.nextafter(weights, np.float32(1))
        exact, rounded = float(entry) * float(weights), float(entry * weights)
        # So little that 31 bits don't hold it.
        if 0 < 1 - exact / rounded < 2**-33:
            break
    return weights, entry * weights * np.float32(8)


def dense(file, rng, is_nearly):
    """A network that ends in a dense layer and a softmax."""
    model = parse(file)
    graph = model.subgraphs[0]
    at = last(model, LOGITS)
    operator = graph.operators[at]
    source, weight, bias = (graph.tensors[i] for i in operator.inputs)
    outputs = graph.tensors[operator.outputs[0]]
    signed = source.type == schema.TensorType.INT8

    kind = model.operatorCodes[operator.opcodeIndex]
    if code(model, operator) != B.FULLY_CONNECTED:
        kind = schema.OperatorCodeT()
        operator.opcodeIndex = len(model.operatorCodes)
        model.operatorCodes.append(kind)
    kind.builtinCode = kind.deprecatedBuiltinCode = B.FULLY_CONNECTED
    # The first version for int8, and for uint8.
    kind.version = 4 if signed else 1
    operator.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
    operator.builtinOptions = schema.FullyConnectedOptionsT()

    depth = int(source.shape[-1])
    entry = np.float32(source.quantization.scale[0])
    step, output_step = scales(entry, is_nearly)
    zero = 0 if signed else 121
    # Mostly zeros: few sums are beyond the outputs' ends.
    values = rng.choice([-1, 0, 1], (CLASSES, depth), p=[0.2, 0.6, 0.2]) + zero
    values = values.astype(np.int8 if signed else np.uint8)
    biases = rng.integers(-300, 300, CLASSES).astype(np.int32)
    for tensor, data, scale, zero_point in [(weight, values, step, zero), (bias, biases, entry * step, 0)]:
        tensor.shape = data.shape
        tensor.quantization.scale, tensor.quantization.zeroPoint = [scale], [zero_point]
        tensor.quantization.quantizedDimension = 0
        model.buffers[tensor.buffer].data = np.frombuffer(data.tobytes(), np.uint8)
    outputs.shape = [1, CLASSES]
    outputs.quantization.scale, outputs.quantization.zeroPoint = [output_step], [-17 if signed else 108]
    outputs.shapeSignature = None

    # Then the softmax, whatever was between them and behind.
    softmax = graph.operators[last(model, [B.SOFTMAX])]
    scores = graph.tensors[softmax.outputs[0]]
    softmax.inputs, scores.shape, scores.shapeSignature = [operator.outputs[0]], [1, CLASSES], None
    graph.operators = [*graph.operators[: at + 1], softmax]
    graph.outputs = [softmax.outputs[0]]
    # A network that takes floats takes the integers that they are made into.
    if code(model, graph.operators[0]) == B.QUANTIZE:
        graph.inputs = [graph.operators[0].outputs[0]]
        graph.operators = graph.operators[1:]
    model.signatureDefs, model.metadata = [], []
    return pack(model)


def cut(file, kinds):
    """The same network up to the last operator of some kinds."""
    model = parse(file)
    graph = model.subgraphs[0]
    end = last(model, kinds)
    graph.outputs = list(graph.operators[end].outputs)
    graph.operators = graph.operators[: end + 1]
    return pack(model)


def run(file, kernels, pictures):
    """The numbers that come of pixels."""
    interpreter = Interpreter(model_content=file, experimental_op_resolver_type=kernels)
    interpreter.allocate_tensors()
    (entry,), (end,) = interpreter.get_input_details(), interpreter.get_output_details()
    found = []
    for picture in pictures:
        if entry["dtype"] == np.int8:
            picture = (picture.astype(np.int16) - 128).astype(np.int8)
        interpreter.set_tensor(entry["index"], picture[None])
        interpreter.invoke()
        found.append(interpreter.get_tensor(end["index"]).reshape(-1))
    scale, zero = end["quantization"]
    return (np.stack(found).astype(np.int32) - zero).astype(np.float32) * np.float32(scale)


def sums(file, average):
    """What a dense layer makes of averages before it rounds, with its scales."""
    model = parse(file)
    graph = model.subgraphs[0]
    operator = graph.operators[last(model, LOGITS)]
    source, weight, bias = (graph.tensors[i] for i in operator.inputs)
    outputs = graph.tensors[operator.outputs[0]]
    read = lambda tensor, kind: model.buffers[tensor.buffer].data.view(kind).reshape(tensor.shape).astype(np.int64)
    kind = np.int8 if weight.type == schema.TensorType.INT8 else np.uint8
    values = read(weight, kind) - weight.quantization.zeroPoint[0]
    integers = np.round(average / source.quantization.scale[0]).astype(np.int64)
    return integers @ values.T + read(bias, np.int32), source, weight, outputs


def main():
    rng = np.random.default_rng(16)
    golden = {}
    for name, is_nearly, base, size in [
        ("halves_uint8", False, "pool_uint8", 40),
        ("halves_int8", False, "mean_int8", 64),
        ("near_halves_uint8", True, "pool_uint8", 40),
        ("near_halves_int8", True, "mean_int8", 64),
    ]:
        file = dense(gzip.decompress((HERE / f"{base}.tflite.gz").read_bytes()), rng, is_nearly)
        (HERE / f"{name}.tflite.gz").write_bytes(gzip.compress(file, mtime=0))
        pixels = rng.integers(0, 256, (PICTURES, size, size, 3), np.uint8)
        golden[f"{name}.input"] = pixels
        for prefix, kernels in KERNELS.items():
            golden[f"{name}.{prefix}average"] = run(cut(file, POOL), kernels, pixels)
            golden[f"{name}.{prefix}logits"] = run(cut(file, LOGITS), kernels, pixels)
            golden[f"{name}.{prefix}scores"] = run(file, kernels, pixels)

        found, *tensors = sums(file, golden[f"{name}.reference.average"])
        entry, weight, output = (float(tensor.quantization.scale[0]) for tensor in tensors)
        zero = int(tensors[2].quantization.zeroPoint[0])
        low, high = (0, 255) if "uint8" in name else (-128, 127)
        size = np.abs(found * (entry * weight / output))
        rounded = np.sign(found) * (np.floor(size) + (size % 1 >= 0.5))
        expected = (rounded + zero).clip(low, high) - zero
        integers = np.round(golden[f"{name}.reference.logits"].astype(float) / output)
        inside = (integers + zero > low) & (integers + zero < high)
        halves = inside & (found % 8 == 4)
        print(
            f"{name}: {len(file)} bytes, scales {entry!r} {weight!r} {output!r}; rounded once in float64: {np.array_equal(integers, expected)};"
            f" of {found.size} logits {inside.sum()} inside, {halves.sum()} halves in float32, {(halves & (found < 0)).sum()} of them negative"
        )
    save_file(golden, HERE / "dense.safetensors")


if __name__ == "__main__":
    main()
