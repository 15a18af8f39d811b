"""Make the fixtures of heads with more than one layer: small random MobileNets as Keras 3 and Keras 2 save them.

    pip install tensorflow-cpu==2.21.0 keras==3.15.1 tf-keras==2.21.0 pillow==13.0.0 h5py safetensors
    python make_hidden.py
    python make_hidden.py 2

- `many`: batch norms before, between and after dense layers, dropout, every activation that is supported, as a name or as a layer,
  a dense layer without a bias and one without an activation, a softmax of its own;
- `relu` and `keras2_relu`: one hidden layer, as in most tutorials; 1x1 convolutions of the pool's output in its place in `convolved`;
- `norm`: a batch norm without gamma before the only dense layer;
- `max`: the largest values in place of means, and a sigmoid of each class.

hidden.golden.safetensors and hidden2.golden.safetensors hold uint8 pixels (the networks see x / 127.5 - 1), and of each network the float32 logits, the pool's output
and, but for `max`, the gradient of each class's logit by it, of the first picture.
"""

import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy as np
import tensorflow as tf
from safetensors.numpy import save_file

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "keras"))
from make_keras import pixels, save_keras, smooth_image  # noqa: E402

KERAS2 = sys.argv[1:] == ["2"]
if KERAS2:
    import tf_keras as keras
else:
    import keras
layers = keras.layers
SIZE = 64
CLASSES = 3


def many(x):
    x = layers.BatchNormalization()(layers.Dropout(0.2)(x))
    x = layers.Dense(9, activation="gelu")(x)
    x = layers.BatchNormalization(epsilon=1e-5)(x)
    x = layers.Dense(8, use_bias=False)(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization(scale=False)(x))
    x = layers.Dense(8, activation="elu")(x)
    x = layers.Dense(7, activation="selu")(layers.GaussianDropout(0.1)(x))
    x = layers.LeakyReLU(negative_slope=0.1)(layers.Dense(7)(x))
    x = layers.Dense(6, activation="leaky_relu")(x)
    x = layers.ELU(0.5)(layers.Dense(6)(x))
    x = layers.Dense(6, activation="silu")(x)
    x = layers.Dense(6, activation="tanh")(x)
    x = layers.Dense(6)(x)
    x = layers.Activation("sigmoid")(layers.Dense(6)(x))
    x = layers.BatchNormalization()(layers.Dense(CLASSES)(x))
    return layers.Activation("softmax")(x)


def relu(x):
    x = layers.Dropout(0.5)(layers.Dense(10, activation="relu")(x))
    return layers.Dense(CLASSES, activation="softmax", name="scores")(x)


def convolved(x):
    x = layers.Conv2D(10, 1, activation="relu")(x)
    return layers.Softmax()(layers.Flatten()(layers.Conv2D(CLASSES, 1)(x)))


def norm(x):
    return layers.Dense(CLASSES)(layers.BatchNormalization(scale=False)(x))


def largest(x):
    return layers.Dense(CLASSES, activation="sigmoid")(x)


def network(head, pool):
    base = keras.applications.MobileNet((SIZE, SIZE, 3), alpha=0.035, weights=None, include_top=False)
    pooled = pool(base.output)
    model = keras.Model(base.input, head(pooled))
    at = next(i for i, layer in enumerate(model.layers) if layer.name.startswith("global_"))
    return model, model.layers[at:]


def short(values):
    """Six binary digits of each."""
    fraction, exponent = np.frexp(np.asarray(values, np.float32))
    return np.ldexp(np.round(fraction * 64) / 64, exponent).astype(np.float32)


def fill(model, rng, images):
    """Random weights, batch norms after the activations of some pictures."""
    x = pixels(images)
    for layer in model.layers[1:]:
        if isinstance(layer, layers.BatchNormalization):
            n, axes = x.shape[-1], tuple(range(x.ndim - 1))
            values = [short(rng.uniform(0.8, 1.6, n))] if layer.scale else []
            mean, variance = x.mean(axes) + rng.normal(0, 0.1, n), x.var(axes) * rng.uniform(0.8, 1.2, n) + 1e-2
            layer.set_weights([*values, short(rng.normal(0.4, 0.4, n)), short(mean), short(variance)])
        elif layer.get_weights():
            kernel, *bias = [w.shape for w in layer.get_weights()]
            inputs = 9 if isinstance(layer, layers.DepthwiseConv2D) else np.prod(kernel[:-1])
            layer.set_weights([
                short(rng.normal(0, (3 / inputs) ** 0.5, kernel)), *(short(rng.normal(0, 0.5, b)) for b in bias)])
        x = np.asarray(layer(x))


def from_pool(top, x):
    """The logits, without what makes scores of them."""
    for layer in top[1:]:
        last = layer is top[-1]
        if last and isinstance(layer, (layers.Activation, layers.Softmax)):
            return x
        if last and layer.activation is not keras.activations.linear:
            layer.activation, whole = keras.activations.linear, layer.activation
            x = layer(x)
            layer.activation = whole
            return x
        x = layer(x, training=False) if isinstance(layer, layers.BatchNormalization) else layer(x)
    return x


def main():
    rng = np.random.default_rng(17)
    pictures = [smooth_image(rng, SIZE) for _ in range(16)]
    golden = {"input": np.stack(pictures[:2])}
    average, maximum = layers.GlobalAveragePooling2D, layers.GlobalMaxPooling2D
    found = [("relu", relu, average())]
    if not KERAS2:
        found += [("many", many, average()), ("convolved", convolved, average(keepdims=True)),
                  ("norm", norm, average()), ("max", largest, maximum())]
    for name, head, pool in found:
        model, top = network(head, pool)
        fill(model, rng, pictures)
        save_keras(model, HERE / f"{'keras2_' if KERAS2 else ''}{name}.keras")
        pooled = tf.constant(keras.Model(model.input, top[0].output).predict(pixels(pictures[:2]), verbose=0))
        with tf.GradientTape() as tape:
            tape.watch(pooled)
            logits = from_pool(top, pooled)
        gradients = tape.batch_jacobian(logits, pooled).numpy()[0].reshape(CLASSES, -1)
        logits, pooled = logits.numpy().reshape(2, CLASSES), pooled.numpy().reshape(2, -1)
        # As the whole model answers.
        whole = model.predict(pixels(pictures[:2]), verbose=0)
        scores = tf.sigmoid(logits) if name == "max" else logits if name == "norm" else tf.nn.softmax(logits)
        assert np.allclose(whole, scores, atol=1e-5), name
        assert np.abs(logits[0] - logits[1]).max() > 0.01, (name, logits)
        print(name, logits)
        golden |= {f"{name}.logits": logits, f"{name}.pooled": pooled, f"{name}.gradient": gradients}
    save_file(golden, HERE / f"hidden{'2' if KERAS2 else ''}.golden.safetensors")


if __name__ == "__main__":
    main()
