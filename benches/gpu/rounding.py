"""How far rounding to f16 and bf16 moves scores, place by place, without a GPU.

    python rounding.py mobilenet_2_5_224_tf.h5 0.25 224 PICTURE...

The network is run in float32 in TensorFlow as ours runs on a GPU, batch norm folded and pointwise biases added by
whoever reads the product; what would be stored in halves is rounded: the pointwise weights, the stem's output, the
outputs of the depthwise layers, the products. Pillow crops and resizes the pictures, in both ways.
"""

import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import ml_dtypes
import numpy as np
import tensorflow as tf
from PIL import Image
from tensorflow import keras

STRIDED = (2, 4, 6, 12)


def views(path, size):
    """The picture's square middle, and all of it."""
    image = Image.open(path).convert("RGB")
    (width, height), side = image.size, min(image.size)
    left, top = (width - side) // 2, (height - side) // 2
    for part in (image.crop((left, top, left + side, top + side)), image):
        yield np.asarray(part.resize((size, size), Image.BICUBIC), np.float32) / 127.5 - 1


def folded(model):
    """Kind, weight, bias and stride of each convolution but the classifier."""
    layers = {layer.name: layer.get_weights() for layer in model.layers}
    epsilon = model.get_layer("conv1_bn").epsilon

    def fold(kind, name, weight, stride):
        gamma, beta, mean, variance = (np.asarray(w, np.float64) for w in layers[f"{name}_bn"])
        scale = gamma / np.sqrt(variance + epsilon)
        return kind, (weight * scale).astype(np.float32), (beta - mean * scale).astype(np.float32), stride

    yield fold("stem", "conv1", np.asarray(layers["conv1"][0], np.float64), 2)
    for block in range(1, 14):
        taps = np.asarray(layers[f"conv_dw_{block}"][0], np.float64)[..., 0]
        yield fold("depthwise", f"conv_dw_{block}", taps, 2 if block in STRIDED else 1)
        yield fold("pointwise", f"conv_pw_{block}", np.asarray(layers[f"conv_pw_{block}"][0], np.float64)[0, 0], 1)


def scores(layers, classifier, pixels, weights, stem, depthwise, products):
    """Scores, with these roundings of what is stored."""
    x, pending = pixels, None
    for kind, weight, bias, stride in layers:
        if pending is not None and kind == "depthwise":
            x = np.clip(x + pending, 0, 6)
        padded = np.pad(x, ((0, 0), (0, 1), (0, 1), (0, 0))) if stride == 2 else x
        padding = "VALID" if stride == 2 else "SAME"
        if kind == "stem":
            x = stem(np.clip(tf.nn.conv2d(padded, weight, 2, padding).numpy() + bias, 0, 6))
        elif kind == "depthwise":
            y = tf.nn.depthwise_conv2d(padded, weight[..., None], [1, stride, stride, 1], padding).numpy()
            x = depthwise(np.clip(y + bias, 0, 6))
        else:
            x, pending = products(x @ weights(weight)), bias
    weight, bias = classifier
    logits = np.clip(x + pending, 0, 6).mean((1, 2)) @ weight[0, 0] + bias
    return tf.nn.softmax(logits.astype(np.float64)).numpy()


def main():
    checkpoint, alpha, size, *pictures = sys.argv[1:]
    model = keras.applications.MobileNet(input_shape=(int(size), int(size), 3), alpha=float(alpha), weights=None)
    model.load_weights(checkpoint)
    layers, classifier = list(folded(model)), model.get_layer("conv_preds").get_weights()
    pixels = np.stack([view for path in pictures for view in views(path, int(size))])

    def keep(x):
        return x

    exact = scores(layers, classifier, pixels, keep, keep, keep, keep)
    print(f"{len(pixels)} views; float32 is within {abs(exact - model.predict(pixels, verbose=0)).max():.1g} of Keras")
    places = ["weights", "stem", "depthwise", "products"]
    for name, kind in (("f16", np.float16), ("bf16", ml_dtypes.bfloat16)):
        def rounded(x):
            return x.astype(kind).astype(np.float32)

        for where in [*([place] for place in places), places]:
            steps = [rounded if place in where else keep for place in places]
            off = abs(scores(layers, classifier, pixels, *steps) - exact).max(1)
            print(f"{name:5} {'+'.join(where):35} median {np.median(off):.4f}, largest {off.max():.4f}", flush=True)


if __name__ == "__main__":
    main()
