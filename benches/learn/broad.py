"""Sorts photographs that are named by WordNet id (`n02123045_tabby.JPEG`, as in sets with a photograph or more of each
ImageNet class) into tasks of broad classes for learn.py, each a folder of

    train/CLASS/*   60 % of a class, at most 60 pictures
    test/CLASS/*    the rest, at most 40
    other/any/*     400 pictures of none of the classes

    python broad.py PHOTOGRAPHS FOLDER

A class is a group of WordNet's nouns; a photograph that is of two of them is left out.
"""

import random
import sys
from pathlib import Path

SYNSETS = Path(__file__).parents[2] / "src/labels/wordnet/synsets.tsv"
TASKS = {
    "broad10": ["dog", "bird", "reptile", "insect", "fish", "vehicle", "musical instrument", "furniture", "food", "clothing"],
    "animals4": ["mammal", "bird", "reptile", "invertebrate"],
    "artifacts6": ["vehicle", "musical instrument", "furniture", "clothing", "container", "structure"],
    "things3": ["dog", "vehicle", "food"],
}
MOST, OTHERS = 100, 400


def groups():
    """The names of the groups above each synset, itself included."""
    above = {}
    for line in SYNSETS.read_text().splitlines():
        synset, parents, *names = line.split("\t")
        own = {names[0].split(", ")[0]} if names else set()
        above[synset] = own.union(*(above[parent] for parent in parents.split()))
    return above


photographs, root = Path(sys.argv[1]), Path(sys.argv[2])
above = groups()
pictures = {path: above[path.name[:9]] for path in sorted(photographs.glob("n*")) if path.name[:9] in above}
for task, classes in TASKS.items():
    rng = random.Random(7)
    placed = []
    for name in classes:
        members = [path for path, found in pictures.items() if found.intersection(classes) == {name}]
        rng.shuffle(members)
        members = members[:MOST]
        held_out = len(members) * 6 // 10
        placed += [(f"train/{name}", path) for path in members[:held_out]]
        placed += [(f"test/{name}", path) for path in members[held_out:]]
    others = [path for path, found in pictures.items() if not found.intersection(classes)]
    rng.shuffle(others)
    placed += [("other/any", path) for path in others[:OTHERS]]
    for folder, path in placed:
        (root / task / folder).mkdir(parents=True, exist_ok=True)
        (root / task / folder / path.name).symlink_to(path.resolve())
