#!/usr/bin/env bash
# In PyTorch "bicubic" with and without antialias are two different curves, also where a picture is enlarged and there
# is nothing to average.
#
# antialias=True uses Keys's parameter a = -0.5, as Pillow does; antialias=False uses a = -0.75, as OpenCV does. So
# switching antialias on does not only remove aliasing: it changes the sharpness and the overshoot at every edge, and
# two pipelines that both say "bicubic" agree only if both flags agree as well. Keras hands the flag on: with its torch
# backend, bicubic Resizing layers differ from those of its TensorFlow backend by up to 20 levels.
# Source: ATen/native/UpSample.h (cubic_convolution coefficients) and cpu/UpSampleKernel.cpp (HelperInterpCubic).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check uv==0.13.9
"$work/venv/bin/uv" pip install --quiet --python "$work/venv/bin/python" \
    torch==2.15.0 numpy==2.4.6 pillow==13.0.0 opencv-python-headless==5.0.0.93
"$work/venv/bin/python" - <<'PYTHON'
import sys

import cv2
import numpy as np
import torch
from PIL import Image
from torch.nn.functional import interpolate

edge = np.array([[0, 0, 0, 0, 200, 200, 200, 200]], np.float32)
tensor = torch.from_numpy(edge)[None, None]
larger = {
    "torch, antialias=False": interpolate(tensor, size=(1, 16), mode="bicubic", antialias=False)[0, 0, 0].numpy(),
    "torch, antialias=True": interpolate(tensor, size=(1, 16), mode="bicubic", antialias=True)[0, 0, 0].numpy(),
    "OpenCV": cv2.resize(edge, (16, 1), interpolation=cv2.INTER_CUBIC)[0],
    "Pillow": np.asarray(Image.fromarray(edge).resize((16, 1), Image.Resampling.BICUBIC))[0],
}
print(f"PyTorch {torch.__version__}: an edge from 0 to 200, enlarged from 8 to 16 pixels, bicubic")
print("expected: antialias changes nothing where a picture is enlarged")
for name, pixels in larger.items():
    print(f"observed: {name:>22}: {' '.join(f'{pixel:6.1f}' for pixel in pixels[5:11])}")
without, antialiased, opencv, pillow = larger.values()
as_stated = (
    abs(without - antialiased).max() > 5 and abs(without - opencv).max() < 0.1 and abs(antialiased - pillow).max() < 0.1
)
sys.exit(0 if as_stated else "The behaviour is not as stated.")
PYTHON
