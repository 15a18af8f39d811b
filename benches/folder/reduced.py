"""Tells what decoding JPEGs at a reduced scale does to the scores: `classify` with and without `--full-decode`.

    python reduced.py FOLDER --weights CHECKPOINT [--size PIXELS]

Over the pictures whose scores differ at all, each counted once: how many have another first class, by how much any
class's score moves, and by how much the ratio of the first two scores does.
"""

import argparse
import json
import math
import statistics
import subprocess


def scores(arguments, more):
    command = [arguments.binary, "classify", "--jsonl", "--quiet", "-k", "100000", "--weights", arguments.weights]
    command += ["--size", str(arguments.size)] if arguments.size else []
    answered = subprocess.run(command + more + [arguments.folder], stdout=subprocess.PIPE, check=False)
    rows = map(json.loads, answered.stdout.splitlines())
    return {row["path"]: {p["index"]: p["score"] for p in row["predictions"]} for row in rows if not row["error"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--weights", required=True)
    parser.add_argument("--size", type=int)
    parser.add_argument("--binary", default="../../target/release/mobilenet")
    arguments = parser.parse_args()
    reduced, full = scores(arguments, []), scores(arguments, ["--full-decode"])
    moved, ratios, changed, seen, redone = [], [], 0, set(), 0
    for path, exact in full.items():
        nearly = reduced[path]
        first, second = list(exact)[:2]
        if (key := (exact[first], exact[second])) in seen:
            continue
        seen.add(key)
        if nearly == exact:
            redone += 1
            continue
        moved.append(max(abs(nearly[index] - score) for index, score in exact.items()))
        ratios.append(abs(math.log(nearly[second] / nearly[first]) - math.log(exact[second] / exact[first])))
        changed += next(iter(nearly)) != first
    print(f"{len(seen)} pictures, {redone} the same; of the other {len(moved)} another first class: {changed}")
    for name, values in [("score", moved), ("ratio, as a logarithm,", ratios)]:
        values.sort()
        part = [statistics.median(values), values[int(0.95 * (len(values) - 1))], values[-1]]
        print(f"{name} moves by {part[0]:.4f} in the median, {part[1]:.4f} at 95 %, {part[2]:.4f} at most")


if __name__ == "__main__":
    main()
