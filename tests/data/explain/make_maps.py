"""Make the class activation maps of ../keras/tiny.keras with Keras: for the golden inputs of that folder,
the last block's output times the weights of the classifier, [classes, rows, columns].

    pip install tensorflow-cpu==2.21.0 keras==3.15.1 safetensors
    python make_maps.py
"""

import os
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import keras
import numpy as np
from safetensors.numpy import load_file, save_file

HERE = Path(__file__).parent
KERAS = HERE.parent / "keras"

trained = keras.saving.load_model(KERAS / "tiny.keras")
golden = load_file(KERAS / "tiny.golden.safetensors")
maps = {}
for name in ["a", "even", "odd"]:
    picture = golden[f"{name}.input"]
    keras.utils.clear_session()
    network = keras.applications.MobileNet(
        alpha=0.05, weights=None, classes=7, input_shape=picture.shape, classifier_activation=None
    )
    network.set_weights(trained.get_weights())
    features = keras.Model(network.input, network.get_layer("conv_pw_13_relu").output)
    pixels = picture[None].astype(np.float32) / np.float32(127.5) - np.float32(1)
    block = features.predict(pixels, verbose=0)[0].astype(np.float64)
    weight, bias = (w.reshape(-1, 7).astype(np.float64) for w in network.get_layer("conv_preds").get_weights())
    found = np.moveaxis(block @ weight, -1, 0)
    logits = found.mean((1, 2)) + bias[0]
    assert np.abs(logits - golden[f"{name}.logits"]).max() < 1e-4
    maps[name] = np.ascontiguousarray(found.astype(np.float32))
save_file(maps, HERE / "maps.golden.safetensors")
