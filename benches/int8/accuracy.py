"""What fewer bits change: accuracy and first labels of a folder of labelled pictures, in f32 and in another type.

    python accuracy.py PROGRAM FOLDER CHECKPOINT SIZE [int8|bf16|fitted]

FOLDER has a folder for each class, as `mobilenet eval` takes it. `fitted` is `mobilenet quantize` with 64 of the
pictures, four times with others; they don't count then. Needs nothing but Python.
"""

import csv
import os
import subprocess
import sys
import tempfile

FITTED_TO = 64
TIMES = 4


def predictions(program, folder, checkpoint, size, dtype):
    """The rows of `eval --predictions`."""
    with tempfile.NamedTemporaryFile(suffix=".csv") as file:
        command = [program, "eval", folder, "--weights", checkpoint, "--size", size, "--dtype", dtype]
        # Pictures that can't be read are an exit code of 2, and rows of their own.
        subprocess.run([*command, "--predictions", file.name, "--quiet"], stdout=subprocess.DEVNULL)
        with open(file.name, newline="") as table:
            return [row for row in csv.DictReader(table) if not row["error"]]


def compare(f32, other, name):
    if not f32 or [row["path"] for row in f32] != [row["path"] for row in other]:
        sys.exit("no pictures, or not the same ones")
    count = len(f32)
    right = [sum(row["predicted_index"] == row["true_index"] for row in rows) for rows in (f32, other)]
    same = sum(a["predicted_index"] == b["predicted_index"] for a, b in zip(f32, other))
    moved = sorted(abs(float(a["true_score"]) - float(b["true_score"])) for a, b in zip(f32, other))
    print(f"{count} pictures")
    print(f"top-1 in f32    {100 * right[0] / count:6.2f} %")
    print(f"top-1 in {name:7}{100 * right[1] / count:6.2f} %")
    print(f"same label      {100 * same / count:6.2f} %")
    print(f"score of the true class moves by {moved[count // 2]:.4f} (median), {moved[-1]:.3f} (most)")


def fitted(program, folder, checkpoint, size, f32):
    """Fits to some of the pictures and compares the others."""
    paths = [row["path"] for row in f32]
    step = len(paths) / FITTED_TO
    for time in range(TIMES):
        chosen = {paths[int((i + time / TIMES) * step)] for i in range(FITTED_TO)}
        with tempfile.TemporaryDirectory() as work:
            output = os.path.join(work, "int8.safetensors")
            command = [program, "quantize", checkpoint, "--size", size, "--files-from", "-", "-o", output, "--quiet"]
            subprocess.run(command, input="\n".join(sorted(chosen)), text=True, check=True)
            other = predictions(program, folder, output, size, "int8")
        left = [[row for row in rows if row["path"] not in chosen] for rows in (f32, other)]
        compare(*left, "fitted")


def main():
    program, folder, checkpoint, size, name = [*sys.argv[1:], "int8"][:5]
    f32 = predictions(program, folder, checkpoint, size, "f32")
    if name == "fitted":
        fitted(program, folder, checkpoint, size, f32)
    else:
        compare(f32, predictions(program, folder, checkpoint, size, name), name)


if __name__ == "__main__":
    main()
