"""Draws and cuts out the pictures of five tasks, each a folder of

    train/CLASS/*.png   pictures to learn from
    test/CLASS/*.png    members that were held out
    other/KIND/*.png    pictures of none of the classes

- tiles: 10 photographs, cut into tiles that do not overlap; any of them are held out
- regions: the same with pieces that overlap; what is held out is from another part of each, so
  that it is not like what is learned from
- shapes: 8 shapes and patterns, drawn in any colour, size, angle, with noise
- digits: the handwritten digits of scikit-learn, of other writers where held out
- faces: 2 classes, faces (Labeled Faces in the Wild) and pieces of photographs without one

All of it is in the packages: scikit-image's photographs are in the public domain or CC0
(skimage/data/README.txt), `lfw_subset` among them; scikit-learn's digits are UCI's (CC BY 4.0);
the shapes are our own.

    python tasks.py FOLDER
"""

import math
import random
import sys
from pathlib import Path

import numpy as np
import skimage
import sklearn.datasets
from PIL import Image, ImageDraw, ImageFilter, ImageFont

DATA = Path(skimage.__file__).parent / "data"


def photograph(name):
    return Image.open(DATA / name).convert("RGB")


def save(picture, folder, name):
    folder.mkdir(parents=True, exist_ok=True)
    picture.save(folder / f"{name:04}.png")


def piece(source, part, rng):
    """A square of a quarter to half of the shorter side, from the left 60 % or the right 40 %."""
    width, height = source.size
    left, right = {"train": (0, 0.6), "test": (0.6, 1), "all": (0, 1)}[part]
    left, right = int(left * width), int(right * width)
    side = int(min(height, right - left) * rng.uniform(0.3, 0.6))
    x, y = rng.randint(left, right - side), rng.randint(0, height - side)
    picture = source.crop((x, y, x + side, y + side)).resize((160, 160), Image.BILINEAR)
    return picture.rotate(rng.uniform(-8, 8), Image.BILINEAR).crop((12, 12, 148, 148))


CLASSES = ["astronaut.png", "brick.png", "chelsea.png", "coffee.png", "coins.png", "grass.png",
           "gravel.png", "ihc.png", "motorcycle_left.png", "hubble_deep_field.jpg"]
UNKNOWN = ["camera.png", "moon.png", "retina.jpg", "rocket.jpg", "page.png", "cell.png"]


def regions(root, train, test, others):
    rng = random.Random(1)
    for name in CLASSES:
        source = photograph(name)
        for part, count in (("train", train), ("test", test)):
            for i in range(count):
                save(piece(source, part, rng), root / part / Path(name).stem, i)
    for name in UNKNOWN:
        source = photograph(name)
        for i in range(others // len(UNKNOWN)):
            save(piece(source, "all", rng), root / "other" / Path(name).stem, i)


def tiled(source, count, rng):
    """The largest tiles of which there are enough, in any order."""
    width, height = source.size
    side = next(s for s in range(min(width, height), 0, -1) if (width // s) * (height // s) >= count)
    places = [(x * side, y * side) for y in range(height // side) for x in range(width // side)]
    rng.shuffle(places)
    crop = lambda x, y: source.crop((x, y, x + side, y + side)).resize((128, 128), Image.BICUBIC)
    return [crop(x, y) for x, y in places[:count]]


def tiles(root, train, test, others):
    rng = random.Random(5)
    for name in CLASSES:
        for i, picture in enumerate(tiled(photograph(name), train + test, rng)):
            save(picture, root / ("train" if i < train else "test") / Path(name).stem, i)
    for name in UNKNOWN:
        for i, picture in enumerate(tiled(photograph(name), others // len(UNKNOWN), rng)):
            save(picture, root / "other" / Path(name).stem, i)


def polygon(corners, inner, turn, radius, centre):
    points = []
    for i in range(corners * (2 if inner else 1)):
        r = radius * (inner if inner and i % 2 else 1)
        angle = turn + 2 * math.pi * i / (corners * (2 if inner else 1))
        points.append((centre[0] + r * math.cos(angle), centre[1] + r * math.sin(angle)))
    return points


def shape(kind, rng):
    colour = lambda: tuple(rng.randint(0, 255) for _ in range(3))
    back, ink = colour(), colour()
    while sum(abs(a - b) for a, b in zip(back, ink)) < 150:
        ink = colour()
    picture = Image.new("RGB", (192, 192), back)
    draw = ImageDraw.Draw(picture)
    radius = rng.uniform(30, 75)
    centre = (rng.uniform(75, 117), rng.uniform(75, 117))
    turn = rng.uniform(0, 2 * math.pi)
    box = [centre[0] - radius, centre[1] - radius, centre[0] + radius, centre[1] + radius]
    step = rng.randint(12, 32)
    if kind == "disc":
        draw.ellipse(box, fill=ink)
    elif kind == "ring":
        draw.ellipse(box, outline=ink, width=int(radius / rng.uniform(3, 6)))
    elif kind == "hexagon":
        draw.polygon(polygon(6, None, turn, radius, centre), fill=ink)
    elif kind in ("triangle", "square", "pentagon"):
        corners = {"triangle": 3, "square": 4, "pentagon": 5}[kind]
        draw.polygon(polygon(corners, None, turn, radius, centre), fill=ink)
    elif kind == "star":
        draw.polygon(polygon(5, rng.uniform(0.35, 0.5), turn, radius, centre), fill=ink)
    elif kind == "cross":
        draw.polygon(polygon(4, 0.35, turn, radius, centre), fill=ink)
    elif kind == "stripes":
        for x in range(-192, 384, step):
            draw.line([(x, 0), (x + rng.choice([96]), 192)], fill=ink, width=step // 2)
        picture = picture.rotate(math.degrees(turn), Image.BILINEAR, fillcolor=back)
    elif kind == "dots":
        for x in range(0, 192, step):
            for y in range(0, 192, step):
                draw.ellipse([x, y, x + step * 0.6, y + step * 0.6], fill=ink)
    elif kind == "squares":
        for x in range(0, 192, step):
            for y in range(0, 192, step):
                if (x + y) // step % 2:
                    draw.rectangle([x, y, x + step, y + step], fill=ink)
    elif kind == "letter":
        font = ImageFont.load_default(size=radius * 1.8)
        draw.text(centre, rng.choice("AEFGKMRSWXZ"), fill=ink, font=font, anchor="mm")
    elif kind == "scribble":
        points = [(rng.randint(0, 192), rng.randint(0, 192)) for _ in range(9)]
        draw.line(points, fill=ink, width=rng.randint(2, 8), joint="curve")
    elif kind == "blobs":
        values = np.random.default_rng(rng.randint(0, 1 << 30)).random((192, 192))
        blurred = Image.fromarray((values * 255).astype("u1")).filter(ImageFilter.GaussianBlur(step / 3))
        mask = blurred.point(lambda v: 255 if v > 127 else 0)
        picture.paste(Image.new("RGB", picture.size, ink), mask=mask)
    noise = np.random.default_rng(rng.randint(0, 1 << 30)).normal(0, rng.uniform(2, 25), (192, 192, 3))
    pixels = np.clip(np.asarray(picture, float) + noise, 0, 255).astype("u1")
    return Image.fromarray(pixels)


def shapes(root, train, test, others):
    rng = random.Random(2)
    for kind in ["disc", "ring", "triangle", "square", "pentagon", "star", "stripes", "dots"]:
        for part, count in (("train", train), ("test", test)):
            for i in range(count):
                save(shape(kind, rng), root / part / kind, i)
    for kind in ["cross", "squares", "letter", "scribble", "blobs"]:
        for i in range(others // 5):
            save(shape(kind, rng), root / "other" / kind, i)


def digits(root, train, test, others):
    """The file's order is by writers: the last ones are held out."""
    found = sklearn.datasets.load_digits()
    large = lambda pixels: Image.fromarray((255 - pixels * 15.9).astype("u1")).convert("RGB").resize(
        (128, 128), Image.BICUBIC)
    for digit in range(10):
        pictures = found.images[found.target == digit]
        for i, pixels in enumerate(pictures[:train]):
            save(large(pixels), root / "train" / str(digit), i)
        for i, pixels in enumerate(pictures[-test:]):
            save(large(pixels), root / "test" / str(digit), i)
    # As small and as grey, with letters on them, and pieces of photographs.
    rng = random.Random(3)
    for i in range(others // 2):
        glyph = Image.new("L", (32, 32), 255)
        font = ImageFont.load_default(size=rng.uniform(24, 34))
        place = (16 + rng.uniform(-2, 2), 16 + rng.uniform(-2, 2))
        ImageDraw.Draw(glyph).text(place, rng.choice("ABCEFGHKMNPRTUWXadefhkmnrtuwx"), fill=0, font=font, anchor="mm")
        glyph = glyph.rotate(rng.uniform(-15, 15), Image.BILINEAR, fillcolor=255)
        small = np.asarray(glyph.resize((8, 8), Image.BOX), float)
        save(large((255 - small) / 16), root / "other" / "letters", i)
    sources = [photograph(name) for name in ("coffee.png", "chelsea.png", "grass.png", "rocket.jpg")]
    for i in range(others // 2):
        save(piece(sources[i % 4], "all", rng), root / "other" / "photographs", i)


def faces(root, train, test, others):
    found = np.load(DATA / "lfw_subset.npy")  # 100 faces, then 100 of the surroundings
    large = lambda pixels: Image.fromarray((pixels * 255).astype("u1")).convert("RGB").resize(
        (128, 128), Image.BICUBIC)
    for label, pictures in (("face", found[:100]), ("no face", found[100:])):
        for i, pixels in enumerate(pictures[:train]):
            save(large(pixels), root / "train" / label, i)
        for i, pixels in enumerate(pictures[train:train + test]):
            save(large(pixels), root / "test" / label, i)
    rng = random.Random(4)
    scans = sklearn.datasets.load_digits().images
    for i in range(others // 2):
        pixels = scans[i * 7 % len(scans)] / 16
        save(large(pixels), root / "other" / "digits", i)
        save(shape(rng.choice(["disc", "star", "stripes", "dots"]), rng).convert("L").convert("RGB"),
             root / "other" / "shapes", i)


if __name__ == "__main__":
    root = Path(sys.argv[1])
    tiles(root / "tiles", 36, 24, 240)
    regions(root / "regions", 50, 40, 300)
    shapes(root / "shapes", 50, 100, 500)
    digits(root / "digits", 50, 100, 400)
    faces(root / "faces", 50, 50, 200)
