"""Measures `mobilenet learn` on the tasks of tasks.py or broad.py: accuracy on held-out members, beside that of
scikit-learn's logistic regression on the same embeddings, how many of the members and how many
pictures of other things are rejected at `--reject 0.05` and at 0.2, and how long it takes.

    python learn.py PROGRAM TASKS WEIGHTS SIZE [EMBEDDER]

scikit-learn has no mirror images to learn from, and `learn` has none where they are not digits
any more.

EMBEDDER is the program that has `embed`, if it is another one. Needs numpy, scikit-learn.
"""

import csv
import json
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegressionCV
from sklearn.metrics import roc_auc_score

program, tasks, weights, size = sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4]
embedder = sys.argv[5] if len(sys.argv) > 5 else program


def run(*arguments):
    done = subprocess.run([str(a) for a in arguments], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def predictions(checkpoint, folder, *options):
    rows = run(program, "classify", "--jsonl", "-k", 1, *options, "--weights", checkpoint, folder)
    rows = [json.loads(row) for row in rows.splitlines()]
    return [(Path(row["path"]).parent.name, row["predictions"][0]) for row in rows]


def embeddings(folder, scratch):
    files = "-o", scratch / "e.npy", "--paths", scratch / "e.jsonl"
    run(embedder, "embed", "--weights", weights, "--size", size, *files, folder)
    rows = [json.loads(row) for row in (scratch / "e.jsonl").read_text().splitlines()]
    return np.load(scratch / "e.npy").astype(float), [Path(row["path"]).parent.name for row in rows]


def scikit_learns(folder, scratch):
    x, y = embeddings(folder / "train", scratch)
    held_out, truth = embeddings(folder / "test", scratch)
    centre = x.mean(0)
    scale = np.sqrt(((x - centre) ** 2).sum(1).mean())
    strengths = 1 / (10.0 ** np.arange(-1, -8, -1) * len(x))
    model = LogisticRegressionCV(Cs=strengths, cv=5, scoring="neg_log_loss", max_iter=3000,
                                 l1_ratios=(0,), use_legacy_attributes=False)
    model.fit((x - centre) / scale, y)
    # Its own score would be the one that C is chosen by.
    return np.mean(model.predict((held_out - centre) / scale) == np.array(truth))


print(f"{'task':10} {'classes':>7} {'train':>5} {'CV':>6} {'test':>6} {'sklearn':>7} "
      f"{'members':>8} {'others':>7} {'AUROC':>6} {'at 0.2':>13} {'embed s':>8} {'fit s':>6}")
for folder in sorted(path for path in tasks.iterdir() if path.is_dir()):
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        own = scratch / "own.safetensors"
        alone = ["--no-mirror"] if folder.name == "digits" else []
        report = json.loads(run(program, "learn", folder / "train", "-o", own, "--json", *alone,
                                "--predictions", scratch / "p.csv", "--weights", weights, "--size", size))
        sure = predictions(own, folder / "test", "--threshold", 0)
        accuracy = np.mean([prediction["label"] == truth for truth, prediction in sure])
        unknown = lambda part: [p["label"] == "unknown" for _, p in predictions(own, folder / part)]
        scores = lambda part: [p["score"] for _, p in predictions(own, folder / part, "--threshold", 0)]
        members, others = scores("test"), scores("other")
        held_out = sorted(float(row["score"]) for row in csv.DictReader(open(scratch / "p.csv")))
        # As `learn --reject 0.2` has it.
        threshold = held_out[math.floor(0.2 * (len(held_out) + 1) + 1e-9) - 1]
        under = [np.mean(np.array(found) < threshold) for found in (members, others)]
        auroc = roc_auc_score([1] * len(members) + [0] * len(others), members + others)
        print(f"{folder.name:10} {len(report['classes']):7} {report['pictures']:5} "
              f"{report['accuracy']:6.1%} {accuracy:6.1%} {scikit_learns(folder, scratch):7.1%} "
              f"{np.mean(unknown('test')):8.1%} {np.mean(unknown('other')):7.1%} {auroc:6.3f} "
              f"{under[0]:6.1%} {under[1]:6.1%} "
              f"{report['embedding_seconds']:8.1f} {report['fitting_seconds']:6.1f}", flush=True)
