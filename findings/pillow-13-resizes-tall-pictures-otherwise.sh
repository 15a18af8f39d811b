#!/usr/bin/env bash
# Pillow 13 resizes tall pictures to other bytes than Pillow 12.
#
# Pillow's resampler makes two passes and rounds to 8 bits after each, so the order of the passes is visible in the
# bytes. Up to Pillow 12 the horizontal pass always came first. Pillow 13 begins vertically where the height loses more
# than twice as many pixels as the width. Most pictures are untouched by the change, so a handful of golden files
# passes, and the tall ones (screenshots, panoramas that lie on their side, scanned receipts) differ.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for version in 12.3.0 13.0.0; do
    python3 -m venv "$work/$version"
    "$work/$version/bin/pip" install --quiet --disable-pip-version-check "pillow==$version" numpy==2.4.6
    "$work/$version/bin/python" - "$work" <<'PYTHON'
import sys

import numpy as np
import PIL
from PIL import Image

for width, height in [(500, 375), (375, 500), (400, 711), (300, 1200)]:
    pixels = np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)
    small = Image.fromarray(pixels).resize((224, 224), Image.Resampling.BILINEAR)
    np.save(f"{sys.argv[1]}/{PIL.__version__}-{width}x{height}.npy", np.asarray(small))
PYTHON
done

"$work/13.0.0/bin/python" - "$work" <<'PYTHON'
import sys

import numpy as np

print("Pillow 12.3.0 and 13.0.0: resize((224, 224), BILINEAR) of the same pixels")
print("expected: the same bytes in both versions, or a difference that shows in every picture")
differs = {}
for size in ["500x375", "375x500", "400x711", "300x1200"]:
    old, new = (np.load(f"{sys.argv[1]}/{version}-{size}.npy").astype(int) for version in ["12.3.0", "13.0.0"])
    differs[size] = (old != new).mean()
    print(f"observed: {size:>8}: {differs[size]:6.1%} of the bytes differ, at most by {abs(old - new).max()}")
as_stated = (
    differs["500x375"] == 0 and differs["375x500"] == 0 and differs["400x711"] > 0.05 and differs["300x1200"] > 0.05
)
sys.exit(0 if as_stated else "The behaviour is not as stated.")
PYTHON
