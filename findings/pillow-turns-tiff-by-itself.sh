#!/usr/bin/env bash
# Pillow turns a TIFF upright by itself, but no JPEG, PNG, WebP or AVIF.
#
# Everybody knows that Image.open() leaves the orientation to ImageOps.exif_transpose(). For TIFF that is wrong: size
# is already the upright one before any pixel is read, loading turns the pixels, and only then is the tag gone from
# getexif(). So a training folder is half turned and half not according to the files' format, and code that reads
# the tag first (as many loaders do) and turns later turns a TIFF twice.
# Source: TiffImagePlugin.py, load_end() and the reading of the size from the tags.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check pillow==13.0.0 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
import PIL
from PIL import Image

ORIENTATION = 0x0112
TURN = {6: Image.Transpose.ROTATE_270}  # what EXIF's 6 asks for

stored = np.zeros((32, 48, 3), np.uint8)
stored[:16, :24] = [255, 0, 0]  # red at the top left as stored: at the top right when upright

print(f"Pillow {PIL.__version__}: the same picture of 48x32 with orientation 6 in five formats")
print("expected: Image.open() gives 48x32 as stored, and turning by the tag gives 32x48 with red at the top right")
seen = {}
for name, options in [
    ("jpg", {"quality": 100}),
    ("png", {}),
    ("webp", {"lossless": True}),
    ("avif", {"quality": 100}),
    ("tif", {}),
]:
    exif = Image.Exif()  # one for each file: saving an AVIF takes the orientation out of it
    exif[ORIENTATION] = 6
    Image.fromarray(stored).save(f"picture.{name}", exif=exif, **options)
    with Image.open(f"picture.{name}") as image:
        tag = image.getexif().get(ORIENTATION)
        opened = image.size
        turned = image.transpose(TURN[tag])
        after = image.getexif().get(ORIENTATION)
    red = np.asarray(turned)[..., 0] > 128
    upright = turned.size == (32, 48) and red[4, 28] and not red[4, 4]
    seen[name] = (opened, tag, after, bool(upright))
    print(f"observed: {name:>4}: opened as {opened}, tag {tag} before loading and {after} after,"
          f" {'upright' if upright else 'WRONG'} after one turn by the tag")
plain = ((48, 32), 6, 6, True)
as_stated = all(seen[name] == plain for name in ["jpg", "png", "webp", "avif"]) and seen["tif"] == (
    (32, 48), 6, None, False)
sys.exit(0 if as_stated else "The behaviour is not as stated.")
PYTHON
