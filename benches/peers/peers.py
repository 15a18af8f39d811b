"""Times the same network in `mobilenet bench` and in its peers, side by side.

    pip install -r requirements.txt
    cargo build --release
    python peers.py --binary ../../target/release/mobilenet

Every measurement is a process of its own; the processes of all engines take turns, round after round, so
that a machine whose speed drifts drifts for all of them. A ratio is ours divided by the peer's, of the two
medians of one round; printed are the median of the rounds' ratios and their range. Under 1 is faster.

The network is MobileNet V1 at 224x224 in float32 with random weights and batch norm folded (`networks.py`).
LiteRT runs with XNNPACK.

With `--dtype int8` each engine runs the network in eight bits as its own tools quantise it: ONNX Runtime and
OpenVINO from ONNX Runtime's static quantisation (QDQ, unsigned activations, a scale for each channel of the
weights), LiteRT from TensorFlow's converter (full integer), ours with `--dtype int8`.

With `--dtype bf16` the one peer is OpenVINO, which computes in bf16 by default where the processor has
instructions for it.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

import networks

PEERS = ["litert", "onnxruntime", "openvino"]


def litert(model, threads):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=model, num_threads=threads)
    interpreter.allocate_tensors()
    index = interpreter.get_input_details()[0]["index"]
    shape, dtype = (interpreter.get_input_details()[0][key] for key in ("shape", "dtype"))
    pixels = np.random.default_rng(0).random(shape, np.float32)
    if dtype == np.int8:
        pixels = (pixels * 255 - 128).astype(np.int8)
    interpreter.set_tensor(index, pixels)
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


def openvino(model, threads, precision):
    import openvino

    core = openvino.Core()
    settings = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": precision}
    request = core.compile_model(model, "CPU", settings).create_infer_request()
    shape = list(request.get_input_tensor().shape)
    request.get_input_tensor().data[:] = np.random.default_rng(0).random(shape, np.float32)
    return request.infer


def worker(engine, model, threads, runs, dtype):
    """Prints the median milliseconds of a batch."""
    if engine == "openvino":
        call = openvino(model, threads, "bf16" if dtype == "bf16" else "f32")
    else:
        call = {"litert": litert, "onnxruntime": onnxruntime}[engine](model, threads)
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
            "--alpha", str(alpha), "--size", str(networks.SIZE), "--threads", str(threads),
            "--batch-size", str(batch), "--num-runs", str(runs), "--warmup-runs", str(max(3, runs // 10)),
            "--dtype", arguments.dtype, "--quiet",
        ]
        if ":" in engine:
            command += ["--isa", engine.split(":")[1]]
        return json.loads(subprocess.check_output(command))["median_ms"]
    command = [sys.executable, __file__, "--worker", engine, model, str(threads), str(runs), arguments.dtype]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(output.strip().splitlines()[-1])


def main():
    if sys.argv[1:2] == ["--worker"]:
        engine, model, threads, runs, dtype = sys.argv[2:]
        return worker(engine, model, int(threads), int(runs), dtype)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--binary", default="../../target/release/mobilenet")
    parser.add_argument("--alphas", type=float, nargs="+", default=[1.0, 0.5, 0.25])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 32])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.6, help="of measuring, each time")
    parser.add_argument("--dtype", choices=["f32", "bf16", "int8"], default="f32")
    parser.add_argument("--isas", nargs="*", default=[], help="also ours forced to these")
    arguments = parser.parse_args()
    peers = ["openvino"] if arguments.dtype == "bf16" else PEERS
    engines = ["mobilenet", *(f"mobilenet:{isa}" for isa in arguments.isas), *peers]
    with tempfile.TemporaryDirectory() as folder:
        for alpha in arguments.alphas:
            for batch in arguments.batches:
                safetensors, onnx, tflite = (
                    f"{folder}/{alpha}_{batch}.{e}" for e in ("safetensors", "onnx", "tflite"))
                weights = networks.random_weights(alpha)
                networks.save(safetensors, alpha, weights)
                networks.write_onnx(onnx, alpha, weights, batch)
                if arguments.dtype == "int8":
                    onnx = networks.quantise_onnx(onnx, batch)
                if "litert" in peers:
                    networks.write_tflite(tflite, safetensors, batch, arguments.dtype)
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
