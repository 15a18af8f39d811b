"""Make the ONNX fixtures that Keras and tf2onnx write: small random MobileNet V1s in TensorFlow's layout.

    pip install tensorflow-cpu==2.21.0 keras==3.15.1 tf2onnx==1.17.0 onnx==1.23.2 onnxruntime==1.32.0 safetensors
    python make_keras_onnx.py

| file | network | written by |
| --- | --- | --- |
| keras | keras-applications' MobileNet with its top: Pad nodes, a softmax behind Reshape | Keras's `export(format="onnx")` |
| keras_scaled | any number and size of pictures, a Rescaling layer, a dense layer of sigmoids | the same |
| tf2onnx | SAME padding, ReLU, a dense classifier; 33x33 | tf2onnx.convert.from_keras, opset 13 |
| tf2onnx_nchw | the same, with its input turned to channels first | the same with inputs_as_nchw |
| from_tflite | what TFLiteConverter makes of that | tf2onnx.convert.from_tflite |

Each is packed as NAME.onnx.gz. keras.golden.safetensors holds uint8 pixels by the side of the picture, and by name what onnxruntime
answers to them in float32 (scores where the graph ends with an activation).
"""

import gzip
import os
import sys
import tempfile
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import keras
import numpy as np
import onnx
import onnxruntime
import tensorflow as tf
import tf2onnx
from keras import layers
from safetensors.numpy import save_file

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "tflite"))
from make_tflite import fill, network, pictures, scaled  # noqa: E402

SIZE = 64
rng = np.random.default_rng(21)
golden = {}


def keep(name, model, size, pixels=scaled):
    file = model.SerializeToString()
    (HERE / f"{name}.onnx.gz").write_bytes(gzip.compress(file, mtime=0))
    if f"input{size}" not in golden:
        golden[f"input{size}"] = pictures(rng, size, 1)[0]
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (entry,) = session.get_inputs()
    taken = pixels(golden[f"input{size}"][None])
    taken = taken.transpose(0, 3, 1, 2) if entry.shape[1] == 3 else taken
    golden[name] = session.run(None, {entry.name: taken.astype(np.float32)})[0].reshape(-1)
    kinds = sorted({node.op_type for node in model.graph.node})
    print(name, len(file), entry.shape, golden[name], kinds)


def exported(model):
    # It refuses what was never called.
    model(np.zeros((1, SIZE, SIZE, 3), np.float32))
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/it.onnx"
        model.export(path, format="onnx", verbose=False)
        return onnx.load(path)


def halved(model, *parts):
    """What halves keep packs well. `parts` are models in the model."""
    for part in parts or [model]:
        fill(part, rng)
    model.set_weights([weight.astype(np.float16) for weight in model.get_weights()])
    return model


def main():
    top = halved(keras.applications.MobileNet((SIZE, SIZE, 3), alpha=0.0625, weights=None, classes=5))
    keep("keras", exported(top), SIZE)

    bottom = keras.applications.MobileNet((None, None, 3), alpha=0.0625, weights=None, include_top=False)
    image = layers.Input((None, None, 3))
    x = bottom(layers.Rescaling(1 / 127.5, offset=-1)(image))
    x = layers.Dropout(0.1)(layers.GlobalAveragePooling2D()(x))
    model = keras.Model(image, layers.Dense(3, activation="sigmoid")(x))
    keep("keras_scaled", exported(halved(model, bottom)), SIZE, pixels=lambda pixels: pixels)

    model = halved(network(33, True, "same", "relu", True))
    spec = (tf.TensorSpec((None, 33, 33, 3), name="pixels"),)
    keep("tf2onnx", tf2onnx.convert.from_keras(model, spec, opset=13)[0], 33)
    turned = tf2onnx.convert.from_keras(model, spec, opset=13, inputs_as_nchw=["pixels"])[0]
    keep("tf2onnx_nchw", turned, 33)
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/it.tflite"
        Path(path).write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
        keep("from_tflite", tf2onnx.convert.from_tflite(path, opset=13)[0], 33)
    save_file(golden, HERE / "keras.golden.safetensors")


if __name__ == "__main__":
    main()
