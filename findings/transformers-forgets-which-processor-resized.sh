#!/usr/bin/env bash
# An image processor of transformers that resizes with Pillow, saved and loaded again, resizes otherwise.
#
# transformers 5 has two processors for an architecture: NAMEImageProcessor resizes with torchvision, and
# NAMEImageProcessorPil with Pillow. save_pretrained() writes the same image_processor_type for both, and nothing else in
# preprocessor_config.json tells them apart; from_pretrained() of AutoImageProcessor makes torchvision's of it. So what a
# network is evaluated with after a reload are not the pixels that it was evaluated with before: a few bytes in a thousand
# differ by one. Who reads such a file can't know which resampling its scores were made with.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check uv==0.13.9
"$work/venv/bin/uv" pip install --quiet --python "$work/venv/bin/python" \
    torch==2.15.0 torchvision==0.29.2 transformers==5.24.0 pillow==13.0.0 numpy==2.4.6
cd "$work"
HF_HUB_OFFLINE=1 "$work/venv/bin/python" - 2>"$work/log" <<'PYTHON' ||
import json
import sys
from pathlib import Path

import numpy as np
import transformers
from PIL import Image
from transformers import AutoImageProcessor, MobileNetV1ImageProcessor, MobileNetV1ImageProcessorPil

picture = Image.fromarray(np.random.default_rng(1).integers(0, 256, (375, 500, 3)).astype(np.uint8))


def pixels(processor):
    return np.asarray(processor(picture, return_tensors="np")["pixel_values"])


print(f"transformers {transformers.__version__}: a processor, saved and loaded again")
print("expected: the same pixels")
share, saved = {}, []
for kind in [MobileNetV1ImageProcessor, MobileNetV1ImageProcessorPil]:
    processor = kind(size={"height": 224, "width": 224}, do_center_crop=False)
    processor.save_pretrained(kind.__name__)
    (file,) = Path(kind.__name__).iterdir()
    saved.append(json.loads(file.read_text()))
    again = AutoImageProcessor.from_pretrained(kind.__name__)
    difference = abs(pixels(processor) - pixels(again)) * 127.5
    share[kind] = (difference > 0.5).mean()
    print(
        f"observed: {kind.__name__}, written as {saved[-1]['image_processor_type']}, comes back as {type(again).__name__}: "
        f"{share[kind]:.2%} of the values differ, at most by {difference.max():.0f} of 255"
    )
same = saved[0] == saved[1]
print(f"observed: the two files are {'the same' if same else 'not the same'}")
is_so = same and share[MobileNetV1ImageProcessor] == 0 and share[MobileNetV1ImageProcessorPil] > 0.001
sys.exit(0 if is_so else "The behaviour is not as stated.")
PYTHON
    { cat "$work/log" >&2; exit 1; }
