"""Make the fixtures of this folder: a small random MobileNet whose last layer is a sigmoid of each class.

    pip install tensorflow-cpu==2.21.0 keras==3.15.1 safetensors
    python make_heads.py

sigmoid.keras is Keras's, sigmoid.tflite.gz what TFLiteConverter makes of it, golden.safetensors uint8 pixels (the network sees
x / 127.5 - 1) and the float32 scores that Keras computes.
"""

import gzip
import os
import sys
import zipfile
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import keras
import numpy as np
import tensorflow as tf
from safetensors.numpy import save_file

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "tflite"))
from make_tflite import fill, pictures, scaled  # noqa: E402

SIZE = 64


def repack(path):
    """Keras leaves its zips uncompressed."""
    with zipfile.ZipFile(path) as old:
        members = [(name, old.read(name)) for name in old.namelist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name, bytes in members:
            new.writestr(name, bytes)


def main():
    rng = np.random.default_rng(5)
    bottom = keras.applications.MobileNet((SIZE, SIZE, 3), alpha=0.0625, weights=None, include_top=False)
    x = keras.layers.GlobalAveragePooling2D()(bottom.output)
    model = keras.Model(bottom.input, keras.layers.Dense(3, activation="sigmoid")(x))
    fill(model, rng)
    path = HERE / "sigmoid.keras"
    model.save(path)
    repack(path)
    file = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    (HERE / "sigmoid.tflite.gz").write_bytes(gzip.compress(file, mtime=0))
    pixels = pictures(rng, SIZE, 2)
    scores = model.predict(scaled(pixels), verbose=0)
    print(scores)
    save_file({"input": pixels, "scores": scores}, HERE / "golden.safetensors")


if __name__ == "__main__":
    main()
