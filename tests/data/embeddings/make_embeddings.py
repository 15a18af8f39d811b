"""Make what NumPy, safetensors and scikit-learn make of embeddings.

    pip install numpy safetensors scikit-learn scipy
    python make_embeddings.py

The versions used are in `similar.json`. The embeddings of the tiny network's two
pictures are Keras's (`../keras/tiny.golden.safetensors`).

- `keras.npy`: both, as `numpy.save` writes them; `none.npy`: no row of as many values
- `album.safetensors`: random vectors, some of them like the first picture's embedding, copies and multiples of
  others, one of zeros, one of NaN, as `mobilenet embed` writes them
- `similar.json`: `nearest`, the rows in the order of scikit-learn's cosine similarity to the first picture's
  embedding, of equal ones the first; `groups`, SciPy's connected components of the rows that are at least
  as similar as a threshold
"""

import json
from pathlib import Path

import numpy
import scipy
import sklearn
from numpy import float32
from safetensors.numpy import load_file, save_file
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from sklearn.metrics.pairwise import cosine_similarity

HERE = Path(__file__).parent
COUNT = 60

golden = load_file(HERE.parent / "keras" / "tiny.golden.safetensors")
keras = numpy.stack([golden["a.embedding"], golden["b.embedding"]]).astype(float32)
numpy.save(HERE / "keras.npy", keras)
numpy.save(HERE / "none.npy", keras[:0])

random = numpy.random.default_rng(7)
width = keras.shape[1]
rows = random.exponential(size=(COUNT, width)).astype(float32)
# Chains of ever less likeness to the first picture, and to another row.
for i in range(10):
    rows[5 * i + 1] = keras[0] * (1 + 0.08 * i * random.standard_normal(width))
    rows[5 * i + 2] = rows[2] * (1 + 0.1 * i * random.standard_normal(width))
# Copies, and vectors of the same direction whose cosine is exactly the same.
rows[50], rows[51], rows[52] = rows[11], rows[3] * 4, rows[11] * 0.5
rows[53] = rows[8]
rows[54] = 0
rows[55] = numpy.nan
paths = [f"album/{i:02}.png" for i in range(COUNT)]
errors = {"55": {"kind": "decode", "message": "damaged"}}
save_file(
    {"embeddings": rows},
    HERE / "album.safetensors",
    {"mobilenet_embeddings": "1", "paths": json.dumps(paths), "errors": json.dumps(errors)},
)

kept = [i for i in range(COUNT) if not numpy.isnan(rows[i]).any()]
exact = rows[kept].astype(float)
similarity = cosine_similarity(keras[:1].astype(float), exact)[0].astype(float32)
order = sorted(range(len(kept)), key=lambda i: (-similarity[i], i))
nearest = [[kept[i], float(similarity[i])] for i in order]

table = cosine_similarity(exact).astype(float32)
groups = {}
for threshold in [0.6, 0.8, 0.9, 0.99, 1.0]:
    count, component = connected_components(csr_matrix(table >= float32(threshold)), directed=False)
    found = []
    for members in (numpy.flatnonzero(component == c) for c in range(count)):
        if len(members) > 1:
            part = table[numpy.ix_(members, members)]
            pairs = part[numpy.triu_indices(len(members), 1)]
            found.append([[kept[i] for i in members], float(pairs.min()), float(pairs.max())])
    groups[str(threshold)] = sorted(found)
versions = {package.__name__: package.__version__ for package in (numpy, scipy, sklearn)}
with open(HERE / "similar.json", "w") as file:
    json.dump({"nearest": nearest, "groups": groups, "versions": versions}, file, indent=1)
    file.write("\n")
