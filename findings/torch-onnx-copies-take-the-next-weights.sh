#!/usr/bin/env bash
# A copy of an exported .onnx file silently answers with the weights of the next export.
#
# torch.onnx.export writes the larger weights to NAME.onnx.data beside NAME.onnx, for small networks too, and NAME.onnx
# holds that file's name, an offset and a length, but no checksum. The usual loop "export, and copy the file if it is
# the best so far" copies the graph alone; the copy finds NAME.onnx.data in the same folder, whatever was written there
# last, and loads. Biases and other small tensors are in the copy, so that it runs a mixture of two networks.
# Source: torch.onnx.export, external_data=True by default since the dynamo exporter is the default.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check uv==0.13.9
"$work/venv/bin/uv" pip install --quiet --python "$work/venv/bin/python" \
    torch==2.15.0 onnx==1.23.2 onnxscript==0.7.2 onnxruntime==1.32.0 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - 2>"$work/log" <<'PYTHON' || { cat "$work/log" >&2; exit 1; }
import os
import shutil
import sys

import numpy as np
import onnxruntime
import torch


def export(weight, bias):
    layer = torch.nn.Conv2d(64, 64, 1)
    torch.nn.init.constant_(layer.weight, weight)
    torch.nn.init.constant_(layer.bias, bias)
    torch.onnx.export(layer.eval(), (torch.ones(1, 64, 1, 1),), "model.onnx", verbose=False)


def answer(path):
    session = onnxruntime.InferenceSession(path)
    return float(session.run(None, {session.get_inputs()[0].name: np.ones((1, 64, 1, 1), np.float32)})[0][0, 0, 0, 0])


export(weight=1, bias=0.5)
shutil.copy("model.onnx", "best.onnx")
before = answer("best.onnx")
export(weight=100, bias=0.25)
after = answer("best.onnx")
new = answer("model.onnx")
print(f"torch {torch.__version__}, ONNX Runtime {onnxruntime.__version__}: export, copy model.onnx to best.onnx,"
      " export another network to model.onnx")
print("expected: best.onnx answers 64.5 before and after, or refuses")
print(f"observed: files {sorted(name for name in os.listdir('.') if 'onnx' in name)}")
print(f"observed: best.onnx {before} before, {after} after; the new model.onnx {new}")
sys.exit(0 if (before, after, new) == (64.5, 6400.5, 6400.25) else "The behaviour is not as stated.")
PYTHON
