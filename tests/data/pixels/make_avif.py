"""Writes AVIF files of many kinds, and what Pillow makes of them.

    pip install imagecodecs==2026.3.6 numpy==2.4.6 pillow==13.0.0
    python make_avif.py

`avif/NAME.avif` are the encoders' pictures in containers of heif_container.py or, where the name begins
with `whole_`, of the encoders themselves. `avif.json` has by file name width, height and the SHA-256 of
the bytes of `ImageOps.exif_transpose(Image.open(file)).convert("RGB")` (libavif 1.4.2, on x86-64).
"""

import hashlib
import io
import json
from pathlib import Path

import imagecodecs
import numpy as np
from PIL import Image, ImageOps

from heif_container import Item, box, clap, full, grid, imir, irot, ispe, items, nclx, write

HERE = Path(__file__).parent
OUT = HERE / "avif"
BRAND = dict(brand=b"avif", brands=(b"mif1", b"miaf"))


def picture(width, height, seed=0):
    y, x = np.mgrid[:height, :width] / 8
    rng = np.random.default_rng(seed)
    waves = [np.sin(x + seed) * np.cos(y), np.cos(2 * x - y), np.sin(3 * y + x * x / 5)]
    values = np.stack(waves, -1) * 0.7 + 0.5 + rng.normal(0, 0.02, (height, width, 3))
    return values.clip(0, 1)


def coded(pixels, depth=8, form="420", level=50):
    """The items of an encoder's picture, without what it says of colours."""
    if depth == 8:
        file = io.BytesIO()
        image = Image.fromarray((pixels * 255).astype(np.uint8))
        image.save(file, "AVIF", quality=level, subsampling={"420": "4:2:0", "422": "4:2:2", "444": "4:4:4", "400": "4:0:0"}[form])
        file = file.getvalue()
    else:
        samples = (pixels * (2**depth - 1)).astype(np.uint16)
        file = imagecodecs.avif_encode(samples, level=level, bitspersample=depth, pixelformat=form)
    found, primary = items(file)
    return {n: item.but(b"colr", b"pixi", b"irot", b"imir") for n, item in found.items()}, primary


def one(*args, **options):
    found, primary = coded(*args, **options)
    item = found[primary]
    return Item(item.kind, item.data, item.properties)


def main():
    OUT.mkdir(exist_ok=True)
    for old in OUT.iterdir():
        old.unlink()

    def put(name, data):
        (OUT / name).write_bytes(data)

    def wrap(item, **options):
        return write({1: item}, **BRAND, **options)

    even, odd = picture(24, 20), picture(23, 17)
    alphas = np.concatenate([even, even[..., :1] * 0.9 + 0.1], -1)
    for form in ("420", "422", "444"):
        for depth in (8, 10, 12):
            item = one(even, depth, form)
            rgba, primary = coded(alphas, depth, form)
            for name, is_full in (("full", 1), ("limited", 0)):
                put(f"{form}_{depth}_{name}.avif", wrap(item.having(nclx(1, 13, 6, is_full))))
                listed = {n: i.having(nclx(1, 13, 6, is_full)) if n == primary else i for n, i in rgba.items()}
                put(f"alpha_{form}_{depth}_{name}.avif", write(listed, primary=primary, **BRAND))
    for form in ("420", "422"):
        put(f"odd_{form}.avif", wrap(one(odd, 8, form)))
        put(f"narrow_{form}.avif", wrap(one(picture(1, 5), 8, form)))
        put(f"low_{form}.avif", wrap(one(picture(6, 1), 8, form)))
    for depth in (8, 10, 12):
        item = one(even[..., 0].copy(), depth, "400")
        for name, is_full in (("full", 1), ("limited", 0)):
            put(f"grey_{depth}_{name}.avif", wrap(item.having(nclx(1, 13, 6, is_full))))
    item, deep = one(even, 8, "420"), one(even, 10, "444")
    for matrix in (1, 2, 4, 5, 7, 9, 12):
        for name, is_full in (("full", 1), ("limited", 0)):
            put(f"matrix_{matrix}_{name}.avif", wrap(item.having(nclx(12 if matrix == 12 else 1, 13, matrix, is_full))))
    for primaries in (1, 6, 9):
        put(f"primaries_{primaries}.avif", wrap(item.having(nclx(primaries, 13, 12, 1))))
    for matrix in (0, 7, 8):
        put(f"matrix_{matrix}_444.avif", wrap(one(even, 8, "444").having(nclx(1, 13, matrix, 1))))
        put(f"matrix_{matrix}_444_10.avif", wrap(deep.having(nclx(1, 13, matrix, 1))))
    put("stream.avif", wrap(item))

    # Turned by what stands in for EXIF; cropping is left alone.
    turns = {"irot1": [irot(1)], "irot2": [irot(2)], "irot3": [irot(3)], "imir0": [imir(0)], "imir1": [imir(1)]}
    turns |= {f"irot{q}_imir{axis}": [irot(q), imir(axis)] for q in (1, 2, 3) for axis in (0, 1)}
    turns["clap"] = [clap(12, 10)]
    for name, steps in turns.items():
        put(f"{name}.avif", wrap(item.having(*steps)))
    exif = b"\0\0\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"
    exif = Item(b"Exif", exif, [], [(b"cdsc", [1])])
    put("exif_6.avif", write({1: item, 2: exif}, **BRAND))
    put("exif_6_irot1.avif", write({1: item.having(irot(1)), 2: exif}, **BRAND))

    # Colours that are multiplied by transparency.
    rgba, primary = coded(alphas, 8, "444")
    alpha = next(n for n in rgba if n != primary)
    colour = rgba[primary]
    rgba[primary] = Item(colour.kind, colour.data, colour.properties + [nclx(1, 13, 6, 1)], [(b"prem", [alpha])])
    put("multiplied.avif", write(rgba, primary=primary, **BRAND))

    whole = picture(128, 128)
    tiles = [one(whole[64 * y:64 * y + 64, 64 * x:64 * x + 64], level=20) for y in (0, 1) for x in (0, 1)]
    listed = {n: tile for n, tile in enumerate(tiles, 2)}
    whole = Item(b"grid", grid(2, 2, 100, 78), [ispe(100, 78), nclx(1, 13, 6, 1)], [(b"dimg", [2, 3, 4, 5])])
    put("grid.avif", write({1: whole, **listed}, **BRAND))
    put("grid_idat_irot1.avif", write({1: whole.having(irot(1)), **listed}, idat=[1], **BRAND))

    put("iloc0.avif", wrap(item, iloc=0))
    put("pieces.avif", wrap(item, pieces=3))
    put("in_idat.avif", wrap(item, idat=[1]))
    put("media_to_the_end.avif", wrap(item, size0=True))
    put("brand_mif1.avif", write({1: item}, brand=b"mif1", brands=(b"avif", b"miaf")))

    file = io.BytesIO()
    frames = [Image.fromarray((picture(24, 20, seed) * 255).astype(np.uint8)) for seed in (1, 2, 3)]
    frames[0].save(file, "AVIF", save_all=True, append_images=frames[1:], duration=100)
    put("whole_animation.avif", file.getvalue())
    file = io.BytesIO()
    frames = [frame.convert("RGBA") for frame in frames]
    for frame in frames:
        frame.putalpha(Image.fromarray((even[..., 0] * 255).astype(np.uint8)))
    frames[0].save(file, "AVIF", save_all=True, append_images=frames[1:], duration=100)
    put("whole_animation_alpha.avif", file.getvalue())
    file = io.BytesIO()
    frames[0].save(file, "AVIF", alpha_premultiplied=True)
    put("whole_alpha_multiplied.avif", file.getvalue())
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 5
    frames[0].convert("RGB").save(file, "AVIF", exif=exif, range="limited")
    put("whole_orientation_5.avif", file.getvalue())

    golden = {}
    for path in sorted(OUT.iterdir()):
        try:
            image = ImageOps.exif_transpose(Image.open(path))
            pixels = np.asarray(image.convert("RGB"))
        except Exception as error:
            print(path.name, error)
            path.unlink()
            continue
        height, width = pixels.shape[:2]
        golden[path.name] = [width, height, hashlib.sha256(np.ascontiguousarray(pixels)).hexdigest()]
    lines = (f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in golden.items())
    (HERE / "avif.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(len(golden), "files,", sum(p.stat().st_size for p in OUT.iterdir()), "bytes")


if __name__ == "__main__":
    main()
