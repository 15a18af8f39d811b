"""The types that checkers see are those that are there."""

import subprocess
import sys
from typing import get_type_hints

import mobilenet

EXAMPLE = """
import numpy as np
import mobilenet

classifier = mobilenet.Classifier("x.safetensors", device="cpu", threads=2, labels=["a", "b"])
for row in classifier.classify(["a.jpg"], top=1):
    error = row["error"]
    if error is not None:
        print(error["kind"] + error["message"])
    best: list[mobilenet.Prediction] = row["predictions"]
    score: float = best[0]["score"]
rows: mobilenet.Rows = classifier.classify("folder")
first: mobilenet.Row = next(rows)
width: int = classifier.embed(["a.jpg"]).shape[1]
"""
WRONG = """
import mobilenet

classifier = mobilenet.Classifier("x.safetensors", colour=True)
classifier.classify(7)
next(classifier.classify("a"))["preditions"]
score: str = classifier.alpha
"""


def check(code, tmp_path):
    file = tmp_path / "example.py"
    file.write_text(code)
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), str(file)]
    return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)


def test_mypy_takes_what_is_right_and_refuses_what_is_wrong(tmp_path):
    done = check(EXAMPLE, tmp_path)
    assert done.returncode == 0, done.stdout
    done = check(WRONG, tmp_path)
    assert done.stdout.count(": error:") == 4, done.stdout


def test_the_stubs_are_the_modules(tmp_path):
    command = [sys.executable, "-m", "mypy.stubtest", "mobilenet"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout


def test_the_typed_keys_are_those_of_rows(digits):
    rows = list(digits.classify(["samples/digits/1-0.png", "missing.png"]))
    keys = set(get_type_hints(mobilenet.Row)) - {"path_base64"}
    assert all(set(row) == keys for row in rows)
    assert set(rows[0]["predictions"][0]) == set(get_type_hints(mobilenet.Prediction))
    assert set(rows[1]["error"]) == set(get_type_hints(mobilenet.PictureError))
