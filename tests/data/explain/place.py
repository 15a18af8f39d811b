"""Measure where the values of a map lie in the picture: a photograph's middle, small on grey, is moved
about, and the middle of what changes in the last block compared with where it was put.

    pip install tensorflow-cpu==2.21.0 keras==3.15.1 pillow==13.0.0
    python place.py mobilenet_2_5_224_tf.h5 PHOTOGRAPH...

With the published weights of alpha 0.25 and six photographs, each also mirrored, a value read as its
square's middle lies 8.4 pixels (5.4 to 11.3) left of and 8.2 (4.0 to 11.2) above the truth, of 32 to a square.
"""

import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import keras
import numpy as np
from PIL import Image

SIDE = 72

network = keras.applications.MobileNet(alpha=0.25, weights=None, input_shape=(224, 224, 3))
network.load_weights(sys.argv[1])
block = keras.Model(network.input, network.get_layer("conv_pw_13_relu").output)
middles = np.arange(7) * 32 + 16
everything = []
for path in sys.argv[2:]:
    image = Image.open(path).convert("RGB")
    (width, height), side = image.size, min(image.size)
    left, top = (width - side) // 2, (height - side) // 2
    small = np.asarray(image.crop((left, top, left + side, top + side)).resize((SIDE, SIDE)))
    for patch in [small, small[:, ::-1]]:
        places = [(x, y) for x in range(40, 148, 24) for y in range(40, 148, 24)]
        pictures = np.full((len(places) + 1, 224, 224, 3), 128, np.float32)
        for picture, (x, y) in zip(pictures, places):
            picture[y : y + SIDE, x : x + SIDE] = patch
        blocks = block.predict(pictures / 127.5 - 1, verbose=0)
        change = np.abs(blocks[:-1] - blocks[-1]).sum(-1)
        total = change.sum((1, 2))
        found = [(change.sum(1) @ middles) / total, (change.sum(2) @ middles) / total]
        off = (np.array(found).T - (np.array(places) + SIDE / 2)).mean(0)
        everything.append(off)
        print(f"{path}: {off[0]:+.1f} across, {off[1]:+.1f} down")
print("mean", np.mean(everything, 0), "least", np.min(everything, 0), "most", np.max(everything, 0))
