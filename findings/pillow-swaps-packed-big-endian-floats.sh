#!/usr/bin/env bash
# Pillow reads a float TIFF of one byte order rightly until it is compressed.
#
# Where a TIFF is compressed, libtiff unpacks it and gives the samples in the machine's byte order. Pillow 13 heeds that for
# integers of 16 bits, but not for floats and for signed integers of 32 bits: it swaps the bytes of a big-endian file once
# more. Depth maps, elevations and microscopes' pictures are written so by Java programs (ImageJ, GeoTools), and
# nothing fails: the values are merely others.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check \
    imagecodecs==2026.3.6 numpy==2.4.6 pillow==13.0.0 tifffile==2026.3.3
"$work/venv/bin/python" - "$work" <<'PYTHON'
import sys

import numpy as np
import PIL
import tifffile
from PIL import Image

work = sys.argv[1]
values = np.random.default_rng(1).uniform(1, 250, (32, 48))
print(f"Pillow {PIL.__version__}: float32 and int32 TIFFs of the same pixels, as tifffile {tifffile.__version__} writes them")
print("expected: the same pixels from all")
wrong = set()
for dtype in ("f4", "i4"):
    want = values.astype(dtype)
    for order, compression in [("<", None), ("<", "deflate"), (">", None), (">", "deflate")]:
        path = f"{work}/{dtype}{'be' if order == '>' else 'le'}{compression}.tif"
        tifffile.imwrite(path, want, byteorder=order, compression=compression, photometric="minisblack")
        assert (tifffile.imread(path) == want).all()
        got = np.asarray(Image.open(path))
        same = (got == want).mean()
        print(f"observed: {dtype}, {'big' if order == '>' else 'little'}-endian, {compression or 'not compressed'}: "
              f"{same:4.0%} of the pixels, the first is {got[0, 0]:.5g} for {want[0, 0]:.5g}")
        if same < 0.05:
            wrong.add((dtype, order, compression))
        elif same < 1:
            sys.exit("The behaviour is not as stated.")
sys.exit(0 if wrong == {("f4", ">", "deflate"), ("i4", ">", "deflate")} else "The behaviour is not as stated.")
PYTHON
