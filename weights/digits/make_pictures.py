"""Writes scikit-learn's handwritten digits as pictures, divided into those to learn from and those to
test with.

    python make_pictures.py FOLDER            # FOLDER/train/0/17.png ..., FOLDER/test/0/3.png ...
    python make_pictures.py FOLDER --samples ../../samples/digits --sheet ../../tests/data/train/digits.png

The division is by chance, class by class, with a fixed seed: 36 pictures of each digit are to test with,
and nothing was chosen by them. The name of a picture is its number in the data set.

Needs scikit-learn, numpy and Pillow. Written with scikit-learn 1.9.1, numpy 2 and Pillow 13.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

# Of each digit, in the test set and among the samples.
TEST, SAMPLES = 36, 2
SIDE = 128


def ink_on_paper(image):
    """8x8 counts of ink from 0 to 16 as 8-bit grey, dark on white."""
    return (255 - np.round(image * 255 / 16)).astype(np.uint8)


def picture(image):
    """The same at a size that a person can see."""
    return Image.fromarray(ink_on_paper(image)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--samples", type=Path, help="the first test pictures of each digit, as 7-0.png")
    parser.add_argument("--sheet", type=Path, help="all test pictures as they are, 8x8, a row for each digit")
    arguments = parser.parse_args()
    digits = load_digits()
    rng = np.random.default_rng(0)
    rows = []
    for digit in range(10):
        members = rng.permutation(np.flatnonzero(digits.target == digit))
        for name, numbers in [("test", members[:TEST]), ("train", members[TEST:])]:
            folder = arguments.folder / name / str(digit)
            folder.mkdir(parents=True, exist_ok=True)
            for number in numbers:
                picture(digits.images[number]).save(folder / f"{number}.png", optimize=True)
        rows.append(np.hstack([ink_on_paper(digits.images[number]) for number in members[:TEST]]))
        if arguments.samples:
            arguments.samples.mkdir(parents=True, exist_ok=True)
            for i, number in enumerate(members[:SAMPLES]):
                picture(digits.images[number]).save(arguments.samples / f"{digit}-{i}.png", optimize=True)
    if arguments.sheet:
        Image.fromarray(np.vstack(rows)).save(arguments.sheet, optimize=True)


main()
