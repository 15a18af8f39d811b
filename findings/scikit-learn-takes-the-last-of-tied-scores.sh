#!/usr/bin/env bash
# scikit-learn's top_k_accuracy_score(k=1) is not accuracy_score(argmax) once scores have been through eight bits.
#
# An int8 softmax answers in steps of 1/256, so that scores tie, also for the first place. argmax takes the first of the
# tied classes, top_k_accuracy_score the last (its notes say so). Where a network says little, the one answers class 0
# and the other the last class. A table of top-1 and top-5 made with the two functions contradicts itself.
# Source: scikit-learn 1.9.1, metrics/_ranking.py, the notes of top_k_accuracy_score.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check scikit-learn==1.9.1 numpy==2.4.6
"$work/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
import sklearn
from sklearn.metrics import accuracy_score, top_k_accuracy_score

random = np.random.default_rng(1)
classes = np.arange(1000)
truth = random.integers(0, 1000, 5000)
logits = random.normal(0, 1, (5000, 1000))
logits[np.arange(5000), truth] += 3.5  # a fair classifier, right three times in five
scores = np.exp(logits)
scores /= scores.sum(1, keepdims=True)
eight_bits = np.clip(np.round(scores * 256), 0, 255) / 256

print(f"scikit-learn {sklearn.__version__}: 5000 answers over 1000 classes, in float and in steps of 1/256")
print("expected: top_k_accuracy_score with k=1 equals accuracy_score of argmax, as it does in float")
results = {}
for name, answers in [("float64", scores), ("8 bits", eight_bits)]:
    by_argmax = accuracy_score(truth, answers.argmax(1))
    top1 = top_k_accuracy_score(truth, answers, k=1, labels=classes)
    mirrored = top_k_accuracy_score(999 - truth, answers[:, ::-1], k=1, labels=classes)
    tied = ((answers == answers.max(1, keepdims=True)).sum(1) > 1).mean()
    results[name] = by_argmax, top1, mirrored
    print(f"observed: {name}: tied for the first place {tied:.1%}; argmax {by_argmax:.4f}, top-1 {top1:.4f},"
          f" top-1 with the classes numbered backwards {mirrored:.4f}")
as_stated = (
    results["float64"][0] == results["float64"][1] == results["float64"][2]
    and results["8 bits"][0] != results["8 bits"][1]
    and results["8 bits"][0] == results["8 bits"][2]
)
sys.exit(0 if as_stated else "The behaviour is not as stated.")
PYTHON
