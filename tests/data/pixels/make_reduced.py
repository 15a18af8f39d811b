"""Make `reduced.golden.safetensors`: JPEGs decoded at a reduced scale and resized by Pillow.

    pip install numpy pillow==13.0.0 safetensors
    python make_reduced.py

Keys are `NAME.ORIENTATION.CROP.SIZE`: the sample, the EXIF orientation that is put into its header, the recipe
(`center`: shorter side to round(size / 0.875), centre cut out; `squash`: straight to the square) and its size; values
are uint8 [size, size, 3]. The decoder is asked for at least twice the resized width and height, as `Image.thumbnail`
does, and the resampler is told which part of the last pixel still belongs to the picture.
"""

import io
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

HERE = Path(__file__).parent
SAMPLES = HERE.parents[2] / "samples"
AT_LEAST = 2
# What EXIF's orientations do to a picture, and to a point of one that is `w` by `h`.
TURNS = {
    1: (None, lambda x, y, w, h: (x, y)),
    2: (Image.Transpose.FLIP_LEFT_RIGHT, lambda x, y, w, h: (w - x, y)),
    3: (Image.Transpose.ROTATE_180, lambda x, y, w, h: (w - x, h - y)),
    4: (Image.Transpose.FLIP_TOP_BOTTOM, lambda x, y, w, h: (x, h - y)),
    5: (Image.Transpose.TRANSPOSE, lambda x, y, w, h: (y, x)),
    6: (Image.Transpose.ROTATE_270, lambda x, y, w, h: (h - y, x)),
    7: (Image.Transpose.TRANSVERSE, lambda x, y, w, h: (h - y, w - x)),
    8: (Image.Transpose.ROTATE_90, lambda x, y, w, h: (y, w - x)),
}


def resized(width, height, crop, size):
    if crop == "squash":
        return size, size
    shorter = round(size / 0.875)
    return (shorter, height * shorter // width) if width <= height else (width * shorter // height, shorter)


def reduced(data, orientation, crop, size):
    image = Image.open(io.BytesIO(data))
    full = image.size
    wanted = resized(*full, crop, size)
    image.draft("RGB", (AT_LEAST * wanted[0], AT_LEAST * wanted[1]))
    scale = round(full[0] / image.size[0])
    width, height = image.size
    image = image.convert("RGB")
    turn, point = TURNS[orientation]
    if turn is not None:
        image = image.transpose(turn)
    corners = [point(x, y, width, height) for x, y in ((0, 0), (full[0] / scale, full[1] / scale))]
    (left, right), (top, bottom) = (sorted(axis) for axis in zip(*corners))
    if orientation >= 5:
        full = full[::-1]
    wanted = resized(*full, crop, size)
    image = image.resize(wanted, Image.Resampling.BILINEAR, box=(left, top, right, bottom))
    left, top = (wanted[0] - size) // 2, (wanted[1] - size) // 2
    return scale, np.asarray(image.crop((left, top, left + size, top + size)))


def main():
    tensors = {}
    scales = set()
    for name in ("cat.jpg", "coffee.jpg"):
        data = (SAMPLES / name).read_bytes()
        for orientation in TURNS if name == "cat.jpg" else (1, 6):
            for crop in ("center", "squash"):
                for size in (32, 64, 96) if orientation == 1 else (32, 64) if crop == "center" else (32,):
                    scale, pixels = reduced(data, orientation, crop, size)
                    scales.add(scale)
                    tensors[f"{name}.{orientation}.{crop}.{size}"] = np.ascontiguousarray(pixels)
    assert scales == {1, 2, 4}, scales
    save_file(tensors, HERE / "reduced.golden.safetensors")


if __name__ == "__main__":
    main()
