"""Make the TFLite fixtures of Keras's own MobileNet with its top, whose Reshape becomes SHAPE, STRIDED_SLICE, PACK and
RESHAPE where the number of pictures is left open.

    pip install tensorflow-cpu==2.21.0 keras==3.15.1 ai-edge-litert safetensors
    python make_top.py

| file | what wrote it | weights |
| --- | --- | --- |
| top_litert | Keras's `export(format="litert")` | float32 |
| top_dynamic | TFLiteConverter | int8, float32 biases |
| top_int8 | TFLiteConverter | int8 a channel, int32 biases; float pixels and scores |

Each is packed as NAME.tflite.gz. top.golden.safetensors holds uint8 pixels (the networks see x / 127.5 - 1) and the float32
logits that Keras computes, for the quantised ones with the values that TFLite's interpreter says their weights stand for.
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
from safetensors.numpy import save_file

from make_tflite import convolutions, fill, pictures, scaled

HERE = Path(__file__).parent
SIZE = 64


def mobilenet():
    return keras.applications.MobileNet((SIZE, SIZE, 3), alpha=0.0625, weights=None, classes=5)


def logits(model, pixels):
    """What comes before the softmax."""
    before = keras.Model(model.inputs, model.layers[-2].output)
    return before.predict(scaled(pixels), verbose=0)[0]


def with_weights_of(file):
    """Keras's network with a file's weights: batch norms that change nothing but for the biases."""
    model = mobilenet()
    found = iter(convolutions(file))
    layers = iter(model.layers)
    for layer in layers:
        if isinstance(layer, (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)):
            name, weight, bias = next(found)
            kernel = weight.transpose((1, 2, 3, 0))
            if layer.use_bias:
                layer.set_weights([kernel, bias])
                continue
            layer.set_weights([kernel])
            norm = next(layers)
            variance = np.float32(1) - np.float32(norm.epsilon)
            ones = np.ones_like(bias)
            norm.set_weights([ones, bias, 0 * ones, variance * ones])
    assert next(found, None) is None
    return model


def main():
    rng = np.random.default_rng(11)
    model = mobilenet()
    fill(model, rng)
    golden = {}

    def keep(name, file, model):
        (HERE / f"{name}.tflite.gz").write_bytes(gzip.compress(file, mtime=0))
        pixels = pictures(rng, SIZE, 1)
        golden[f"{name}.input"], golden[f"{name}.logits"] = pixels[0], logits(model, pixels)
        print(f"{name}: {len(file)} bytes, {golden[f'{name}.logits']}")

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        model.export(path, format="litert")
        keep("top_litert", path.read_bytes(), model)

    def convert(calibrate=False):
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if calibrate:
            calibration = scaled(pictures(rng, SIZE, 64))
            converter.representative_dataset = lambda: ([picture[None]] for picture in calibration)
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        return converter.convert()

    for name, file in [("top_dynamic", convert()), ("top_int8", convert(calibrate=True))]:
        keep(name, file, with_weights_of(file))
    save_file(golden, HERE / "top.golden.safetensors")


if __name__ == "__main__":
    main()
