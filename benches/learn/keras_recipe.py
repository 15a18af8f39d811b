"""Keras's documented transfer learning on the folders that `train` is measured on.

    python keras_recipe.py WEIGHTS ALPHA SIZE TRAIN TEST [--no-mirror]

The network and the steps are those of keras.io's guide "Transfer learning & fine-tuning": pictures varied by
`RandomFlip("horizontal")` and `RandomRotation(0.1)`, the base model called with `training=False`, `GlobalAveragePooling2D`,
`Dropout(0.2)`, a `Dense` layer; first the `Dense` layer alone by `Adam()`, then everything by `Adam(1e-5)`. The guide has
thousands of pictures and 2 epochs and 1 epoch; here it is 10 and 10, as in TensorFlow's tutorial of the same name. Prints
the accuracy on TEST after both parts, and seconds.

Needs keras, tensorflow-cpu, Pillow.
"""

import os
import sys
import time
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
from PIL import Image

weights, alpha, size, train, test = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]), Path(sys.argv[5])
keras.utils.set_random_seed(0)
names = sorted(folder.name for folder in train.iterdir())


def pictures(root):
    """As the networks of keras-applications see them here: the middle square, bilinear."""
    x, y = [], []
    for path in sorted(root.glob("*/*")):
        image = Image.open(path).convert("RGB")
        scale = round(size / 0.875) / min(image.size)
        image = image.resize([round(side * scale) for side in image.size], Image.BILINEAR)
        left, top = ((side - size) // 2 for side in image.size)
        x.append(np.asarray(image.crop((left, top, left + size, top + size)), np.float32))
        y.append(names.index(path.parent.name))
    return np.stack(x), np.array(y)


begin = time.time()
x, y = pictures(train)
whole = keras.applications.MobileNet(input_shape=(size, size, 3), alpha=alpha, weights=None)
whole.load_weights(weights)
base = keras.applications.MobileNet(input_shape=(size, size, 3), alpha=alpha, weights=None, include_top=False)
for layer in base.layers:
    layer.set_weights(whole.get_layer(layer.name if layer.name in {l.name for l in whole.layers}
                                      else whole.layers[0].name).get_weights())
base.trainable = False
inputs = keras.Input((size, size, 3))
varied = inputs if "--no-mirror" in sys.argv else keras.layers.RandomFlip("horizontal")(inputs)
varied = keras.layers.RandomRotation(0.1)(varied)
features = base(keras.layers.Rescaling(1 / 127.5, offset=-1)(varied), training=False)
features = keras.layers.Dropout(0.2)(keras.layers.GlobalAveragePooling2D()(features))
model = keras.Model(inputs, keras.layers.Dense(len(names))(features))
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
truth = pictures(test)
accuracy = lambda: np.mean(model.predict(truth[0], verbose=0).argmax(1) == truth[1])
model.compile(keras.optimizers.Adam(), loss)
model.fit(x, y, batch_size=32, epochs=10, verbose=0)
frozen = accuracy()
base.trainable = True
model.compile(keras.optimizers.Adam(1e-5), loss)
model.fit(x, y, batch_size=32, epochs=10, verbose=0)
print(f"{frozen:.4f} {accuracy():.4f} {time.time() - begin:.0f}", flush=True)
