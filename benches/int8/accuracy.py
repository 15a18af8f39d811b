"""What fewer bits change: accuracy and first labels of a folder of labelled pictures, in f32 and in another type.

    python accuracy.py PROGRAM FOLDER CHECKPOINT SIZE [int8|bf16]

FOLDER has a folder for each class, as `mobilenet eval` takes it. Needs nothing but Python.
"""

import csv
import subprocess
import sys
import tempfile


def predictions(program, folder, checkpoint, size, dtype):
    """The rows of `eval --predictions`."""
    with tempfile.NamedTemporaryFile(suffix=".csv") as file:
        command = [program, "eval", folder, "--weights", checkpoint, "--size", size, "--dtype", dtype]
        # Pictures that can't be read are an exit code of 2, and rows of their own.
        subprocess.run([*command, "--predictions", file.name, "--quiet"], stdout=subprocess.DEVNULL)
        with open(file.name, newline="") as table:
            return [row for row in csv.DictReader(table) if not row["error"]]


def main():
    program, folder, checkpoint, size, dtype = [*sys.argv[1:], "int8"][:5]
    f32, other = (predictions(program, folder, checkpoint, size, name) for name in ("f32", dtype))
    if not f32 or [row["path"] for row in f32] != [row["path"] for row in other]:
        sys.exit("no pictures, or not the same ones")
    count = len(f32)
    right = [sum(row["predicted_index"] == row["true_index"] for row in rows) for rows in (f32, other)]
    same = sum(a["predicted_index"] == b["predicted_index"] for a, b in zip(f32, other))
    moved = sorted(abs(float(a["true_score"]) - float(b["true_score"])) for a, b in zip(f32, other))
    print(f"{count} pictures")
    print(f"top-1 in f32    {100 * right[0] / count:6.2f} %")
    print(f"top-1 in {dtype:7}{100 * right[1] / count:6.2f} %")
    print(f"same label      {100 * same / count:6.2f} %")
    print(f"score of the true class moves by {moved[count // 2]:.4f} (median), {moved[-1]:.3f} (most)")


if __name__ == "__main__":
    main()
