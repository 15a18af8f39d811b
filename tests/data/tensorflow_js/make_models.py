"""Make the fixtures of TensorFlow.js's layers models that its Python converter writes, and the pictures they are shown.

    pip install tensorflow-cpu==2.21.0 tf_keras==2.21.0 tensorflow_hub packaging "setuptools<80" safetensors==0.8.0
    pip install --no-deps tensorflowjs==4.22.0
    npm install @tensorflow/tfjs@4.22.0
    python make_models.py && node make_models.mjs

| file | what wrote it | model | weights |
| --- | --- | --- | --- |
| shards | the converter, from Keras 2 | shallow, SAME, a Dense classifier with a softmax | float32, in three files |
| uint8 | the converter, from Keras 2 | Keras's own MobileNet with the top of 2018, as Google hosts it | uint8 |
| uint16 | the converter, from Keras 2 | shallow, Keras's padding, ReLU | uint16 |
| float16 | the converter, from Keras 2 | the same | float16 |
| nested | the converter, from Keras 2 | Keras's MobileNet as a layer behind a Rescaling, a sigmoid | uint8 |
| saved | TensorFlow.js, `model.save` | shallow, SAME, built in JavaScript | float32 |

Each is NAME.zip, with model.json and the shards. answers.safetensors holds of each uint8 pixels and the scores that TensorFlow.js gives for
them in JavaScript, on its plain CPU backend: make_models.mjs adds those, and `saved`.

tensorflowjs 4.22.0 imports TensorFlow Decision Forests and JAX, which are of no use for these models and don't install beside TensorFlow 2.21: what stands
for them here does nothing.
"""

import json
import os
import sys
import zipfile
from pathlib import Path
from unittest.mock import MagicMock

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
for name in ["tensorflow_decision_forests", "jax", "jax.experimental", "jax.experimental.jax2tf", "flax", "flax.core"]:
    sys.modules[name] = MagicMock()

import numpy as np
import tensorflow as tf
import tensorflowjs as tfjs
import tf_keras as keras
from tf_keras import layers

HERE = Path(__file__).parent
ALPHA = 0.0625
CLASSES = 5
BLOCKS = [(1, 64), (2, 128), (1, 128), (2, 256), (1, 256), (2, 512), (2, 1024), (1, 1024)]


def shallow(padding, activation, size=48):
    keras.backend.clear_session()

    def after(x):
        return layers.ReLU(activation)(layers.BatchNormalization()(x))

    image = layers.Input((size, size, 3))
    x = image
    if padding == "keras":
        x = layers.ZeroPadding2D(((0, 1), (0, 1)))(x)
    x = after(layers.Conv2D(2, 3, strides=2, padding="valid" if padding == "keras" else "same", use_bias=False)(x))
    for stride, channels in BLOCKS:
        how = "same"
        if padding == "keras" and stride == 2:
            x, how = layers.ZeroPadding2D(((0, 1), (0, 1)))(x), "valid"
        x = after(layers.DepthwiseConv2D(3, strides=stride, padding=how, use_bias=False)(x))
        x = after(layers.Conv2D(int(channels * ALPHA), 1, padding="same", use_bias=False)(x))
    x = layers.Dropout(0.2)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(image, layers.Dense(CLASSES, activation="softmax")(x))


def published():
    """Keras's own with the top of 2018, as in the models that Google hosts; TensorFlow.js can't load today's."""
    keras.backend.clear_session()
    base = keras.applications.MobileNet((64, 64, 3), alpha=ALPHA, weights=None, include_top=False)
    x = layers.GlobalAveragePooling2D()(base.output)
    x = layers.Reshape((1, 1, int(1024 * ALPHA)), name="reshape_1")(x)
    x = layers.Dropout(1e-3, name="dropout")(x)
    x = layers.Conv2D(CLASSES, 1, padding="same", name="conv_preds")(x)
    x = layers.Activation("softmax", name="act_softmax")(x)
    return keras.Model(base.input, layers.Reshape((CLASSES,), name="reshape_2")(x))


def nested():
    keras.backend.clear_session()
    inner = keras.applications.MobileNet((64, 64, 3), alpha=ALPHA, weights=None, include_top=False)
    return keras.Sequential([
        layers.Input((64, 64, 3)), layers.Rescaling(1 / 127.5, offset=-1), inner, layers.GlobalAveragePooling2D(),
        layers.Dense(CLASSES, activation="sigmoid"),
    ])


def fill(model, rng):
    """Random weights, and batch norms that change something."""
    for layer in model.layers:
        if hasattr(layer, "layers"):
            fill(layer, rng)
        elif isinstance(layer, layers.BatchNormalization):
            n = layer.gamma.shape[0]
            layer.set_weights([
                rng.uniform(0.8, 1.6, n), rng.normal(0.4, 0.4, n), rng.normal(0, 0.2, n), rng.uniform(0.5, 1.5, n),
            ])
        elif layer.get_weights():
            kernel, *bias = [w.shape for w in layer.get_weights()]
            inputs = 9 if isinstance(layer, layers.DepthwiseConv2D) else np.prod(kernel[:-1])
            layer.set_weights([rng.normal(0, (2 / inputs) ** 0.5, kernel), *(rng.normal(0, 1, b) for b in bias)])


def main():
    rng = np.random.default_rng(31)
    sizes = {"saved": 48}
    for name, model, kind, settings in [
        ("shards", shallow("same", 6.0), None, dict(weight_shard_size_bytes=20_000)),
        ("uint8", published(), "uint8", {}),
        ("uint16", shallow("keras", None), "uint16", {}),
        ("float16", shallow("keras", None), "float16", {}),
        ("nested", nested(), "uint8", {}),
    ]:
        fill(model, rng)
        folder = HERE / "unpacked" / name
        types = {kind: True} if kind else None
        tfjs.converters.save_keras_model(model, str(folder), quantization_dtype_map=types, **settings)
        sizes[name] = model.input_shape[1]
    for name, size in sizes.items():
        grid = rng.integers(0, 256, (1, 5, 5, 3))
        pixels = tf.image.resize(grid, (size, size), "bicubic").numpy().clip(0, 255).astype(np.uint8)
        (HERE / "unpacked" / f"{name}.pixels.json").write_text(json.dumps(pixels.tolist()))


def pack():
    """What make_models.mjs calls last."""
    from safetensors.numpy import save_file

    golden = {}
    for answers in sorted((HERE / "unpacked").glob("*.scores.json")):
        name = answers.name.split(".")[0]
        pixels = json.loads((HERE / "unpacked" / f"{name}.pixels.json").read_text())
        golden[f"{name}.input"] = np.array(pixels, np.uint8)[0]
        golden[f"{name}.scores"] = np.array(json.loads(answers.read_text()), np.float32)
        print(name, golden[f"{name}.scores"])
        with zipfile.ZipFile(HERE / f"{name}.zip", "w", zipfile.ZIP_DEFLATED) as packed:
            for file in sorted((HERE / "unpacked" / name).iterdir()):
                packed.writestr(zipfile.ZipInfo(file.name), file.read_bytes(), zipfile.ZIP_DEFLATED)
    save_file(golden, HERE / "answers.safetensors")


if __name__ == "__main__":
    pack() if sys.argv[1:] == ["pack"] else main()
