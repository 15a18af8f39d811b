#!/usr/bin/env bash
# In timm a class whose folder holds no PNG or JPEG vanishes, and all the classes after it get other numbers.
#
# timm numbers the folders in which it found pictures, not the folders, and it looks for .png, .jpg and .jpeg only. If
# one class of the validation set is empty, or was saved as WebP, every later class moves up by one: accuracy falls to
# nothing, without a warning. torchvision takes WebP, and refuses an empty class by name.
# Source: timm 1.0.31, data/readers/reader_image_folder.py, find_images_and_targets(); data/readers/img_extensions.py.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check uv==0.13.9
"$work/venv/bin/uv" pip install --quiet --python "$work/venv/bin/python" \
    torch==2.15.0 torchvision==0.29.2 timm==1.0.31 numpy==2.4.6 pillow==13.0.0
HF_HUB_OFFLINE=1 "$work/venv/bin/python" - "$work" <<'PYTHON'
import sys
import warnings
from pathlib import Path

from PIL import Image
from timm.data import create_dataset
from torchvision.datasets import ImageFolder

root = Path(sys.argv[1])
for split in ["train", "val"]:
    for name in ["apple", "bread", "cheese", "dates"]:
        extension = "webp" if (split, name) == ("val", "bread") else "png"
        (root / split / name).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(root / split / name / f"picture.{extension}")

print("timm 1.0.31 and torchvision 0.29.2: four classes; in val the pictures of bread are WebP")
print("expected: the same numbers in train and val, or at least a warning")
numbers = {}
with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always")
    for split in ["train", "val"]:
        numbers["timm", split] = create_dataset("", root=str(root / split)).reader.class_to_idx
        numbers["torchvision", split] = ImageFolder(str(root / split)).class_to_idx
for (library, split), classes in sorted(numbers.items()):
    print(f"observed: {library:>11}, {split:>5}: {classes}")
print(f"observed: {len(warned)} warnings")
as_stated = (
    numbers["timm", "val"] == {"apple": 0, "cheese": 1, "dates": 2}
    and numbers["timm", "train"] == numbers["torchvision", "train"] == numbers["torchvision", "val"]
    and not warned
)
sys.exit(0 if as_stated else "The behaviour is not as stated.")
PYTHON
