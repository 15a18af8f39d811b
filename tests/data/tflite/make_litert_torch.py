"""Make the TFLite fixtures that come from PyTorch, which has planes of colours where others have pixels.

    pip install torch==2.14.1 litert-torch==0.10.0 ai-edge-quantizer==0.10.0 ai-edge-litert==2.3.0 numpy==2.4.6 safetensors==0.8.0
    python make_litert_torch.py

| file | network |
| --- | --- |
| nchw | shallow, zeros on every side, 64x64, ReLU6; pixels from -1 to 1 behind one TRANSPOSE |
| nchw_normalised | the same behind ImageNet's mean and deviation of pixels from 0 to 1, a softmax after it |
| nchw_one_pixel | the same for 32x32, whose average becomes a SUM |
| nhwc | the same by to_channel_last_io |
| nchw_int8 | nchw by ai-edge-quantizer's static_wi8_ai8: int8 throughout |

Each is packed as NAME.tflite.gz. litert_torch.safetensors holds of each uint8 pixels and PyTorch's float32 logits; of nchw_int8 the numbers that the
integers of LiteRT's logits stand for, by its default kernels and its reference kernels (`reference`).
"""

import gzip
from pathlib import Path

import litert_torch
import numpy as np
import torch
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from ai_edge_quantizer import quantizer, recipe
from safetensors.numpy import save_file
from torch import nn

HERE = Path(__file__).parent
ALPHA = 0.0625
CLASSES = 5
BLOCKS = [(1, 64), (2, 128), (1, 128), (2, 256), (1, 256), (2, 512), (2, 1024), (1, 1024)]
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def network():
    def convolution(inputs, outputs, kernel, stride, groups):
        layers = [
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(outputs, eps=1e-3), nn.ReLU6(),
        ]
        layers[0].weight.data.normal_(0, (2 / layers[0].weight[0].numel()) ** 0.5)
        norm = layers[1]
        norm.weight.data.uniform_(0.8, 1.6)
        norm.bias.data.normal_(0.4, 0.4)
        norm.running_mean.normal_(0, 0.2)
        norm.running_var.uniform_(0.5, 1.5)
        return layers

    channels = int(32 * ALPHA)
    layers = convolution(3, channels, 3, 2, 1)
    for stride, outputs in BLOCKS:
        outputs = int(outputs * ALPHA)
        layers += convolution(channels, channels, 3, stride, channels) + convolution(channels, outputs, 1, 1, 1)
        channels = outputs
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(channels, CLASSES)]
    return nn.Sequential(*layers).eval()


class Normalised(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(DEVIATION).view(1, 3, 1, 1))

    def forward(self, pixels):
        return torch.softmax(self.network((pixels - self.mean) / self.deviation), 1)


def pictures(rng, size, n):
    """Planes of colours, as bytes."""
    grid = torch.from_numpy(rng.integers(0, 256, (n, 3, 5, 5)).astype(np.float32))
    return nn.functional.interpolate(grid, (size, size), mode="bicubic").clamp(0, 255).to(torch.uint8)


def export(module, entry):
    model = litert_torch.convert(module, (entry,))
    path = HERE / "exported.tflite"
    model.export(path)
    file = path.read_bytes()
    path.unlink()
    return file


def run(file, kernels, pixels):
    """The numbers that LiteRT's integers stand for."""
    interpreter = Interpreter(model_content=file, experimental_op_resolver_type=kernels)
    interpreter.allocate_tensors()
    (entry,), (end,) = interpreter.get_input_details(), interpreter.get_output_details()
    found = []
    for picture in pixels:
        interpreter.set_tensor(entry["index"], (picture.astype(np.int16) - 128).astype(np.int8)[None])
        interpreter.invoke()
        found.append(interpreter.get_tensor(end["index"]).reshape(-1))
    scale, zero = end["quantization"]
    return (np.stack(found).astype(np.int32) - zero).astype(np.float32) * np.float32(scale)


def main():
    torch.manual_seed(29)
    rng = np.random.default_rng(29)
    model = network()
    golden = {}

    def keep(name, file, pixels, logits):
        (HERE / f"{name}.tflite.gz").write_bytes(gzip.compress(file, mtime=0))
        golden[f"{name}.input"] = np.ascontiguousarray(pixels.numpy().transpose(0, 2, 3, 1))
        golden[f"{name}.logits"] = logits
        print(f"{name}: {len(file)} bytes, {logits[0]}")

    def logits(pixels, mean=(0.5,) * 3, deviation=(0.5,) * 3):
        mean, deviation = (torch.tensor(it).view(1, 3, 1, 1) for it in (mean, deviation))
        with torch.no_grad():
            return model((pixels / 255 - mean) / deviation).numpy()

    example = torch.zeros(1, 3, 64, 64)
    pixels = pictures(rng, 64, 1)
    nchw = export(model, example)
    keep("nchw", nchw, pixels, logits(pixels))
    keep("nchw_normalised", export(Normalised(model).eval(), example), pixels, logits(pixels, MEAN, DEVIATION))
    last = litert_torch.to_channel_last_io(model, args=[0])
    keep("nhwc", export(last, torch.zeros(1, 64, 64, 3)), pixels, logits(pixels))
    small = pictures(rng, 32, 1)
    keep("nchw_one_pixel", export(model, torch.zeros(1, 3, 32, 32)), small, logits(small))

    steps = quantizer.Quantizer(bytearray(nchw), recipe.static_wi8_ai8())
    (name,) = Interpreter(model_content=nchw).get_signature_runner().get_input_details()
    seen = pictures(rng, 64, 32).numpy().astype(np.float32) / np.float32(127.5) - 1
    found = steps.calibrate({"serving_default": [{name: picture[None]} for picture in seen]})
    file = bytes(steps.quantize(found).quantized_model)
    pixels = pictures(rng, 64, 3)
    keep("nchw_int8", file, pixels, run(file, OpResolverType.AUTO, pixels.numpy()))
    golden["nchw_int8.reference.logits"] = run(file, OpResolverType.BUILTIN_REF, pixels.numpy())
    save_file(golden, HERE / "litert_torch.safetensors")


if __name__ == "__main__":
    main()
