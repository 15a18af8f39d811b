#!/usr/bin/env bash
# torchvision's bilinear resize of a uint8 picture gives other bytes on a CPU without AVX2.
#
# Where PyTorch reports AVX2 or AVX512 (or the machine is ARM), resize() of a uint8 tensor runs in integers and rounds
# after each pass, as Pillow does. Elsewhere, as in emulators and on virtual machines that hide AVX2, the same call
# converts to float32 and rounds once. One byte in seven differs. Bicubic always runs in integers, so it is the same
# everywhere; transformers' default image processors go through the bilinear one.
# Source: torchvision 0.29.2, transforms/v2/functional/_geometry.py, _do_native_uint8_resize_on_cpu().
# ATEN_CPU_CAPABILITY is PyTorch's own switch; here it plays the machine without AVX2.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check uv==0.13.9
"$work/venv/bin/uv" pip install --quiet --python "$work/venv/bin/python" torch==2.15.0 torchvision==0.29.2 numpy==2.4.6

cat > "$work/resize.py" <<'PYTHON'
import sys

import numpy as np
import torch
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2.functional import resize

picture = torch.from_numpy(np.random.default_rng(1).integers(0, 256, (3, 375, 500), dtype=np.uint8))
np.savez(
    sys.argv[1],
    capability=torch.backends.cpu.get_cpu_capability(),
    **{mode.value: resize(picture, [224, 224], interpolation=mode, antialias=True).numpy()
       for mode in [InterpolationMode.BILINEAR, InterpolationMode.BICUBIC]},
)
PYTHON
"$work/venv/bin/python" "$work/resize.py" "$work/here.npz"
ATEN_CPU_CAPABILITY=default "$work/venv/bin/python" "$work/resize.py" "$work/plain.npz"

"$work/venv/bin/python" - "$work" <<'PYTHON'
import sys

import numpy as np

here, plain = (np.load(f"{sys.argv[1]}/{name}.npz") for name in ["here", "plain"])
print(f"torchvision 0.29.2: resize of a uint8 picture, CPU capability {here['capability']} and {plain['capability']}")
print("expected: the same bytes")
share = {}
for mode in ["bilinear", "bicubic"]:
    difference = abs(here[mode].astype(int) - plain[mode].astype(int))
    share[mode] = (difference > 0).mean()
    print(f"observed: {mode:>8}: {share[mode]:6.1%} of the bytes differ, at most by {difference.max()}")
if str(here["capability"]) not in ("AVX2", "AVX512"):
    print("This CPU has no AVX2: nothing to compare with.")
    sys.exit(0)
sys.exit(0 if share["bilinear"] > 0.05 and share["bicubic"] == 0 else "The behaviour is not as stated.")
PYTHON
