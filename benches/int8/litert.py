"""Count how many logits of a quantised TFLite file are LiteRT's, integer by integer.

    pip install ai-edge-litert numpy pillow flatbuffers
    cargo build --release --example logits
    python litert.py target/release/examples/logits FILE PICTURES... [--pictures N]

PICTURES are files, or folders that are searched for them. Each is cut to a square, resized by Pillow and shown to both as the same bytes. LiteRT runs
with its default kernels and with its reference kernels, the program with `int8` and `int8-reference`.
"""

import argparse
import subprocess
import tempfile
from pathlib import Path

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from PIL import Image

KERNELS = {"int8": OpResolverType.AUTO, "int8-reference": OpResolverType.BUILTIN_REF}


def up_to_logits(file):
    """The same network without what follows its last convolution, and the integers of its end."""
    model = schema.ModelT.InitFromPackedBuf(file, 0)
    graph = model.subgraphs[0]
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
    kinds = (schema.BuiltinOperator.CONV_2D, schema.BuiltinOperator.FULLY_CONNECTED)
    last = max(i for i, operator in enumerate(graph.operators) if codes[operator.opcodeIndex] in kinds)
    graph.outputs = list(graph.operators[last].outputs)
    graph.operators = graph.operators[: last + 1]
    model.signatureDefs = []
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def scaled(pixels):
    """As Keras does it."""
    return pixels.astype(np.float32) / np.float32(127.5) - np.float32(1)


def litert(file, kernels, pictures):
    interpreter = Interpreter(model_content=file, experimental_op_resolver_type=kernels)
    interpreter.allocate_tensors()
    (entry,), (end,) = interpreter.get_input_details(), interpreter.get_output_details()
    found = []
    for picture in pictures:
        if entry["dtype"] == np.float32:
            picture = scaled(picture)
        elif entry["dtype"] == np.int8:
            picture = (picture.astype(np.int16) - 128).astype(np.int8)
        interpreter.set_tensor(entry["index"], picture[None])
        interpreter.invoke()
        found.append(interpreter.get_tensor(end["index"]).reshape(-1).astype(np.int32))
    return np.stack(found), end["quantization"]


def ours(program, path, pictures, kind):
    with tempfile.TemporaryDirectory() as folder:
        pixels, out = Path(folder) / "pixels", Path(folder) / "logits"
        pixels.write_bytes(pictures.tobytes())
        subprocess.run([program, path, pixels, out, kind], check=True)
        return np.frombuffer(out.read_bytes(), np.float32).reshape(len(pictures), -1)


def shown(path, size):
    picture = Image.open(path).convert("RGB")
    side = min(picture.size)
    left, top = ((length - side) // 2 for length in picture.size)
    picture = picture.crop((left, top, left + side, top + side))
    return np.asarray(picture.resize((size, size), Image.BILINEAR))


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("program")
    arguments.add_argument("file", type=Path)
    arguments.add_argument("paths", type=Path, nargs="+")
    arguments.add_argument("--pictures", type=int, default=1000)
    arguments = arguments.parse_args()
    paths = []
    for path in arguments.paths:
        found = sorted(path.rglob("*")) if path.is_dir() else [path]
        paths += [p for p in found if p.suffix.lower() in (".jpg", ".jpeg", ".png")]
    paths = paths[: arguments.pictures]
    file = up_to_logits(arguments.file.read_bytes())
    size = Interpreter(model_content=file).get_input_details()[0]["shape"][1]
    pictures = np.stack([shown(path, size) for path in paths])
    for kind, kernels in KERNELS.items():
        expected, (scale, zero) = litert(file, kernels, pictures)
        found = ours(arguments.program, arguments.file, pictures, kind)
        # The numbers are exactly those of integers.
        integers = np.rint(found / np.float32(scale)).astype(np.int32) + zero
        exact = (integers - zero).astype(np.float32) * np.float32(scale) == found
        off = np.abs(integers - expected)
        first = (integers.argmax(1) != expected.argmax(1)).sum()
        print(
            f"{kind}: {len(pictures)} pictures, {found.size} logits: {(off > 0).sum()} differ, at most by {off.max()}; "
            f"{(~exact).sum()} are no integers; {first} other first classes"
        )


if __name__ == "__main__":
    main()
