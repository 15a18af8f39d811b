"""Make the fixtures of models that people build and train themselves, as Keras 3 and Keras 2 save them.

    pip install tensorflow-cpu==2.21.0 keras==3.15.1 tf-keras==2.21.0 pillow==13.0.0 h5py safetensors
    python make_models.py
    python make_models.py 2

- `article`: the network in functional code, with automatic names that begin at a number above 0 (it is the second
  model of its session), convolutions with a bias, plain ReLU, SAME padding, a `Dense` classifier;
- `plain`: the same, shallow, named from 0, batch norms with neither gamma nor beta, a classifier without softmax;
- `by_hand`: shallow, with names of its own, ReLU6, batch norms without gamma, a smaller epsilon;
- `flat`, `nested`, `sequential`: `MobileNet(include_top=False)` with a `Dense` on top, in one graph, as a layer
  behind augmentation and `preprocess_input`, and in a `Sequential` behind a `Rescaling`; one set of weights, named
  `tuned` in the golden files. The latter two are compiled, so that their optimizer's slots are saved too.

`models.golden.safetensors` and `models2.golden.safetensors` hold uint8 pixels and the logits that Keras computes.
Weights have few digits, to be small in a file; HDF5 is stored gzipped, being mostly structure.
"""

import gzip
import os
import sys
import tempfile
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy as np
from make_keras import golden, pixels, save_keras, smooth_image

KERAS2 = sys.argv[1:] == ["2"]
if KERAS2:
    import tf_keras as keras
else:
    import keras
layers = keras.layers
CONVOLUTIONS = layers.Conv2D, layers.DepthwiseConv2D

HERE = Path(__file__).parent
PREFIX = "keras2_" if KERAS2 else ""
SIZE = 33
BLOCKS = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]


def article(alpha, classes, blocks=BLOCKS, bias=False, relu=layers.ReLU, norm={}, activation="softmax", by_hand=False):
    name = (lambda n: {"name": n}) if by_hand else (lambda n: {})
    conv = {"padding": "same", "use_bias": bias}

    def norm_relu(x, n):
        return relu(**name(f"{n}_act"))(layers.BatchNormalization(**norm, **name(f"{n}_norm"))(x))

    image = layers.Input((SIZE, SIZE, 3))
    x = norm_relu(layers.Conv2D(int(32 * alpha), 3, strides=2, **conv, **name("stem"))(image), "stem")
    for i, (channels, stride) in enumerate(blocks):
        x = norm_relu(layers.DepthwiseConv2D(3, strides=stride, **conv, **name(f"b{i}_deep"))(x), f"b{i}_deep")
        x = norm_relu(layers.Conv2D(int(channels * alpha), 1, **conv, **name(f"b{i}_wide"))(x), f"b{i}_wide")
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(0.2)(x)
    return keras.Model(image, layers.Dense(classes, activation=activation, **name("scores"))(x))


def shallow(**options):
    return article(0.05, 3, blocks=BLOCKS[:6] + BLOCKS[11:], **options)


def base(**options):
    return keras.applications.MobileNet(
        alpha=0.035, weights=None, include_top=False, input_shape=(SIZE, SIZE, 3), **options)


def flat():
    bottom = base(pooling="avg")
    x = layers.Dropout(0.1)(bottom.output)
    return keras.Model(bottom.input, layers.Dense(4, activation="softmax")(x))


def nested(frozen=0):
    bottom = base()
    for layer in bottom.layers[:frozen]:
        layer.trainable = False
    augment = keras.Sequential([layers.RandomFlip("horizontal"), layers.RandomRotation(0.1)])
    image = layers.Input((SIZE, SIZE, 3))
    x = keras.applications.mobilenet.preprocess_input(augment(image))
    x = layers.GlobalAveragePooling2D()(bottom(x, training=False))
    return compiled(keras.Model(image, layers.Dense(4, activation="softmax", name="flowers")(layers.Dropout(0.1)(x))))


def sequential():
    bottom = base()
    bottom.trainable = False
    return compiled(keras.Sequential([
        layers.Input((SIZE, SIZE, 3)), layers.Rescaling(1 / 127.5, offset=-1), bottom,
        layers.GlobalAveragePooling2D(), layers.Dense(4), layers.Activation("softmax")]))


def compiled(model):
    model.compile("adam", "sparse_categorical_crossentropy")
    model.optimizer.build(model.trainable_variables)
    return model


def chain(model):
    """Its layers and those of the models in it, one after the other."""
    for layer in model.layers:
        yield from chain(layer) if isinstance(layer, keras.Model) else [layer]


def of(model, kind):
    return [layer for layer in chain(model) if isinstance(layer, kind)]


def network(model):
    """What takes pixels in [-1, 1]: from the first convolution on."""
    found = list(chain(model))
    start = next(i for i, layer in enumerate(found) if isinstance(layer, (*CONVOLUTIONS, layers.ZeroPadding2D)))
    return found[start:]


def short(values):
    """Six binary digits of each."""
    fraction, exponent = np.frexp(np.asarray(values, np.float32))
    return np.ldexp(np.round(fraction * 64) / 64, exponent).astype(np.float32)


def randomise(model, rng, images):
    """Random weights whose activations keep a healthy spread on `images`, through every layer."""
    x = pixels(images)
    found = network(model)
    for i, layer in enumerate(found):
        if isinstance(layer, (*CONVOLUTIONS, layers.Dense)):
            kernel, *bias = layer.get_weights()
            kernel = rng.normal(0, 1, kernel.shape).astype(np.float32)
            zeros = [np.zeros_like(b) for b in bias]
            layer.set_weights([kernel, *zeros])
            out = np.asarray(layer(x)) if not isinstance(layer, layers.Dense) else np.asarray(x) @ kernel
            n, axes = out.shape[-1], tuple(range(out.ndim - 1))
            norm = found[i + 1] if isinstance(layer, CONVOLUTIONS) else None
            variance = rng.uniform(0.5, 2, n) if norm else None
            scale = (2 * np.sqrt(variance) if norm else 3) / out.std(axis=axes)
            depthwise = isinstance(layer, layers.DepthwiseConv2D)
            kernel = short(kernel * (scale.reshape(1, 1, -1, 1) if depthwise else scale))
            middle = scale * out.mean(axis=axes)
            if norm is None:
                layer.set_weights([kernel, short(rng.normal(0, 1, n) - middle)])
                break
            bias = [short(rng.uniform(-1, 1, n)) for _ in bias]
            layer.set_weights([kernel, *bias])
            values = [short(rng.uniform(0.5, 1.5, n))] if norm.scale else []
            values += [short(rng.uniform(-0.5, 2.5, n))] if norm.center else []
            mean = short(middle + sum(bias) + rng.uniform(-1, 0.5, n))
            norm.set_weights([*values, mean, short(variance)])
        x = layer(x)


def logits(model, image):
    x = pixels([image])
    found = network(model)
    for layer in found[:found.index(of(model, layers.Dense)[0])]:
        x = layer(x)
    head = of(model, layers.Dense)[0]
    activation, head.activation = head.activation, keras.activations.linear
    answer = np.asarray(head(x)).ravel()
    head.activation = activation
    # As the whole model answers, from the pixels that it takes.
    scales = any(word in model.to_json() for word in ("Rescaling", "TrueDivide", "truediv"))
    whole = image[None].astype(np.float32) if scales else pixels([image])
    whole = np.asarray(model(whole, training=False)).ravel()
    if whole.min() >= 0:
        assert np.isclose(whole.sum(), 1)
        whole, answer_ = np.log(whole) - np.log(whole).mean(), answer - answer.mean()
    else:
        answer_ = answer
    assert np.allclose(whole, answer_, atol=1e-3), (whole, answer_)
    return answer


def packed(name, save):
    """What `save` writes to a path, gzipped into this folder."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        save(str(path))
        (HERE / f"{PREFIX}{name}.gz").write_bytes(gzip.compress(path.read_bytes(), 9, mtime=0))


def save_all(name, model):
    packed(f"{name}.h5", model.save)
    packed(f"{name}.weights.h5", model.save_weights)
    save_keras(model, HERE / f"{name}.keras")


def answers(name, model, rng):
    images = [smooth_image(rng, SIZE) for _ in range(2)]
    found = [logits(model, image) for image in images]
    assert np.abs(found[0] - found[1]).max() > 1, found
    return {f"{name}.{case}": {"input": i, "logits": l} for case, i, l in zip("ab", images, found)}


def tuned_like(model, other):
    for kind in (CONVOLUTIONS, layers.BatchNormalization, layers.Dense):
        for mine, theirs in zip(of(model, kind), of(other, kind), strict=True):
            mine.set_weights(theirs.get_weights())
    return model


def make():
    rng = np.random.default_rng(3)
    pictures = [smooth_image(rng, SIZE) for _ in range(16)]
    expected = {}

    def random(name, model):
        randomise(model, rng, pictures)
        expected.update(answers(name, model, rng))
        return model

    keras.utils.set_random_seed(1)
    keras.backend.clear_session()
    by_hand = dict(by_hand=True, relu=lambda **name: layers.ReLU(6.0, **name))
    if KERAS2:
        article(0.035, 5)
        model = random("article", article(0.035, 5, bias=True))
        packed("article.h5", model.save)
        packed("article.weights.h5", model.save_weights)
        packed("article_weights.h5", model.save_weights)
        packed("by_hand_weights.h5", random("by_hand", shallow(**by_hand)).save_weights)
        model = random("tuned", nested(frozen=40))
        packed("nested.h5", model.save)
        packed("nested_weights.h5", model.save_weights)
        save_keras(model, HERE / f"{PREFIX}nested.keras")
        return expected
    plain = shallow(norm=dict(scale=False, center=False), relu=lambda: layers.Activation("relu"), activation=None)
    save_all("plain", random("plain", plain))
    save_all("article", random("article", article(0.035, 5, bias=True)))
    model = shallow(**by_hand, norm=dict(scale=False, epsilon=1e-5))
    save_keras(random("by_hand", model), HERE / "by_hand.keras")
    tuned = random("tuned", flat())
    save_all("flat", tuned)
    for build in (nested, sequential):
        model = tuned_like(build(), tuned)
        assert np.allclose(logits(model, expected["tuned.a"]["input"]), expected["tuned.a"]["logits"], atol=1e-3)
        save_all(build.__name__, model)
    return expected


if __name__ == "__main__":
    golden(HERE / f"models{'2' if KERAS2 else ''}.golden.safetensors", make())
