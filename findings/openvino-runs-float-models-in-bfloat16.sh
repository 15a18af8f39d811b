#!/usr/bin/env bash
# OpenVINO runs a float32 model in bfloat16, asked for nothing, on CPUs that have the instructions.
#
# On a laptop the answers are float32's; on a server with AVX-512 BF16 or AMX the same file and the same code give
# answers with 8 bits of mantissa. Comparisons of speed with it compare two precisions, and thresholds that were tuned
# on the one machine do not hold on the other. INFERENCE_PRECISION_HINT=f32 or EXECUTION_MODE_HINT=ACCURACY undoes it.
# Source: OpenVINO's documentation of the CPU device, "Floating Point Data Types Specifics".
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check openvino==2026.4.1 numpy==2.4.6
"$work/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
import openvino
from openvino import opset13

random = np.random.default_rng(1)
picture = opset13.parameter([1, 64, 16, 16], np.float32)
features = picture
for _ in range(4):  # four pointwise layers, as MobileNet has thirteen
    weights = opset13.constant(random.normal(0, 0.18, (64, 64, 1, 1)).astype(np.float32))
    features = opset13.clamp(opset13.convolution(features, weights, [1, 1], [0, 0], [0, 0], [1, 1]), 0, 6)
model = openvino.Model([features], [picture], "pointwise")
pixels = random.normal(0, 1, (1, 64, 16, 16)).astype(np.float32)

core = openvino.Core()
has_bf16 = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
answers, precision = {}, {}
for name, options in [("default", {}), ("f32", {"INFERENCE_PRECISION_HINT": "f32"})]:
    compiled = core.compile_model(model, "CPU", options)
    precision[name] = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
    answers[name] = compiled(pixels)[0]
error = abs(answers["default"] - answers["f32"]).max() / abs(answers["f32"]).max()
print(f"OpenVINO {openvino.__version__.split('-')[0]}: a float32 model on the CPU, no options")
print("expected: float32 arithmetic")
print(f"observed: bfloat16 instructions: {has_bf16}; runs in {precision['default']} by default, {precision['f32']} when"
      f" asked; largest difference {error:.2%} of the largest value")
if not has_bf16:
    print("This CPU has no bfloat16 instructions: the default is float32 here.")
as_stated = (precision["default"] == "bf16" and error > 1e-3) if has_bf16 else precision["default"] == "f32"
sys.exit(0 if as_stated else "The behaviour is not as stated.")
PYTHON
