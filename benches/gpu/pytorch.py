"""Times `mobilenet bench --device cuda` and PyTorch on the same GPU, side by side.

    cargo build --release --features cuda
    python pytorch.py --binary ../../target/release/mobilenet

The network is MobileNet V1 at 224x224 with random weights, batch norm folded, as PyTorch would be advised to run
it: channels_last, TF32 off, an eager pass, the same as a CUDA graph, and torch.compile with graphs. Its pixels are
floats of its type that lie on the GPU; ours are bytes there, which our first layer scales. A run is a batch from
pixels on the GPU to logits in the CPU's memory; the median of many.

Each measurement is a process of its own, and they take turns, round after round. A ratio is PyTorch's time
divided by ours, of the medians of one round; printed is the median of the rounds' ratios. Over 1: ours is faster.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time

BLOCKS = [
    (1, 64), (2, 128), (1, 128), (2, 256), (1, 256), (2, 512),
    (1, 512), (1, 512), (1, 512), (1, 512), (1, 512), (2, 1024), (1, 1024),
]
MODES = ["eager", "graph", "compile"]


def network(alpha):
    from torch import nn

    class After(nn.Module):
        """Keras pads strided layers below and right."""

        def __init__(self, convolution):
            super().__init__()
            self.convolution = convolution

        def forward(self, x):
            return self.convolution(nn.functional.pad(x, (0, 1, 0, 1)))

    def convolution(inputs, outputs, kernel, stride, groups):
        padding = (kernel // 2) if stride == 1 else 0
        layer = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups)
        return [layer if stride == 1 else After(layer), nn.ReLU6(inplace=True)]

    channels = int(32 * alpha)
    layers = convolution(3, channels, 3, 2, 1)
    for stride, base in BLOCKS:
        outputs = int(base * alpha)
        layers += convolution(channels, channels, 3, stride, channels)
        layers += convolution(channels, outputs, 1, 1, 1)
        channels = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 1000))


def recorded(call, torch):
    """A call as a CUDA graph."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            call()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        answer = call()

    def replay():
        graph.replay()
        return answer

    return replay


def worker(mode, device, dtype, alpha, batch, seconds):
    """Prints the median milliseconds of a batch."""
    import torch

    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    kind = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}[dtype]
    model = network(alpha).eval().to(device, kind).to(memory_format=torch.channels_last)
    pixels = torch.rand(batch, 3, 224, 224, device=device, dtype=kind) * 2 - 1
    pixels = pixels.to(memory_format=torch.channels_last)
    with torch.inference_mode():
        def call():
            return model(pixels)

        if mode == "graph":
            call = recorded(call, torch)
        elif mode == "compile":
            # With CUDA graphs, the fastest products and batches of one shape.
            compiled = torch.compile(model, mode="max-autotune", dynamic=False)

            def call():
                return compiled(pixels)

        for _ in range(5):
            call().cpu()
        times = []
        until = time.perf_counter() + seconds
        while time.perf_counter() < until or len(times) < 10:
            start = time.perf_counter()
            call().cpu()
            times.append(1e3 * (time.perf_counter() - start))
    print(json.dumps({"median_ms": statistics.median(times), "runs": len(times)}))


def measure(engine, arguments, dtype, batch):
    if engine == "ours":
        runs = max(20, int(400 * arguments.seconds / max(1, batch / 16)))
        command = [
            arguments.binary, "bench", "--random-weights", "--device", arguments.device, "--dtype", dtype,
            "--alpha", str(arguments.alpha), "--batch-size", str(batch), "--num-runs", str(runs), "--format", "json",
        ]
    else:
        command = [
            sys.executable, __file__, "--worker", engine, arguments.device, dtype, str(arguments.alpha),
            str(batch), str(arguments.seconds),
        ]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(output[output.index("{"):])["median_ms"]


def main():
    if sys.argv[1:2] == ["--worker"]:
        mode, device, dtype, alpha, batch, seconds = sys.argv[2:]
        return worker(mode, device, dtype, float(alpha), int(batch), float(seconds))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--binary", default="../../target/release/mobilenet")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--alpha", type=float, default=1.0)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 64, 256])
    parser.add_argument("--dtypes", nargs="+", default=["f16", "f32"])
    parser.add_argument("--modes", nargs="+", default=MODES, choices=MODES)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0, help="of measuring, each time")
    arguments = parser.parse_args()
    for dtype in arguments.dtypes:
        for batch in arguments.batches:
            engines = ["ours", *arguments.modes]
            rounds = [
                {engine: measure(engine, arguments, dtype, batch) for engine in engines}
                for _ in range(arguments.rounds)
            ]
            print(f"alpha {arguments.alpha}, {dtype}, batch {batch}:")
            for engine in engines:
                median = statistics.median(r[engine] for r in rounds)
                line = f"  {engine:8} {median:9.3f} ms {1e3 * batch / median:10.0f} images/s"
                if engine != "ours":
                    ratios = [r[engine] / r["ours"] for r in rounds]
                    line += f"   ours is {statistics.median(ratios):.2f} times as fast ({min(ratios):.2f}-{max(ratios):.2f})"
                print(line, flush=True)


if __name__ == "__main__":
    main()
