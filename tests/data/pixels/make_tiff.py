"""Writes TIFFs that the tiff crate reads wrongly, and what Pillow makes of them.

    pip install imagecodecs==2026.3.6 numpy==2.4.6 pillow==13.0.0 tifffile==2026.3.3
    python make_tiff.py

`tiff/NAME.tif`, and `tiff/expected.json`: for each its pixels in rows, or null where it is to be refused.
"""

import json
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

FOLDER = Path(__file__).parent / "tiff"
WIDTH, HEIGHT = 13, 9


def main():
    FOLDER.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (HEIGHT, WIDTH, 6), dtype=np.uint8)
    grey = pixels[..., 0]

    def write(name, values, **options):
        tifffile.imwrite(FOLDER / name, values, metadata=None, **options)

    rgb = dict(photometric="rgb", planarconfig="contig")
    write("rgb_differences.tif", pixels[..., :3], predictor=2, compression="lzw", **rgb)
    for compression in ("lzw", "deflate"):
        # In strips of four rows, the last of which is short.
        write(f"rgba_differences_{compression}.tif", pixels[..., :4], predictor=2, compression=compression,
              extrasamples=["unassalpha"], rowsperstrip=4, **rgb)
    write("rgba_differences_big_endian.tif", pixels[..., :4], predictor=2, compression="lzw",
          extrasamples=["unassalpha"], byteorder=">", **rgb)
    write("rgba_differences_tiles.tif", pixels[..., :4], predictor=2, compression="lzw",
          extrasamples=["unassalpha"], tile=(16, 16), **rgb)
    write("two_extra_differences.tif", pixels[..., :5], predictor=2, compression="lzw",
          extrasamples=[0, 0], **rgb)
    write("two_extra.tif", pixels[..., :5], compression="lzw", extrasamples=[0, 0], **rgb)
    Image.fromarray(grey).save(FOLDER / "fill_order.tif", tiffinfo={266: 2})

    refused = {"rgba_differences_tiles.tif", "two_extra_differences.tif", "fill_order.tif"}
    expected = {}
    for path in sorted(FOLDER.glob("*.tif")):
        if path.name in refused:
            expected[path.name] = None
        elif path.name == "two_extra.tif":
            # Pillow knows no such mode; there is nothing to undo.
            expected[path.name] = pixels[..., :3].tolist()
        else:
            expected[path.name] = np.asarray(Image.open(path).convert("RGB")).tolist()
    (FOLDER / "expected.json").write_text(json.dumps(expected, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
