#!/usr/bin/env bash
# TensorFlow.js's resizeBilinear still takes its samples where TensorFlow 1 took them.
#
# Python's tf.image.resize has put samples at pixel centres since TensorFlow 2.0. TensorFlow.js has the same function
# with halfPixelCenters=false as its default, so everything moves to the top left by up to half of the scale: 0.6 pixels
# from 500 to 224. The published MobileNet package for it goes a third way, alignCorners=true, for the same weights.
# Source: @tensorflow/tfjs-core 4.22.0, ops/image/resize_bilinear; @tensorflow-models/mobilenet 2.1.1, dist/index.js.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

npm install --silent --no-audit --no-fund --no-save \
    @tensorflow/tfjs-core@4.22.0 @tensorflow/tfjs-backend-cpu@4.22.0 @tensorflow/tfjs-converter@4.22.0 \
    @tensorflow-models/mobilenet@2.1.1

cat > resize.js <<'JS'
console.warn = () => {};
const fs = require("fs");
const tf = require("@tensorflow/tfjs-core");
require("@tensorflow/tfjs-backend-cpu");

(async () => {
  await tf.setBackend("cpu");
  const ramp = tf.tensor4d([0, 10, 20, 30], [1, 1, 4, 1]);
  const resized = (...options) => [...tf.image.resizeBilinear(ramp, [1, 2], ...options).dataSync()];
  const byDefault = resized();
  const centres = resized(false, true);
  const corners = resized(true);

  console.log("TensorFlow.js 4.22.0: the ramp 0, 10, 20, 30 resized to two pixels");
  console.log("expected: 5, 25, as Python's tf.image.resize gives");
  console.log(`observed: by default ${byDefault}; with halfPixelCenters ${centres}; with alignCorners ${corners}`);

  const source = fs.readFileSync(require.resolve("@tensorflow-models/mobilenet/dist/index.js"), "utf8");
  const call = /alignCorners\s*=\s*true[\s\S]{0,200}resizeBilinear\([^)]*alignCorners\)/.test(source);
  console.log(`observed: @tensorflow-models/mobilenet 2.1.1 resizes with alignCorners = true: ${call}`);

  const same = (a, b) => a.length === b.length && a.every((value, i) => Math.abs(value - b[i]) < 1e-4);
  if (!(same(byDefault, [0, 20]) && same(centres, [5, 25]) && same(corners, [0, 30]) && call)) {
    console.error("The behaviour is not as stated.");
    process.exit(1);
  }
})();
JS
node resize.js
