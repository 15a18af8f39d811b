#!/usr/bin/env bash
# Saving an AVIF with Pillow takes the orientation out of the Exif object that the caller passed.
#
# AVIF keeps the orientation in a box of its own (irot, imir), so Pillow's writer moves it there: with pop() on the very
# object that it was given. A loop that writes one picture in several formats with one Exif object loses the
# orientation in every file that is written after the AVIF, and whether it does depends on the order of the formats.
# Source: AvifImagePlugin.py, _save().
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check pillow==13.0.0
"$work/venv/bin/python" - <<'PYTHON'
import io
import sys

import PIL
from PIL import Image

ORIENTATION = 0x0112


def saved(formats):
    """The orientation that each format's file states, all written with one Exif object."""
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    stated = {}
    for name in formats:
        file = io.BytesIO()
        Image.new("RGB", (48, 32), "red").save(file, name, exif=exif)
        stated[name] = Image.open(file).getexif().get(ORIENTATION)
    return stated, exif.get(ORIENTATION)


print(f"Pillow {PIL.__version__}: save(..., exif=exif) in three formats, orientation 6")
print("expected: every file states 6, in either order, and the caller's object still does")
last, left_last = saved(["JPEG", "PNG", "AVIF"])
first, left_first = saved(["AVIF", "JPEG", "PNG"])
print(f"observed: AVIF last:  files state {last}, the object {left_last}")
print(f"observed: AVIF first: files state {first}, the object {left_first}")
as_stated = (
    last == {"JPEG": 6, "PNG": 6, "AVIF": 6}
    and first == {"AVIF": 6, "JPEG": None, "PNG": None}
    and left_first is None
)
sys.exit(0 if as_stated else "The behaviour is not as stated.")
PYTHON
