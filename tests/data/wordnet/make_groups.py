"""Make groups.tsv: which of ImageNet's classes are a dog, a vehicle, ..., as WordNet's own program has it.

    apt-get install wordnet
    python make_groups.py

Debian's wordnet 1:3.0-37 was used. What lies above a class is what `wn NAME -hypen` prints for the sense of
its name that is the class. Of each word's noun senses, in the order that `wn` prints them, the first one is
taken that is a class or lies above one. A line is the word, that sense's number and WordNet id, and the
indices of the classes. (`wn animal -treen` would be shorter, but finds that tree too large.)
"""

import re
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
CLASSES = HERE.parents[2] / "src" / "labels" / "imagenet.tsv"
WORDS = """
entity, physical entity, abstraction, artifact, animal, mammal, carnivore, dog, hunting dog, terrier, toy dog,
cat, big cat, wolf, bear, monkey, rodent, bird, bird of prey, fish, snake, turtle, insect, spider,
vehicle, motor vehicle, car, truck, boat, aircraft, crane, machine, tool, weapon, computer,
musical instrument, instrument, furniture, clothing, building, plate, screen, table, light, cardigan,
food, fruit, edible fruit, vegetable, drink, plant, flower, fungus, person, tree frog, bow tie, hen-of-the-woods
"""


def wn(word, *options):
    """Each noun sense that `wn` prints: its number, its id, the ids below it on the page."""
    command = ["wn", word.replace(" ", "_"), "-o", *options]
    page = subprocess.run(command, capture_output=True, text=True).stdout
    senses = re.split(r"^Sense (\d+)$", page, flags=re.MULTILINE)[1:]
    for number, text in zip(senses[::2], senses[1::2]):
        first, *others = ["n" + offset for offset in re.findall(r"\{(\d{8})\}", text)]
        yield number, first, others


def main():
    classes_of = {}
    for index, row in enumerate(CLASSES.read_text().splitlines()):
        wnid, label = row.split("\t")
        senses = [above for _, first, above in wn(label.split(", ")[0], "-hypen") if first == wnid]
        # `wn` prints a sense twice that has the word's singular as another name.
        for each in {wnid, *senses[0]}:
            classes_of.setdefault(each, []).append(index)

    lines = []
    for word in " ".join(WORDS.split()).split(", "):
        senses = [(number, wnid) for number, wnid, _ in wn(word, "-synsn") if wnid in classes_of]
        number, wnid = senses[0]
        classes = classes_of[wnid]
        print(f"{word}: sense {number}, {len(classes)} classes")
        lines.append("\t".join([word, number, wnid, " ".join(map(str, classes))]) + "\n")
    (HERE / "groups.tsv").write_text("".join(lines))


if __name__ == "__main__":
    main()
