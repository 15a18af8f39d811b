"""Make the ONNX fixtures that PyTorch's exporters write: small random MobileNet V1s.

    pip install torch==2.14.1 onnx==1.23.2 onnxscript==0.7.2 onnxruntime==1.32.0 transformers==5.24.0 safetensors
    python make_torch_onnx.py

| file | network | exporter |
| --- | --- | --- |
| dynamo | timm's padding, ReLU6, a linear classifier; any number of pictures | torch.export (the default since 2.9) |
| external | the same, its weights in external.onnx.data | the same |
| script | the same | TorchScript, opset 17: batch norms folded, Clip with inputs |
| training | the same, its batch norms kept, `x.view(x.size(0), -1)` before the classifier | TorchScript, opset 9: Clip with attributes |
| normalised | takes 0 to 1, with ImageNet's mean and deviation taken off in the graph; ReLU, a 1x1 convolution, a sigmoid | torch.export |
| bytes | takes uint8, `x / 127.5 - 1` in the graph; batch norm and dropout before the classifier, a softmax | TorchScript |
| transformers | transformers' MobileNetV1ForImageClassification, TensorFlow's SAME as Pad nodes | torch.export |
| half | that of script with weights in float16 | onnxruntime.transformers' float16 |
| dequantised | that of script with int8 weights a channel and a tensor behind DequantizeLinear | by hand |

Each is packed as NAME.onnx.gz. torch.golden.safetensors holds the uint8 pixels of a picture, and by name what onnxruntime answers to it in float32 (for half
and dequantised, that of the same network with those weights in float32; scores where the graph ends with an activation).
"""

import gzip
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.transformers.float16 import convert_float_to_float16
from safetensors.numpy import save_file
from torch import nn
from transformers import MobileNetV1Config, MobileNetV1ForImageClassification

HERE = Path(__file__).parent
ALPHA, CLASSES, SIZE = 0.0625, 5, 64
BLOCKS = [
    (1, 64), (2, 128), (1, 128), (2, 256), (1, 256), (2, 512), (1, 512),
    (1, 512), (1, 512), (1, 512), (1, 512), (2, 1024), (1, 1024),
]


def layer(before, after, kernel, stride, groups, activation):
    return [
        nn.Conv2d(before, after, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(after),
        activation(),
    ]


class MobileNet(nn.Module):
    """Shallow; `ends` is what comes after the features of [N, 64, H, W]."""

    def __init__(self, activation=nn.ReLU6, ends=None, scale=None):
        super().__init__()
        channels = int(32 * ALPHA)
        layers = layer(3, channels, 3, 2, 1, activation)
        for number, (stride, after) in enumerate(BLOCKS, 1):
            if not 7 <= number <= 11:
                after = int(after * ALPHA)
                layers += layer(channels, channels, 3, stride, channels, activation)
                layers += layer(channels, after, 1, 1, 1, activation)
                channels = after
        self.features = nn.Sequential(*layers)
        self.ends = ends or nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, CLASSES))
        self.scale = scale or (lambda x: x)

    def forward(self, x):
        return self.ends(self.features(self.scale(x)))


class View(nn.Module):
    def forward(self, x):
        return x.view(x.size(0), -1)


class Normalise(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406])[:, None, None])
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225])[:, None, None])

    def forward(self, x):
        return (x - self.mean) / self.std


class Bytes(nn.Module):
    def forward(self, x):
        return x.float() / 127.5 - 1


def fill(model, seed):
    torch.manual_seed(seed)
    for module in model.modules():
        if isinstance(module, (nn.BatchNorm2d, nn.BatchNorm1d)):
            nn.init.uniform_(module.weight, 0.8, 1.6)
            nn.init.normal_(module.bias, 0.4, 0.4)
            nn.init.normal_(module.running_mean, 0, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
        elif isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight)
            if module.bias is not None:
                nn.init.normal_(module.bias)
    # What halves keep packs well.
    return model.half().float().eval()


def picture():
    rng = np.random.default_rng(8)
    picture = rng.integers(0, 256, (8, 8, 3)).repeat(SIZE // 8, 0).repeat(SIZE // 8, 1)
    return (picture + rng.integers(-20, 20, picture.shape)).clip(0, 255).astype(np.uint8)


golden = {"input": picture()}


def answer(file, pixels):
    """What onnxruntime says."""
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (entry,) = session.get_inputs()
    return session.run(None, {entry.name: pixels})[0][0].reshape(-1)


def keep(name, model, pixels, asked=None, data=None):
    """A file, and what it (or `asked`) says of the picture, whose pixels it takes as `pixels` makes them."""
    file = model if isinstance(model, bytes) else model.SerializeToString()
    (HERE / f"{name}.onnx.gz").write_bytes(gzip.compress(file, mtime=0))
    planes = golden["input"].transpose(2, 0, 1)[None]
    asked = asked or file
    asked = asked if isinstance(asked, (bytes, str)) else asked.SerializeToString()
    golden[name] = answer(asked, pixels(planes))
    nodes = [node.op_type for node in onnx.load_from_string(file).graph.node]
    print(name, len(file), golden[name], sorted(set(nodes)))


def usual(planes):
    return planes.astype(np.float32) / np.float32(127.5) - 1


def script(model, example, **settings):
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/it.onnx"
        torch.onnx.export(model, (example,), path, dynamo=False, **settings)
        return onnx.load(path)


def plain(model):
    """Without what torch notes down of each node: the lines of this program that it comes from."""
    for part in (model, model.graph, *model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output):
        del part.metadata_props[:]
        part.ClearField("doc_string")
    return model


def dynamo(model, example, **settings):
    return plain(torch.onnx.export(model, (example,), dynamo=True, verbose=False, **settings).model_proto)


def with_half_weights(model):
    """The same network in float32, with what halves keep of its weights."""
    floats = onnx.ModelProto()
    floats.CopyFrom(model)
    for tensor in floats.graph.initializer:
        values = numpy_helper.to_array(tensor)
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16).astype(np.float32), tensor.name))
    return floats


def with_int8_weights(model):
    """Weights behind DequantizeLinear, and the same network with what they stand for."""
    theirs, floats = onnx.ModelProto(), onnx.ModelProto()
    theirs.CopyFrom(model)
    floats.CopyFrom(model)
    del theirs.graph.initializer[:]
    nodes = []
    for number, tensor in enumerate(model.graph.initializer):
        values = numpy_helper.to_array(tensor)
        if values.ndim < 2:
            theirs.graph.initializer.append(tensor)
            continue
        by_channel = number % 2 == 0
        axes = tuple(range(1, values.ndim)) if by_channel else None
        scale = (np.abs(values).max(axis=axes) / 127).astype(np.float32)
        shaped = scale.reshape([-1] + [1] * (values.ndim - 1)) if by_channel else scale
        integers = np.clip(np.round(values / shaped), -127, 127).astype(np.int8)
        zero = np.zeros_like(scale, np.int8)
        parts = [(f"{tensor.name}_q", integers), (f"{tensor.name}_scale", scale), (f"{tensor.name}_zero", zero)]
        theirs.graph.initializer.extend(numpy_helper.from_array(value, part) for part, value in parts)
        settings = {"axis": 0} if by_channel else {}
        nodes.append(helper.make_node("DequantizeLinear", [part for part, _ in parts], [tensor.name], **settings))
        floats.graph.initializer[number].CopyFrom(numpy_helper.from_array(integers * shaped, tensor.name))
    for node in reversed(nodes):
        theirs.graph.node.insert(0, node)
    onnx.checker.check_model(theirs)
    return theirs, floats


def main():
    example = torch.zeros(2, 3, SIZE, SIZE)
    model = fill(MobileNet(), 1)
    any_number = {"dynamic_shapes": ({0: torch.export.Dim("pictures")},)}
    keep("dynamo", dynamo(model, example, **any_number), usual)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "external.onnx"
        torch.onnx.export(model, (example[:1],), path, dynamo=True, verbose=False, external_data=True)
        loaded = plain(onnx.load(path, load_external_data=False))
        kept = onnx.load(path)
        data = path.with_suffix(".onnx.data").read_bytes()
        (HERE / "external.onnx.data.gz").write_bytes(gzip.compress(data, mtime=0))
        keep("external", loaded, usual, asked=kept)
    scripted = script(model, example[:1], opset_version=17)
    keep("script", scripted, usual)
    halves = convert_float_to_float16(scripted, keep_io_types=True)
    keep("half", halves, usual, asked=with_half_weights(scripted))
    keep("dequantised", *with_int8_weights(scripted)[:1], usual, asked=with_int8_weights(scripted)[1])

    ends = nn.Sequential(nn.AdaptiveAvgPool2d(1), View(), nn.Linear(64, CLASSES))
    model = fill(MobileNet(ends=ends), 2)
    keep("training", script(
        model, example, opset_version=9, do_constant_folding=False, training=torch.onnx.TrainingMode.PRESERVE,
        input_names=["pixels"], dynamic_axes={"pixels": [0, 2, 3]},
    ), usual)

    ends = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(64, CLASSES, 1), nn.Flatten(), nn.Sigmoid())
    model = fill(MobileNet(nn.ReLU, ends, Normalise()), 3)
    for name, buffer in Normalise().named_buffers():
        setattr(model.scale, name, buffer)
    keep("normalised", dynamo(model, example[:1]), lambda planes: planes.astype(np.float32) / np.float32(255))

    ends = nn.Sequential(
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.BatchNorm1d(64), nn.Dropout(0.2), nn.Linear(64, CLASSES), nn.Softmax(1)
    )
    model = fill(MobileNet(ends=ends, scale=Bytes()), 4)
    keep("bytes", script(model, example[:1].to(torch.uint8)), lambda planes: planes)

    config = MobileNetV1Config(depth_multiplier=ALPHA, min_depth=1, image_size=SIZE, num_labels=CLASSES)
    model = fill(MobileNetV1ForImageClassification(config), 5)
    keep("transformers", dynamo(model, example[:1], optimize=True), usual)
    save_file(golden, HERE / "torch.golden.safetensors")


if __name__ == "__main__":
    main()
