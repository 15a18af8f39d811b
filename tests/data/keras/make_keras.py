"""Make the Keras fixtures of this folder: two small random networks in every layout Keras has written.

    pip install tensorflow-cpu==2.21.0 keras==3.15.1 pillow==13.0.0 h5py safetensors
    python make_keras.py

`tiny` is keras.applications.MobileNet at alpha 0.05: ReLU6, and strided depthwise convolutions padded at
the bottom and right only, odd inputs too (33 becomes 16, where TensorFlow's SAME gives 17). `shallow` leaves
out blocks 7-11 and has plain ReLU, symmetric padding, batch-norm epsilon 1e-5. The golden files hold uint8
pixels (the networks see x / 127.5 - 1) and the float32 logits and global average pool Keras computes.
"""

import json
import os
import re
import zipfile
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import h5py
import keras
import numpy as np
from keras import layers
from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group
from PIL import Image
from safetensors.numpy import save

HERE = Path(__file__).parent


def smooth_image(rng, size):
    """A random picture of soft coloured blobs with a little noise."""
    grid = rng.integers(0, 256, (int(rng.integers(3, 9)), int(rng.integers(3, 9)), 3), dtype=np.uint8)
    picture = np.asarray(Image.fromarray(grid).resize((size, size), Image.Resampling.BICUBIC))
    noise = rng.integers(-12, 13, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def pixels(images):
    return np.stack(images).astype(np.float32) / np.float32(127.5) - np.float32(1)


def tiny(size=65, top=True):
    keras.utils.clear_session()
    return keras.applications.MobileNet(
        alpha=0.05, weights=None, classes=7, input_shape=(size, size, 3),
        classifier_activation=None, include_top=top,
    )


def shallow(size=64):
    keras.utils.clear_session()
    width = lambda n: int(n * 0.1)

    def norm_relu(x, name):
        x = layers.BatchNormalization(epsilon=1e-5, name=f"{name}_bn")(x)
        return layers.ReLU(name=f"{name}_relu")(x)

    image = layers.Input((size, size, 3))
    x = layers.ZeroPadding2D(1, name="conv1_pad")(image)
    x = norm_relu(layers.Conv2D(width(32), 3, strides=2, use_bias=False, name="conv1")(x), "conv1")
    blocks = {1: (64, 1), 2: (128, 2), 3: (128, 1), 4: (256, 2), 5: (256, 1), 6: (512, 2), 12: (1024, 2), 13: (1024, 1)}
    for i, (channels, stride) in blocks.items():
        x = layers.ZeroPadding2D(1, name=f"conv_pad_{i}")(x)
        x = norm_relu(layers.DepthwiseConv2D(3, strides=stride, use_bias=False, name=f"conv_dw_{i}")(x), f"conv_dw_{i}")
        x = norm_relu(layers.Conv2D(width(channels), 1, use_bias=False, name=f"conv_pw_{i}")(x), f"conv_pw_{i}")
    x = layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = layers.Conv2D(5, 1, name="conv_preds")(x)
    return keras.Model(image, layers.Reshape((5,), name="reshape_2")(x), name="shallow")


def up_to(model, layer, x):
    return np.asarray(keras.Model(model.input, layer.output)(x))


def rounded(values):
    """Three digits, so that the last bits of another machine's arithmetic make no other weights."""
    return np.array([float(f"{v:.3g}") for v in np.ravel(values)], np.float32)


def randomise(model, rng, images):
    """Random weights whose activations keep a healthy spread on `images`, through every layer."""
    x = pixels(images)
    for layer in model.layers:
        if not isinstance(layer, (layers.Conv2D, layers.DepthwiseConv2D)):
            continue
        depthwise = isinstance(layer, layers.DepthwiseConv2D)
        kernel = rng.normal(0, 1, layer.kernel.shape).astype(np.float32)
        rest = layer.get_weights()[1:]
        layer.set_weights([kernel, *rest])
        out = up_to(model, layer, x)
        n = out.shape[-1]
        per_channel = (lambda s: s.reshape(1, 1, -1, 1)) if depthwise else (lambda s: s)
        if rest:  # the classifier
            scale = rounded(3 / out.std(axis=(0, 1, 2)))
            bias = rounded(rng.normal(0, 1, n) - scale * out.mean(axis=(0, 1, 2)))
            layer.set_weights([kernel * scale, bias])
            continue
        gamma, variance = rng.uniform(0.5, 1.5, n), rng.uniform(0.5, 2, n)
        scale = rounded(2 * np.sqrt(variance) / out.std(axis=(0, 1, 2)))
        layer.set_weights([kernel * per_channel(scale)])
        mean = rounded(scale * out.mean(axis=(0, 1, 2)) + rng.uniform(-0.5, 0.5, n))
        norm = model.get_layer(f"{layer.name}_bn")
        norm.set_weights([v.astype(np.float32) for v in (gamma, rng.uniform(-0.5, 2.5, n), mean, variance)])


def save_applications(model, path):
    """The layout of the published keras-applications files: fixed-length names with their `:0`."""
    with h5py.File(path, "w") as f:
        f.attrs["layer_names"] = np.array([l.name.encode() for l in model.layers])
        f.attrs["backend"] = b"tensorflow"
        f.attrs["keras_version"] = b"2.0.5"
        for layer in model.layers:
            group = f.create_group(layer.name)
            kind = "depthwise_kernel" if isinstance(layer, layers.DepthwiseConv2D) else "kernel"
            names = [f"{layer.name}/{kind if w.name == 'kernel' else w.name}:0" for w in layer.weights]
            group.attrs["weight_names"] = np.array([n.encode() for n in names]) if names else np.zeros(0)
            for name, weight in zip(names, layer.get_weights()):
                group[name] = weight


def save_legacy(model, path):
    with h5py.File(path, "w") as f:
        save_weights_to_hdf5_group(f, model)


def save_keras(model, path):
    """`model.save`, then the zip rewritten: without dates and addresses, so that each run makes the same bytes,
    and deflated (Keras itself only stores), to be small."""
    model.save(path)
    with zipfile.ZipFile(path) as z:
        members = {i.filename: z.read(i) for i in z.infolist()}
    metadata = json.loads(members["metadata.json"]) | {"date_saved": "2026-01-01@00:00:00"}
    members["metadata.json"] = json.dumps(metadata).encode()
    ids = {}
    members["config.json"] = re.sub(
        rb'(?<="shared_object_id": )\d+', lambda m: b"%d" % ids.setdefault(m[0], len(ids) + 1), members["config.json"])
    with zipfile.ZipFile(path, "w") as z:
        for name, data in members.items():
            z.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED, 9)


def answers(model, image):
    x = pixels([image])
    pool = next(l for l in model.layers if isinstance(l, layers.GlobalAveragePooling2D))
    return {"input": image, "logits": np.asarray(model(x)).ravel(), "embedding": up_to(model, pool, x).ravel()}


def golden(path, named):
    path.write_bytes(save({f"{name}.{k}": v for name, a in named.items() for k, v in a.items()}))


def reloaded(model, path):
    model.load_weights(path)
    return model


def check(expected, models):
    for model in models:
        for case in "ab":
            got = answers(model, expected[case]["input"])
            for key in ("logits", "embedding"):
                assert np.array_equal(got[key], expected[case][key]), (key, case)
    logits = np.stack([e["logits"] for e in expected.values()])
    assert np.ptp(logits, axis=0).min() > 2 and np.ptp(logits, axis=1).min() > 2, logits
    assert logits[0].argmax() != logits[1].argmax(), logits


def make_tiny():
    rng = np.random.default_rng(1)
    model = tiny()
    randomise(model, rng, [smooth_image(rng, 65) for _ in range(16)])
    save_applications(model, HERE / "tiny_tf.h5")
    save_legacy(model, HERE / "tiny_legacy.h5")
    model.save(HERE / "tiny_model.h5")
    model.save_weights(HERE / "tiny.weights.h5")
    save_keras(model, HERE / "tiny.keras")

    expected = {name: answers(model, smooth_image(rng, 65)) for name in "ab"}
    for name, size in (("odd", 97), ("even", 64)):
        expected[name] = answers(reloaded(tiny(size), HERE / "tiny.weights.h5"), smooth_image(rng, size))
    golden(HERE / "tiny.golden.safetensors", expected)

    check(expected, [reloaded(tiny(), HERE / f) for f in ("tiny_tf.h5", "tiny_legacy.h5", "tiny.weights.h5")])
    check(expected, [keras.models.load_model(HERE / f, compile=False) for f in ("tiny_model.h5", "tiny.keras")])
    final = up_to(model, model.get_layer("conv_pw_13_relu"), pixels([e["input"] for e in (expected["a"], expected["b"])]))
    assert 0.01 < (final == 6).mean() < 0.5 and 0.01 < (final == 0).mean() < 0.7

    bare = tiny(top=False)
    for layer in bare.layers:
        layer.set_weights(model.get_layer(layer.name).get_weights() if layer.weights else [])
    save_applications(bare, HERE / "tiny_no_top_tf.h5")
    again = reloaded(tiny(top=False), HERE / "tiny_no_top_tf.h5")
    for case in "ab":
        features = np.asarray(again(pixels([expected[case]["input"]])))
        assert np.allclose(features.mean(axis=(0, 1, 2)), expected[case]["embedding"], atol=1e-5)


def make_shallow():
    rng = np.random.default_rng(2)
    model = shallow()
    randomise(model, rng, [smooth_image(rng, 64) for _ in range(16)])
    save_keras(model, HERE / "shallow.keras")
    save_legacy(model, HERE / "shallow_legacy.h5")
    expected = {name: answers(model, smooth_image(rng, 64)) for name in "ab"}
    golden(HERE / "shallow.golden.safetensors", expected)
    check(expected, [reloaded(shallow(), HERE / "shallow_legacy.h5"), keras.models.load_model(HERE / "shallow.keras")])
    final = up_to(model, model.get_layer("conv_pw_13_relu"), pixels([e["input"] for e in expected.values()]))
    assert (final > 6).mean() > 0.01


if __name__ == "__main__":
    make_tiny()
    make_shallow()
