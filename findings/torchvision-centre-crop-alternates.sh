#!/usr/bin/env bash
# torchvision's centre crop moves by a pixel, to the left or to the right, from one width to the next.
#
# Where the margin is odd, the crop cannot be centred. torchvision (and timm, which uses it) rounds the offset with
# Python's round(), that is halves to the even number: half of the odd margins go up and half go down. transformers cuts
# the fraction off. So with the same bytes before the crop, a quarter of all sizes give the two libraries inputs that
# lie one pixel apart, which moves logits by far more than any difference of resampling.
# Source: torchvision 0.29.2, transforms/functional.py, center_crop(): int(round((height - crop_height) / 2.0));
# transformers 5.24.0, image_processing_backends.py, center_crop(): int((height - crop_height) / 2.0).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check uv==0.13.9
"$work/venv/bin/uv" pip install --quiet --python "$work/venv/bin/python" \
    torch==2.15.0 torchvision==0.29.2 transformers==5.24.0 numpy==2.4.6 pillow==13.0.0
HF_HUB_OFFLINE=1 "$work/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
from PIL import Image
from torchvision.transforms import CenterCrop
from transformers import MobileNetV1ImageProcessor

processor = MobileNetV1ImageProcessor(do_resize=False, do_rescale=False, do_normalize=False)
print("torchvision 0.29.2 and transformers 5.24.0: where a crop of 224 begins in a picture 256 pixels high")
print("expected: one rule, the same in both")
offsets = {}
for width in range(256, 265):
    columns = np.broadcast_to((np.arange(width) % 256).astype(np.uint8)[None, :, None], (256, width, 3))
    picture = Image.fromarray(np.ascontiguousarray(columns))
    torchvision = int(np.asarray(CenterCrop(224)(picture))[0, 0, 0])
    transformers = int(processor(picture, return_tensors="np")["pixel_values"][0, 0, 0, 0])
    offsets[width] = (torchvision, transformers)
    print(f"observed: width {width}: margin {width - 224:>2}, torchvision {torchvision}, transformers {transformers}"
          f"{'  <- a pixel apart' if torchvision != transformers else ''}")
apart = [width for width, (a, b) in offsets.items() if a != b]
as_stated = apart == [259, 263] and offsets[257] == (16, 16) and offsets[259] == (18, 17)
sys.exit(0 if as_stated else "The behaviour is not as stated.")
PYTHON
