"""Makes metrics.scores.safetensors and metrics.json: scores of networks that don't exist, and what
scikit-learn makes of them.

    python make_metrics.py      (numpy 2.4.6, scikit-learn 1.9.1, safetensors)

Means are there twice: as scikit-learn has them, with numpy's pairwise sums, and with exact sums
(`math.fsum`), which differ in the last digit or two.
"""

import json
import math
import warnings
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    log_loss,
    precision_recall_fscore_support,
    top_k_accuracy_score,
)

# f32 scores don't sum to 1 as closely as scikit-learn likes.
warnings.filterwarnings("ignore")
HERE = Path(__file__).parent


def calibration_error(scores, truth, bins=15):
    """The expected calibration error as the code beside Guo et al. 2017 computes it
    (github.com/gpleiss/temperature_scaling), in float64."""
    confidences = scores.max(axis=1).astype(np.float64)
    right = scores.argmax(axis=1) == truth
    borders = np.linspace(0, 1, bins + 1)
    error = 0.0
    for low, high in zip(borders[:-1], borders[1:]):
        inside = (confidences > low) & (confidences <= high)
        if inside.any():
            gap = np.abs(confidences[inside].mean() - right[inside].mean())
            error += gap * inside.mean()
    return float(error)


def first_k_accuracy(truth, scores, k):
    """scikit-learn's, where of equal scores the first class goes before the others, as for
    `argmax`. Its own order is the other way round, and so are the classes here."""
    classes = scores.shape[1]
    return top_k_accuracy_score(
        classes - 1 - truth, scores[:, ::-1], k=k, labels=np.arange(classes)
    )


def metrics(scores, truth):
    classes = scores.shape[1]
    labels = np.arange(classes)
    predicted = scores.argmax(axis=1)
    precision, recall, f1, support = precision_recall_fscore_support(
        truth, predicted, labels=labels, average=None, zero_division=0
    )
    # Without `labels`: of the classes that occur.
    averages = {
        average: precision_recall_fscore_support(
            truth, predicted, average=average, zero_division=0
        )[:3]
        for average in ["macro", "weighted"]
    }
    occurs = np.isin(labels, np.union1d(truth, predicted))
    per_class = [precision, recall, f1]
    true_scores = scores.astype(np.float64)[np.arange(len(truth)), truth]
    clipped = np.clip(true_scores, np.finfo(np.float64).eps, 1 - np.finfo(np.float64).eps)
    k = min(5, classes)
    return {
        "accuracy": accuracy_score(truth, predicted),
        "top_k_accuracy": 1.0
        if k == classes
        else first_k_accuracy(truth, scores, k),
        "confusion": confusion_matrix(truth, predicted, labels=labels).tolist()
        if classes <= 12
        else None,
        "confused": int((truth != predicted).sum()),
        "support": support.tolist(),
        "precision": precision.tolist(),
        "recall": recall.tolist(),
        "f1": f1.tolist(),
        "macro": averages["macro"],
        "weighted": averages["weighted"],
        "macro_exact": [math.fsum(v[occurs]) / occurs.sum() for v in per_class],
        "weighted_exact": [math.fsum(v * support) / support.sum() for v in per_class],
        "log_loss": log_loss(truth, scores.astype(np.float64), labels=labels),
        "log_loss_exact": math.fsum(-math.log(p) for p in clipped) / len(truth),
        "calibration_error": calibration_error(scores, truth),
    }


def with_unknown(scores, truth, threshold):
    """Where scores under a threshold are answered with `unknown`, one class more; `truth` is -1 for pictures of other
    things."""
    classes = scores.shape[1]
    truth = np.where(truth < 0, classes, truth)
    rejected = scores.max(axis=1) < threshold
    answers = np.where(rejected, classes, scores.argmax(axis=1))
    labels = np.arange(classes + 1)
    per_class = precision_recall_fscore_support(
        truth, answers, labels=labels, average=None, zero_division=0
    )
    # As a class it occurs where there are pictures of other things.
    counted = np.union1d(truth, answers[answers < classes])
    averages = {
        average: precision_recall_fscore_support(
            truth, answers, labels=counted, average=average, zero_division=0
        )[:3]
        for average in ["macro", "weighted"]
    }
    # A rejected picture has one answer, the others the five with the highest scores.
    ranked = np.argsort(-scores, axis=1, kind="stable")[:, :5]
    among = (ranked == truth[:, None]).any(axis=1)
    return {
        "threshold": threshold,
        "accuracy": accuracy_score(truth, answers),
        "top_k_accuracy": np.where(rejected, truth == classes, among).mean(),
        "per_class": [values.tolist() for values in per_class],
        **averages,
    }


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def case(rng, pictures, classes, sharpness, absent=(), never=()):
    """Scores that are right more often than not; `absent` classes have no pictures, `never` are
    never predicted."""
    present = np.setdiff1d(np.arange(classes), absent)
    truth = rng.choice(present, size=pictures)
    logits = rng.normal(size=(pictures, classes)) * sharpness
    logits[np.arange(pictures), truth] += 2 * sharpness
    logits[:, list(never)] -= 50
    return softmax(logits), truth.astype(np.int64)


def main():
    rng = np.random.default_rng(20170617)
    cases = {
        "small": case(rng, 50, 3, 1.0),
        "two": case(rng, 40, 2, 0.5),
        "gaps": case(rng, 200, 12, 1.0, absent=[0, 5, 11], never=[3, 5, 9]),
        # More classes than numpy sums in one go.
        "many": case(rng, 160, 140, 1.5, absent=[7, 70]),
        # Scores of exactly 0 and 1.
        "sure": case(rng, 80, 6, 60.0, absent=[2]),
        "one": case(rng, 1, 8, 1.0),
    }
    # The first eight classes are those of the network.
    scores, truth = case(rng, 240, 11, 0.9)
    others = np.where(truth > 7, -1, truth)
    scores = scores[:, :8] / scores[:, :8].sum(axis=1, keepdims=True)
    unknown = {
        "some": (scores, others, 0.5),
        "none": (scores[others >= 0], others[others >= 0], 0.45),
        "only": (scores[others < 0], others[others < 0], 0.5),
    }
    tensors = {}
    for name, (scores, truth, _) in unknown.items():
        tensors[f"unknown.{name}.scores"] = scores.copy()
        tensors[f"unknown.{name}.truth"] = truth.copy()
    for name, (scores, truth) in cases.items():
        tensors[f"{name}.scores"] = scores
        tensors[f"{name}.truth"] = truth
    save_file(tensors, HERE / "metrics.scores.safetensors")
    golden = {name: metrics(*case) for name, case in cases.items()}
    golden["unknown"] = {name: with_unknown(*case) for name, case in unknown.items()}
    (HERE / "metrics.json").write_text(json.dumps(golden, default=float) + "\n")


main()
