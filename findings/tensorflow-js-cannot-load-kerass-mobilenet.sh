#!/usr/bin/env bash
# TensorFlow.js's converter writes Keras's own MobileNet without a word, and TensorFlow.js can't load what it wrote.
#
# Since Keras 2.6 the network's top averages with keepdims=True, which leaves a picture of one pixel for the 1x1
# convolution that classifies. TensorFlow.js has the layer, but not the setting: it drops the two dimensions, and the
# convolution refuses. With a Reshape, as Keras had it before and as the models that Google hosts have it, it loads.
# Source: tensorflowjs 4.22.0 (Python); @tensorflow/tfjs-layers 4.22.0, layers/pooling.ts (GlobalAveragePooling2D).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check uv==0.13.9
venv/bin/uv pip install --quiet --python venv/bin/python \
    tensorflow-cpu==2.21.0 tf_keras==2.21.0 tensorflow_hub==0.16.1 packaging "setuptools<80"
# Without TensorFlow Decision Forests and JAX, which these models don't need.
venv/bin/uv pip install --quiet --python venv/bin/python --no-deps tensorflowjs==4.22.0
npm install --silent --no-audit --no-fund --no-save @tensorflow/tfjs@4.22.0

TF_CPP_MIN_LOG_LEVEL=3 venv/bin/python - >log 2>&1 <<'PYTHON' || { cat log >&2; exit 1; }
import sys
from unittest.mock import MagicMock

for name in ["tensorflow_decision_forests", "jax", "jax.experimental", "jax.experimental.jax2tf", "flax", "flax.core"]:
    sys.modules[name] = MagicMock()

import tensorflowjs as tfjs
import tf_keras as keras

settings = dict(alpha=0.25, weights=None)
today = keras.applications.MobileNet((64, 64, 3), classes=5, **settings)
tfjs.converters.save_keras_model(today, "today")
keras.backend.clear_session()
base = keras.applications.MobileNet((64, 64, 3), include_top=False, **settings)
x = keras.layers.GlobalAveragePooling2D()(base.output)
x = keras.layers.Conv2D(5, 1)(keras.layers.Reshape((1, 1, 256))(x))
before = keras.Model(base.input, keras.layers.Reshape((5,))(keras.layers.Softmax()(x)))
tfjs.converters.save_keras_model(before, "before")
PYTHON

cat > load.js <<'JS'
console.warn = () => {};
console.log("TensorFlow.js 4.22.0 loads what its converter made of Keras's MobileNet (tf_keras 2.21.0)");
console.log("expected: both versions of its top");
const fs = require("fs");
const tf = require("@tensorflow/tfjs");

async function load(folder) {
  const text = JSON.parse(fs.readFileSync(`${folder}/model.json`));
  const weights = text.weightsManifest.flatMap((group) => group.weights);
  const bytes = Buffer.concat(text.weightsManifest.flatMap((g) => g.paths).map((p) => fs.readFileSync(`${folder}/${p}`)));
  const weightData = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
  try {
    const model = await tf.loadLayersModel(tf.io.fromMemory({ modelTopology: text.modelTopology, weightSpecs: weights, weightData }));
    return `${model.predict(tf.zeros([1, 64, 64, 3])).size} scores`;
  } catch (error) {
    return error.message;
  }
}

(async () => {
  await tf.setBackend("cpu");
  const [before, today] = [await load("before"), await load("today")];
  console.log(`observed: with a Reshape, ${before}; with keepdims, as today: ${today}`);
  if (before !== "5 scores" || !today.includes("expected ndim=4, found ndim=2")) {
    console.error("The behaviour is not as stated.");
    process.exit(1);
  }
})();
JS
node load.js 2>/dev/null
