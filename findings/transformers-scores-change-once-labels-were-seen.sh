#!/usr/bin/env bash
# transformers' pipeline gives other scores for the same network after a loss was computed.
#
# Where problem_type is not set, the image-classification pipeline takes a sigmoid for one label and a softmax for more;
# a function_to_apply in the config comes after that, so never. But the first call with labels, be it to evaluate,
# writes a problem_type into the config, and that comes first: regression for one label, and for labels that are floats
# multi_label_classification. From then on, and in what save_pretrained() writes, what was a probability is the bare
# output, and what was a softmax is a sigmoid of each class. A problem_type that was set by hand stays.
# Source: transformers 5.24.0, pipelines/image_classification.py, postprocess(), and loss/loss_utils.py,
# ForSequenceClassificationLoss(). The documentation of the pipeline names number of labels and regression only.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check uv==0.13.9
"$work/venv/bin/uv" pip install --quiet --python "$work/venv/bin/python" \
    torch==2.15.0 torchvision==0.29.2 transformers==5.24.0 pillow==13.0.0 numpy==2.4.6
cd "$work"
HF_HUB_OFFLINE=1 "$work/venv/bin/python" - 2>"$work/log" <<'PYTHON' ||
import json
import sys

import numpy as np
import torch
import transformers
from PIL import Image
from transformers import MobileNetV1Config, MobileNetV1ForImageClassification, MobileNetV1ImageProcessor, pipeline

picture = Image.fromarray(np.random.default_rng(1).integers(0, 256, (32, 32, 3)).astype(np.uint8))
processor = MobileNetV1ImageProcessor(
    size={"height": 32, "width": 32}, do_center_crop=False, image_mean=[0.5] * 3, image_std=[0.5] * 3
)
pixels = processor(picture, return_tensors="pt")["pixel_values"]


def network(**config):
    torch.manual_seed(1)
    config = MobileNetV1Config(depth_multiplier=0.25, image_size=32, **config)
    network = MobileNetV1ForImageClassification(config).eval()
    with torch.no_grad():
        network.classifier.bias.copy_(torch.linspace(1.5, -0.5, config.num_labels))  # scores that can be told apart
    return network


def applied(network):
    """The scores of the pipeline in the order of the classes, and what it made them with."""
    answers = pipeline("image-classification", model=network, image_processor=processor)(picture)
    scores = {answer["label"]: answer["score"] for answer in answers}
    scores = torch.tensor([scores[label] for _, label in sorted(network.config.id2label.items())])
    with torch.no_grad():
        logits = network(pixels).logits[0]
    ways = {"softmax": logits.softmax(0), "sigmoid": logits.sigmoid(), "nothing": logits}
    return scores.tolist(), [way for way, expected in ways.items() if torch.allclose(scores, expected, atol=1e-5)]


print(f"transformers {transformers.__version__}: what its pipeline makes the scores of a MobileNet V1 with")
print("expected: what the config says, and the same for one network before and after an evaluation")
as_stated = True


def observe(what, network, expected):
    global as_stated
    scores, ways = applied(network)
    print(f"observed: {what:>46}: {', '.join(ways):>7} {np.round(scores, 3)}")
    as_stated &= ways == [expected]


for labels, target, name, before, after, problem in [
    (1, torch.tensor([1]), "1 label", "sigmoid", "nothing", "regression"),
    (3, torch.tensor([1]), "3 labels", "softmax", "softmax", "single_label_classification"),
    (3, torch.tensor([[0.0, 1.0, 0.0]]), "3 labels, one-hot", "softmax", "sigmoid", "multi_label_classification"),
]:
    one = network(num_labels=labels)
    as_stated &= one.config.problem_type is None
    observe(name, one, before)
    with torch.no_grad():
        one(pixels, labels=target.float() if labels == 1 else target)
    observe(f"{name}, after a loss", one, after)
    one.save_pretrained("saved")
    saved = json.load(open("saved/config.json"))["problem_type"]
    print(f"observed: {name + ', the saved problem_type':>46}: {saved}")
    as_stated &= saved == problem
one = network(num_labels=1, problem_type="multi_label_classification")
with torch.no_grad():
    one(pixels, labels=torch.tensor([[1.0]]))
observe("1 label, multi_label set by hand, after a loss", one, "sigmoid")
for said in ["sigmoid", "none"]:
    observe(f"3 labels, function_to_apply: {said}", network(num_labels=3, function_to_apply=said), "softmax")
observe("1 label, function_to_apply: none", network(num_labels=1, function_to_apply="none"), "sigmoid")
sys.exit(0 if as_stated else "The behaviour is not as stated.")
PYTHON
    { cat "$work/log" >&2; exit 1; }
