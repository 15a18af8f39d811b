#!/usr/bin/env bash
# sharp (Node) converts a picture with an ICC profile to sRGB before it hands out raw pixels; Pillow and OpenCV hand
# out the stored numbers and ignore the profile.
#
# Phones write Display P3. So the same photograph is one input in a Python training pipeline and another one in a Node
# service, and no resize, no crop and no option is involved. Saturated colours move the most.
# Source: sharp's documentation of withMetadata(): the default is to convert to sRGB; raw() is no exception.
# The profile here is drawn up by the script: Display P3's primaries with a gamma of 2.2.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pillow==13.0.0 numpy==2.4.6 opencv-python-headless==5.0.0.93
npm install --silent --no-audit --no-fund --no-save sharp@0.35.5

venv/bin/python - <<'PYTHON'
import struct

import numpy as np
from PIL import Image

D50 = (0.9642, 1.0, 0.8249)


def fixed(values):
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))


def xyz(*values):
    return b"XYZ \0\0\0\0" + fixed(values)


def display_p3():
    gamma = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(2.2 * 256)) + b"\0\0"
    name = b"P3 primaries\0"
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(name)) + name + bytes(78),
        b"cprt": b"text\0\0\0\0none\0",
        b"wtpt": xyz(*D50),
        b"rXYZ": xyz(0.5151, 0.2412, -0.0011),
        b"gXYZ": xyz(0.2920, 0.6922, 0.0419),
        b"bXYZ": xyz(0.1571, 0.0666, 0.7841),
        b"rTRC": gamma,
        b"gTRC": gamma,
        b"bTRC": gamma,
    }
    table, body = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for signature, data in tags.items():
        data += bytes(-len(data) % 4)
        table += signature + struct.pack(">2I", start + len(body), len(data))
        body += data
    header = struct.pack(">I4xI", start + len(body), 0x02400000) + b"mntrRGB XYZ "
    header += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + fixed(D50)
    return header.ljust(128, b"\0") + table + body


pixels = np.full((32, 32, 3), [200, 80, 40], np.uint8)
Image.fromarray(pixels).save("plain.png")
Image.fromarray(pixels).save("p3.png", icc_profile=display_p3())
PYTHON

cat > raw.js <<'JS'
const sharp = require("sharp");
(async () => {
  const pixels = {};
  for (const name of ["plain.png", "p3.png"]) {
    pixels[name] = [...(await sharp(name).raw().toBuffer()).subarray(0, 3)];
  }
  console.log(JSON.stringify(pixels));
})();
JS
node raw.js > sharp.json

venv/bin/python - <<'PYTHON'
import json
import sys

import cv2
from PIL import Image

print("sharp 0.35.5, Pillow 13.0.0, OpenCV 5.0.0: raw pixels of two PNGs with the same bytes, one with a P3 profile")
print("expected: [200, 80, 40] from all three")
node = json.load(open("sharp.json"))
as_stated = True
for name in ["plain.png", "p3.png"]:
    pillow = list(Image.open(name).convert("RGB").getpixel((0, 0)))
    opencv = cv2.imread(name)[0, 0, ::-1].tolist()
    print(f"observed: {name:>9}: Pillow {pillow}, OpenCV {opencv}, sharp {node[name]}")
    as_stated &= pillow == opencv == [200, 80, 40]
as_stated &= node["plain.png"] == [200, 80, 40]
as_stated &= max(abs(a - b) for a, b in zip(node["p3.png"], [200, 80, 40])) > 20
sys.exit(0 if as_stated else "The behaviour is not as stated.")
PYTHON
