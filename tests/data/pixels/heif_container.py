"""The boxes of a HEIF file: what an encoder wrote taken apart, and put together in other ways.

Imported by make_heic.py and make_avif.py.
"""

import struct


def box(kind, *parts):
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def full(kind, version, *parts, flags=0):
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


def boxes(data):
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        header = 8
        if size == 1:
            size, header = struct.unpack_from(">Q", data, at + 8)[0], 16
        end = at + size if size else len(data)
        yield kind, data[at + header:end]
        at = end


def find(data, *path):
    for kind in path:
        data = next(body for found, body in boxes(data) if found == kind)
        if kind == b"meta":
            data = data[4:]
    return data


class Item:
    """An item: its kind, its bytes, its properties as whole boxes, and what it refers to."""

    def __init__(self, kind, data, properties=(), refers=()):
        self.kind, self.data, self.properties, self.refers = kind, data, list(properties), list(refers)

    def only(self, *kinds):
        return Item(self.kind, self.data, [p for p in self.properties if p[4:8] in kinds])

    def but(self, *kinds):
        return Item(self.kind, self.data, [p for p in self.properties if p[4:8] not in kinds], self.refers)

    def having(self, *properties):
        return Item(self.kind, self.data, self.properties + list(properties), self.refers)


def items(file):
    """The items of what an encoder wrote, by number, and the primary one's number."""
    meta = find(file, b"meta")
    pitm = find(meta, b"pitm")
    primary = struct.unpack_from(">H", pitm, 4)[0]
    kinds = {}
    for kind, body in boxes(find(meta, b"iinf")[6:]):
        kinds[struct.unpack_from(">H", body, 4)[0]] = body[8:12]
    properties = [struct.pack(">I4s", 8 + len(body), kind) + body for kind, body in boxes(find(meta, b"iprp", b"ipco"))]
    ipma = find(meta, b"iprp", b"ipma")
    wide, entries, at, of = ipma[3] & 1, struct.unpack_from(">I", ipma, 4)[0], 8, {}
    for _ in range(entries):
        number, count = struct.unpack_from(">HB", ipma, at)
        at += 3
        indices = [struct.unpack_from(">H", ipma, at + 2 * i)[0] & 0x7fff if wide else ipma[at + i] & 0x7f for i in range(count)]
        at += count * (2 if wide else 1)
        of[number] = [properties[i - 1] for i in indices if i]
    refers = {}
    if any(kind == b"iref" for kind, _ in boxes(meta)):
        for kind, body in boxes(find(meta, b"iref")[4:]):
            source, count = struct.unpack_from(">HH", body)
            refers.setdefault(source, []).append((kind, list(struct.unpack_from(f">{count}H", body, 4))))
    idat = next((body for kind, body in boxes(meta) if kind == b"idat"), b"")
    iloc = find(meta, b"iloc")
    version, sizes = iloc[0], struct.unpack_from(">H", iloc, 4)[0]
    widths = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15, sizes & 15 if version else 0

    def number(width):
        nonlocal at
        at += width
        return int.from_bytes(iloc[at - width:at], "big")

    at, found = 6, {}
    for _ in range(number(4 if version == 2 else 2)):
        item = number(4 if version == 2 else 2)
        method = number(2) if version else 0
        number(2)
        base = number(widths[2])
        data = b""
        for _ in range(number(2)):
            number(widths[3])
            offset, length = base + number(widths[0]), number(widths[1])
            data += (idat if method == 1 else file)[offset:offset + length]
        found[item] = Item(kinds[item], data, of.get(item, []), refers.get(item, []))
    return found, primary


def write(listed, primary=1, brand=b"heic", brands=(b"mif1",), idat=(), iloc=1, wide=False, pieces=1, size0=False, tail=b""):
    """A file of items, by number. Those in `idat` lie within the meta box."""
    properties = []
    for item in listed.values():
        properties += [p for p in item.properties if p not in properties]
    id_ = (lambda n: struct.pack(">I", n)) if wide else (lambda n: struct.pack(">H", n))
    infe = b"".join(full(b"infe", 3 if wide else 2, id_(n), b"\0\0", item.kind, b"\0") for n, item in listed.items())
    count = id_(len(listed))
    associations = b""
    for n, item in listed.items():
        indices = bytes(0x80 | 1 + properties.index(p) for p in item.properties)
        associations += id_(n) + bytes([len(indices)]) + indices
    references = b""
    for n, item in listed.items():
        for kind, to in item.refers:
            references += box(kind, id_(n), struct.pack(">H", len(to)), *map(id_, to))
    held = b"".join(listed[n].data for n in idat)

    def meta(start):
        places, at, inside = b"", start, 0
        for n, item in listed.items():
            length = len(item.data)
            first = inside if n in idat else at
            cuts = [length * i // pieces for i in range(pieces + 1)]
            places += id_(n)
            if iloc:
                places += struct.pack(">H", 1 if n in idat else 0)
            places += struct.pack(">HH", 0, pieces)
            for begin, end in zip(cuts, cuts[1:]):
                places += struct.pack(">II", first + begin, end - begin)
            if n in idat:
                inside += length
            else:
                at += length
        parts = [
            full(b"hdlr", 0, struct.pack(">I4s12sB", 0, b"pict", b"", 0)),
            full(b"pitm", 1 if wide else 0, id_(primary)),
            full(b"iinf", 1 if wide else 0, count, infe),
            full(b"iloc", 2 if wide else iloc, b"\x44\0", count, places),
            box(b"iprp", box(b"ipco", *properties),
                full(b"ipma", 1 if wide else 0, struct.pack(">I", len(listed)), associations)),
        ]
        if references:
            parts.append(full(b"iref", 1 if wide else 0, references))
        if held:
            parts.append(box(b"idat", held))
        return full(b"meta", 0, *parts)

    ftyp = box(b"ftyp", brand, b"\0\0\0\0", *dict.fromkeys((*brands, brand)))
    start = len(ftyp) + len(meta(0)) + 8
    data = b"".join(item.data for n, item in listed.items() if n not in idat)
    media = box(b"mdat", data)
    if size0:
        media = b"\0\0\0\0" + media[4:]
    return ftyp + meta(start) + media + tail


def nclx(primaries, transfer, matrix, full_range):
    return box(b"colr", b"nclx", struct.pack(">HHHB", primaries, transfer, matrix, full_range << 7))


def ispe(width, height):
    return full(b"ispe", 0, struct.pack(">II", width, height))


def irot(quarters):
    return box(b"irot", bytes([quarters]))


def imir(axis):
    return box(b"imir", bytes([axis]))


def clap(width, height, x=(0, 1), y=(0, 1)):
    return box(b"clap", struct.pack(">8i", width, 1, height, 1, *x, *y))


def grid(columns, rows, width, height):
    return struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, width, height)
