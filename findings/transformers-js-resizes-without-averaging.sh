#!/usr/bin/env bash
# transformers.js in Node resizes pictures by picking samples: no averaging when it shrinks, anchored at the top left
# corner, and with a black last row and column mixed in when it enlarges.
#
# The same preprocessor_config.json ("resample": 2, bilinear) means Pillow's area-aware, centred filter in Python's
# transformers. In Node the resize is sharp's affine(), whose interpolator looks at four neighbours only. A comment in
# the source says that this is how Pillow does it. Fine texture turns into noise, and everything moves by up to half of
# the scale: 1.3 pixels where 600 become 224.
# Source: @huggingface/transformers 4.3.2, src/utils/image.js, RawImage.resize().
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pillow==13.0.0 numpy==2.4.6
npm install --silent --no-audit --no-fund --no-save --ignore-scripts @huggingface/transformers@4.3.2

cat > resize.mjs <<'JS'
import { RawImage } from "@huggingface/transformers";

const drawn = (size, value) => {
  const pixels = new Uint8ClampedArray(size * size * 3);
  for (let i = 0; i < size * size; i++) pixels.fill(value(i % size, Math.floor(i / size)), 3 * i, 3 * i + 3);
  return new RawImage(pixels, size, size, 3);
};
const red = ({ data }) => [...data].filter((_, i) => i % 3 === 0);
const bilinear = { resample: 2 };
console.log(JSON.stringify({
  checks: red(await drawn(600, (x, y) => ((x + y) % 2) * 255).resize(224, 224, bilinear)),
  smaller: red(await drawn(8, (x) => 30 * x).resize(4, 4, bilinear)).slice(0, 4),
  larger: red(await drawn(8, () => 200).resize(16, 16, bilinear)).slice(0, 16),
}));
JS
node resize.mjs > node.json

venv/bin/python - <<'PYTHON'
import json
import sys

import numpy as np
from PIL import Image


def pillow(pixels, size):
    return np.asarray(Image.fromarray(pixels.astype(np.uint8)).resize((size, size), Image.Resampling.BILINEAR))


node = json.load(open("node.json"))
y, x = np.mgrid[:600, :600]
python = {
    "checks": pillow((x + y) % 2 * 255, 224).ravel(),
    "smaller": pillow(np.tile(np.arange(8) * 30, (8, 1)), 4)[0].tolist(),
    "larger": pillow(np.full((8, 8), 200), 16)[0].tolist(),
}
print("@huggingface/transformers 4.3.2 (Node) and Pillow 13.0.0, which Python's transformers follows: bilinear")
print("expected: the same numbers within one level")
spread = {name: float(np.std(side["checks"])) for name, side in [("Pillow", python), ("Node", node)]}
print(f"observed: one-pixel chequerboard, 600 to 224, standard deviation: Pillow {spread['Pillow']:.1f},"
      f" Node {spread['Node']:.1f}")
print(f"observed: ramp 0, 30 ... 210, 8 to 4: Pillow {python['smaller']}, Node {node['smaller']}")
print(f"observed: all 200, 8 to 16: Pillow ends in {python['larger'][-2:]}, Node in {node['larger'][-2:]}")
as_stated = (
    spread["Pillow"] < 3
    and spread["Node"] > 30
    and node["smaller"] == [0, 60, 120, 180]
    and python["larger"][-1] == 200
    and node["larger"][-1] == 100
)
sys.exit(0 if as_stated else "The behaviour is not as stated.")
PYTHON
