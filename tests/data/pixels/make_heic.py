"""Writes HEIC files of many kinds, and what pillow-heif makes of them.

    pip install numpy==2.4.6 pillow==13.0.0 pillow-heif==1.8.1
    python make_heic.py

`heic/NAME.heic` are x265's pictures in containers of heif_container.py or, where the name begins
with `whole_`, of pillow-heif's (libheif 1.23.6). `heic.json` has by file name width, height and the
SHA-256 of the bytes of `Image.open(file).convert("RGB")`; of grey of more than 8 bits, which Pillow
clips, of the high 8 bits of the samples.
"""

import hashlib
import io
import json
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image

from heif_container import Item, clap, full, grid, imir, irot, ispe, items, nclx, write

HERE = Path(__file__).parent
OUT = HERE / "heic"
pillow_heif.register_heif_opener()


def picture(width, height, seed=0):
    """16-bit RGB: slopes, waves and a little noise, with colours beyond every edge."""
    y, x = np.mgrid[:height, :width] / 8
    rng = np.random.default_rng(seed)
    waves = [np.sin(x + seed) * np.cos(y), np.cos(2 * x - y), np.sin(3 * y + x * x / 5)]
    values = np.stack(waves, -1) * 0.7 + 0.5 + rng.normal(0, 0.02, (height, width, 3))
    return (values.clip(0, 1) * 65535).astype(np.uint16)


def encode(pixels, mode=None, **options):
    """A file of x265's picture."""
    options = dict(quality=70, matrix_coefficients=6, color_primaries=1, transfer_characteristics=13) | options
    mode = mode or ("RGB;16" if options.get("bit_depth", 8) > 8 else "RGB")
    if mode in ("RGB", "RGBA", "L"):
        pixels = (pixels >> 8).astype(np.uint8)
    file = io.BytesIO()
    height, width = pixels.shape[:2]
    data = np.ascontiguousarray(pixels).tobytes()
    heif = pillow_heif.from_bytes(mode, (width, height), data)
    heif.save(file, **options)
    return file.getvalue()


def coded(*args, **options):
    """The item with the picture, without what x265 says of itself."""
    found, primary = items(encode(*args, **options))
    item = found[primary]
    kept, data, at = b"", item.data, 0
    while at < len(data):
        end = at + 4 + int.from_bytes(data[at:at + 4], "big")
        if data[at + 4] >> 1 & 63 not in (39, 40):
            kept += data[at:end]
        at = end
    item.data = kept
    return item.but(b"irot", b"imir", b"pixi")


def main():
    OUT.mkdir(exist_ok=True)
    for old in OUT.iterdir():
        old.unlink()

    def put(name, data):
        (OUT / name).write_bytes(data)

    even, odd = picture(24, 20), picture(23, 17)
    for chroma in (420, 422, 444):
        for depth in (8, 10, 12):
            for is_full in (0, 1):
                item = coded(even, chroma=chroma, bit_depth=depth, full_range_flag=is_full)
                put(f"{chroma}_{depth}_{'full' if is_full else 'limited'}.heic", write({1: item}))
    for depth in (8, 10, 12):
        put(f"grey_{depth}.heic", write({1: coded(even[..., 0].copy(), "L" if depth == 8 else "L;16", bit_depth=depth)}))
    for matrix in (0, 1, 2, 4, 5, 7, 8, 9, 12):
        for is_full in (0, 1):
            item = coded(even, chroma=444 if matrix == 0 else 420, matrix_coefficients=1, full_range_flag=is_full)
            item = item.but(b"colr").having(nclx(12, 13, matrix, is_full))
            put(f"matrix_{matrix}_{'full' if is_full else 'limited'}.heic", write({1: item}))
    # What the stream says counts where the container says nothing.
    item = coded(even, matrix_coefficients=1, full_range_flag=1)
    put("stream_full.heic", write({1: item.but(b"colr")}))
    put("stream_full_container_limited.heic", write({1: item.but(b"colr").having(nclx(1, 13, 1, 0))}))
    item = coded(even, matrix_coefficients=9, full_range_flag=0)
    put("stream_limited.heic", write({1: item.but(b"colr")}))
    put("stream_limited_container_full.heic", write({1: item.but(b"colr").having(nclx(1, 13, 9, 1))}))

    turns = {"irot1": [irot(1)], "irot2": [irot(2)], "irot3": [irot(3)], "imir0": [imir(0)], "imir1": [imir(1)],
             "irot1_imir0": [irot(1), imir(0)], "imir0_irot1": [imir(0), irot(1)]}
    crops = {"clap_even": [clap(12, 10)], "clap_odd": [clap(11, 7)], "clap_beside": [clap(8, 8, (-3, 1), (5, 2))],
             "clap_irot3": [clap(13, 9), irot(3)], "irot1_clap": [irot(1), clap(10, 8, (1, 2), (1, 2))]}
    for chroma in (420, 422):
        for size, pixels in (("even", even), ("odd", odd)):
            item = coded(pixels, chroma=chroma)
            put(f"{chroma}_{size}.heic", write({1: item}))
            for name, steps in (turns | crops).items():
                put(f"{chroma}_{size}_{name}.heic", write({1: item.having(*steps)}))
    put("grey_odd_clap_irot1.heic", write({1: coded(odd[..., 0].copy(), "L").having(clap(9, 5), irot(1))}))

    # Four tiles, of which the picture cuts the last ones.
    whole = picture(64, 64)
    tiles = [coded(whole[32 * y:32 * y + 32, 32 * x:32 * x + 32], quality=60) for y in (0, 1) for x in (0, 1)]
    listed = {n: tile for n, tile in enumerate(tiles, 2)}
    gridded = Item(b"grid", grid(2, 2, 50, 38), [ispe(50, 38)], [(b"dimg", [2, 3, 4, 5])])
    put("grid.heic", write({1: gridded, **listed}))
    put("grid_idat.heic", write({1: gridded, **listed}, idat=[1]))
    put("grid_all_idat_irot1.heic", write({1: gridded.having(irot(1)), **listed}, idat=[1, 2, 3, 4, 5], wide=True))
    put("grid_odd_imir1.heic", write({1: Item(b"grid", grid(2, 2, 51, 37), [ispe(51, 37), imir(1)], gridded.refers), **listed}))
    put("grid_colour_of_tiles.heic", write({1: gridded, **{n: tile for n, tile in listed.items()}}))
    without = {n: tile.but(b"colr") for n, tile in listed.items()}
    put("grid_colour_of_grid.heic", write({1: gridded.having(nclx(1, 13, 9, 1)), **without}))
    put("grid_one_tile_often.heic", write({1: Item(b"grid", grid(2, 2, 64, 64), [ispe(64, 64)], [(b"dimg", [2, 2, 2, 2])]), 2: tiles[1]}))
    identity = Item(b"iden", b"", [ispe(24, 20), irot(1)], [(b"dimg", [2])])
    item = coded(even)
    put("identity.heic", write({1: identity, 2: item.having(imir(0))}))

    # Other containers of the same.
    put("iloc0.heic", write({1: item}, iloc=0))
    put("pieces.heic", write({1: item}, pieces=3))
    put("wide.heic", write({70000: item}, primary=70000, wide=True))
    put("media_to_the_end.heic", write({1: item}, size0=True))
    put("brand_mif1.heic", write({1: item}, brand=b"mif1", brands=(b"heic",)))
    put("trailer.heic", write({1: item}, tail=b"what a phone's maker writes"))
    # Beside the picture there are others.
    small = coded(picture(16, 16, 3))
    put("second_item.heic", write({1: small, 2: item}, primary=2))
    put("thumbnail.heic", write({1: item, 2: Item(small.kind, small.data, small.properties, [(b"thmb", [1])])}))
    # Transparency is dropped, whatever its size.
    alpha = full(b"auxC", 0, b"urn:mpeg:hevc:2015:auxid:1\0")
    mask = coded(even[..., 1].copy(), "L").having(alpha)
    put("alpha.heic", write({1: item, 2: Item(mask.kind, mask.data, mask.properties, [(b"auxl", [1])])}))
    mask = coded(picture(16, 16)[..., 1].copy(), "L").having(alpha)
    put("alpha_smaller.heic", write({1: item, 2: Item(mask.kind, mask.data, mask.properties, [(b"auxl", [1])])}))
    # EXIF that says that the picture lies on its side, which it does not.
    exif = b"\0\0\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"
    put("exif_6.heic", write({1: item, 2: Item(b"Exif", exif, [], [(b"cdsc", [1])])}))
    put("exif_6_irot3.heic", write({1: item.having(irot(3)), 2: Item(b"Exif", exif, [], [(b"cdsc", [1])])}))

    # As pillow-heif writes it.
    put("whole_grid.heic", encode(picture(80, 70), tile_size=48))
    put("whole_alpha.heic", encode(np.concatenate([even, even[..., :1]], -1), "RGBA"))
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray((even >> 8).astype(np.uint8)).save(file, "HEIF", exif=exif)
    put("whole_orientation_6.heic", file.getvalue())
    put("whole_lossless.heic", encode(even, quality=-1, chroma=444, matrix_coefficients=0))

    golden = {}
    for path in sorted(OUT.iterdir()):
        if path.name.startswith("grey_1"):
            heif = pillow_heif.open_heif(path, convert_hdr_to_8bit=False, hdr_to_16bit=False)
            samples = np.asarray(heif)
            depth = int(path.stem[5:7])
            pixels = np.repeat((samples >> depth - 8).astype(np.uint8)[..., None], 3, -1)
        else:
            pixels = np.asarray(Image.open(path).convert("RGB"))
        height, width = pixels.shape[:2]
        golden[path.name] = [width, height, hashlib.sha256(np.ascontiguousarray(pixels)).hexdigest()]
    lines = (f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in golden.items())
    (HERE / "heic.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(len(golden), "files,", sum(p.stat().st_size for p in OUT.iterdir()), "bytes")


if __name__ == "__main__":
    main()
