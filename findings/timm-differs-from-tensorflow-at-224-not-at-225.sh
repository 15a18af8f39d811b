#!/usr/bin/env bash
# timm's MobileNet V1 and TensorFlow's are one network at 225 pixels and two at 224.
#
# timm pads a 3x3 convolution by one pixel on every side. TensorFlow's SAME pads an even input with stride 2 only at the
# bottom and the right. Shapes and tensors are the same, so that weights go over without a complaint, and every answer
# is off. With an odd input both pad alike. From 225 pixels every layer with stride 2 sees an odd size (225, 113, 57, 29
# and 15), so a test of a conversion at 225, 193, 65 or 33 pixels passes to the last bit while 224 fails.
# pad_type="same", timm's own spelling of TensorFlow's rule, stands for TensorFlow here; the two share all weights.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check uv==0.13.9
"$work/venv/bin/uv" pip install --quiet --python "$work/venv/bin/python" \
    torch==2.15.0 torchvision==0.29.2 timm==1.0.31 numpy==2.4.6
HF_HUB_OFFLINE=1 "$work/venv/bin/python" - <<'PYTHON'
import sys

import timm
import torch

torch.manual_seed(1)
symmetric = timm.create_model("mobilenetv1_100", num_classes=10)
for module in symmetric.modules():
    if isinstance(module, torch.nn.BatchNorm2d):
        module.momentum = None  # true statistics from one pass, so that the signal keeps its size
with torch.no_grad():
    symmetric.train()(torch.randn(8, 3, 224, 224))
same = timm.create_model("mobilenetv1_100", num_classes=10, pad_type="same")
print(f"timm {timm.__version__}, mobilenetv1_100 with symmetric and with SAME padding, equal weights")
print(f"loading the weights of one into the other: {same.load_state_dict(symmetric.state_dict(), strict=True)}")
print("expected: different answers at every size, or at none")
symmetric.eval()
same.eval()
differences = {}
for size in [224, 225, 192, 193, 160, 161]:
    pictures = torch.randn(4, 3, size, size)
    with torch.no_grad():
        one, other = symmetric(pictures), same(pictures)
    spread = one.std().item()
    differences[size] = (one - other).abs().max().item() / spread
    print(f"observed: {size} pixels: logits differ by at most {differences[size]:.3f} of their standard deviation")
as_stated = all((difference > 0.05) == (size % 2 == 0) for size, difference in differences.items())
as_stated &= all(differences[size] < 1e-5 for size in [225, 193, 161])
sys.exit(0 if as_stated else "The behaviour is not as stated.")
PYTHON
