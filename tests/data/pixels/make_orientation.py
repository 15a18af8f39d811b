"""Make the fixtures of orientation: files that state it in every way in which Pillow finds it, and some in which not.

    pip install numpy pillow==13.0.0 safetensors
    python make_orientation.py

`orientation.golden.safetensors` holds, by file name in `orientation/`, the uint8 [H, W, 3] array of
`ImageOps.exif_transpose(Image.open(f)).convert("RGB")`.
"""

import io
import shutil
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from safetensors.numpy import save

HERE = Path(__file__).parent
FOLDER = HERE / "orientation"
PIXELS = np.random.default_rng(5).integers(0, 256, (3, 5, 3), dtype=np.uint8)
PREFIX = b"Exif\0\0"
TAG = 0x0112
# Numbers of types, and how struct calls them.
BYTE, ASCII, SHORT, LONG, SBYTE, SSHORT, SLONG, IFD = 1, 2, 3, 4, 6, 8, 9, 13
CODES = {BYTE: "B", ASCII: "B", SHORT: "H", LONG: "L", SBYTE: "b", SSHORT: "h", SLONG: "l", IFD: "L"}


def exif(*entries, order=">", before=b""):
    """A block of EXIF with entries of (tag, type, values); `before` stands before the directory."""
    first = 8 + len(before)
    directory, values, at = struct.pack(order + "H", len(entries)), b"", first + 2 + 12 * len(entries) + 4
    for tag, kind, numbers in entries:
        data = struct.pack(f"{order}{len(numbers)}{CODES.get(kind, 'B')}", *numbers)
        if len(data) > 4:
            place = struct.pack(order + "L", at + len(values))
            values += data
        else:
            place = data.ljust(4, b"\0")
        directory += struct.pack(order + "HHL", tag, kind, len(numbers)) + place
    mark = b"MM\0\x2a" if order == ">" else b"II\x2a\0"
    return mark + struct.pack(order + "L", first) + before + directory + b"\0" * 4 + values


def plain(value, order=">"):
    return exif((TAG, SHORT, [value]), order=order)


def xmp(value, element=False, more=""):
    inside = f"<tiff:Orientation>{value}</tiff:Orientation>" if element else ""
    attribute = "" if element else f' tiff:Orientation="{value}"'
    return (f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description{attribute} xmlns:tiff="http://ns.adobe.com/tiff/1.0/">'
            f"{inside}{more}</rdf:Description></x:xmpmeta>").encode()


def encoded(format, **options):
    stream = io.BytesIO()
    Image.fromarray(PIXELS).save(stream, format, **options)
    return stream.getvalue()


def jpeg(*segments, padding=b"", behind=b""):
    file = encoded("JPEG", quality=95)
    stated = b"".join(padding + b"\xff\xe1" + struct.pack(">H", 2 + len(data)) + data for data in segments)
    return file[:2] + stated + file[2:] + behind


def xmp_segment(*args, **options):
    return b"http://ns.adobe.com/xap/1.0/\0" + xmp(*args, **options)


def chunk(kind, data):
    return struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(kind + data))


def png(*chunks, behind=(), animated=False):
    """`chunks` of (kind, data) before the pixels, `behind` them others."""
    rows = b"".join(b"\0" + row.tobytes() for row in PIXELS)
    height, width = PIXELS.shape[:2]
    file = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">LLBBBBB", width, height, 8, 2, 0, 0, 0))
    if animated:
        control = struct.pack(">LLLLHHBB", width, height, 0, 0, 1, 10, 0, 0)
        file += chunk(b"acTL", struct.pack(">LL", 2, 0)) + chunk(b"fcTL", struct.pack(">L", 0) + control)
    file += b"".join(chunk(*c) for c in chunks) + chunk(b"IDAT", zlib.compress(rows))
    for kind, data in behind:
        if kind == b"next":
            file += chunk(b"fcTL", struct.pack(">L", 1) + control) + chunk(b"fdAT", struct.pack(">L", 2) + zlib.compress(rows))
        else:
            file += chunk(kind, data)
    return file + chunk(b"IEND", b"")


def profile(block, width=72):
    digits = block.hex()
    lines = "\n".join(digits[i : i + width] for i in range(0, len(digits), width))
    return f"\nexif\n{len(block):8}\n{lines}\n".encode()


def text(keyword, value, kind="tEXt"):
    if kind == "zTXt":
        value = b"\0" + zlib.compress(value)
    elif kind == "iTXt":
        value = b"\0\0en\0translated\0" + value
    elif kind == "iTXt packed":
        value = b"\1\0\0\0" + zlib.compress(value)
    return kind[:4].encode(), keyword + b"\0" + value


RAW = b"Raw profile type exif"
XML = b"XML:com.adobe.xmp"


def webp(*chunks, flags, first=()):
    """The chunks behind the pixels, or `first`."""
    coded = encoded("WEBP", lossless=True)[12:]
    height, width = PIXELS.shape[:2]
    extended = struct.pack("<BBBB", flags, 0, 0, 0) + struct.pack("<L", width - 1)[:3] + struct.pack("<L", height - 1)[:3]

    def packed(kind, data):
        return kind + struct.pack("<L", len(data)) + data + b"\0" * (len(data) % 2)

    body = b"WEBP" + packed(b"VP8X", extended) + b"".join(packed(*c) for c in first) + coded
    body += b"".join(packed(*c) for c in chunks)
    return b"RIFF" + struct.pack("<L", len(body)) + body


def tiff(*more, order="<"):
    height, width = PIXELS.shape[:2]
    entries = [(256, SHORT, [width]), (257, SHORT, [height]), (258, SHORT, [8, 8, 8]), (259, SHORT, [1]), (262, SHORT, [2]),
               (273, LONG, [8]), (277, SHORT, [3]), (278, SHORT, [height]), (279, LONG, [PIXELS.size]), *more]
    return exif(*sorted(entries), order=order, before=PIXELS.tobytes() + b"\0" * (PIXELS.size % 2))


def cases():
    for value in range(10):
        yield f"short_{value}.jpg", jpeg(PREFIX + plain(value, "<>"[value % 2]))
    for name, kind in [("byte", BYTE), ("ascii", ASCII), ("long", LONG), ("sbyte", SBYTE), ("sshort", SSHORT),
                       ("slong", SLONG), ("ifd", IFD), ("unknown", 99)]:
        for order in "<>":
            yield f"{name}_{'little' if order == '<' else 'big'}.jpg", jpeg(PREFIX + exif((TAG, kind, [6]), order=order))
    yield "negative.jpg", jpeg(PREFIX + exif((TAG, SSHORT, [-6])))
    yield "two_shorts.jpg", jpeg(PREFIX + exif((TAG, SHORT, [6, 3])))
    yield "two_longs.jpg", jpeg(PREFIX + exif((TAG, LONG, [8, 3])))
    yield "no_values.jpg", jpeg(PREFIX + exif((TAG, SHORT, [])))
    yield "twice.jpg", jpeg(PREFIX + exif((TAG, SHORT, [6]), (TAG, SHORT, [3])))
    yield "unknown_then_short.jpg", jpeg(PREFIX + exif((TAG, 99, [3]), (TAG, SHORT, [6])))
    yield "no_values_then_short.jpg", jpeg(PREFIX + exif((TAG, SHORT, []), (TAG, SHORT, [6])))
    yield "others_before.jpg", jpeg(PREFIX + exif((256, LONG, [5]), (257, SHORT, [1, 2, 3, 4]), (TAG, SHORT, [6])))
    whole = exif((TAG, SHORT, [6]))
    yield "directory_cut.jpg", jpeg(PREFIX + whole[:-4])
    yield "entry_cut.jpg", jpeg(PREFIX + whole[:18])
    yield "header_twice.jpg", jpeg(PREFIX + PREFIX + whole)
    yield "padding.jpg", jpeg(PREFIX + whole, padding=b"\xff\xff\xff")
    yield "behind.jpg", jpeg(behind=b"\xff\xe1" + struct.pack(">H", 8 + len(whole)) + PREFIX + whole)
    long = exif((TAG, SHORT, [6]), before=bytes(200))
    yield "split.jpg", jpeg(PREFIX + long[:100], PREFIX + long[100:])
    yield "split_with_xmp_between.jpg", jpeg(PREFIX + long[:100], xmp_segment(3), PREFIX + long[100:])
    yield "second_is_no_continuation.jpg", jpeg(PREFIX + exif((256, SHORT, [5])), PREFIX + whole)
    yield "xmp.jpg", jpeg(xmp_segment(6))
    yield "xmp_element.jpg", jpeg(xmp_segment(8, element=True))
    yield "xmp_twice.jpg", jpeg(xmp_segment(6), xmp_segment(3))
    yield "xmp_two_numbers.jpg", jpeg(xmp_segment(6, more="<tiff:Orientation>3</tiff:Orientation>"))
    yield "xmp_word_then_number.jpg", jpeg(xmp_segment("upright", more="<tiff:Orientation>3</tiff:Orientation>"))
    yield "xmp_zero.jpg", jpeg(xmp_segment(0))
    yield "xmp_beside_exif_without.jpg", jpeg(PREFIX + exif((256, SHORT, [5])), xmp_segment(6))
    yield "xmp_beside_exif_upright.jpg", jpeg(PREFIX + plain(1), xmp_segment(6))
    yield "xmp_beside_exif_of_bytes.jpg", jpeg(PREFIX + exif((TAG, BYTE, [3])), xmp_segment(6))
    yield "xmp_beside_empty_exif.jpg", jpeg(PREFIX, xmp_segment(6))

    yield "exif.png", png((b"eXIf", plain(6)))
    yield "exif_prefix.png", png((b"eXIf", PREFIX + plain(6)))
    yield "exif_behind.png", png(behind=[(b"eXIf", plain(6))])
    yield "exif_twice.png", png((b"eXIf", plain(3)), behind=[(b"eXIf", plain(6))])
    yield "exif_between_frames.png", png(animated=True, behind=[(b"eXIf", plain(6)), (b"next", b"")])
    yield "exif_behind_frames.png", png(animated=True, behind=[(b"next", b""), (b"eXIf", plain(6))])
    yield "profile.png", png(text(RAW, profile(PREFIX + plain(6))))
    yield "profile_without_prefix.png", png(text(RAW, profile(plain(6), width=20)))
    yield "profile_packed.png", png(text(RAW, profile(PREFIX + plain(6)), "zTXt"))
    yield "profile_behind.png", png(behind=[text(RAW, profile(PREFIX + plain(6)), "zTXt")])
    yield "profile_beside_exif.png", png(text(RAW, profile(PREFIX + plain(3))), (b"eXIf", plain(6)))
    yield "profile_of_another_kind.png", png(text(b"Raw profile type iptc", profile(PREFIX + plain(6))))
    for kind in ("tEXt", "zTXt", "iTXt", "iTXt packed"):
        yield f"xmp_{kind.replace(' ', '_')}.png", png(text(XML, xmp(6), kind))
    yield "xmp_behind.png", png(behind=[text(XML, xmp(6), "iTXt")])
    yield "xmp_beside_exif_without.png", png((b"eXIf", exif((256, SHORT, [5]))), text(XML, xmp(6), "iTXt"))
    yield "xmp_beside_exif_upright.png", png((b"eXIf", plain(1)), text(XML, xmp(6), "iTXt"))

    yield "exif.webp", webp((b"EXIF", plain(6)), flags=8)
    yield "exif_prefix.webp", webp((b"EXIF", PREFIX + plain(6)), flags=8)
    yield "exif_first.webp", webp(first=[(b"EXIF", plain(6))], flags=8)
    yield "exif_twice.webp", webp((b"EXIF", plain(6)), (b"EXIF", plain(3)), flags=8)
    yield "exif_not_announced.webp", webp((b"EXIF", plain(6)), flags=0)
    yield "exif_behind_odd_chunk.webp", webp((b"none", b"abc"), (b"EXIF", plain(6)), flags=8)
    yield "xmp.webp", webp((b"XMP ", xmp(6)), flags=4)
    yield "xmp_not_announced.webp", webp((b"XMP ", xmp(6)), flags=0)
    yield "xmp_beside_exif_upright.webp", webp((b"EXIF", plain(1)), (b"XMP ", xmp(6)), flags=12)

    for value in (1, 2, 3, 4, 5, 6, 7, 8):
        yield f"short_{value}.tif", tiff((TAG, SHORT, [value]), order="<>"[value % 2])
    yield "long.tif", tiff((TAG, LONG, [6]))
    yield "xmp.tif", tiff((700, BYTE, list(xmp(6))))
    yield "xmp_beside_upright.tif", tiff((TAG, SHORT, [1]), (700, BYTE, list(xmp(6))))
    yield "nothing.tif", tiff()


def main():
    warnings.simplefilter("ignore")
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    golden = {}
    for name, file in cases():
        (FOLDER / name).write_bytes(file)
        shown = ImageOps.exif_transpose(Image.open(FOLDER / name)).convert("RGB")
        golden[name] = np.asarray(shown)
        print(f"{name}: {'turned' if shown.size != PIXELS.shape[1::-1] else shown.size}")
    (HERE / "orientation.golden.safetensors").write_bytes(save(golden))


main()
