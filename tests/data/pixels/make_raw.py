"""Make raw photographs with the structure of the cameras' own, but with noise for what the sensor gave.

    pip install numpy==2.4.6 pillow==13.0.0 safetensors==0.8.0
    python make_raw.py

`raw/NAME` has a thumbnail and a larger preview, each a JPEG of its own; `raw.golden.safetensors.gz` holds, by file name, the
uint8 [H, W, 3] array of the preview as Pillow decodes it, turned as the photograph says. Those in `raw/refused/` have nothing
but a thumbnail. Where cameras keep what: ExifTool's tables of tags, and for CR3 the description of its boxes by L. Leroux (lclevy).
"""

import gzip
import io
import shutil
import struct
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import save

HERE = Path(__file__).parent
FOLDER = HERE / "raw"
REFUSED = FOLDER / "refused"
SENSOR = (72, 48)
Y, X = np.mgrid[0 : SENSOR[1], 0 : SENSOR[0]]
SHOWN = np.stack([3 * X, 5 * Y, 255 - 2 * X - Y], -1).clip(0, 255).astype(np.uint8)
SHORT, LONG, UNDEFINED, IFD = 3, 4, 7, 13
SIZES = {SHORT: "H", LONG: "L", IFD: "L"}
TURNS = {1: None, 3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_270, 8: Image.Transpose.ROTATE_90}


def jpeg(pixels, **options):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=80, **options)
    return stream.getvalue()


PREVIEW = jpeg(SHOWN)
THUMBNAIL = jpeg(255 - SHOWN[::4, ::4])
NOISE = np.random.default_rng(7).integers(0, 256, SENSOR[0] * SENSOR[1], dtype=np.uint8).tobytes()


class File:
    """Bytes whose directories point at each other."""

    def __init__(self, head, order="<"):
        self.bytes, self.order = bytearray(head), order

    def add(self, data):
        self.bytes += b"\0" * (len(self.bytes) % 2)
        at = len(self.bytes)
        self.bytes += data
        return at

    def directory(self, *entries, after=0, base=0):
        """Entries of (tag, type, values), whose places count from `base`."""
        parts = []
        for tag, kind, values in sorted(entries, key=lambda entry: entry[0]):
            data = bytes(values) if kind == UNDEFINED else struct.pack(f"{self.order}{len(values)}{SIZES[kind]}", *values)
            if len(data) > 4:
                data = struct.pack(self.order + "L", self.add(data) - base)
            parts.append(struct.pack(self.order + "HHL", tag, kind, len(values)) + data.ljust(4, b"\0"))
        return self.add(struct.pack(self.order + "H", len(parts)) + b"".join(parts) + struct.pack(self.order + "L", after)) - base

    def done(self, first, at=4):
        self.bytes[at : at + 4] = struct.pack(self.order + "L", first)
        return bytes(self.bytes)


def sides(size):
    return (256, LONG, [size[0]]), (257, LONG, [size[1]])


def sensor(file):
    """The directory of what the sensor gave."""
    at = file.add(NOISE)
    return file.directory((254, LONG, [0]), *sides(SENSOR), (258, SHORT, [8]), (259, SHORT, [1]), (262, SHORT, [32803]),
                          (273, LONG, [at]), (277, SHORT, [1]), (278, LONG, [SENSOR[1]]), (279, LONG, [len(NOISE)]))


def pointed(file, data):
    """A directory that points at a JPEG."""
    return file.directory((254, LONG, [1]), (259, SHORT, [6]), (513, LONG, [file.add(data)]), (514, LONG, [len(data)]))


def small(file):
    """The entries of a directory whose picture is a thumbnail without compression."""
    pixels = np.ascontiguousarray(255 - SHOWN[::4, ::4])
    height, width = pixels.shape[:2]
    return [(254, LONG, [1]), *sides((width, height)), (258, SHORT, [8, 8, 8]), (259, SHORT, [1]), (262, SHORT, [2]),
            (273, LONG, [file.add(pixels.tobytes())]), (277, SHORT, [3]), (278, LONG, [height]), (279, LONG, [pixels.size])]


def strip(file, data, *more, compression=7):
    return [(254, LONG, [1]), *sides(SENSOR), (258, SHORT, [8, 8, 8]), (259, SHORT, [compression]), (262, SHORT, [6]),
            (273, LONG, [file.add(data)]), (277, SHORT, [3]), (278, LONG, [SENSOR[1]]), (279, LONG, [len(data)]), *more]


def nef(orientation, preview=PREVIEW):
    file = File(b"MM\0\x2a\0\0\0\0", ">")
    subs = [pointed(file, preview), sensor(file)]
    return file.done(file.directory(*small(file), (274, SHORT, [orientation]), (330, LONG, subs)))


def nef_note(orientation):
    """The preview is in Nikon's note alone."""
    file = File(b"MM\0\x2a\0\0\0\0", ">")
    note = File(b"MM\0\x2a\0\0\0\0", ">")
    inner = note.done(note.directory((0x0011, LONG, [pointed(note, PREVIEW)])))
    data = b"Nikon\0\x02\x10\0\0" + inner
    exif = file.directory((37500, UNDEFINED, data))
    return file.done(file.directory(*small(file), (274, SHORT, [orientation]), (330, LONG, [sensor(file)]), (34665, LONG, [exif])))


def dng(orientation, preview=PREVIEW):
    file = File(b"II\x2a\0\0\0\0\0")
    subs = [sensor(file), file.directory(*strip(file, preview))]
    return file.done(file.directory(*small(file), (274, SHORT, [orientation]), (330, LONG, subs), (50706, UNDEFINED, [1, 4, 0, 0])))


def arw(orientation):
    """The preview is the first directory's, a thumbnail the second's."""
    file = File(b"II\x2a\0\0\0\0\0")
    second = pointed(file, THUMBNAIL)
    first = file.directory((254, LONG, [1]), (259, SHORT, [6]), (274, SHORT, [orientation]), (330, LONG, [sensor(file)]),
                           (513, LONG, [file.add(PREVIEW)]), (514, LONG, [len(PREVIEW)]), after=second)
    return file.done(first)


def cr2(orientation):
    file = File(b"II\x2a\0\0\0\0\0CR\x02\0\0\0\0\0")
    # The sensor's lossless JPEG, which is none that is shown.
    lossless = b"\xff\xd8\xff\xc3\0\x11\x0e\0\x30\0\x48\x03\x01\x11\0\x02\x11\0\x03\x11\0\xff\xd9"
    last = file.directory((259, SHORT, [6]), (273, LONG, [file.add(lossless)]), (279, LONG, [len(lossless)]))
    second = file.directory((513, LONG, [file.add(THUMBNAIL)]), (514, LONG, [len(THUMBNAIL)]), after=last)
    entries = [entry for entry in strip(file, PREVIEW, (274, SHORT, [orientation]), compression=6) if entry[0] != 254]
    return file.done(file.directory(*entries, after=second))


def rw2(orientation):
    file = File(b"IIU\0\0\0\0\0")
    return file.done(file.directory((0x0002, SHORT, [72]), (0x0003, SHORT, [48]), (0x002E, UNDEFINED, PREVIEW), (274, SHORT, [orientation])))


def orf(orientation):
    file = File(b"IIRO\0\0\0\0")
    note = File(b"OLYMPUS\0II\x03\0")
    # The note's directory stands behind its header, so what it points at comes after.
    first = 12
    note.bytes += b"\0" * (2 + 12 + 4)
    settings = note.directory((0x0101, LONG, [note.add(PREVIEW)]), (0x0102, LONG, [len(PREVIEW)]))
    note.bytes[first : first + 18] = struct.pack("<HHHLLL", 1, 0x2020, IFD, 1, settings, 0)
    exif = file.directory((37500, UNDEFINED, bytes(note.bytes)))
    second = pointed(file, THUMBNAIL)
    return file.done(file.directory(*sides(SENSOR), (259, SHORT, [1]), (274, SHORT, [orientation]), (34665, LONG, [exif]), after=second))


def raf(orientation):
    """Its preview's own EXIF says how the photograph lies."""
    exif = Image.Exif()
    exif[274] = orientation
    data = jpeg(SHOWN, exif=exif)
    head = b"FUJIFILMCCD-RAW 0201FF389501" + b"X-T2".ljust(32, b"\0") + b"0100" + b"\0" * 20
    assert len(head) == 84
    places = struct.pack(">LLLLLL", 148, len(data), 148 + len(data), 4, 152 + len(data), len(NOISE))
    return (head + places).ljust(148, b"\0") + data + b"\0" * 4 + NOISE


def box(kind, *content):
    content = b"".join(content)
    return struct.pack(">L", 8 + len(content)) + kind + content


def cr3(orientation, tracks=True):
    canon = bytes.fromhex("85c0b687820f11e08111f4ce462b6a48")
    medium = bytes.fromhex("eaf42b5e1c984b88b9fbb7dc406e4d16")
    file = File(b"II\x2a\0\0\0\0\0")
    first = file.done(file.directory((274, SHORT, [orientation])))
    half = jpeg(SHOWN[::2, ::2])

    def track(at, length):
        table = box(b"stsz", struct.pack(">LLL", 0, length, 1)) + box(b"co64", struct.pack(">LLQ", 0, 1, at))
        return box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", table))))

    def whole(at):
        thumbnail = box(b"THMB", struct.pack(">LHHLHH", 0, 18, 12, len(THUMBNAIL), 1, 0), THUMBNAIL)
        places = track(at, len(PREVIEW)) + track(at + len(PREVIEW), len(NOISE)) if tracks else b""
        movie = box(b"moov", box(b"uuid", canon, box(b"CMT1", first), thumbnail), places)
        sides = struct.pack(">LHHHHL", 0, 1, SENSOR[0] // 2, SENSOR[1] // 2, 1, len(half))
        preview = box(b"uuid", medium, struct.pack(">LL", 0, 1), box(b"PRVW", sides, half))
        head = box(b"ftyp", b"crx \0\0\0\x01crx isom") + movie + preview
        # A long box, as large files have them.
        data = (PREVIEW if tracks else b"") + NOISE
        return head + struct.pack(">L", 1) + b"mdat" + struct.pack(">Q", 16 + len(data)) + data, len(head) + 16

    return whole(whole(0)[1])[0]


def upright(data, orientation):
    image = Image.open(io.BytesIO(data)).convert("RGB")
    turn = TURNS[orientation]
    return np.ascontiguousarray(image if turn is None else image.transpose(turn))


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    REFUSED.mkdir(parents=True)
    golden = {}
    for name, make, orientation in [
        ("upright.nef", nef, 1), ("side.nef", nef, 8), ("note.nef", nef_note, 6), ("side.dng", dng, 6), ("head.arw", arw, 3),
        ("side.cr2", cr2, 6), ("side.rw2", rw2, 8), ("side.orf", orf, 6), ("side.raf", raf, 6), ("side.cr3", cr3, 6),
    ]:
        (FOLDER / name).write_bytes(make(orientation))
        golden[name] = upright(PREVIEW, orientation)
    (FOLDER / "medium.cr3").write_bytes(cr3(1, tracks=False))
    golden["medium.cr3"] = upright(jpeg(SHOWN[::2, ::2]), 1)
    (HERE / "raw.golden.safetensors.gz").write_bytes(gzip.compress(save(golden), 9, mtime=0))

    (REFUSED / "thumbnail.nef").write_bytes(nef(1, THUMBNAIL))
    (REFUSED / "thumbnail.dng").write_bytes(dng(1, THUMBNAIL))
    file = File(b"II\x2a\0\0\0\0\0")
    (REFUSED / "nothing.dng").write_bytes(file.done(file.directory(*small(file), (330, LONG, [sensor(file)]))))


if __name__ == "__main__":
    main()
