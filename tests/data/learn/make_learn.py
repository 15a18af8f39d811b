"""Makes golden.safetensors: what scikit-learn's LogisticRegression comes to on small, awkward
sets of examples.

    python make_learn.py

Needs numpy, safetensors, scikit-learn (made with 1.9.1). For each case NAME: `NAME.embeddings`
[examples, views, length] f32, `NAME.classes` [examples] u32, `NAME.regularisation` and `NAME.c` f64,
`NAME.weight` [classes, length] and `NAME.bias` [classes] f64.
"""

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from sklearn.linear_model import LogisticRegression

rng = np.random.default_rng(20)


def clusters(counts, length, views, spread):
    """Examples around a centre for each class; like embeddings they are not negative."""
    centres = rng.normal(1, 1, (len(counts), length))
    classes = np.repeat(np.arange(len(counts)), counts)
    noise = rng.normal(0, spread, (len(classes), 1, length))
    noise = noise + rng.normal(0, 0.3, (len(classes), views, length))
    return np.maximum(centres[classes, None] + noise, 0).astype("f4"), classes


def cases():
    yield "several", *clusters([20, 15, 10, 5], 8, 1, 1.5), 1e-2
    yield "views", *clusters([20, 15, 10], 8, 2, 1.5), 1e-3
    yield "two", *clusters([30, 10], 6, 2, 1.5), 1e-3
    yield "few", *clusters([6, 6, 6], 40, 2, 1.0), 1e-4
    yield "separable", *clusters([10, 10, 10], 12, 1, 0.05), 1e-6
    embeddings, classes = clusters([15, 15, 15], 4, 1, 1.0)
    # The same feature twice, ten times one, a constant one, and one that is always 0.
    more = [embeddings, embeddings[..., :1], 10 * embeddings[..., 1:2]]
    more += [np.full_like(embeddings[..., :1], 3), np.zeros_like(embeddings[..., :1])]
    yield "collinear", np.concatenate(more, 2), classes, 1e-4
    yield "strong", *clusters([20, 10, 5], 8, 1, 1.5), 1.0
    yield "balanced", *clusters([40, 12, 4], 8, 2, 1.5), 1e-2
    yield "balanced two", *clusters([30, 5], 6, 1, 1.5), 1e-3


def solve(embeddings, classes, regularisation, balanced):
    count, views, length = embeddings.shape
    x = embeddings.reshape(-1, length).astype("f8")
    y = np.repeat(classes, views)
    scale = np.sqrt(((x - x.mean(0)) ** 2).sum(1).mean())
    c = 1 / (regularisation * count * scale**2)
    if classes.max() == 1:
        # One weight vector w in place of w / 2 and -w / 2, whose square is twice theirs.
        c *= 2
    weights = np.full(len(y), 1 / views)
    # Centred for the solver's sake alone: the bias is not regularised.
    def fit(solver):
        model = LogisticRegression(C=c, solver=solver, tol=1e-13, max_iter=1_000_000,
                                   class_weight="balanced" if balanced else None)
        model.fit((x - x.mean(0)) / scale, y, sample_weight=weights)
        return model
    # On divided features a weight is larger by the scale, and its square costs less.
    c *= scale**2
    model, other = fit("newton-cholesky"), fit("lbfgs")
    assert np.allclose(model.coef_, other.coef_, rtol=1e-3, atol=1e-3 * abs(model.coef_).max())
    weight, bias = model.coef_ / scale, model.intercept_
    bias = bias - weight @ x.mean(0)
    if len(weight) == 1:
        weight, bias = np.vstack([-weight, weight]) / 2, np.hstack([-bias, bias]) / 2
    bias = bias - bias.mean()
    return {"weight": weight, "bias": bias, "c": np.array([c / scale**2])}


tensors = {}
for name, embeddings, classes, regularisation in cases():
    tensors[f"{name}.embeddings"] = embeddings
    tensors[f"{name}.classes"] = classes.astype("u4")
    tensors[f"{name}.regularisation"] = np.array([regularisation])
    for key, value in solve(embeddings, classes, regularisation, name.startswith("balanced")).items():
        tensors[f"{name}.{key}"] = np.ascontiguousarray(value)
save_file(tensors, Path(__file__).with_name("golden.safetensors"))
