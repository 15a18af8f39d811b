#!/usr/bin/env bash
# transformers' MobileNet V1 trains with a dropout of 0.999 (and its MobileNet V2 with 0.8).
#
# TF-Slim's argument is dropout_keep_prob, 0.999: one value in a thousand is dropped. In transformers the number became
# the probability of dropping: of 1,024 features a single one is left, multiplied by 1,000. Evaluation does not show
# it; fine-tuning sees one random feature a picture. V2's 0.8 was a probability of keeping as well. Keras has 0.001.
# Source: transformers 5.24.0, models/mobilenet_v1/configuration_mobilenet_v1.py and modeling_mobilenet_v1.py;
# TF-Slim, nets/mobilenet_v1.py.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check uv==0.13.9
"$work/venv/bin/uv" pip install --quiet --python "$work/venv/bin/python" torch==2.15.0 transformers==5.24.0 numpy==2.4.6
HF_HUB_OFFLINE=1 "$work/venv/bin/python" - <<'PYTHON'
import sys

import torch
import transformers
from transformers import MobileNetV1Config, MobileNetV1ForImageClassification, MobileNetV2Config

torch.manual_seed(1)
network = MobileNetV1ForImageClassification(MobileNetV1Config(num_labels=10))
seen = []
network.classifier.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach().clone()))

print(f"transformers {transformers.__version__}: what reaches the classifier of MobileNetV1ForImageClassification")
print("expected: dropout of 0.001, as in TF-Slim and Keras, or at most the usual 0.2 to 0.5")
picture = torch.randn(64, 3, 64, 64)
network.train()
for module in network.modules():
    if isinstance(module, torch.nn.BatchNorm2d):
        module.momentum = None  # the plain mean, so that evaluation sees true statistics
with torch.no_grad():
    network(picture)
    network.eval()
    network(picture)
training, evaluation = seen
left = (training != 0).float().mean().item()
alive = (evaluation != 0).float().mean().item()
second = MobileNetV2Config().classifier_dropout_prob
print(f"observed: classifier_dropout_prob {network.config.classifier_dropout_prob}, {network.dropout}; V2's {second}")
print(f"observed: features that are not 0: {alive:.1%} in evaluation, {left:.2%} in training"
      f" ({left * training.shape[1]:.1f} of {training.shape[1]} a picture)")
as_stated = network.config.classifier_dropout_prob == 0.999 and second == 0.8 and alive > 0.9 and left < 0.005
sys.exit(0 if as_stated else "The behaviour is not as stated.")
PYTHON
