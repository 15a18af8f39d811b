#!/usr/bin/env bash
# Keras shrinks a picture by dropping pixels in load_img(), by another way of dropping them in
# image_dataset_from_directory() and the Resizing layer, and averages in neither.
#
# load_img(target_size=...), which most prediction code uses, asks Pillow for nearest neighbours. The loader that most
# training code uses asks for bilinear, but without antialias: four neighbours of each sample, whatever lies between.
# One network trained with the one and served with the other sees other textures, and neither is what "bilinear" gives
# in Pillow, torchvision or a browser.
# Source: keras 3.15.1, utils/image_utils.py (interpolation="nearest"), utils/image_dataset_utils.py, layers/Resizing.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check uv==0.13.9
"$work/venv/bin/uv" pip install --quiet --python "$work/venv/bin/python" \
    tensorflow-cpu==2.21.0 keras==3.15.1 numpy==2.4.6 pillow==13.0.0
cd "$work"
KERAS_BACKEND=tensorflow TF_CPP_MIN_LOG_LEVEL=3 "$work/venv/bin/python" - 2>"$work/log" <<'PYTHON' ||
import os
import sys

import keras
import numpy as np
from PIL import Image

y, x = np.mgrid[:896, :896]
stripes = np.where((x + y) % 4 < 2, 255, 0).astype(np.uint8)  # fine diagonal stripes, grey from afar
os.makedirs("pictures/stripes")
Image.fromarray(np.stack([stripes] * 3, -1)).save("pictures/stripes/picture.png")
path = "pictures/stripes/picture.png"
size = (200, 200)

dataset = keras.utils.image_dataset_from_directory("pictures", labels=None, image_size=size, verbose=False)
spread = {
    "load_img": np.std(keras.utils.img_to_array(keras.utils.load_img(path, target_size=size))),
    "image_dataset_from_directory": np.std(next(iter(dataset)).numpy()),
    "Resizing layer": np.std(np.asarray(keras.layers.Resizing(*size)(np.asarray(Image.open(path)).astype("float32")))),
    "Pillow, bilinear": np.std(np.asarray(Image.open(path).resize(size, Image.Resampling.BILINEAR))),
}
print(f"Keras {keras.__version__} on TensorFlow: black and white stripes, 2 pixels wide, from 896 to 200 pixels;"
      " standard deviation")
print("expected: nearly grey, about the same for every way of reading the file")
for name, value in spread.items():
    print(f"observed: {name:>28}: {value:6.1f}")
nearest, dataset, layer, pillow = spread.values()
as_stated = nearest > 125 and 60 < dataset < 115 and abs(dataset - layer) < 2 and pillow < 20
sys.exit(0 if as_stated else "The behaviour is not as stated.")
PYTHON
    { cat "$work/log" >&2; exit 1; }
