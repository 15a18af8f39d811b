"""Make TIFFs of every kind that scanners, phones and programs write, and what Pillow makes of them.

    pip install imagecodecs==2026.3.6 numpy==2.4.6 pillow==13.0.0 safetensors==0.8.0 tifffile==2026.3.3
    python make_tiff.py

`tiff.golden.safetensors.gz` holds, by file name in `tiff/`, the uint8 [H, W, 3] array of
`ImageOps.exif_transpose(Image.open(f)).convert("RGB")`; libtiff 4.7 unpacks for Pillow. Where Pillow does not read a file, or
reads it wrongly, the array is computed here from the pixels that went into the file, and `OURS` says why. Files in
`tiff/refused/` are answered by an error.
"""

import gzip
import io
import struct
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image, ImageOps
from safetensors.numpy import save

HERE = Path(__file__).parent
FOLDER = HERE / "tiff"
REFUSED = FOLDER / "refused"
WIDTH, HEIGHT = 13, 9
RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (HEIGHT, WIDTH, 6), dtype=np.uint8)
GREY = PIXELS[..., 0]
# For JPEG and fax: something with lines and areas, wider than a block.
Y, X = np.mgrid[0:28, 0:36]
DRAWN = np.stack([128 + 100 * np.sin(X / 5 + Y / 9), 3 * X + 2 * Y, 255 - 5 * np.abs(X - Y)], -1).clip(0, 255).astype(np.uint8)
INK = (np.hypot(X - 18, Y - 14) < 10) ^ (X % 7 == 0) ^ (Y > 24)
FRACTIONS = RNG.random((HEIGHT, WIDTH, 3))

# Name to array, and why it is not Pillow's.
OURS = {}


def ours(name, pixels, why):
    pixels = np.asarray(pixels)
    OURS[name] = np.ascontiguousarray(pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, -1)), why


def with_tifffile(name, values, **options):
    tifffile.imwrite(FOLDER / name, values, metadata=None, **options)


def with_pillow(name, pixels, mode=None, **options):
    (Image.fromarray(pixels) if mode is None else pixels).save(FOLDER / name, **options)


def packed(values, bits):
    """Rows of samples of so many bits, the highest first, each row from a byte of its own."""
    rows = []
    for row in np.asarray(values).reshape(len(values), -1):
        text = "".join(f"{int(value):0{bits}b}" for value in row)
        text += "0" * (-len(text) % 8)
        rows.append(int(text, 2).to_bytes(len(text) // 8, "big"))
    return b"".join(rows)


SHORT, LONG, RATIONAL = 3, 4, 5


def tiff(name, chunks, *entries, order="<", folder=FOLDER, behind=b""):
    """Entries of (tag, type, values) besides the chunks' places; chunks are strips unless entries have tiles."""
    entries = [list(entry) for entry in entries]
    tiled = any(tag == 322 for tag, _, _ in entries)
    at, places = 8, []
    for chunk in chunks:
        places.append(at)
        at += len(chunk)
    at += at % 2
    entries += [[324 if tiled else 273, LONG, places], [325 if tiled else 279, LONG, [len(chunk) for chunk in chunks]]]
    entries.sort(key=lambda entry: entry[0])
    directory, values, free = struct.pack(order + "H", len(entries)), b"", at + 2 + 12 * len(entries) + 4
    for tag, kind, numbers in entries:
        if kind == RATIONAL:
            data = b"".join(struct.pack(order + "LL", round(number * 1000), 1000) for number in numbers)
        elif kind == 7:
            data = bytes(numbers)
        else:
            data = struct.pack(f"{order}{len(numbers)}{'H' if kind == SHORT else 'L'}", *numbers)
        place = data.ljust(4, b"\0")
        if len(data) > 4:
            place = struct.pack(order + "L", free + len(values))
            values += data + b"\0" * (len(data) % 2)
        directory += struct.pack(order + "HHL", tag, kind, len(numbers)) + place
    body = b"".join(chunks)
    file = (b"II\x2a\0" if order == "<" else b"MM\0\x2a") + struct.pack(order + "L", at) + body + b"\0" * (len(body) % 2)
    (folder / name).write_bytes(file + directory + b"\0" * 4 + values + behind)


def sides(width=WIDTH, height=HEIGHT):
    return (256, SHORT, [width]), (257, SHORT, [height])


def form(bits, photometric, compression=1, samples=None, *more):
    return [(258, SHORT, bits), (259, SHORT, [compression]), (262, SHORT, [photometric]), (277, SHORT, [samples or len(bits)]), *more]


def strip(name):
    """The bytes of the only strip of a file, and its directory."""
    with tifffile.TiffFile(FOLDER / name) as file:
        page = file.pages[0]
        data = (FOLDER / name).read_bytes()
        parts = [data[at : at + size] for at, size in zip(page.dataoffsets, page.databytecounts)]
        return parts, {tag.code: tag.value for tag in page.tags.values()}


def reverse(data):
    return bytes(int(f"{byte:08b}"[::-1], 2) for byte in data)


def differences():
    """Predictor 2 with samples beside the colours, which must be added up for each sample apart."""
    rgb = dict(photometric="rgb", planarconfig="contig", predictor=2)
    with_tifffile("rgb_differences.tif", PIXELS[..., :3], compression="lzw", **rgb)
    for compression in ("lzw", "deflate", "zstd", "lzma"):
        # In strips of four rows, the last of which is short.
        with_tifffile(f"rgba_differences_{compression}.tif", PIXELS[..., :4], compression=compression, extrasamples=["unassalpha"],
                      rowsperstrip=4, **rgb)
    with_tifffile("rgba_differences_big_endian.tif", PIXELS[..., :4], compression="lzw", extrasamples=["unassalpha"], byteorder=">", **rgb)
    with_tifffile("rgba_differences_tiles.tif", PIXELS[..., :4], compression="lzw", extrasamples=["unassalpha"], tile=(16, 16), **rgb)
    with_tifffile("two_extra_differences.tif", PIXELS[..., :5], compression="lzw", extrasamples=[0, 0], **rgb)
    with_tifffile("rgba_differences_assoc.tif", PIXELS[..., :4], compression="deflate", extrasamples=["assocalpha"], **rgb)
    wide = PIXELS.astype(np.uint16) * 257 + 3
    for order, name in (("<", "little"), (">", "big")):
        with_tifffile(f"rgba16_differences_{name}.tif", wide[..., :4], compression="lzw", extrasamples=["unassalpha"], byteorder=order, **rgb)
    with_tifffile("rgb_differences_planes.tif", np.moveaxis(PIXELS[..., :3], -1, 0), photometric="rgb", planarconfig="separate",
                  predictor=2, compression="lzw")
    with_tifffile("grey_alpha_differences.tif", PIXELS[..., :2], photometric="minisblack", planarconfig="contig", predictor=2,
                  compression="lzw", extrasamples=["unassalpha"])
    name = "grey32_differences.tif"
    with_tifffile(name, GREY.astype(np.uint32) << 24, photometric="minisblack", predictor=2, compression="lzw")
    ours(name, GREY, "the highest byte: Pillow cuts off at 255, so that it is white")


def compressions():
    rgb = dict(photometric="rgb", planarconfig="contig")
    for name in ("packbits", "deflate", "lzma", "zstd", "lzw"):
        with_tifffile(f"rgb_{name}.tif", PIXELS[..., :3], compression=name, rowsperstrip=4, **rgb)
        with_tifffile(f"grey_{name}_tiles.tif", GREY, compression=name, tile=(16, 16), photometric="minisblack", byteorder=">")
    with_tifffile("webp.tif", PIXELS[..., :3], compression="webp", compressionargs={"lossless": True}, **rgb)
    ours("webp.tif", PIXELS[..., :3], "Pillow's libtiff is built without WebP")
    # LZW as it was before TIFF 5: the lowest bit first. Codes of nine bits, the table cleared before they grow.
    codes = []
    for i, byte in enumerate(PIXELS[..., :3].tobytes()):
        codes += [256] * (i % 200 == 0) + [byte]
    number = sum(code << 9 * i for i, code in enumerate(codes + [257]))
    old = number.to_bytes((9 * (len(codes) + 1) + 7) // 8, "little")
    tiff("rgb_lzw_old.tif", [old], *sides(), *form([8] * 3, 2, 5))
    with_tifffile("rgb_big.tif", PIXELS[..., :3], bigtiff=True, **rgb)
    with_tifffile("rgb_big_be_tiles.tif", PIXELS[..., :3], bigtiff=True, byteorder=">", tile=(16, 16), compression="deflate", **rgb)
    ours("rgb_big_be_tiles.tif", PIXELS[..., :3], "Pillow does not read BigTIFF whose highest byte comes first")
    with tifffile.TiffWriter(FOLDER / "two_pages.tif") as file:
        file.write(GREY, photometric="minisblack", compression="lzw", metadata=None)
        file.write(255 - GREY, photometric="minisblack", compression="lzw", metadata=None)


def faxes():
    ink = Image.fromarray(~INK)
    for name, options in {
        "group4": {}, "group3": {}, "tiff_ccitt": {}, "group3_2d": {"tiffinfo": {292: 1}}, "group3_aligned": {"tiffinfo": {292: 4}},
    }.items():
        ink.save(FOLDER / f"fax_{name}.tif", compression=name.split("_2d")[0].split("_al")[0], **options)
        # Others read it reversed, or with black as zero.
        parts, tags = strip(f"fax_{name}.tif")
        more = [(292, LONG, [tags[292]])] if 292 in tags else []
        tiff(f"fax_{name}_reversed.tif", [reverse(part) for part in parts], *sides(36, 28),
             *form([1], int(tags[262]), int(tags[259])), (266, SHORT, [2]), (278, SHORT, [tags[278]]), *more)
        tiff(f"fax_{name}_inverted.tif", parts, *sides(36, 28),
             *form([1], 1 - int(tags[262]), int(tags[259])), (278, SHORT, [tags[278]]), *more, order=">")
    # In strips, and in tiles of which the last goes beyond the picture.
    ink.save(FOLDER / "fax_strips.tif", compression="group4", tiffinfo={278: 16})
    for photometric in ("miniswhite", "minisblack"):
        with_tifffile(f"bilevel_{photometric}.tif", INK, photometric=photometric)
        with_tifffile(f"bilevel_{photometric}_lzw.tif", INK, photometric=photometric, compression="lzw", rowsperstrip=16)
    parts, _ = strip("bilevel_miniswhite.tif")
    tiff("bilevel_reversed.tif", [reverse(parts[0])], *sides(36, 28), *form([1], 0), (266, SHORT, [2]))


def greys():
    for bits in (2, 4):
        values = GREY >> (8 - bits)
        for photometric in (0, 1):
            tiff(f"grey{bits}_{photometric}.tif", [packed(values, bits)], *sides(), *form([bits], photometric))
        tiff(f"grey{bits}_reversed.tif", [reverse(packed(values, bits))], *sides(), *form([bits], 1), (266, SHORT, [2]))
    wide = GREY.astype(np.uint16) * 257
    high = "the high byte: Pillow cuts off at 255, so that nearly all is white"
    tiff("grey12.tif", [packed(wide >> 4, 12)], *sides(), *form([12], 1))
    ours("grey12.tif", GREY, high)
    for order, name in (("<", "little"), (">", "big")):
        tiff(f"grey16_{name}.tif", [wide.astype(order + "u2").tobytes()], *sides(), *form([16], 1), order=order)
        ours(f"grey16_{name}.tif", GREY, high)
    tiff("grey16_white.tif", [wide.tobytes()], *sides(), *form([16], 0))
    ours("grey16_white.tif", 255 - GREY, high + ", and takes white for black")
    tiff("grey32.tif", [(wide.astype(np.uint32) << 16).tobytes()], *sides(), *form([32], 1))
    ours("grey32.tif", GREY, high)
    for bits in (3, 6):
        most = (1 << bits) - 1
        values = (GREY >> (8 - bits)).astype(int)
        tiff(f"grey{bits}.tif", [packed(values, bits)], *sides(), *form([bits], 1))
        ours(f"grey{bits}.tif", ((values * 255 + most // 2) // most).astype(np.uint8), "Pillow does not read it")
    signed = PIXELS[..., :2].copy().view(np.int16)[..., 0] // 64
    for order, name in (("<", "little"), (">", "big")):
        tiff(f"signed16_{name}.tif", [signed.astype(order + "i2").tobytes()], *sides(), *form([16], 1, 1, 1, (339, SHORT, [2])), order=order)
        tiff(f"signed32_{name}.tif", [signed.astype(order + "i4").tobytes()], *sides(), *form([32], 1, 1, 1, (339, SHORT, [2])), order=order)
    tiff("signed8.tif", [GREY.tobytes()], *sides(), *form([8], 1, 1, 1, (339, SHORT, [2])))
    tiff("grey_white.tif", [GREY.tobytes()], *sides(), *form([8], 0))
    tiff("grey_reversed.tif", [GREY.tobytes()], *sides(), *form([8], 1), (266, SHORT, [2]))
    # Pillow's libtiff reverses what is packed.
    tiff("grey_reversed_lzw.tif", [reverse(strip_of_lzw(GREY))], *sides(), *form([8], 1, 5), (266, SHORT, [2]))
    # Each row of a strip of its own, without their lengths.
    tiff("rows.tif", [row.tobytes() for row in GREY], *sides(), *form([8], 1), (278, SHORT, [1]))
    for number in range(1, 9):
        name = f"grey_lies_{number}.tif"
        tiff(name, [GREY.tobytes()], *sides(), *form([8], 1), (274, SHORT, [number]))
        if number >= 5:
            turned = Image.fromarray(GREY).transpose([Image.Transpose.TRANSPOSE, Image.Transpose.ROTATE_270,
                                                      Image.Transpose.TRANSVERSE, Image.Transpose.ROTATE_90][number - 5])
            ours(name, np.asarray(turned), "Pillow mixes up the pixels of uncompressed grey that lies on its side")
        tiff(f"rgb_lies_{number}.tif", [strip_of_lzw(PIXELS[..., :3])], *sides(), *form([8] * 3, 2, 5), (274, SHORT, [number]))


def strip_of_lzw(values):
    import imagecodecs

    return imagecodecs.lzw_encode(np.ascontiguousarray(values).tobytes())


def floats():
    """Levels up to 255, which is how Pillow takes them, and shares of white."""
    levels = ((FRACTIONS - 0.2) * 400).astype(np.float32)
    grey = levels[..., 0]
    for order, name in (("<", "little"), (">", "big")):
        with_tifffile(f"float32_{name}.tif", grey, photometric="minisblack", byteorder=order)
        with_tifffile(f"float32_predictor_{name}.tif", grey, photometric="minisblack", predictor=3, compression="deflate", byteorder=order)
        if order == ">":
            swapped = "Pillow swaps the bytes of floats that libtiff unpacked for it already"
            ours(f"float32_predictor_{name}.tif", grey.clip(0, 255).astype(np.uint8), swapped)
            ours(f"float32_differences_{name}.tif", grey.clip(0, 255).astype(np.uint8), swapped)
        differences = np.diff(grey.view(np.uint32), axis=1, prepend=np.uint32(0)).astype(order + "u4")
        tiff(f"float32_differences_{name}.tif", [strip_of_lzw(differences)], *sides(),
             *form([32], 1, 5, 1, (317, SHORT, [2]), (339, SHORT, [3])), order=order)
    clipped = levels.clip(0, 255)
    for kind in (np.float16, np.float64):
        bits = np.dtype(kind).itemsize * 8
        with_tifffile(f"float{bits}.tif", grey.astype(kind), photometric="minisblack")
        ours(f"float{bits}.tif", clipped[..., 0].astype(kind).astype(np.uint8), "as Pillow takes 32 bits; it reads no others")
        with_tifffile(f"float{bits}_predictor.tif", grey.astype(kind), photometric="minisblack", predictor=3, compression="deflate")
        ours(f"float{bits}_predictor.tif", clipped[..., 0].astype(kind).astype(np.uint8), "as Pillow takes 32 bits; it reads no others")
    with_tifffile("float32_rgb_predictor.tif", levels, photometric="rgb", predictor=3, compression="deflate", planarconfig="contig")
    ours("float32_rgb_predictor.tif", clipped.astype(np.uint8), "as Pillow takes grey; it reads no colours")
    shares = FRACTIONS.astype(np.float32)
    scaled = (shares.astype(np.float64) * 255 + 0.5).astype(np.uint8)
    with_tifffile("float32_shares.tif", shares[..., 0], photometric="minisblack")
    ours("float32_shares.tif", scaled[..., 0], "all within 0 and 1: shares of white, where Pillow has black")
    with_tifffile("float32_rgb_shares.tif", shares, photometric="rgb", planarconfig="contig")
    ours("float32_rgb_shares.tif", scaled, "all within 0 and 1: shares of white")


def colours():
    planes = np.moveaxis(PIXELS, -1, 0)
    for samples, extra in ((4, [0]), (4, [1]), (4, [2]), (5, [1, 0]), (6, [2, 0, 0]), (4, None)):
        tag = [] if extra is None else [(338, SHORT, extra)]
        name = "rgb_" + ("none" if extra is None else "_".join(map(str, extra)))
        tiff(f"{name}.tif", [PIXELS[..., :samples].tobytes()], *sides(), *form([8] * samples, 2), *tag)
        tiff(f"{name}_lzw.tif", [strip_of_lzw(PIXELS[..., :samples])], *sides(), *form([8] * samples, 2, 5), *tag)
    wide = PIXELS.astype(np.uint16) * 257 + 1
    for order, name in (("<", "little"), (">", "big")):
        for extra in (None, [1], [2]):
            samples = 3 if extra is None else 4
            tag = [] if extra is None else [(338, SHORT, extra)]
            tiff(f"rgb16_{name}_{'none' if extra is None else extra[0]}.tif", [wide[..., :samples].astype(order + "u2").tobytes()],
                 *sides(), *form([16] * samples, 2), *tag, order=order)
    with_tifffile("rgb_planes.tif", planes[:3], photometric="rgb", planarconfig="separate")
    with_tifffile("rgb_planes_lzw.tif", planes[:3], photometric="rgb", planarconfig="separate", compression="lzw", rowsperstrip=4)
    with_tifffile("rgb_planes_tiles.tif", planes[:3], photometric="rgb", planarconfig="separate", compression="deflate", tile=(16, 16))
    with_tifffile("rgb16_planes_lzw.tif", np.moveaxis(wide[..., :3], -1, 0), photometric="rgb", planarconfig="separate", compression="lzw")
    with_tifffile("rgb16_planes.tif", np.moveaxis(wide[..., :3], -1, 0), photometric="rgb", planarconfig="separate")
    ours("rgb16_planes.tif", PIXELS[..., :3], "Pillow takes half of the samples for bytes")
    with_tifffile("rgba_planes_assoc_lzw.tif", planes[:4], photometric="rgb", planarconfig="separate", compression="lzw",
                  extrasamples=["assocalpha"])
    for name, bits in (("rgb4", 4), ("rgb10", 10), ("rgb12", 12)):
        values = PIXELS[..., :3].astype(int) << bits >> 8 if bits < 8 else PIXELS[..., :3].astype(int) << (bits - 8)
        tiff(f"{name}.tif", [packed(values, bits)], *sides(), *form([bits] * 3, 2))
        ours(f"{name}.tif", (values * 17 if bits == 4 else values >> (bits - 8)).astype(np.uint8), "Pillow does not read it")
    for extra, name in ((0, "grey_extra"), (2, "grey_alpha")):
        tiff(f"{name}.tif", [PIXELS[..., :2].tobytes()], *sides(), *form([8] * 2, 1), (338, SHORT, [extra]))
        tiff(f"{name}_lzw.tif", [strip_of_lzw(PIXELS[..., :2])], *sides(), *form([8] * 2, 1, 5), (338, SHORT, [extra]))
    name = "grey_assoc.tif"
    tiff(name, [PIXELS[..., :2].tobytes()], *sides(), *form([8] * 2, 1), (338, SHORT, [1]))
    alpha = PIXELS[..., 1].astype(int)
    divided = np.where(alpha == 0, 0, np.where(alpha == 255, GREY, (GREY.astype(int) * 255 // np.maximum(alpha, 1)).clip(0, 255)))
    ours(name, divided.astype(np.uint8), "as Pillow divides RGB; it does not convert such grey")
    palette = RNG.integers(0, 65536, 3 * 256).tolist()
    for bits in (1, 2, 4, 8):
        colours = [palette[256 * channel + i] for channel in range(3) for i in range(1 << bits)]
        values = GREY >> (8 - bits)
        tiff(f"palette{bits}.tif", [packed(values, bits)], *sides(), *form([bits], 3), (320, SHORT, colours))
        tiff(f"palette{bits}_lzw.tif", [strip_of_lzw(np.frombuffer(packed(values, bits), np.uint8))], *sides(), *form([bits], 3, 5),
             (320, SHORT, colours), order=">")
    for extra, name in ((0, "palette_extra"), (2, "palette_alpha")):
        tiff(f"{name}.tif", [PIXELS[..., :2].tobytes()], *sides(), *form([8] * 2, 3), (338, SHORT, [extra]), (320, SHORT, palette))
    tiff("cmyk.tif", [PIXELS[..., :4].tobytes()], *sides(), *form([8] * 4, 5))
    tiff("cmyk_lzw.tif", [strip_of_lzw(PIXELS[..., :4])], *sides(), *form([8] * 4, 5, 5))
    tiff("cmyk_extra.tif", [PIXELS[..., :5].tobytes()], *sides(), *form([8] * 5, 5), (338, SHORT, [0]))
    tiff("cmyk16.tif", [wide[..., :4].tobytes()], *sides(), *form([16] * 4, 5))
    tiff("cmyk_planes_lzw.tif", [strip_of_lzw(plane) for plane in planes[:4]], *sides(), *form([8] * 4, 5, 5), (284, SHORT, [2]))
    tiff("lab.tif", [PIXELS[..., :3].tobytes()], *sides(), *form([8] * 3, 8))
    tiff("lab_lzw.tif", [strip_of_lzw(PIXELS[..., :3])], *sides(), *form([8] * 3, 8, 5))


def shared_chroma(values, h, v):
    """Blocks of lightness and both differences."""
    height, width = values.shape[:2]
    padded = np.pad(values, ((0, -height % v), (0, -width % h), (0, 0)), "edge")
    blocks = []
    for y in range(0, padded.shape[0], v):
        for x in range(0, padded.shape[1], h):
            blocks.append(padded[y : y + v, x : x + h, 0].tobytes() + padded[y, x, 1:].tobytes())
    return b"".join(blocks)


def ycbcr():
    values = PIXELS[..., :3]
    for h, v in ((1, 1), (2, 1), (1, 2), (2, 2), (4, 1), (4, 2), (4, 4)):
        data = np.frombuffer(shared_chroma(values, h, v), np.uint8)
        tiff(f"ycbcr_{h}{v}_lzw.tif", [strip_of_lzw(data)], *sides(), *form([8] * 3, 6, 5), (530, SHORT, [h, v]))
    tiff("ycbcr.tif", [values.tobytes()], *sides(), *form([8] * 3, 6), (530, SHORT, [1, 1]))
    # In strips of four rows, with other coefficients and reference values.
    strips = [strip_of_lzw(np.frombuffer(shared_chroma(values[y : y + 4], 2, 2), np.uint8)) for y in range(0, HEIGHT, 4)]
    tiff("ycbcr_22_video.tif", strips, *sides(), *form([8] * 3, 6, 5), (278, SHORT, [4]), (529, RATIONAL, [0.2126, 0.7152, 0.0722]),
         (532, RATIONAL, [16, 235, 128, 240, 128, 240]), order=">")
    # Without compression Pillow takes each pixel to have chroma of its own; the same file packed is what libtiff says.
    name = "ycbcr_22.tif"
    tiff(name, [shared_chroma(values, 2, 2)], *sides(), *form([8] * 3, 6), (530, SHORT, [2, 2]))
    ours(name, pillows(FOLDER / "ycbcr_22_lzw.tif"), "Pillow does not read shared chroma without compression")


def jpegs():
    image = Image.fromarray(DRAWN)
    for subsampling in ((1, 1), (2, 1), (2, 2)):
        with_tifffile(f"jpeg_{subsampling[0]}{subsampling[1]}.tif", DRAWN, photometric="ycbcr", planarconfig="contig", compression="jpeg",
                      compressionargs={"level": 80}, subsampling=subsampling, rowsperstrip=16)
    with_tifffile("jpeg_tiles.tif", DRAWN, photometric="ycbcr", planarconfig="contig", compression="jpeg", tile=(32, 32),
                  compressionargs={"level": 80}, subsampling=(2, 2))
    with_tifffile("jpeg_rgb.tif", DRAWN, photometric="rgb", planarconfig="contig", compression="jpeg", compressionargs={"level": 80})
    with_tifffile("jpeg_grey.tif", DRAWN[..., 0], photometric="minisblack", compression="jpeg", compressionargs={"level": 80}, rowsperstrip=16)
    # By libtiff, with tables that strips share.
    image.save(FOLDER / "jpeg_tables.tif", compression="jpeg", quality=60, tiffinfo={278: 16})
    image.convert("L").save(FOLDER / "jpeg_tables_grey.tif", compression="jpeg", quality=60)
    image.convert("CMYK").save(FOLDER / "jpeg_tables_cmyk.tif", compression="jpeg", quality=60)
    with_tifffile("jpeg_planes.tif", np.moveaxis(DRAWN, -1, 0), photometric="rgb", planarconfig="separate", compression="jpeg",
                  compressionargs={"level": 80})
    # The form before 1995: a whole JPEG, tables and strips, and a scan alone whose tables the directory tells.
    for subsampling, (h, v) in ((0, (1, 1)), (2, (2, 2))):
        stream = io.BytesIO()
        image.save(stream, "JPEG", quality=75, subsampling=subsampling)
        whole = stream.getvalue()
        more = [(530, SHORT, [h, v]), (512, SHORT, [1])]
        tiff(f"old_jpeg_whole_{h}{v}.tif", [whole], *sides(36, 28), *form([8] * 3, 6, 6), (513, LONG, [8]), (514, LONG, [len(whole)]), *more)
        tables, at = {}, 2
        while whole[at + 1] != 0xDA:
            length = struct.unpack(">H", whole[at + 2 : at + 4])[0]
            tables.setdefault(whole[at + 1], []).append(whole[at + 4 : at + 2 + length])
            at += 2 + length
        scan = whole[at + 2 + struct.unpack(">H", whole[at + 2 : at + 4])[0] : -2]
        quantisers = {part[0]: part[1:] for part in tables[0xDB]}
        codes = {part[0]: part[1:] for part in tables[0xC4]}
        parts = [scan, quantisers[0], quantisers[1], codes[0], codes[1], codes[0x10], codes[0x11]]
        places = np.cumsum([8] + [len(part) for part in parts])
        behind = b"".join(parts[1:])
        tiff(f"old_jpeg_tables_{h}{v}.tif", [scan + behind], *sides(36, 28), *form([8] * 3, 6, 6), *more,
             (519, LONG, [int(places[i]) for i in (1, 2, 2)]), (520, LONG, [int(places[i]) for i in (3, 4, 4)]),
             (521, LONG, [int(places[i]) for i in (5, 6, 6)]))


def refused():
    REFUSED.mkdir(exist_ok=True)
    values = GREY.tobytes()
    tiff("thunderscan.tif", [values], *sides(), *form([4], 1, 32809), folder=REFUSED)
    tiff("log_luv.tif", [values], *sides(), *form([16], 32845, 34676), folder=REFUSED)
    tiff("bits_differ.tif", [values], *sides(), *form([5, 6, 5], 2), folder=REFUSED)
    tiff("inks.tif", [PIXELS.tobytes()], *sides(), *form([8] * 6, 5), (332, SHORT, [2]), folder=REFUSED)
    tiff("beyond_the_end.tif", [values[:50]], *sides(300, 300), *form([8], 1), folder=REFUSED)
    tiff("no_strips_enough.tif", [values], *sides(), *form([8], 1), (278, SHORT, [4]), folder=REFUSED)
    tiff("fax_of_noise.tif", [b"\x02\x80" + values], *sides(), *form([1], 0, 4), folder=REFUSED)
    tiff("deflate_of_noise.tif", [values], *sides(), *form([8], 1, 8), folder=REFUSED)
    tiff("huge.tif", [values], (256, LONG, [2**31 - 1]), (257, LONG, [2**31 - 1]), *form([8], 1), folder=REFUSED)
    tiff("no_palette.tif", [values], *sides(), *form([8], 3), folder=REFUSED)
    tiff("no_tables.tif", [values], *sides(), *form([8] * 3, 6, 6), folder=REFUSED)


def pillows(path):
    return np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))


def main():
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.tif"):
        old.unlink()
    for make in (differences, compressions, faxes, greys, floats, colours, ycbcr, jpegs, refused):
        make()
    golden = {}
    for path in sorted(FOLDER.glob("*.tif")):
        golden[path.name] = OURS[path.name][0] if path.name in OURS else np.ascontiguousarray(pillows(path))
    (HERE / "tiff.golden.safetensors.gz").write_bytes(gzip.compress(save(golden), 9, mtime=0))


if __name__ == "__main__":
    main()
