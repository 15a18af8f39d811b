"""Makes `golden.safetensors`: what Keras makes of one batch in training, and AdamW by its definition; and
`stored_norms.safetensors`: the same batch where batch norm keeps its stored statistics.

    pip install tensorflow-cpu==2.21.0 keras==3.15.1 safetensors
    python make_golden.py

For the networks `tiny` and `shallow` of ../keras, in float64 but stored as float32: uint8 pixels, classes, the
logits and the loss with the batch's own statistics (label smoothing 0.1), the gradient of every trained weight,
and every batch norm's moving mean and variance afterwards (momentum 0.99). Names and axes are this crate's.

`stored_norms.safetensors` has logits, loss and gradients of the same pixels and classes for the same networks,
called with `training=False`; gamma and beta are trained, the moving statistics are constants.

`adamw.*` are three weights over four steps after PyTorch's documentation of `torch.optim.AdamW` (no AMSGrad),
in numpy, float64: the first two with weight decay 0.1, the third without.
"""

import os
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import keras
import numpy as np
import tensorflow as tf
from safetensors.numpy import save_file

HERE = Path(__file__).parent
PARTS = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}


def ours(variable, layer):
    """A variable's name and values in our naming and order of axes."""
    name, values = variable.name, variable.numpy()
    if name in PARTS:
        return f"{layer}.{PARTS[name]}", values
    if name == "bias":
        return f"{layer}.bias", values
    # [h, w, in, out], and [h, w, channels, 1] of a depthwise one.
    depthwise = isinstance(variable.layer, keras.layers.DepthwiseConv2D)
    return f"{layer}.weight", values.transpose((2, 3, 0, 1) if depthwise else (3, 2, 0, 1))


def step(name, size, golden, training=True):
    keras.utils.clear_session()
    keras.backend.set_floatx("float32")
    source = keras.models.load_model(HERE / f"../keras/{name}.keras")
    keras.backend.set_floatx("float64")
    config = source.get_config()
    for layer in config["layers"]:
        layer["config"]["dtype"] = "float64"
        if layer["class_name"] == "Dropout":
            layer["config"]["rate"] = 0.0
    config["layers"][0]["config"]["batch_shape"] = (None, size, size, 3)
    model = keras.Model.from_config(config)
    model.set_weights(source.get_weights())
    rng = np.random.default_rng(len(name))
    # Soft blobs, so that neighbours have to do with each other.
    small = rng.integers(0, 256, (4, 5, 5, 3)).astype(np.float32)
    pixels = np.clip(np.round(tf.image.resize(small, (size, size), "bicubic").numpy()), 0, 255).astype(np.uint8)
    classes = rng.integers(0, model.output_shape[-1], 4)
    for layer in model.layers:
        for variable in layer.variables:
            variable.layer = layer
    with tf.GradientTape() as tape:
        logits = model(pixels.astype(np.float64) / 127.5 - 1, training=training)
        loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
        loss = loss(np.eye(logits.shape[-1])[classes], logits)
    trained = model.trainable_variables
    gradients = tape.gradient(loss, [variable.value for variable in trained])
    if training:
        golden[f"{name}.pixels"] = pixels
        golden[f"{name}.classes"] = classes.astype(np.uint8)
    golden[f"{name}.logits"] = logits.numpy()
    golden[f"{name}.loss"] = np.array(loss)
    for variable, gradient in zip(trained, gradients):
        key, _ = ours(variable, variable.layer.name)
        fake = type("", (), {"name": variable.name, "layer": variable.layer, "numpy": gradient.numpy})
        golden[f"{name}.gradient.{key}"] = ours(fake, variable.layer.name)[1]
    for variable in model.non_trainable_variables:
        if training and variable.name.startswith("moving"):
            key, values = ours(variable, variable.layer.name)
            golden[f"{name}.after.{key}"] = values


def adamw(golden):
    rng = np.random.default_rng(1)
    rate, beta1, beta2, epsilon = 0.01, 0.9, 0.999, 1e-8
    for number, decay in enumerate([0.1, 0.1, 0.0]):
        weight = rng.normal(size=(3, 4))
        golden[f"adamw.{number}.0"] = weight
        first = second = np.zeros_like(weight)
        for t in range(1, 5):
            gradient = rng.normal(size=weight.shape) * 10.0 ** (number - 1)
            golden[f"adamw.{number}.gradient.{t}"] = gradient
            weight = weight - rate * decay * weight
            first = beta1 * first + (1 - beta1) * gradient
            second = beta2 * second + (1 - beta2) * gradient**2
            hats = first / (1 - beta1**t), second / (1 - beta2**t)
            weight = weight - rate * hats[0] / (np.sqrt(hats[1]) + epsilon)
            golden[f"adamw.{number}.{t}"] = weight


def save(golden, name):
    narrow = lambda a: np.ascontiguousarray(a if a.dtype == np.uint8 else a.astype(np.float32))
    save_file({key: narrow(np.asarray(value)) for key, value in golden.items()}, HERE / name)


golden, stored = {}, {}
for name, size in (("tiny", 65), ("shallow", 64)):
    step(name, size, golden)
    step(name, size, stored, training=False)
adamw(golden)
save(golden, "golden.safetensors")
save(stored, "stored_norms.safetensors")
