"""What the tests share: the program, whose answers are expected, and a network."""

import json
import os
import subprocess
from pathlib import Path

import pytest

import mobilenet

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("MOBILENET", str(ROOT / "target/release/mobilenet"))
DIGITS = ROOT / "weights/digits.safetensors"


def run_program(*arguments):
    """What the program prints; a picture that can't be read (exit code 2) is an answer too."""
    command = [PROGRAM, "--quiet", *map(os.fspath, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, cwd=ROOT, check=False)
    assert done.returncode in (0, 2), command
    return done.stdout


def printed_rows(*arguments):
    """The rows of `classify --jsonl`."""
    return [json.loads(line) for line in run_program("classify", "--jsonl", *arguments).splitlines()]


@pytest.fixture(autouse=True)
def in_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.fixture(scope="session")
def digits():
    return mobilenet.Classifier(DIGITS)


@pytest.fixture(scope="session")
def samples():
    return sorted(str(path.relative_to(ROOT)) for path in (ROOT / "samples").rglob("*.??g"))
