"""Makes folders of JPEGs that decode like a camera's, no two alike, from a few photographs.

A picture is a part of a photograph, mirrored or not, brought to its size. Enlarging leaves no detail, so the
photographs' own finest detail is laid over it, and a sensor's grain.
"""

import functools
import multiprocessing
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

QUALITY = 90
GRAIN = 1024


@functools.cache
def sources(folder):
    paths = sorted(p for p in Path(folder).iterdir() if p.suffix in {".jpg", ".png"})
    return [Image.open(path).convert("RGB") for path in paths]


@functools.cache
def details(folder):
    """What a blur takes from each photograph, as int16 of one channel."""
    greys = [source.convert("L") for source in sources(folder)]
    blurred = [grey.filter(ImageFilter.GaussianBlur(2)) for grey in greys]
    return [np.asarray(a, np.int16) - np.asarray(b, np.int16) for a, b in zip(greys, blurred)]


@functools.cache
def grain(deviation):
    return np.random.default_rng(0).normal(0, deviation, (GRAIN, GRAIN)).round().astype(np.int16)


def tiled(values, rng, height, width):
    """`values`, rolled by chance, next to its mirror images as often as it takes."""
    values = np.roll(values, rng.integers(0, values.shape), (0, 1))
    values = np.hstack([values, values[:, ::-1]])
    values = np.vstack([values, values[::-1]])
    times = (-(-height // values.shape[0]), -(-width // values.shape[1]))
    return np.tile(values, times)[:height, :width]


def make_one(task):
    path, number, (width, height), deviation, photographs = task
    rng = np.random.default_rng(number)
    source = sources(photographs)[number % len(sources(photographs))]
    share = rng.uniform(0.6, 0.95)
    wide = share * min(source.width, source.height * width / height)
    high = wide * height / width
    left = rng.uniform(0, source.width - wide)
    top = rng.uniform(0, source.height - high)
    image = source.resize((width, height), Image.Resampling.BICUBIC, (left, top, left + wide, top + high))
    if rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    layer = tiled(grain(deviation), rng, height, width)
    if width > 2 * source.width:
        layer = layer + tiled(details(photographs)[number % len(details(photographs))], rng, height, width)
    pixels = np.asarray(image) + layer[:, :, None]
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path, quality=QUALITY)


def make(folder, count, size, deviation, photographs):
    """Fills `folder` with `count` pictures, unless it has as many."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number:05}.jpg" for number in range(count)]
    if sorted(folder.iterdir()) == paths:
        return
    tasks = [(path, number, size, deviation, photographs) for number, path in enumerate(paths)]
    with multiprocessing.Pool() as pool:
        for _ in pool.imap_unordered(make_one, tasks):
            pass
