"""How alike copies of photographs are, and how alike different photographs: where to draw the line between.

    pip install pillow numpy safetensors
    python copies.py FOLDER [OPTIONS OF mobilenet embed, such as --weights FILE]

Each picture right in FOLDER is one photograph; copies of it are made in a temporary folder. Prints, for each
kind of copy, the similarity to its original, and how many pairs of different photographs are above each
threshold. `MOBILENET` names the program.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
from PIL import Image
from safetensors import safe_open

THRESHOLDS = [0.85, 0.88, 0.9, 0.92, 0.95]


def resized(picture, factor):
    return picture.resize([max(1, int(side * factor)) for side in picture.size], Image.LANCZOS)


def cropped(picture, percent):
    x, y = (side * percent // 100 for side in picture.size)
    return picture.crop((x, y, picture.width - x, picture.height - y))


COPIES = {
    "half.jpg": lambda p: (resized(p, 0.5), 85),
    "thumbnail.jpg": lambda p: (resized(p, 256 / max(p.size)), 85),
    "larger.jpg": lambda p: (resized(p, 1.5), 85),
    "quality50.jpg": lambda p: (p, 50),
    "quality20.jpg": lambda p: (p, 20),
    "webp60.webp": lambda p: (p, 60),
    "cropped2.jpg": lambda p: (cropped(p, 2), 90),
    "cropped5.jpg": lambda p: (cropped(p, 5), 90),
    "cropped10.jpg": lambda p: (cropped(p, 10), 90),
    "mirrored.jpg": lambda p: (p.transpose(Image.FLIP_LEFT_RIGHT), 90),
    "grey.jpg": lambda p: (p.convert("L"), 90),
}


def embeddings(folder, options):
    file = folder / "embeddings.safetensors"
    program = os.environ.get("MOBILENET", "mobilenet")
    subprocess.run([program, "embed", "--normalize", "-o", file, folder, *options], check=True)
    with safe_open(file, "numpy") as opened:
        paths = json.loads(opened.metadata()["paths"])
        return {Path(path).name: row for path, row in zip(paths, opened.get_tensor("embeddings"))}


with tempfile.TemporaryDirectory() as folder:
    folder = Path(folder)
    count = 0
    for path in sorted(Path(sys.argv[1]).iterdir()):
        try:
            picture = Image.open(path).convert("RGB")
        except OSError:
            continue
        picture.save(folder / f"{count}.original.png", compress_level=1)
        for kind, make in COPIES.items():
            copy, quality = make(picture)
            copy.save(folder / f"{count}.{kind}", quality=quality)
        count += 1
    found = embeddings(folder, sys.argv[2:])

originals = numpy.stack([found[f"{i}.original.png"] for i in range(count)])
for kind in COPIES:
    copies = numpy.stack([found[f"{i}.{kind}"] for i in range(count)])
    similarity = (originals * copies).sum(axis=1)
    above = [f"{(similarity >= t).mean():6.1%}" for t in THRESHOLDS]
    print(f"{kind:14} least {similarity.min():.3f}  median {numpy.median(similarity):.3f}  at", *above)
pairs = (originals @ originals.T)[numpy.triu_indices(count, 1)]
above = [int((pairs >= t).sum()) for t in THRESHOLDS]
print(f"{len(pairs)} different pairs: most {pairs.max():.3f}, at {THRESHOLDS}:", *above)
