"""Make the pixel fixtures of this folder: image files of every kind, and Pillow's resampling.

    pip install numpy pillow==13.0.0 safetensors
    python make_pixels.py

`decode.golden.safetensors` holds, by file name in `decode/`, the uint8 [H, W, 3] array of
`ImageOps.exif_transpose(Image.open(f)).convert("RGB")`; of 16-bit files the high byte of each sample.
`resize.json` lists cases, `resize.golden.safetensors` holds their `SOURCE.source` and `NAME.pixels`:
`crop` scales the shorter side to round(size / 0.875) and crops the centre, `squash` resizes to the square.
"""

import json
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from safetensors.numpy import save

HERE = Path(__file__).parent
DECODE = HERE / "decode"
rng = np.random.default_rng(3)


def picture(width, height, channels=3, noise=8):
    """A random picture of soft coloured blobs with a little noise."""
    planes = []
    for _ in range(channels):
        grid = rng.integers(0, 256, (4, 4), dtype=np.uint8)
        plane = np.asarray(Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC))
        planes.append(np.clip(plane + rng.integers(-noise, noise + 1, plane.shape), 0, 255))
    return np.stack(planes, axis=2).astype(np.uint8)


def grey(array):
    return np.repeat(array.reshape(*array.shape[:2], 1), 3, axis=2)


def cmyk_to_rgb(array):
    """Pillow's formula: no colour profile, (255 - ink) * (255 - black) / 255."""
    white = 255 - array[..., 3:].astype(int)
    product = array[..., :3] * white + 128
    return np.clip(white - ((product + (product >> 8)) >> 8), 0, 255).astype(np.uint8)


def orientation(value, byte_order="<"):
    exif = Image.Exif()
    exif.endian = byte_order
    exif[0x0112] = value
    return exif


def palette_tiff(colours, bits):
    """A big-endian TIFF of the first 2 ** bits colours of a picture's palette, rows from a byte of their own."""
    indices = np.asarray(colours) % 2**bits
    height, width = indices.shape
    as_bits = np.unpackbits(indices[..., None].astype(np.uint8), axis=2)[..., -bits:].reshape(height, -1)
    pixels = np.packbits(as_bits, axis=1).tobytes()
    shades = np.array(colours.getpalette()[: 3 * 2**bits], dtype=">u2").reshape(-1, 3).T * 257
    data = pixels + b"\0" * (len(pixels) % 2)
    at = 8 + len(data)
    entries = [(256, 3, 1, width), (257, 3, 1, height), (258, 3, 1, bits), (259, 3, 1, 1), (262, 3, 1, 3), (273, 4, 1, 8),
               (277, 3, 1, 1), (278, 3, 1, height), (279, 4, 1, len(pixels)), (320, 3, shades.size, at)]
    directory = struct.pack(">H", len(entries))
    for tag, kind, count, value in entries:
        short = kind == 3 and count == 1
        directory += struct.pack(">HHI", tag, kind, count) + struct.pack(">HH" if short else ">I", value, *([0] * short))
    colour_map = shades.astype(">u2").tobytes()
    return b"MM\0\x2a" + struct.pack(">I", at + len(colour_map)) + data + colour_map + directory + b"\0" * 4


def stored_as(value, array):
    """The array a camera stores so that EXIF orientation `value` shows `array` upright."""
    turns = {1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud, 5: lambda a: a.swapaxes(0, 1),
             6: lambda a: np.rot90(a, 1), 7: lambda a: np.rot90(a, 2).swapaxes(0, 1), 8: lambda a: np.rot90(a, -1)}
    return np.ascontiguousarray(turns[value](array))


def write_png(path, samples, depth, interlaced=False):
    """The PNGs Pillow doesn't write: interlaced, 16 bits a sample, 4-bit grey."""
    height, width, channels = samples.shape
    adam7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    raw = b""
    for x, y, dx, dy in adam7 if interlaced else [(0, 0, 1, 1)]:
        for row in samples[y::dy, x::dx]:
            bits = np.unpackbits(row.astype(">u2").view(np.uint8).reshape(-1, 2), axis=1)[:, 16 - depth:]
            raw += b"\0" + np.packbits(bits).tobytes()
    header = struct.pack(">IIBBBBB", width, height, depth, {1: 0, 3: 2, 4: 6}[channels], 0, 0, interlaced)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(raw, 9)), (b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks))


def make_decode():
    shutil.rmtree(DECODE, ignore_errors=True)
    DECODE.mkdir()
    exact, near, high_byte = {}, {}, {}  # what each file must decode to

    def put(name, image, want=None, **options):
        image = image if isinstance(image, Image.Image) else Image.fromarray(image)
        image.save(DECODE / name, **options)
        if want is not None:
            (near if name.endswith("jpg") or options.get("quality") else exact)[name] = want

    # PNG
    rgb = picture(31, 23)
    rgba = np.dstack([rgb, picture(31, 23, 1)])
    one = picture(25, 21, 1)[..., 0]
    put("rgb.png", rgb, rgb)
    put("rgba.png", rgba, rgb)
    put("rgb_transparent_colour.png", rgb, rgb, transparency=tuple(rgb[0, 0].tolist()))
    put("grey.png", one, grey(one))
    put("grey_alpha.png", picture(27, 22, 2))
    put("bilevel.png", Image.fromarray(one).convert("1"))
    for bits in (8, 4, 2):
        colours = Image.fromarray(rgb).quantize(100 if bits == 8 else 1 << bits)
        put(f"palette_{bits}bit.png", colours, np.asarray(colours.convert("RGB")), bits=bits)
    few, colours = colours, Image.fromarray(rgb).quantize(100)
    put("palette_transparent.png", few, np.asarray(few.convert("RGB")), transparency=bytes([0, 128, 255]))
    put("exif_6.png", stored_as(6, rgb), rgb, exif=orientation(6))
    put("animated.png", rgb, rgb, save_all=True, append_images=[Image.fromarray(255 - rgb)])
    write_png(DECODE / "interlaced.png", rgb, 8, interlaced=True)
    write_png(DECODE / "grey_4bit.png", one[..., None] >> 4, 4)
    exact |= {"interlaced.png": rgb, "grey_4bit.png": grey((one >> 4) * 17)}
    for name, channels in (("grey_16bit.png", 1), ("rgb_16bit.png", 3), ("rgba_16bit.png", 4)):
        deep = picture(21, 20, channels).astype(np.uint16) << 8 | rng.integers(0, 256, (20, 21, channels), dtype=np.uint16)
        write_png(DECODE / name, deep, 16)
        high_byte[name] = (deep >> 8).astype(np.uint8)

    # JPEG
    photo = picture(45, 37, noise=3)
    for name, subsampling in (("444", 0), ("422", 1), ("420", 2)):
        put(f"{name}.jpg", photo, photo, subsampling=subsampling, quality=90)
    put("progressive_420.jpg", photo, photo, subsampling=2, quality=90, progressive=True)
    put("restart_markers.jpg", photo, photo, subsampling=2, quality=90, restart_marker_blocks=2)
    put("adobe_rgb.jpg", photo, photo, keep_rgb=True, quality=90)
    put("grey.jpg", photo[..., 0], grey(photo[..., 0]), quality=90)
    put("1x1.jpg", photo[:1, :1], photo[:1, :1])
    put("17x33.jpg", picture(17, 33))
    put("jpeg_inside.png", photo, format="JPEG", subsampling=2)
    inks = picture(29, 25, 4, noise=3)
    put("cmyk.jpg", Image.fromarray(inks, "CMYK"), cmyk_to_rgb(inks), quality=95)
    coded = np.dstack([255 - np.asarray(Image.fromarray(inks[..., :3]).convert("YCbCr")), inks[..., 3]])
    put("ycck.jpg", Image.fromarray(coded, "CMYK"), cmyk_to_rgb(inks), quality=95)
    jpeg = bytearray((DECODE / "ycck.jpg").read_bytes())
    jpeg[jpeg.index(b"Adobe") + 11] = 2  # says that the first three planes are YCbCr
    (DECODE / "ycck.jpg").write_bytes(jpeg)
    small = picture(24, 16, noise=3)
    for value in range(1, 9):
        put(f"exif_{value}.jpg", stored_as(value, small), small, exif=orientation(value), quality=95, subsampling=0)
    put("exif_6_big_endian.jpg", stored_as(6, small), small, exif=orientation(6, ">"), quality=95, subsampling=0)

    # GIF
    frames = [Image.fromarray(picture(26, 22)).quantize(32) for _ in range(3)]
    shown = np.asarray(frames[0].convert("RGB"))
    put("plain.gif", frames[0], shown, interlace=0)
    put("interlaced.gif", frames[0], shown, interlace=1)
    put("transparent.gif", frames[0], shown, interlace=0, transparency=5)
    put("animated.gif", frames[0], shown, interlace=0, save_all=True, append_images=frames[1:], duration=50, loop=0)

    # WebP
    put("lossless.webp", rgb, rgb, lossless=True)
    put("lossless_alpha.webp", rgba, rgb, lossless=True, exact=True)
    put("lossy.webp", photo, photo, quality=90)
    put("lossy_alpha.webp", np.dstack([photo, picture(45, 37, 1)]), quality=90)
    put("exif_6.webp", stored_as(6, rgb), rgb, lossless=True, exif=orientation(6))
    put("animated.webp", rgb, rgb, lossless=True, save_all=True, append_images=[Image.fromarray(255 - rgb)])

    # BMP and Netpbm
    put("24bit.bmp", rgb, rgb)
    put("32bit.bmp", rgba, rgb)
    put("palette.bmp", colours, np.asarray(colours.convert("RGB")))
    put("bilevel.bmp", Image.fromarray(one).convert("1"))
    put("rgb.ppm", rgb, rgb)
    put("grey.pgm", one, grey(one))

    # TIFF
    put("uncompressed.tif", rgb, rgb)
    put("rgba.tif", rgba, rgb)
    put("lzw.tif", rgb, rgb, compression="tiff_lzw")
    put("lzw_predictor.tif", rgb, rgb, compression="tiff_lzw", tiffinfo={317: 2})
    put("deflate.tif", rgb, rgb, compression="tiff_adobe_deflate")
    put("grey.tif", one, grey(one))
    put("bilevel.tif", Image.fromarray(one).convert("1"))
    put("palette.tif", colours, np.asarray(colours.convert("RGB")))
    put("palette_lzw.tif", colours, np.asarray(colours.convert("RGB")), compression="tiff_lzw")
    put("big.tif", rgb, rgb, big_tiff=True)
    put("palette_big.tif", colours, np.asarray(colours.convert("RGB")), big_tiff=True)
    # Of fewer bits, which Pillow reads but does not write.
    for bits in (1, 2, 4):
        (DECODE / f"palette_{bits}bit.tif").write_bytes(palette_tiff(colours, bits))
    put("cmyk.tif", Image.fromarray(inks, "CMYK"), cmyk_to_rgb(inks))
    put("orientation_3.tif", stored_as(3, rgb), rgb, exif=orientation(3))
    put("orientation_6.tif", stored_as(6, rgb), rgb, exif=orientation(6))
    deep = one.astype(np.uint16) << 8 | rng.integers(0, 256, one.shape, dtype=np.uint16)
    put("grey_16bit.tif", deep)
    high_byte["grey_16bit.tif"] = one[..., None]

    golden = {}
    for path in sorted(DECODE.iterdir()):
        name = path.name
        array = np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))
        if name in high_byte:
            array = high_byte[name]
            array = grey(array) if array.shape[2] == 1 else array[..., :3]
        if name in exact:
            assert np.array_equal(array, exact[name]), name
        if name in near:
            assert array.shape == near[name].shape, name
            assert np.abs(array.astype(int) - near[name]).mean() < 6, name
        golden[name] = np.ascontiguousarray(array)
    (HERE / "decode.golden.safetensors").write_bytes(save(golden))


def resize(image, recipe, kernel, size):
    if recipe == "squash":
        return image.resize((size, size), kernel)
    w, h = image.size
    s = round(size / 0.875)
    w, h = (s, int(h * s / w)) if w <= h else (int(w * s / h), s)
    x, y = (w - size) // 2, (h - size) // 2
    return image.resize((w, h), kernel).crop((x, y, x + size, y + size))


def make_resize():
    sources = {f"{w}x{h}": picture(w, h, noise=30) for w, h in
               [(1, 1), (3, 200), (200, 3), (97, 61), (61, 97), (150, 100), (64, 64), (40, 400), (33, 35)]}
    wanted = [
        ("1x1", "crop bilinear 32, squash bicubic 32"),
        ("3x200", "crop bilinear 32, squash bicubic 32"),
        ("200x3", "crop bicubic 32, squash bilinear 32"),
        ("97x61", "crop bilinear 32, crop bicubic 37, squash bilinear 32, squash bicubic 32"),
        ("61x97", "crop bilinear 37, crop bicubic 32, squash bilinear 32, squash bicubic 37"),
        ("150x100", "crop bilinear 64, crop bicubic 32, squash bilinear 37, squash bicubic 32"),
        ("64x64", "crop bicubic 32, squash bilinear 32, squash bilinear 64"),
        ("40x400", "crop bilinear 32, crop bicubic 37, squash bilinear 32, squash bicubic 32"),
        ("33x35", "crop bilinear 37, squash bicubic 32"),
    ]
    cases, tensors = [], {f"{name}.source": array for name, array in sources.items()}
    for source, recipes in wanted:
        for case in recipes.split(", "):
            recipe, kernel, size = case.split()
            name = f"{source}_{recipe}_{kernel}_{size}"
            height, width = sources[source].shape[:2]
            cases.append({"name": name, "source": source, "width": width, "height": height,
                          "recipe": recipe, "filter": kernel, "size": int(size)})
            image = resize(Image.fromarray(sources[source]), recipe, Image.Resampling[kernel.upper()], int(size))
            tensors[f"{name}.pixels"] = np.asarray(image)
            assert tensors[f"{name}.pixels"].shape == (int(size), int(size), 3)
    (HERE / "resize.json").write_text("[\n" + ",\n".join("  " + json.dumps(c) for c in cases) + "\n]\n")
    (HERE / "resize.golden.safetensors").write_bytes(save(tensors))


if __name__ == "__main__":
    make_decode()
    make_resize()
