"""Make the fixtures of models that make up their pixels themselves: plain.keras behind preprocessing layers.

    pip install tensorflow-cpu==2.21.0 keras==3.15.1 safetensors==0.8.0
    python make_front.py

front.golden.safetensors has the logits that Keras computes of ../../../samples/cat.jpg as TensorFlow decodes it
(NAME.photograph), and of random pixels of the network's size (NAME.input, NAME.logits).
"""

import gzip
import os
import tempfile
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from make_keras import save_keras
from safetensors.numpy import save_file

HERE = Path(__file__).parent
SIZE = 33
MEAN, VARIANCE = [120.0, 110.0, 100.0], [3600.0, 4900.0, 6400.0]


def adapted():
    layer = layers.Normalization()
    layer.adapt(np.random.default_rng(5).normal([0.5, 0.4, 0.3], [0.2, 0.3, 0.4], (4, 8, 8, 3)).astype(np.float32))
    return layer


def fronts():
    usual = lambda: layers.Rescaling(1 / 127.5, offset=-1)
    yield "resizing", [layers.Resizing(SIZE, SIZE), usual()]
    resizing = layers.Resizing(SIZE, SIZE, interpolation="bicubic", crop_to_aspect_ratio=True, antialias=True)
    yield "square", [resizing, layers.Normalization(mean=MEAN, variance=VARIANCE)]
    yield "centre", [usual(), layers.Resizing(40, 40, interpolation="nearest"), layers.CenterCrop(SIZE, SIZE)]
    yield "adapted", [layers.CenterCrop(SIZE, SIZE), layers.Rescaling(1 / 255), adapted()]
    # The same as x / 127.5 - 1.
    yield "invert", [layers.Normalization(axis=None, mean=-1.0, variance=1 / 127.5**2, invert=True)]


def main():
    tensors = {}
    picture = tf.io.decode_image((HERE.parents[2] / "samples/cat.jpg").read_bytes(), channels=3)
    pixels = np.random.default_rng(6).integers(0, 256, (SIZE, SIZE, 3), np.uint8)
    for name, front in fronts():
        network = keras.models.load_model(HERE / "plain.keras")
        side = SIZE if name == "invert" else None
        image = x = layers.Input((side, side, 3))
        for layer in front:
            x = layer(x)
        model = keras.Model(image, network(x, training=False))
        save_keras(model, HERE / f"front_{name}.keras")
        if name == "adapted":
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "model.h5"
                model.save(path)
                (HERE / "front_adapted.h5.gz").write_bytes(gzip.compress(path.read_bytes(), mtime=0))
        tensors[f"{name}.input"] = pixels
        tensors[f"{name}.logits"] = model(pixels[None].astype(np.float32)).numpy()[0]
        if side is None:
            tensors[f"{name}.photograph"] = model(tf.cast(picture, tf.float32)[None]).numpy()[0]
        print(name, tensors[f"{name}.logits"], tensors.get(f"{name}.photograph"))
    save_file(tensors, HERE / "front.golden.safetensors")


if __name__ == "__main__":
    main()
