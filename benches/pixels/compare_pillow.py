"""Our RGB beside Pillow's, file by file, for every picture in folders.

    cargo build --release --example decode
    python benches/pixels/compare_pillow.py [--all] [--json FILE] FOLDER...

Pillow's is `ImageOps.exif_transpose`, then `convert("RGB")`. A file counts as a picture where Pillow or we read
it. Prints a table by format (as Pillow calls it, else by extension) and a line for every file that differs or that only Pillow reads;
with --all also those that only we read. Exits with 1 where a file that both read differs.

Measured with Pillow 13.0.0.
"""

import argparse
import json
import subprocess
import sys
import warnings
from collections import Counter, defaultdict
from pathlib import Path

import numpy
import PIL
from PIL import Image, ImageOps

# What is said of a file at which our program ended.
CRASH = "the program ended"

HERE = Path(__file__).resolve().parents[2]


class Ours:
    """The example `decode`, asked a file at a time."""

    def __init__(self, program):
        self.program = program
        self.start()

    def start(self):
        self.process = subprocess.Popen([self.program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def decode(self, path):
        """An array [height, width, 3], or the words of a refusal."""
        self.process.stdin.write(bytes(path) + b"\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline().decode()
        if not line:
            self.start()
            return CRASH
        if line.startswith("-"):
            return line[2:].strip()
        width, height = map(int, line.split())
        pixels = self.process.stdout.read(width * height * 3)
        return numpy.frombuffer(pixels, numpy.uint8).reshape(height, width, 3)


def pillow(path):
    """The same of Pillow, and the mode and format of the file."""
    try:
        with Image.open(path) as image:
            kind = f"{image.format} {image.mode}"
            image = ImageOps.exif_transpose(image)
            return numpy.asarray(image.convert("RGB")), kind
    except Exception as error:  # Whatever it raises, it has not read the file.
        return f"{type(error).__name__}: {error}", ""


def verdict(ours, theirs):
    """What came of one file, and a remark."""
    if isinstance(theirs, str):
        return ("both refuse", theirs) if isinstance(ours, str) else ("only ours", theirs)
    if isinstance(ours, str):
        return "only Pillow", ours
    if ours.shape != theirs.shape:
        return "differs", f"{ours.shape[1]}x{ours.shape[0]}, not {theirs.shape[1]}x{theirs.shape[0]}"
    distance = numpy.abs(ours.astype(int) - theirs)
    if not distance.any():
        return "equal", ""
    share = 100 * numpy.count_nonzero(distance) / distance.size
    return "differs", f"by up to {distance.max()}, {share:.2g} % of the bytes"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--all", action="store_true", help="list what only we read, too")
    parser.add_argument("--json", type=Path, help="write each file's verdict")
    parser.add_argument("--program", default=HERE / "target/release/examples/decode")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")

    ours = Ours(arguments.program)
    tables, rows = defaultdict(Counter), []
    for folder in arguments.folders:
        for path in sorted(folder.rglob("*")):
            if not path.is_file() or ".git" in path.parts or b"\n" in bytes(path):
                continue
            theirs, kind = pillow(path)
            own = ours.decode(path)
            result, remark = verdict(own, theirs)
            if isinstance(own, str) and own == CRASH:
                result, remark = "crash", own
            format = kind.split()[0] if kind else f"({path.suffix.lower() or 'none'})"
            if result != "both refuse":
                tables[format][result] += 1
            rows.append([str(path), result, kind, remark])

    listed = {"differs", "only Pillow", "crash"} | ({"only ours"} if arguments.all else set())
    for path, result, kind, remark in rows:
        if result in listed:
            print(f"{result}\t{path}\t{kind}\t{remark}")
    columns = ["equal", "differs", "only Pillow", "only ours", "crash"]
    print(f"\nPillow {PIL.__version__}")
    print(f"{'':10}" + "".join(f"{column:>13}" for column in columns))
    total = Counter()
    for format, counts in sorted(tables.items()):
        total.update(counts)
        print(f"{format:10}" + "".join(f"{counts[column]:13}" for column in columns))
    print(f"{'all':10}" + "".join(f"{total[column]:13}" for column in columns))
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=0))
    return int(total["differs"] + total["crash"] > 0)


if __name__ == "__main__":
    sys.exit(main())
