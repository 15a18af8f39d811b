#!/usr/bin/env bash
# A "lossless" WebP gives a classifier another picture than the PNG that it was made from.
#
# Classifiers drop alpha: convert("RGB") shows the colours that lie under transparent pixels. In a PNG these survive.
# The WebP encoder may replace them (exact=False is the default of Pillow, cwebp and most converters), also when
# lossless, because nobody sees them. A cut-out on a transparent white ground turns into one on black.
# Source: Pillow's handbook, WebP, option "exact"; libwebp's WebPConfig.exact.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check pillow==13.0.0 numpy==2.4.6
"$work/venv/bin/python" - <<'PYTHON'
import io
import sys

import numpy as np
import PIL
from PIL import Image, features

picture = np.full((64, 64, 4), 255, np.uint8)
picture[..., 3] = 0  # a transparent white ground
picture[16:48, 16:48] = [200, 30, 40, 255]  # and an opaque red square


def network_input(name, **options):
    file = io.BytesIO()
    Image.fromarray(picture).save(file, name, **options)
    return np.asarray(Image.open(file).convert("RGB"))


print(f"Pillow {PIL.__version__}, libwebp {features.version('webp')}: save RGBA, open, convert('RGB')")
print("expected: PNG and lossless WebP give the same pixels")
png = network_input("PNG")
webp = network_input("WEBP", lossless=True)
exact = network_input("WEBP", lossless=True, exact=True)
for name, pixels in [("PNG", png), ("WebP lossless", webp), ("WebP lossless, exact", exact)]:
    print(f"observed: {name:>20}: ground {pixels[0, 0].tolist()}, square {pixels[32, 32].tolist()},"
          f" {(pixels != png).any(-1).mean():.0%} of the pixels differ from the PNG's")
as_stated = (exact == png).all() and (webp[16:48, 16:48] == png[16:48, 16:48]).all() and webp[0, 0].max() == 0
sys.exit(0 if as_stated else "The behaviour is not as stated.")
PYTHON
