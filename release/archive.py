"""Packs a folder: archive.py FOLDER FILE.tar.gz|FILE.zip

The same files give the same bytes: sorted, owned by root, as old as $SOURCE_DATE_EPOCH says.
"""

import gzip
import os
import sys
import tarfile
import time
import zipfile
from pathlib import Path


def mode(path):
    """Umasks differ; what counts is whether a file may be run."""
    return 0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644


def tar(folder, paths, output, seconds):
    with (
        open(output, "wb") as file,
        gzip.GzipFile("", "wb", 9, file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as archive,
    ):
        for path in paths:
            entry = archive.gettarinfo(path, path.relative_to(folder.parent).as_posix())
            entry.mode, entry.mtime = mode(path), seconds
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = "root"
            if path.is_file():
                with path.open("rb") as contents:
                    archive.addfile(entry, contents)
            else:
                archive.addfile(entry)


def zip_(folder, paths, output, seconds):
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in filter(Path.is_file, paths):
            name = path.relative_to(folder.parent).as_posix()
            entry = zipfile.ZipInfo(name, time.gmtime(seconds)[:6])
            entry.create_system = 3
            entry.external_attr = (0o100000 | mode(path)) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())


def main():
    folder, output = Path(sys.argv[1]), sys.argv[2]
    paths = [folder, *sorted(folder.rglob("*"))]
    pack = zip_ if output.endswith(".zip") else tar
    pack(folder, paths, output, int(os.environ["SOURCE_DATE_EPOCH"]))


main()
