"""Times the same network in `mobilenet bench` and in its peers, side by side.

    pip install -r requirements.txt
    cargo build --release
    python peers.py --binary ../../target/release/mobilenet

Every measurement is a process of its own; the processes of all engines take turns, round after round, so
that a machine whose speed drifts drifts for all of them. A ratio is ours divided by the peer's, of the two
medians of one round; printed are the median of the rounds' ratios and their range. Under 1 is faster.

The network is MobileNet V1 at 224x224 in float32 with random weights and batch norm folded: written to ONNX
here (ONNX Runtime, OpenVINO), converted from Keras's MobileNet (LiteRT, with XNNPACK).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

SIZE = 224
BLOCKS = [
    (1, 64), (2, 128), (1, 128), (2, 256), (1, 256), (2, 512),
    (1, 512), (1, 512), (1, 512), (1, 512), (1, 512), (2, 1024), (1, 1024),
]
PEERS = ["litert", "onnxruntime", "openvino"]


def write_onnx(path, alpha, batch):
    from onnx import TensorProto, helper, numpy_helper, save

    rng = np.random.default_rng(0)
    nodes, weights = [], []

    def constant(values):
        name = f"w{len(weights)}"
        weights.append(numpy_helper.from_array(np.asarray(values, np.float32), name))
        return name

    low, high = constant(0.0), constant(6.0)

    def convolution(x, shape, stride, groups=1):
        kernel = constant(rng.normal(0, (2 / np.prod(shape[1:])) ** 0.5, shape))
        bias = constant(rng.normal(0, 0.1, shape[0]))
        pads = [0, 0, 1, 1] if stride == 2 else [shape[2] // 2] * 4
        y, z = f"y{len(nodes)}", f"z{len(nodes)}"
        nodes.append(helper.make_node(
            "Conv", [x, kernel, bias], [y], strides=[stride, stride], pads=pads, group=groups))
        nodes.append(helper.make_node("Clip", [y, low, high], [z]))
        return z

    channels = int(32 * alpha)
    x = convolution("input", [channels, 3, 3, 3], 2)
    for stride, base in BLOCKS:
        x = convolution(x, [channels, 1, 3, 3], stride, channels)
        x = convolution(x, [int(base * alpha), channels, 1, 1], 1)
        channels = int(base * alpha)
    nodes.append(helper.make_node("GlobalAveragePool", [x], ["pool"]))
    nodes.append(helper.make_node("Flatten", ["pool"], ["flat"]))
    kernel = constant(rng.normal(0, channels ** -0.5, [1000, channels]))
    nodes.append(helper.make_node(
        "Gemm", ["flat", kernel, constant(np.zeros(1000))], ["logits"], transB=1))
    graph = helper.make_graph(
        nodes, "mobilenet",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [batch, 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch, 1000])],
        weights)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def write_tflite(path, alpha, batch):
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    model = keras.applications.MobileNet(
        alpha=alpha, weights=None, input_shape=(SIZE, SIZE, 3), classifier_activation=None)
    spec = tf.TensorSpec([batch, SIZE, SIZE, 3], tf.float32)
    function = tf.function(lambda x: model(x, training=False)).get_concrete_function(spec)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], model)
    Path(path).write_bytes(converter.convert())


def litert(model, threads):
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    # The interpreter of the package ai-edge-litert 2.3.0 takes twice as long for the same file here.
    import tensorflow as tf

    interpreter = tf.lite.Interpreter(model_path=model, num_threads=threads)
    interpreter.allocate_tensors()
    index = interpreter.get_input_details()[0]["index"]
    shape = interpreter.get_input_details()[0]["shape"]
    interpreter.set_tensor(index, np.random.default_rng(0).random(shape, np.float32))
    return interpreter.invoke


def onnxruntime(model, threads):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    shape = session.get_inputs()[0].shape
    x = np.random.default_rng(0).random(shape, np.float32)
    return lambda: session.run(None, {"input": x})


def openvino(model, threads):
    import openvino

    core = openvino.Core()
    settings = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    request = core.compile_model(model, "CPU", settings).create_infer_request()
    shape = list(request.get_input_tensor().shape)
    request.get_input_tensor().data[:] = np.random.default_rng(0).random(shape, np.float32)
    return request.infer


def worker(engine, model, threads, runs):
    """Prints the median milliseconds of a batch."""
    call = {"litert": litert, "onnxruntime": onnxruntime, "openvino": openvino}[engine](model, threads)
    for _ in range(max(3, runs // 10)):
        call()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        call()
        times.append(1e3 * (time.perf_counter() - start))
    print(statistics.median(times))


def measure(engine, arguments, model, alpha, threads, batch, runs):
    if engine.startswith("mobilenet"):
        command = [
            arguments.binary, "bench", "--random-weights", "--device", "cpu", "--json",
            "--alpha", str(alpha), "--size", str(SIZE), "--threads", str(threads),
            "--batch-size", str(batch), "--num-runs", str(runs), "--warmup-runs", str(max(3, runs // 10)),
        ]
        if ":" in engine:
            command += ["--isa", engine.split(":")[1]]
        return json.loads(subprocess.check_output(command))["median_ms"]
    command = [sys.executable, __file__, "--worker", engine, model, str(threads), str(runs)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(output.strip().splitlines()[-1])


def main():
    if sys.argv[1:2] == ["--worker"]:
        engine, model, threads, runs = sys.argv[2:]
        return worker(engine, model, int(threads), int(runs))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--binary", default="../../target/release/mobilenet")
    parser.add_argument("--alphas", type=float, nargs="+", default=[1.0, 0.5, 0.25])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 32])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.6, help="of measuring, each time")
    parser.add_argument("--isas", nargs="*", default=[], help="also ours forced to these")
    arguments = parser.parse_args()
    engines = ["mobilenet", *(f"mobilenet:{isa}" for isa in arguments.isas), *PEERS]
    with tempfile.TemporaryDirectory() as folder:
        for alpha in arguments.alphas:
            for batch in arguments.batches:
                onnx, tflite = (f"{folder}/{alpha}_{batch}.{e}" for e in ("onnx", "tflite"))
                write_onnx(onnx, alpha, batch)
                subprocess.run(
                    [sys.executable, "-c",
                     f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import peers; "
                     f"peers.write_tflite({tflite!r}, {alpha}, {batch})"],
                    check=True, capture_output=True)
                for threads in arguments.threads:
                    compare(engines, arguments, {"litert": tflite}, onnx, alpha, threads, batch)


def compare(engines, arguments, models, onnx, alpha, threads, batch):
    runs = max(3, int(1e3 * arguments.seconds / (6 * alpha * batch)))
    rounds = []
    for _ in range(arguments.rounds):
        rounds.append({
            engine: measure(engine, arguments, models.get(engine, onnx), alpha, threads, batch, runs)
            for engine in engines
        })
    print(f"alpha {alpha}, batch {batch}, threads {threads}; milliseconds an image, ours / theirs:")
    for engine in engines:
        median = statistics.median(r[engine] for r in rounds) / batch
        line = f"  {engine:18} {median:8.3f} ms"
        for ours in (e for e in engines if e.startswith("mobilenet")):
            if ours != engine and not engine.startswith("mobilenet"):
                ratios = sorted(r[ours] / r[engine] for r in rounds)
                line += f"   {ours.partition(':')[2] or 'ours'} {statistics.median(ratios):.2f}"
                line += f" ({ratios[0]:.2f}-{ratios[-1]:.2f})"
        print(line)
    peers = [e for e in engines if not e.startswith("mobilenet")]
    for ours in (e for e in engines if e.startswith("mobilenet")):
        best = statistics.median(r[ours] / min(r[p] for p in peers) for r in rounds)
        print(f"  {ours}: {best:.2f} of the fastest peer of each round", flush=True)


if __name__ == "__main__":
    main()
