"""Makes fit.json: integers fitted to a product of matrices, by numpy and in the paper's own form.

    python make.py    # numpy 2.4

Ridge regression by a general solver; GPTQ (Frantar et al. 2022) with the inverse of the Hessian and its
Cholesky factor, as the paper has it. The library uses neither inverse nor solver, so that little can be
wrong in both.
"""

import json
import pathlib

import numpy as np

OUT, IN, PIXELS = 5, 12, 60
RIDGE, DAMPING, MOST = 1.0, 0.03, 127


def fit(weight, bias, floats, integers):
    """Integers, steps and biases, from inputs `[in, pixel]` in floats and as they are after rounding."""
    mean_f, mean_i = floats.mean(1), integers.mean(1)
    a, b = integers - mean_i[:, None], floats - mean_f[:, None]
    covariance, cross = a @ a.T / a.shape[1], b @ a.T / a.shape[1]
    variance = np.diag(covariance).mean()
    eye = np.eye(len(covariance)) * variance
    best = (weight @ cross + RIDGE * variance * weight) @ np.linalg.inv(covariance + RIDGE * eye)
    steps = np.abs(best).max(1) / MOST
    order = np.argsort(-np.diag(covariance), kind="stable")
    inverse = np.linalg.inv((covariance + DAMPING * eye)[np.ix_(order, order)])
    upper = np.linalg.cholesky(inverse).T
    rest, rounded = best[:, order].copy(), np.zeros(best.shape)
    for i in range(len(order)):
        rounded[:, i] = np.clip(np.round(rest[:, i] / steps), -MOST, MOST)
        error = (rest[:, i] - rounded[:, i] * steps) / upper[i, i]
        rest[:, i:] -= np.outer(error, upper[i, i:])
    q = np.zeros(best.shape)
    q[:, order] = rounded
    shifted = bias + weight @ mean_f - (q * steps[:, None]) @ mean_i
    return q, steps, shifted


def main():
    rng = np.random.default_rng(7)
    mixing = rng.normal(size=(IN, IN))
    floats = np.clip(mixing @ rng.normal(size=(IN, PIXELS)) + 0.5, 0, 6).astype(np.float32)
    step = np.float32(6 / 255)
    integers = (np.round(floats / step + rng.normal(size=floats.shape)).clip(0, 255) * step).astype(np.float32)
    weight = rng.normal(size=(OUT, IN)).astype(np.float32)
    bias = rng.normal(size=OUT).round(6)
    q, steps, shifted = fit(weight.astype(float), bias, floats.astype(float), integers.astype(float))
    out = {
        "weight": weight.flatten().tolist(),
        "bias": bias.tolist(),
        "floats": floats.flatten().tolist(),
        "integers": integers.flatten().tolist(),
        "expected": q.astype(int).flatten().tolist(),
        "steps": steps.tolist(),
        "shifted": shifted.tolist(),
    }
    pathlib.Path(__file__).with_name("fit.json").write_text(json.dumps(out) + "\n")


if __name__ == "__main__":
    main()
