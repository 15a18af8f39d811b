"""Make sampled.golden.safetensors: pictures as TensorFlow resizes them without averaging, and as it does not round them.

    pip install tensorflow-cpu==2.21.0 safetensors
    python make_sampled.py

For each NAME: NAME.input, uint8 [H, W, 3], and NAME.output, float32 [N, N, 3].
"""

import os
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy as np
import tensorflow as tf
from safetensors.numpy import save_file

SIZES = {"smaller": (97, 61, 32), "larger": (20, 33, 48), "both": (70, 25, 32), "same": (32, 32, 32), "much": (160, 90, 32)}


def main():
    rng = np.random.default_rng(3)
    tensors = {}
    for name, (height, width, size) in SIZES.items():
        pixels = rng.integers(0, 256, (height, width, 3), np.uint8)
        tensors[f"{name}.input"] = pixels
        tensors[f"{name}.output"] = tf.image.resize(pixels, (size, size), "bilinear").numpy()
    save_file(tensors, Path(__file__).parent / "sampled.golden.safetensors")


if __name__ == "__main__":
    main()
