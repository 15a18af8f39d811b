"""Make the TFLite fixtures with the task library's metadata: float32.tflite.gz with a normalization of its pixels.

    pip install tflite-support==0.4.4
    python make_metadata.py write
    pip install ai-edge-litert==2.3.0 safetensors
    python make_metadata.py answer

tflite-support needs libusb-1.0.so.0, which the package libusb-package has.

| file | mean | deviation |
| --- | --- | --- |
| metadata | 120, 110, 100 | 60, 70, 80 |
| metadata_one | 127.5 | 127.5 |

metadata.golden.safetensors has uint8 pixels (NAME.input) and LiteRT's scores of (x - mean) / deviation (NAME.scores).
"""

import gzip
import sys
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
MADE = {"metadata": ([120.0, 110.0, 100.0], [60.0, 70.0, 80.0]), "metadata_one": ([127.5], [127.5])}


def write():
    from tensorflow_lite_support.metadata.python.metadata_writers import image_classifier

    model = gzip.decompress((HERE / "float32.tflite.gz").read_bytes())
    with tempfile.TemporaryDirectory() as folder:
        labels = Path(folder) / "labels.txt"
        labels.write_text("".join(f"thing {i}\n" for i in range(5)))
        for name, (mean, std) in MADE.items():
            writer = image_classifier.MetadataWriter.create_for_inference(bytearray(model), mean, std, [str(labels)])
            (HERE / f"{name}.tflite.gz").write_bytes(gzip.compress(bytes(writer.populate()), mtime=0))


def answer():
    from ai_edge_litert.interpreter import Interpreter
    from safetensors.numpy import save_file

    tensors = {}
    for name, (mean, std) in MADE.items():
        interpreter = Interpreter(model_content=gzip.decompress((HERE / f"{name}.tflite.gz").read_bytes()))
        interpreter.allocate_tensors()
        taken, given = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
        pixels = np.random.default_rng(4).integers(0, 256, taken["shape"][1:], np.uint8)
        floats = (pixels.astype(np.float32) - np.float32(mean)) / np.float32(std)
        interpreter.set_tensor(taken["index"], floats[None].astype(np.float32))
        interpreter.invoke()
        tensors[f"{name}.input"] = pixels
        tensors[f"{name}.scores"] = interpreter.get_tensor(given["index"])[0]
        print(name, tensors[f"{name}.scores"])
    save_file(tensors, HERE / "metadata.golden.safetensors")


if __name__ == "__main__":
    {"write": write, "answer": answer}[sys.argv[1]]()
