#!/usr/bin/env bash
# Of the pictures of one size in a Windows icon, Pillow opens that of the fewest bits.
#
# An icon holds the same drawing several times: in each size for screens of 16 colours, of 256, and of all colours with an
# alpha. Windows takes the best that the screen can show. Pillow sorts by bits upwards and then, stably, by size downwards, so
# that of the largest ones the poorest comes first, wherever it stands in the file.
# Source: Pillow 13.0.0, observed.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check pillow==13.0.0
"$work/venv/bin/python" - <<'PYTHON'
import io
import struct
import sys

from PIL import Image

SIDE = 16
RED, BLUE = (255, 0, 0), (0, 0, 255)


def bitmap(bits, colour):
    """A square of this colour as icons have it: a bitmap, and behind it a mask that hides nothing."""
    bgr = bytes(reversed(colour))
    palette = b"\0\0\0\0" + bgr + b"\0" if bits == 1 else b""
    row = b"\xff" * (SIDE // 8) if bits == 1 else (bgr + b"\xff") * SIDE
    rows = row.ljust(-(-len(row) // 4) * 4, b"\0") * SIDE
    header = struct.pack("<IiiHHIIiiII", 40, SIDE, 2 * SIDE, 1, bits, 0, 0, 0, 0, 0, 0)
    return header + palette + rows + b"\0" * 4 * SIDE


def icon(*pictures):
    directory, body, start = b"", b"", 6 + 16 * len(pictures)
    for bits, colour in pictures:
        data = bitmap(bits, colour)
        directory += struct.pack("<BBBBHHII", SIDE, SIDE, 0, 0, 1, bits, len(data), start + len(body))
        body += data
    return b"\0\0\1\0" + struct.pack("<H", len(pictures)) + directory + body


def opened(file):
    with Image.open(io.BytesIO(file)) as image:
        return image.convert("RGB").getpixel((0, 0))


few, many = (1, BLUE), (32, RED)
print("Pillow 13.0.0: an icon with one size, in 32 bits red and in 1 bit blue")
print(f"expected: {RED}")
seen = [opened(icon(few, many)), opened(icon(many, few))]
for order, colour in zip(("1 bit first", "32 bits first"), seen):
    print(f"observed: {colour} ({order})")
alone = opened(icon(many))
print(f"observed: {alone} (32 bits alone)")
sys.exit(0 if seen == [BLUE, BLUE] and alone == RED else "The behaviour is not as stated.")
PYTHON
