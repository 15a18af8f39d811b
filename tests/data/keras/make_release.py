"""Make `release_2_5_224_tf.h5.gz`: a file of the size and layout of Keras's release of alpha 0.25.

    pip install h5py numpy
    python make_release.py

Every weight is zero but the classifier's bias, so that it packs to a few kilobytes and its answer to any
picture is known: the softmax of that bias. Class 281 has 3, class 282 has 2, class 285 has 1, the rest 0.
"""

import gzip
import io
from pathlib import Path

import h5py
import numpy as np

BLOCKS = [64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024]
ALPHA = 0.25


def layers():
    """(layer, weight, shape) of every weight, in order."""

    def norm(layer, channels):
        for weight in ("gamma", "beta", "moving_mean", "moving_variance"):
            yield layer, weight, (channels,)

    channels = int(32 * ALPHA)
    yield "conv1", "kernel", (3, 3, 3, channels)
    yield from norm("conv1_bn", channels)
    for number, base in enumerate(BLOCKS, 1):
        yield f"conv_dw_{number}", "depthwise_kernel", (3, 3, channels, 1)
        yield from norm(f"conv_dw_{number}_bn", channels)
        yield f"conv_pw_{number}", "kernel", (1, 1, channels, int(base * ALPHA))
        channels = int(base * ALPHA)
        yield from norm(f"conv_pw_{number}_bn", channels)
    yield "conv_preds", "kernel", (1, 1, channels, 1000)
    yield "conv_preds", "bias", (1000,)


bias = np.zeros(1000, np.float32)
bias[[281, 282, 285]] = 3, 2, 1
buffer = io.BytesIO()
with h5py.File(buffer, "w", track_order=False) as file:
    names = list(dict.fromkeys(layer for layer, _, _ in layers()))
    file.attrs["layer_names"] = [name.encode() for name in names]
    file.attrs["backend"] = b"tensorflow"
    file.attrs["keras_version"] = b"2.0.5"
    for layer, weight, shape in layers():
        values = bias if weight == "bias" else np.zeros(shape, np.float32)
        file.create_dataset(f"{layer}/{layer}/{weight}:0", data=values, track_times=False)
packed = gzip.compress(buffer.getvalue(), 9, mtime=0)
Path(__file__).with_name("release_2_5_224_tf.h5.gz").write_bytes(packed)
