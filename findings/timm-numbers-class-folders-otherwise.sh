#!/usr/bin/env bash
# timm and torchvision number the same class folders in different orders.
#
# torchvision's ImageFolder (like Keras) sorts folders as text: class1, class10, class2. timm sorts them naturally:
# class1, class2, class10. With WordNet ids the orders agree, so nobody notices; with folders called 0 to 11, or
# class1 to class12, a network trained by timm and evaluated by torchvision is wrong on most classes, with no error.
# Source: timm 1.0.31, data/readers/reader_image_folder.py (natural_key); torchvision 0.29.2, datasets/folder.py.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check uv==0.13.9
"$work/venv/bin/uv" pip install --quiet --python "$work/venv/bin/python" \
    torch==2.15.0 torchvision==0.29.2 timm==1.0.31 numpy==2.4.6 pillow==13.0.0
HF_HUB_OFFLINE=1 "$work/venv/bin/python" - "$work/pictures" <<'PYTHON'
import sys
from pathlib import Path

from PIL import Image
from timm.data import create_dataset
from torchvision.datasets import ImageFolder

root = Path(sys.argv[1])
for name in range(12):
    (root / str(name)).mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(root / str(name) / "picture.png")

timm = create_dataset("", root=str(root)).reader.class_to_idx
torchvision = ImageFolder(str(root)).class_to_idx
print("timm 1.0.31 and torchvision 0.29.2: folders 0 to 11, one picture each")
print("expected: the same numbers")
for name, numbers in [("timm", timm), ("torchvision", torchvision)]:
    print(f"observed: {name:>11}: {', '.join(sorted(numbers, key=numbers.get))}")
apart = [name for name in timm if timm[name] != torchvision[name]]
print(f"observed: {len(apart)} of {len(timm)} classes have another number")
as_stated = len(apart) == 10 and all(timm[str(name)] == name for name in range(12))
sys.exit(0 if as_stated else "The behaviour is not as stated.")
PYTHON
