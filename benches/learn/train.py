"""Measures `mobilenet train` from a checkpoint beside `mobilenet learn`: accuracy on pictures that neither has seen,
minutes and memory.

    python train.py PROGRAM WEIGHTS SIZE TRAIN TEST [--no-mirror]

TRAIN and TEST have a folder for each class, of the same names: `train` and `test` of a task of tasks.py, or natural
pictures. Prints the accuracy of `learn`, that of `train`, what `train` kept, seconds and MB.
"""

import json
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

program, weights, size, train, test = sys.argv[1:6]
more = sys.argv[6:]


def run(*arguments):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done


def accuracy(checkpoint):
    return json.loads(run("eval", "--json", "--weights", checkpoint, test).stdout)["accuracy"]


with tempfile.TemporaryDirectory() as scratch:
    learned, trained = Path(scratch, "learned.safetensors"), Path(scratch, "trained.safetensors")
    network = ["--weights", weights, "--size", size, *more]
    run("learn", train, "-o", learned, "--reject", "0", *network)
    begin = time.time()
    notes = run("train", train, "-o", trained, *network).stderr
    took = time.time() - begin
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    kept = re.search(r"kept .*", notes)[0]
    print(f"{accuracy(learned):.4f} {accuracy(trained):.4f} {took:.0f} {memory:.0f} {kept}", flush=True)
