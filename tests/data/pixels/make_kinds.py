"""Make the fixtures of rarer kinds of pictures: BMP, GIF, PNG, PNM, PFM, WebP, JPEG as few programs write them, and ICO,
PCX, PSD, QOI and TGA.

    pip install numpy pillow==13.0.0 safetensors
    python make_kinds.py

`kinds.golden.safetensors` holds, by file name in `kinds/`, the uint8 [H, W, 3] array of
`Image.open(f).convert("RGB")`; `NAME on 0a64c8` the same pasted with its alpha on that colour.
Pillow clips grey of more than 8 bits: for `grey_*` it is the high byte of the 16 bits that it reads.
"""

import io
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

HERE = Path(__file__).parent
FOLDER = HERE / "kinds"
RANDOM = np.random.default_rng(7)
W, H = 13, 6
INDICES = RANDOM.integers(0, 6, (H, W), dtype=np.uint8)
COLOURS = RANDOM.integers(0, 256, (6, 3), dtype=np.uint8)
files = {}


def rows_of(values, bits, padding=4):
    """Rows of samples of so many bits, the first in the highest."""
    rows = []
    for row in values:
        number = "".join(f"{int(v):0{bits}b}" for v in row)
        number += "0" * (-len(number) % (8 * padding))
        rows.append(int(number, 2).to_bytes(len(number) // 8, "big"))
    return rows


def bmp(name, header, body, palette=b"", bits=24, compression=0, top_down=False, colours=0, planes=1, extra=b"",
        file_header=True, size=(W, H), data=None):
    """A bitmap with a header of so many bytes; `extra` fills it behind its 40 bytes, or stands behind it."""
    if header == 12:
        head = struct.pack("<IHHHH", 12, *size, planes, bits)
    else:
        height = -size[1] if top_down else size[1]
        head = struct.pack("<IiiHHIIiiII", header, size[0], height, planes, bits, compression, 0, 0, 0, colours, 0)
        head = (head + extra).ljust(header, b"\0")
    at = 14 + len(head) + len(palette) if file_header else 0
    start = b"BM" + struct.pack("<IHHI", at + len(body), 0, 0, at) if file_header else b""
    files[name] = start + head + palette + body


def bottom_up(rows):
    return b"".join(reversed(rows))


def make_bmp():
    four = b"".join(bytes(c[::-1]) + b"\0" for c in COLOURS)
    three = b"".join(bytes(c[::-1]) for c in COLOURS)
    words = RANDOM.integers(0, 1 << 16, (H, W))
    longs = RANDOM.integers(0, 1 << 32, (H, W))
    as_words = lambda v: [b"".join(struct.pack("<H", int(x)) for x in row).ljust((2 * W + 3) // 4 * 4, b"\0") for row in v]
    as_longs = lambda v: [b"".join(struct.pack("<I", int(x)) for x in row) for row in v]
    for bits in (1, 4, 8):
        values = INDICES % 2 if bits == 1 else INDICES
        count = 2 if bits == 1 else 6
        rows = rows_of(values, bits)
        bmp(f"p{bits}.bmp", 40, bottom_up(rows), four[:4 * count], bits, colours=count)
        bmp(f"p{bits}_top.bmp", 40, b"".join(rows), four[:4 * count], bits, colours=count, top_down=True)
        bmp(f"p{bits}_os2.bmp", 12, bottom_up(rows), (three[:3 * count]).ljust(3 << bits, b"\0"), bits)
        bmp(f"p{bits}_os2v2.bmp", 64, bottom_up(rows), four[:4 * count], bits, colours=count)
    bmp("grey_palette.bmp", 40, bottom_up(rows_of(INDICES, 8)), b"".join(bytes([i, i, i, 0]) for i in range(6)), 8, colours=6)
    # Its pixels begin where the palette does, says the header.
    whole = bytearray(files["p8.bmp"])
    whole[10:14] = struct.pack("<I", 54)
    files["p8_offset.bmp"] = bytes(whole)
    bmp("w555.bmp", 40, bottom_up(as_words(words)), bits=16)
    masks = lambda *m: struct.pack(f"<{len(m)}I", *m)
    bmp("w565.bmp", 40, bottom_up(as_words(words)), bits=16, compression=3, extra=masks(0xF800, 0x7E0, 0x1F))
    bmp("w565_v4_top.bmp", 108, b"".join(as_words(words)), bits=16, compression=3, extra=masks(0xF800, 0x7E0, 0x1F, 0), top_down=True)
    bmp("w555_v3.bmp", 56, bottom_up(as_words(words)), bits=16, compression=3, extra=masks(0x7C00, 0x3E0, 0x1F, 0))
    rgb = RANDOM.integers(0, 256, (H, W, 3), dtype=np.uint8)
    triples = [row.tobytes().ljust(3 * W + 1, b"\0") for row in rgb]
    bmp("rgb.bmp", 40, bottom_up(triples), planes=0)
    bmp("rgb_os2.bmp", 12, bottom_up(triples))
    bmp("rgb_no_padding.bmp", 40, bottom_up(triples)[:-1])
    bmp("rgb.dib", 40, bottom_up(triples), file_header=False)
    bmp("l.bmp", 40, bottom_up(as_longs(longs)), bits=32)
    for name, m in {"bgrx": (0xFF0000, 0xFF00, 0xFF, 0), "xbgr": (0xFF000000, 0xFF0000, 0xFF00, 0), "bgxr": (0xFF000000, 0xFF00, 0xFF, 0),
                    "abgr": (0xFF000000, 0xFF0000, 0xFF00, 0xFF), "rgba": (0xFF, 0xFF00, 0xFF0000, 0xFF000000),
                    "bgra": (0xFF0000, 0xFF00, 0xFF, 0xFF000000)}.items():
        bmp(f"l_{name}.bmp", 124, bottom_up(as_longs(longs)), bits=32, compression=3, extra=masks(*m))

    def runs(*rows, end=b"\0\1"):
        return b"".join(row + b"\0\0" for row in rows) + end

    pairs = b"".join(bytes([4, i]) for i in (1, 2, 3)) + b"\1\5"
    plain = b"\0\5\1\2\3\4\5\0" + b"\x08\2"
    gap = b"\3\1\0\2\4\0\6\3"
    for name, top_down in (("", False), ("_top", True)):
        bmp(f"rle8{name}.bmp", 40, runs(pairs, plain, gap, pairs, b"\x20\4", b"\5\5"), four, 8, 1, top_down, 6)
    four_bits = b"\4\x12\0\5\x34\x51\x20\0\4\x21"
    for name, top_down in (("", False), ("_top", True)):
        bmp(f"rle4{name}.bmp", 40, runs(four_bits, b"\x0d\x23", b"\3\x15", four_bits, b"\x20\x41", b"\1\x50"), four, 4, 2, top_down, 6)
    bmp("rle8_down.bmp", 40, runs(pairs, b"\2\1\0\2\2\2\1\5", pairs, pairs), four, 8, 1, colours=6)


def lzw(indices, bits=3):
    """GIF's codes, each an index of its own between codes that clear the table."""
    clear, width = 1 << bits, bits + 1
    codes = []
    for i, index in enumerate(indices):
        codes += [clear] * (i % ((1 << bits) - 2) == 0) + [index]
    codes.append(clear + 1)
    number = sum(int(code) << (width * i) for i, code in enumerate(codes))
    data = number.to_bytes((width * len(codes) + 7) // 8, "little")
    blocks = b"".join(bytes([len(data[i:i + 255])]) + data[i:i + 255] for i in range(0, len(data), 255))
    return bytes([bits]) + blocks + b"\0"


def gif(name, screen=(W, H), at=(0, 0), palette=True, own=False, before=b"", transparent=None, interlaced=False, end=b";"):
    colours = b"".join(bytes(c) for c in COLOURS).ljust(24, b"\x09")
    start = b"GIF89a" + struct.pack("<HHBBB", *screen, 0x82 if palette else 0, 0, 0) + (colours if palette else b"")
    if transparent is not None:
        before += b"!\xf9\4" + bytes([1, 0, 0, transparent]) + b"\0"
    flags = (0x82 if own else 0) | (0x40 if interlaced else 0)
    rows = INDICES
    if interlaced:
        order = [y for first, step in ((0, 8), (4, 8), (2, 4), (1, 2)) for y in range(first, H, step)]
        rows = INDICES[order]
    frame = b"," + struct.pack("<HHHHB", *at, W, H, flags) + (bytes(reversed(colours)) if own else b"")
    files[name] = start + before + frame + lzw(rows.ravel()) + end


def make_gif():
    gif("plain.gif")
    gif("beyond.gif", screen=(8, 4), at=(3, 2))
    gif("within.gif", screen=(20, 9), at=(3, 2))
    gif("within_transparent.gif", screen=(20, 9), at=(3, 2), transparent=4)
    gif("no_palette.gif", palette=False)
    gif("own_palette.gif", own=True)
    gif("no_end.gif", end=b"")
    gif("unknown_extension.gif", before=b"!\x42\3abc\2de\0")
    gif("stray_bytes.gif", before=b"\0\0\7")
    gif("interlaced.gif", interlaced=True, transparent=2)


def chunk(kind, data, checksum=None):
    checksum = zlib.crc32(kind + data) if checksum is None else checksum
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def png(pixels, kind, *, wrong=(), end=True, cut=0, more=b"", pieces=1):
    """A PNG of this colour type; `cut` bytes are missing behind its pixels."""
    depth = 8 * pixels.itemsize
    head = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], depth, kind, 0, 0, 0)
    packed = zlib.compress(b"".join(b"\0" + row.astype(f">u{pixels.itemsize}").tobytes() for row in pixels))
    step = -(-len(packed) // pieces)
    sums = lambda name: 1 if name in wrong else None
    file = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + more
    for i in range(0, len(packed), step):
        file += chunk(b"IDAT", packed[i:i + step], sums("IDAT"))
    if cut:
        return file[:-cut]
    return file + (chunk(b"tEXt", b"a\0b", sums("tEXt")) + chunk(b"IEND", b"") if end else b"")


def make_png():
    rgb = RANDOM.integers(0, 256, (H, W, 3), dtype=np.uint8)
    grey = rgb[:, :, 0]
    files["wrong_checksum.png"] = png(rgb, 2, wrong=("IDAT",))
    files["wrong_checksums.png"] = png(grey, 0, wrong=("IDAT", "tEXt"), pieces=4)
    files["no_end.png"] = png(rgb, 2, end=False)
    # Without the checksum of the chunk, and without that and zlib's.
    files["no_checksum.png"] = png(rgb, 2, cut=4)
    palette = chunk(b"PLTE", b"".join(bytes(c) for c in COLOURS)) + chunk(b"tRNS", bytes([0, 255, 128]))
    files["palette_wrong_checksum.png"] = png(INDICES, 3, wrong=("IDAT",), more=palette)
    files["palette_transparent.png"] = png(INDICES, 3, more=palette)
    rgba = RANDOM.integers(0, 256, (H, W, 4), dtype=np.uint8)
    files["rgba.png"] = png(rgba, 6)
    files["rgba_wrong_checksum.png"] = png(rgba, 6, wrong=("IDAT",))
    files["grey_alpha.png"] = png(rgba[:, :, :2], 4)
    files["grey_16.png"] = png(RANDOM.integers(0, 1 << 16, (H, W)).astype(np.uint16), 0)
    files["grey_16_wrong_checksum.png"] = png(RANDOM.integers(0, 1 << 16, (H, W)).astype(np.uint16), 0, wrong=("IDAT",))


def make_pnm():
    bits = INDICES % 2
    files["plain.pbm"] = b"P1\n# a comment\n13 6\n" + b"\n".join(b"".join(b"%d" % b for b in row) for row in bits)
    files["raw.pbm"] = b"P4 13 6\n" + b"".join(rows_of(bits, 8 // 8, 1))
    for most in (1, 2, 100, 254, 255, 256, 1023, 65535):
        values = RANDOM.integers(0, most + 1, (H, W, 3))
        kind = ">u1" if most < 256 else ">u2"
        text = b"\n# one more\n".join(b" ".join(b"%d" % v for v in row.ravel()) for row in values)
        files[f"plain_{most}.ppm"] = b"P3 # text\n13 6\r\n%d\n" % most + text
        files[f"raw_{most}.ppm"] = b"P6\n13\n6\n%d\n" % most + values.astype(kind).tobytes()
        grey = values[:, :, 0]
        prefix = "grey_" if most > 255 else ""
        files[f"{prefix}plain_{most}.pgm"] = b"P2 13 6 %d\n" % most + b" ".join(b"%d" % v for v in grey.ravel())
        files[f"{prefix}raw_{most}.pgm"] = b"P5 13 6 %d\n" % most + grey.astype(kind).tobytes()
    # More than the largest that it states.
    files["raw_over.pgm"] = b"P5 13 6 200\n" + bytes(range(178, 256))
    floats = RANDOM.uniform(-50, 400, (H, W)).astype("f4")
    files["little.pfm"] = b"Pf\n13 6\n-1.0\n" + floats.astype("<f4").tobytes()
    files["big.pfm"] = b"Pf\n13 6\n2.5\n" + floats.astype(">f4").tobytes()


def make_webp():
    def frames(*pictures, **options):
        stream = io.BytesIO()
        pictures[0].save(stream, "WEBP", save_all=True, append_images=list(pictures[1:]), duration=50, **options)
        return stream.getvalue()

    def picture(alpha):
        pixels = RANDOM.integers(0, 256, (16, 20, 4), dtype=np.uint8)
        pixels[:, :, 3] = alpha(pixels[:, :, 3])
        return Image.fromarray(pixels, "RGBA")

    many = picture(lambda a: a), picture(lambda a: a)
    files["blended_lossless.webp"] = frames(*many, lossless=True, exact=True)
    files["blended_lossy.webp"] = frames(*many, quality=80)
    opaque = picture(lambda a: 255), picture(lambda a: 255)
    files["opaque.webp"] = frames(*opaque, quality=80)
    # A part of the canvas.
    whole = bytearray(frames(*many, lossless=True, exact=True))
    canvas = whole.index(b"VP8X") + 12
    whole[canvas:canvas + 6] = (29).to_bytes(3, "little") + (24).to_bytes(3, "little")
    frame = whole.index(b"ANMF") + 8
    whole[frame:frame + 6] = (3).to_bytes(3, "little") + (2).to_bytes(3, "little")
    files["part.webp"] = bytes(whole)
    stream = io.BytesIO()
    many[0].save(stream, "WEBP", lossless=True, exact=True)
    files["still.webp"] = stream.getvalue()


def make_jpeg():
    stream = io.BytesIO()
    Image.fromarray(RANDOM.integers(0, 256, (40, 30, 3), dtype=np.uint8)).save(stream, "JPEG", quality=90)
    whole = stream.getvalue()
    assert whole.endswith(b"\xff\xd9")
    files["trailer_without_end.jpg"] = whole[:-2] + b"SEFT trailer of a phone" * 20
    files["trailer_with_markers.jpg"] = whole[:-2] + b"\xff\xe5\0\4ab" + b"MotionPhoto_Data" * 20


def saved(picture, format, **options):
    stream = io.BytesIO()
    picture.save(stream, format, **options)
    return stream.getvalue()


def pictures():
    rgba = RANDOM.integers(0, 256, (H, W, 4), dtype=np.uint8)
    # Something for runs.
    rgba[2:4, 3:11] = rgba[0, 0]
    rgba[3, 4] = [1, 2, 3, 255]
    palette = Image.fromarray(INDICES, "P")
    palette.putpalette(COLOURS.tobytes())
    return {"rgba": Image.fromarray(rgba, "RGBA"), "rgb": Image.fromarray(rgba[:, :, :3].copy(), "RGB"),
            "l": Image.fromarray(rgba[:, :, 0].copy(), "L"), "la": Image.fromarray(rgba[:, :, :2].copy(), "LA"), "p": palette,
            "1": Image.fromarray(np.where(rgba[:, :, 0] > 99, 255, 0).astype(np.uint8)).convert("1", dither=0)}


def make_tga():
    for name, picture in pictures().items():
        if name == "1":
            continue
        for rle in (False, True):
            for corner in (-1, 1):
                files[f"{name}{'_runs' * rle}{'_top' * (corner > 0)}.tga"] = saved(
                    picture, "TGA", compression="tga_rle" if rle else None, orientation=corner)
    right = bytearray(files["rgb.tga"])
    right[17] |= 0x10
    files["from_right.tga"] = bytes(right)
    words = RANDOM.integers(0, 1 << 16, (H, W)).astype("<u2")
    files["words.tga"] = struct.pack("<BBBHHBHHHHBB", 0, 0, 2, 0, 0, 0, 0, 0, W, H, 16, 1) + words.tobytes()
    # A palette whose first colour is the second.
    files["palette_from_1.tga"] = (struct.pack("<BBBHHBHHHHBB", 3, 1, 1, 1, 5, 24, 0, 0, W, H, 8, 0x20) + b"abc"
                                   + COLOURS[:5].tobytes() + INDICES.tobytes())


def make_pcx():
    for name, picture in pictures().items():
        if name in ("1", "l", "p", "rgb"):
            files[f"{name}.pcx"] = saved(picture, "PCX")
    # 16 colours in four planes; rows of planes have 2 bytes.
    header = struct.pack("<BBBBHHHHHH", 10, 5, 1, 1, 0, 0, W - 1, H - 1, 72, 72) + COLOURS.tobytes().ljust(48, b"\5")
    header += struct.pack("<BBHH", 0, 4, 2, 1)
    rows = b""
    for row in INDICES:
        for plane in range(4):
            rows += rows_of([(row >> plane) & 1], 1, 2)[0]
    runs = b"".join(b"\xc1" + bytes([byte]) if byte >= 0xC0 else bytes([byte]) for byte in rows)
    files["planes.pcx"] = header.ljust(128, b"\0") + runs


def make_psd():
    def packbits(row):
        """A run or what is no run, by turns."""
        return bytes([4]) + row[:5] + bytes([0x80]) + bytes([len(row) - 6]) + row[5:]

    def psd(mode, channels, packed, more=b"", extra=0):
        planes = channels + [RANDOM.integers(0, 256, (H, W), dtype=np.uint8) for _ in range(extra)]
        head = b"8BPS" + struct.pack(">H6xHIIHH", 1, len(planes), H, W, 8, mode)
        head += struct.pack(">I", len(more)) + more + struct.pack(">I", 0) + struct.pack(">I", 6) + b"layers"
        rows = [row.tobytes() for plane in planes for row in plane]
        if not packed:
            return head + b"\0\0" + b"".join(rows)
        rows = [packbits(row) for row in rows]
        return head + b"\0\1" + b"".join(struct.pack(">H", len(row)) for row in rows) + b"".join(rows)

    planes = list(RANDOM.integers(0, 256, (4, H, W), dtype=np.uint8))
    palette = COLOURS.T.copy()
    palette = np.pad(palette, ((0, 0), (0, 250))).tobytes()
    for packed in (False, True):
        end = "_packed" * packed
        files[f"l{end}.psd"] = psd(1, planes[:1], packed)
        files[f"rgb{end}.psd"] = psd(3, planes[:3], packed)
        files[f"rgba{end}.psd"] = psd(3, planes, packed)
        files[f"cmyk{end}.psd"] = psd(4, planes, packed)
        files[f"p{end}.psd"] = psd(2, [INDICES], packed, palette)
    files["five_channels.psd"] = psd(3, planes[:3], False, extra=2)


def make_qoi():
    for name in ("rgb", "rgba"):
        files[f"{name}.qoi"] = saved(pictures()[name], "QOI")
    smooth = np.add.outer(np.arange(20), np.arange(24)).astype(np.uint8)
    smooth = np.stack([smooth, smooth * 3, 255 - smooth], -1)
    smooth[5:9] = 7
    files["smooth.qoi"] = saved(Image.fromarray(smooth), "QOI")


def make_ico():
    noise = RANDOM.integers(0, 256, (32, 32, 4), dtype=np.uint8)
    noise[8:] = noise[7]
    large = Image.fromarray(noise, "RGBA")
    files["png.ico"] = saved(large, "ICO", sizes=[(16, 16), (32, 32)])
    files["bitmap.ico"] = saved(large, "ICO", sizes=[(16, 16), (32, 32)], bitmap_format="bmp")
    # 8 bits with a palette and a mask; one of few colours goes before one of many.
    mask = rows_of(RANDOM.integers(0, 2, (H, W)), 1)
    colours = b"".join(bytes(c[::-1]) + b"\0" for c in COLOURS).ljust(1024, b"\0")
    bitmap = struct.pack("<IiiHHIIiiII", 40, W, 2 * H, 1, 8, 0, 0, 0, 0, 0, 0) + colours
    bitmap += bottom_up(rows_of(INDICES, 8)) + bottom_up(mask)
    entry = lambda bits, at: struct.pack("<BBBBHHII", W, H, 0, 0, 1, bits, len(bitmap), at)
    files["mask.ico"] = b"\0\0\1\0\2\0" + entry(24, 1) + entry(8, 38) + bitmap


def main():
    for make in (make_bmp, make_gif, make_png, make_pnm, make_webp, make_jpeg, make_tga, make_pcx, make_psd, make_qoi, make_ico):
        make()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    golden = {}
    for name, data in sorted(files.items()):
        (FOLDER / name).write_bytes(data)
        with Image.open(FOLDER / name) as image:
            image.load()
            if name.startswith("grey_") and image.mode in ("I", "I;16"):
                grey = (np.asarray(image).astype(int) >> 8).astype(np.uint8)
                golden[name] = np.repeat(grey[:, :, None], 3, 2)
                continue
            golden[name] = np.asarray(image.convert("RGB"))
            if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
                image = image.convert("RGBA")
                if np.asarray(image)[:, :, 3].all() and image.getextrema()[3] == (255, 255):
                    continue
                for colour in ("#0a64c8",):
                    over = Image.new("RGB", image.size, colour)
                    over.paste(image, mask=image.getchannel("A"))
                    golden[f"{name} on {colour.strip('#')}"] = np.asarray(over)
    save_file({name: np.ascontiguousarray(value) for name, value in golden.items()}, HERE / "kinds.golden.safetensors")
    print(len(files), "files", sum(map(len, files.values())), "bytes", len(golden), "pictures")


if __name__ == "__main__":
    main()
