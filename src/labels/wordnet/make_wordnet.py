"""Make the tables of this folder from WordNet 3.0's dict files, and check ../imagenet.tsv against them.

    apt-get download wordnet-base && dpkg-deb -x wordnet-base_*.deb wordnet
    python make_wordnet.py wordnet/usr/share/wordnet

Debian's wordnet-base 1:3.0-37 was used. ImageNet's ids are `n` and a synset's offset in data.noun. Kept are
the noun synsets that are one of ImageNet's 1,000 classes or lie above one, by hypernyms and instance
hypernyms.

synsets.tsv: id, ids of the parents, lemmas. Parents stand before their children. The classes come last, in
ImageNet's order, and leave their lemmas to ../imagenet.tsv.

senses.tsv: the words that several of those synsets share, with the synsets' ids in the order of the word's
senses in index.noun. A word is a lemma in lower case whose underscores and hyphens are spaces; where that
makes one word of two lemmas, the senses of the one with fewer hyphens come first.

plurals.tsv: the irregular plurals of noun.exc whose singular is a word, or a part of a word, of these synsets.
"""

import sys
from pathlib import Path

HERE = Path(__file__).parent


def read_synsets(dict_folder):
    """Lemmas and parents of every noun synset, by id."""
    synsets = {}
    for line in (dict_folder / "data.noun").read_text("ascii").splitlines():
        if line.startswith("  "):  # the licence
            continue
        fields = line.split(" | ")[0].split()
        lemma_count = int(fields[3], 16)
        lemmas = fields[4 : 4 + 2 * lemma_count : 2]
        pointers = fields[5 + 2 * lemma_count :]
        pointers = zip(pointers[::4], pointers[1::4])
        parents = ["n" + offset for symbol, offset in pointers if symbol in ("@", "@i")]
        synsets["n" + fields[0]] = (lemmas, parents)
    return synsets


def read_senses(dict_folder):
    """The ids of every noun's synsets, in the order of its senses."""
    senses = {}
    for line in (dict_folder / "index.noun").read_text("ascii").splitlines():
        if line.startswith("  "):
            continue
        fields = line.split()
        senses[fields[0]] = ["n" + offset for offset in fields[-int(fields[2]) :]]
    return senses


def fold(lemma):
    return lemma.lower().replace("_", " ").replace("-", " ")


def above(ids, synsets):
    """These synsets and all above them, each with the length of its longest way from the top."""
    depths = {}

    def depth(id):
        if id not in depths:
            parents = synsets[id][1]
            depths[id] = 1 + max(map(depth, parents)) if parents else 0
        return depths[id]

    for id in ids:
        depth(id)
    return depths


def write(name, lines):
    lines = list(lines)
    (HERE / name).write_text("".join(line + "\n" for line in lines))
    print(f"{name}: {len(lines)} lines, {(HERE / name).stat().st_size} bytes")


def main():
    dict_folder = Path(sys.argv[1])
    synsets = read_synsets(dict_folder)
    senses = read_senses(dict_folder)

    rows = (HERE.parent / "imagenet.tsv").read_text().splitlines()
    classes = dict(row.split("\t") for row in rows)
    for id, label in classes.items():
        lemmas = ", ".join(synsets[id][0]).replace("_", " ")
        assert label == lemmas, f"{id} is {label!r} to ImageNet and {lemmas!r} to WordNet"
    print(f"{len(classes)} classes are WordNet's, their names too")

    depths = above(classes, synsets)
    groups = sorted(depths.keys() - classes.keys(), key=lambda id: (depths[id], id))
    kept = groups + list(classes)

    def row(id):
        lemmas, parents = synsets[id]
        assert not any("," in lemma for lemma in lemmas), lemmas
        fields = [id, " ".join(parents)]
        if id not in classes:
            fields.append(", ".join(lemmas).replace("_", " "))
        return "\t".join(fields)

    write("synsets.tsv", map(row, kept))

    spellings = {}
    for id in kept:
        for lemma in synsets[id][0]:
            spellings.setdefault(fold(lemma), set()).add(lemma.lower())
    shared = {}
    for word, lemmas in spellings.items():
        order = [
            id
            for lemma in sorted(lemmas, key=lambda lemma: (lemma.count("-"), lemma))
            for id in senses[lemma]
            if id in depths
        ]
        order = list(dict.fromkeys(order))
        if len(order) > 1:
            shared[word] = order
    write("senses.tsv", (f"{word}\t{' '.join(ids)}" for word, ids in sorted(shared.items())))

    parts = {part for word in spellings for part in word.split()}
    plurals = []
    for line in (dict_folder / "noun.exc").read_text("ascii").splitlines():
        plural, *singulars = line.split()
        known = [singular for singular in singulars if singular in parts and singular != plural]
        plurals += [f"{plural}\t{singular}" for singular in known]
    write("plurals.tsv", plurals)


main()
