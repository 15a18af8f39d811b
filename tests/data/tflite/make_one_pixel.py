"""Make the TFLite fixture of Keras's own MobileNet for 32 pixels, whose last picture is a single pixel: TensorFlow's
converter leaves the average of it out.

    pip install tensorflow-cpu==2.21.0 keras==3.15.1 ai-edge-litert safetensors
    python make_one_pixel.py

Packed as one_pixel.tflite.gz. one_pixel.golden.safetensors holds uint8 pixels of 32 and of 96 (the network sees
x / 127.5 - 1) and the float32 logits that Keras computes for each with the same weights.
"""

import gzip
from pathlib import Path

import make_top
import numpy as np
import tensorflow as tf
from make_tflite import fill, pictures
from safetensors.numpy import save_file

HERE = Path(__file__).parent


def mobilenet(size):
    make_top.SIZE = size
    return make_top.mobilenet()


def main():
    rng = np.random.default_rng(23)
    model, larger = mobilenet(32), mobilenet(96)
    fill(model, rng)
    larger.set_weights(model.get_weights())
    file = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    (HERE / "one_pixel.tflite.gz").write_bytes(gzip.compress(file, mtime=0))
    golden = {}
    for name, size, network in [("one_pixel", 32, model), ("larger", 96, larger)]:
        pixels = pictures(rng, size, 1)
        golden[f"{name}.input"], golden[f"{name}.logits"] = pixels[0], make_top.logits(network, pixels)
        print(f"{name}: {golden[f'{name}.logits']}")
    save_file(golden, HERE / "one_pixel.golden.safetensors")


if __name__ == "__main__":
    main()
