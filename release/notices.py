"""Prints the licences of the crates that the program for TARGET is made of, with their texts: notices.py TARGET

Most of them ask that their copyright goes along with a program. cargo-about does the like, but wants a table of accepted
licences and of where to find each text that it can't tell; here every text that a crate brings is printed, once.
"""

import json
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
NAMES = ("LICEN[CS]E*", "COPYING*", "COPYRIGHT*", "NOTICE*", "UNLICENSE*", "README.ijg")


def metadata(target):
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", target]
    return json.loads(subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.PIPE).stdout)


def linked(data):
    """The packages in the program: no build scripts' or tests', and no macros, which only the compiler runs."""
    packages = {package["id"]: package for package in data["packages"]}
    nodes = {node["id"]: node for node in data["resolve"]["nodes"]}
    found, waiting = {}, [data["resolve"]["root"]]
    while waiting:
        identity = waiting.pop()
        is_macro = any("proc-macro" in target["kind"] for target in packages[identity]["targets"])
        if identity in found or is_macro:
            continue
        found[identity] = packages[identity]
        for dependency in nodes[identity]["deps"]:
            if any(kind["kind"] is None for kind in dependency["dep_kinds"]):
                waiting.append(dependency["pkg"])
    del found[data["resolve"]["root"]]
    return sorted(found.values(), key=lambda package: (package["name"], package["version"]))


def texts(package):
    folder = Path(package["manifest_path"]).parent
    paths = {path for name in NAMES for path in folder.rglob(name) if path.is_file() and path.suffix not in {".rs", ".py"}}
    for path in sorted(paths):
        yield path.relative_to(folder).as_posix(), path.read_text(errors="replace").strip()


def main():
    printed = {}
    print("mobilenet is MIT or Apache-2.0. It contains the crates below, and Rust's standard library (MIT or Apache-2.0).")
    print("This software is based in part on the work of the Independent JPEG Group.")
    for package in linked(metadata(sys.argv[1])):
        name = f"{package['name']} {package['version']}"
        print(f"\n{'=' * 80}\n{name}: {package['license'] or 'its own licence'}")
        if package["authors"]:
            print("by " + ", ".join(package["authors"]))
        if package["repository"]:
            print(package["repository"])
        for path, text in texts(package):
            where = printed.setdefault(text, f"{path} of {name}")
            if where == f"{path} of {name}":
                print(f"\n--- {path}\n\n{text}")
            else:
                print(f"--- {path}: the same text as {where}")


main()
