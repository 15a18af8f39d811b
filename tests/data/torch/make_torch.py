"""Make the PyTorch fixtures of this folder: a small random MobileNet V1 under timm's names, as people save it.

    pip install torch safetensors
    python make_torch.py

| file | what is saved |
| --- | --- |
| state_dict.pth | the state_dict, float32 |
| training.pt | a training run: a state_dict wrapped by torch.compile and DataParallel, in halves, channels last; an optimizer |
| parameters.pth | its parameters as such, pickle protocol 4 |

Each is packed as NAME.gz. golden.safetensors holds uint8 pixels (the network sees x / 127.5 - 1) and torch's float32 logits.
"""

import gzip
import io
from collections import OrderedDict
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

HERE = Path(__file__).parent
ALPHA, CLASSES, SIZE = 0.0625, 5, 64
STAGES = [[(1, 64)], [(2, 128), (1, 128)], [(2, 256), (1, 256)], [(2, 512)] + 5 * [(1, 512)], [(2, 1024), (1, 1024)]]


class Block(nn.Module):
    def __init__(self, before, after, stride):
        super().__init__()
        self.conv_dw = nn.Conv2d(before, before, 3, stride, 1, groups=before, bias=False)
        self.bn1 = nn.BatchNorm2d(before)
        self.conv_pw = nn.Conv2d(before, after, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)

    def forward(self, x):
        x = nn.functional.relu6(self.bn1(self.conv_dw(x)))
        return nn.functional.relu6(self.bn2(self.conv_pw(x)))


class MobileNet(nn.Module):
    def __init__(self):
        super().__init__()
        channels = int(32 * ALPHA)
        self.conv_stem = nn.Conv2d(3, channels, 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        stages = []
        for stage in STAGES:
            blocks = []
            for stride, after in stage:
                blocks.append(Block(channels, int(after * ALPHA), stride))
                channels = int(after * ALPHA)
            stages.append(nn.Sequential(*blocks))
        self.blocks = nn.Sequential(*stages)
        self.classifier = nn.Linear(channels, CLASSES)

    def forward(self, x):
        x = nn.functional.relu6(self.bn1(self.conv_stem(x)))
        return self.classifier(self.blocks(x).mean((2, 3)))


def write(name, value, **settings):
    file = io.BytesIO()
    torch.save(value, file, **settings)
    (HERE / f"{name}.gz").write_bytes(gzip.compress(file.getvalue(), mtime=0))


def main():
    torch.manual_seed(3)
    model = MobileNet().eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.8, 1.6)
            nn.init.normal_(module.bias, 0.4, 0.4)
            nn.init.normal_(module.running_mean, 0, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
        elif isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    # What halves keep, so that one answer is that of all files.
    model = model.half().float()
    write("state_dict.pth", model.state_dict())
    wrapped = {f"_orig_mod.module.{name}": value.half() if value.is_floating_point() else value
               for name, value in model.to(memory_format=torch.channels_last).state_dict().items()}
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    write("training.pt", {"epoch": 3, "state_dict": OrderedDict(wrapped), "optimizer": optimizer.state_dict()})
    parameters = dict(model.named_parameters()) | dict(model.named_buffers())
    write("parameters.pth", {"model": parameters, "best": 0.5, "classes": ["a", "b"]}, pickle_protocol=4)
    pixels = torch.randint(0, 256, (SIZE, SIZE, 3), dtype=torch.uint8)
    with torch.no_grad():
        logits = model(pixels.permute(2, 0, 1)[None].float() / 127.5 - 1)[0]
    print(torch.__version__, logits)
    save_file({"input": pixels, "logits": logits.contiguous()}, HERE / "golden.safetensors")


if __name__ == "__main__":
    main()
