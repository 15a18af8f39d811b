#!/usr/bin/env bash
# scikit-learn's log_loss of the same scores depends on whether they come as float16, float32 or float64.
#
# A score of 0 for the true class is raised to the machine precision of the array's type before the logarithm: such a
# mistake costs 6.9 in float16, 15.9 in float32 and 36.0 in float64. Classifiers do answer exactly 0: an int8 softmax
# for most of its classes, a float32 one for whatever lies 104 below the largest logit. So astype() moves the loss of a
# whole validation set, and which of two models is better can depend on the type alone.
# Source: scikit-learn 1.9.1, metrics/_classification.py, log_loss(): xp.finfo(y_proba.dtype).eps.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check scikit-learn==1.9.1 numpy==2.4.6
"$work/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
import sklearn
from sklearn.metrics import log_loss

# 100 pictures of two classes: every score is exact in all three types.
truth = [0] * 98 + [1] * 2
sure = np.array([[1.0, 0.0]] * 100)  # always class 0: two mistakes, each with a score of 0 for the truth
modest = np.array([[0.75, 0.25]] * 70 + [[0.5, 0.5]] * 28 + [[0.75, 0.25]] * 2)

print(f"scikit-learn {sklearn.__version__}: log loss of the same scores in three types; lower is better")
print("expected: the same loss, and the same better model")
better = {}
for dtype in [np.float16, np.float32, np.float64]:
    losses = {name: float(log_loss(truth, scores.astype(dtype))) for name, scores in
              [("sure", sure), ("modest", modest)]}
    better[dtype.__name__] = min(losses, key=losses.get), losses["sure"]
    print(f"observed: {dtype.__name__}: sure {losses['sure']:.4f}, modest {losses['modest']:.4f}:"
          f" {better[dtype.__name__][0]} is better")
as_stated = (
    better["float16"][0] == "sure" == better["float32"][0]
    and better["float64"][0] == "modest"
    and abs(better["float64"][1] - 0.72) < 0.01
    and abs(better["float16"][1] - 0.14) < 0.01
)
sys.exit(0 if as_stated else "The behaviour is not as stated.")
PYTHON
