#!/usr/bin/env bash
# Pillow's JPEG XL plugin opens an animation at its last frame, and says that it has one frame.
#
# Pillow opens a GIF, WebP, AVIF or APNG at its first frame, and n_frames tells how many there are. The plugin decodes
# all frames and hands out the last one. A classifier sees the end of the clip, often the fade to black, and code that
# skips animations by n_frames does not notice one.
# Source: pillow-jxl-plugin 1.3.8, observed; imagecodecs wrote the file and reads it back.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check \
    pillow==13.0.0 pillow-jxl-plugin==1.3.8 imagecodecs==2026.3.6 numpy==2.4.6
"$work/venv/bin/python" - <<'PYTHON'
import io
import sys

import imagecodecs
import numpy as np
import pillow_jxl  # noqa: F401 (registers the format)
from PIL import Image

greys = [10, 120, 240]
frames = np.stack([np.full((32, 32, 3), grey, np.uint8) for grey in greys])
jxl = imagecodecs.jpegxl_encode(frames, lossless=True)
webp = io.BytesIO()
first, *others = map(Image.fromarray, frames)
first.save(webp, "WEBP", save_all=True, append_images=others, lossless=True)


def opened(file):
    with Image.open(io.BytesIO(file)) as image:
        return image.convert("RGB").getpixel((0, 0))[0], image.n_frames if hasattr(image, "n_frames") else 1


print("pillow-jxl-plugin 1.3.8, Pillow 13.0.0: an animation of grey 10, 120 and 240, opened")
print("expected: grey 10, 3 frames")
seen = {"WebP": opened(webp.getvalue()), "JPEG XL": opened(jxl)}
for name, (grey, count) in seen.items():
    print(f"observed: {name:>7}: grey {grey}, {count} frame{'s' if count > 1 else ''}")
stored = imagecodecs.jpegxl_decode(jxl)[:, 0, 0, 0].tolist()
print(f"observed: the JPEG XL file holds, by imagecodecs: {stored}")
as_stated = seen == {"WebP": (10, 3), "JPEG XL": (240, 1)} and stored == greys
sys.exit(0 if as_stated else "The behaviour is not as stated.")
PYTHON
