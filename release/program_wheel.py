"""Makes a wheel that puts the program on the path:
    program_wheel.py PROGRAM VERSION PLATFORM NOTICES FOLDER [MODULE.whl]

With MODULE.whl, which maturin has made of `python/`, the program joins it. Prints the wheel's path; the same files give
the same bytes.
"""

import os
import sys
import time
import zipfile
from pathlib import Path

from wheel.wheelfile import WheelFile

REPOSITORY = Path(__file__).resolve().parent.parent
PROJECT = "mobilenet_cli"


def metadata(version):
    licences = "".join(f"License-File: {path.name}\n" for path in licence_files())
    return (
        "Metadata-Version: 2.4\n"
        "Name: mobilenet-cli\n"
        f"Version: {version}\n"
        "Summary: Classify pictures with Google's MobileNet V1, from a shell\n"
        "Keywords: mobilenet,imagenet,classification\n"
        "License-Expression: MIT OR Apache-2.0\n"
        f"{licences}"
        "Requires-Python: >=3.9\n"
        "Description-Content-Type: text/markdown\n"
        "\n"
        "Puts the program `mobilenet` on the path, which tells what pictures show; `mobilenet --help` says how.\n"
    )


def licence_files():
    found = sorted(REPOSITORY.glob("LICENSE-*"))
    return [*found, REPOSITORY / "src/labels/LICENSE-WordNet", REPOSITORY / "src/figures/LICENSE-DejaVu"]


def bare(version, platform):
    """The files of a wheel without a module."""
    info = f"{PROJECT}-{version}.dist-info"
    files = {
        f"{info}/METADATA": metadata(version).encode(),
        f"{info}/WHEEL": (
            "Wheel-Version: 1.0\nGenerator: mobilenet\nRoot-Is-Purelib: false\n"
            + "".join(f"Tag: py3-none-{tag}\n" for tag in platform.split("."))
        ).encode(),
    }
    for path in licence_files():
        files[f"{info}/licenses/{path.name}"] = path.read_bytes()
    return f"{PROJECT}-{version}-py3-none-{platform}.whl", files


def module(path):
    """The files of maturin's wheel, without the list of them, which is made anew."""
    with WheelFile(path) as wheel:
        names = [name for name in wheel.namelist() if not name.endswith("/RECORD")]
        return path.name, {name: wheel.read(name) for name in names}


def main():
    version, platform = sys.argv[2:4]
    program, notices, folder = map(Path, (sys.argv[1], *sys.argv[4:6]))
    if len(sys.argv) > 6:
        name, files = module(Path(sys.argv[6]))
    else:
        name, files = bare(version, platform)
    files[f"{PROJECT}-{version}.dist-info/licenses/{notices.name}"] = notices.read_bytes()
    script = f"{PROJECT}-{version}.data/scripts/{program.name}"
    files[script] = program.read_bytes()

    written = time.gmtime(int(os.environ["SOURCE_DATE_EPOCH"]))[:6]
    with WheelFile(folder / name, "w", zipfile.ZIP_DEFLATED) as wheel:
        # What says what this is comes last, as the format's specification advises.
        for path in sorted(files, key=lambda path: (".dist-info/" in path, path)):
            entry = zipfile.ZipInfo(path, written)
            entry.create_system = 3
            entry.external_attr = (0o100755 if path == script else 0o100644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            wheel.writestr(entry, files[path])
    print(folder / name)


main()
