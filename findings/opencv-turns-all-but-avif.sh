#!/usr/bin/env bash
# OpenCV's imread() turns JPEG, PNG and WebP upright, and leaves AVIF on its side.
#
# OpenCV goes by the orientation in EXIF. An AVIF keeps it in a property of the picture (irot, imir), which the format
# says a reader must apply; Pillow moves EXIF's orientation there on saving, and phones write it there. libavif hands
# both to its caller, and OpenCV does not look. So a collection that was converted to save space is turned in one half
# of a pipeline, and a network that saw it upright is fed sideways. Pillow and browsers show all four alike.
# Source: OpenCV 5.0.0, imgcodecs/src/grfmt_avif.cpp; MIAF (ISO/IEC 23000-22) on transformative properties.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check \
    opencv-python-headless==5.0.0.93 pillow==13.0.0 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - <<'PYTHON'
import sys

import cv2
import numpy as np
from PIL import Image, ImageOps

stored = np.zeros((32, 48, 3), np.uint8)
stored[:16, :24] = [255, 0, 0]  # red at the top left as stored: at the top right when upright

print(f"OpenCV {cv2.__version__} and Pillow 13.0.0: a picture stored as 48x32 that is to be turned to 32x48")
print("expected: imread() turns all formats, or none")
upright = {}
for name, options in [
    ("jpg", {"quality": 100}),
    ("png", {}),
    ("webp", {"lossless": True}),
    ("avif", {"quality": 100}),
]:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(stored).save(f"picture.{name}", exif=exif, **options)
    opencv = cv2.imread(f"picture.{name}")[..., ::-1]
    pillow = np.asarray(ImageOps.exif_transpose(Image.open(f"picture.{name}")).convert("RGB"))
    upright[name] = [bool(pixels.shape[:2] == (48, 32) and pixels[4, 28, 0] > 128) for pixels in [pillow, opencv]]
    print(f"observed: {name:>4}: Pillow {pillow.shape[1]}x{pillow.shape[0]}, upright: {upright[name][0]};"
          f" OpenCV {opencv.shape[1]}x{opencv.shape[0]}, upright: {upright[name][1]}")
as_stated = all(upright[name] == [True, True] for name in ["jpg", "png", "webp"]) and upright["avif"] == [True, False]
sys.exit(0 if as_stated else "The behaviour is not as stated.")
PYTHON
