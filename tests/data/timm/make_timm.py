"""Make the fixtures of this folder: small random networks of timm's own classes, saved by its `save_for_hf`.

    pip install timm==1.0.31 torch==2.14.1 safetensors
    python make_timm.py

`mobilenetv1_100h` and its like have a pointwise layer between the last block and the pool. Here it is made as timm makes
it, of an eighth of the paper's widths and less. head.safetensors.gz and head.json are its `model.safetensors` and
`config.json`; golden.safetensors holds uint8 pixels (the network sees x / 127.5 - 1), timm's float32 logits, and its
embedding (`forward_head(..., pre_logits=True)`).
"""

import gzip
import json
import tempfile
from functools import partial
from pathlib import Path

import timm
import torch
from safetensors.torch import save_file
from timm.models._efficientnet_builder import decode_arch_def, round_channels
from timm.models._hub import save_for_hf
from timm.models.efficientnet import EfficientNet
from torch import nn

HERE = Path(__file__).parent
SIZE = 64
BLOCKS = ["dsa_r1_k3_s1_c64", "dsa_r2_k3_s2_c128", "dsa_r2_k3_s2_c256", "dsa_r6_k3_s2_c512", "dsa_r2_k3_s2_c1024"]


def main():
    torch.manual_seed(5)
    model = EfficientNet(
        block_args=decode_arch_def([[block] for block in BLOCKS], depth_multiplier=1.0),
        num_features=72,
        stem_size=32,
        round_chs_fn=partial(round_channels, multiplier=0.0625, divisor=1),
        act_layer=nn.ReLU6,
        num_classes=5,
    ).eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.8, 1.6)
            nn.init.normal_(module.bias, 0.4, 0.4)
            nn.init.normal_(module.running_mean, 0, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
        elif isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    model.pretrained_cfg = timm.create_model("mobilenetv1_100h").pretrained_cfg
    with tempfile.TemporaryDirectory() as folder:
        save_for_hf(model, folder, model_config={"num_classes": 5}, safe_serialization="both")
        folder = Path(folder)
        weights = (folder / "model.safetensors").read_bytes()
        (HERE / "head.safetensors.gz").write_bytes(gzip.compress(weights, mtime=0))
        config = json.loads((folder / "config.json").read_text())
        (HERE / "head.json").write_text(json.dumps(config, indent=1) + "\n")
    pixels = torch.randint(0, 256, (SIZE, SIZE, 3), dtype=torch.uint8)
    with torch.no_grad():
        features = model.forward_features(pixels.permute(2, 0, 1)[None].float() / 127.5 - 1)
        embedding, logits = model.forward_head(features, pre_logits=True)[0], model.forward_head(features)[0]
    print(timm.__version__, torch.__version__, embedding.shape, logits)
    golden = {"input": pixels, "embedding": embedding.contiguous(), "logits": logits.contiguous()}
    save_file(golden, HERE / "golden.safetensors")


if __name__ == "__main__":
    main()
