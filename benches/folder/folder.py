"""Times a folder of JPEGs on its way to a CSV: `mobilenet classify` beside Python pipelines, in turns.

    pip install -r requirements.txt
    cargo build --release
    python folder.py --binary ../../target/release/mobilenet

There is a folder of pictures of ImageNet's usual size, and one of 12-megapixel photographs (`pictures.py`). The
pipelines in Python (`pipelines.py`) read with Pillow, by the same recipe, and run the same network in ONNX Runtime
or LiteRT. Which workers suit them best is tried out first, on a fifth of the pictures; the best of each engine
then takes turns with ours, round after round, all on the same cores. `box` resizes only what the crop leaves,
`draft N` has libjpeg decode at the lowest scale that leaves a shorter side of N.

Ours is timed as a whole process. A Python pipeline is timed without its start (imports, loading, processes) and,
in brackets, with it. A ratio is its time divided by ours in the same round: over 1 ours is faster. Printed are the
medians of the rounds, and the ratios' range. Where other programs run meanwhile, the ratios of processor time
tell more than those of time. `busy` is the share of the cores' time that the whole process had; `differ` counts
pictures whose most probable class is not the one that plain Pillow and ONNX Runtime find. With `--dtype int8` all
compute in eight bits, each as its own tools quantise the network.

Weights are random, the classifier's scaled so that scores are as far apart as a trained network's: ours looks
twice at a picture that was decoded at a reduced scale and whose first two scores are near each other.
`--checkpoint` takes trained weights (from `mobilenet convert`) for their alpha.
"""

import argparse
import csv
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter

import numpy as np

import pictures
import pipelines
from pipelines import Pipeline

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "peers"))
import networks  # noqa: E402

WORKERS = [
    Pipeline("onnxruntime", shared=True),
    Pipeline("onnxruntime", shared=True, crowd=2),
    Pipeline("onnxruntime"),
    Pipeline("onnxruntime", "batches"),
    Pipeline("onnxruntime", "processes"),
    Pipeline("litert"),
    Pipeline("litert", crowd=2),
    Pipeline("litert", "processes"),
]
TRIALS = 2
TRIED_EVERY = 5
# Standard deviation of random logits with which about a tenth of the pictures have a near tie.
SPREAD = 8
NEAR_TIE = 0.8
CALIBRATED_ON = 64
# The first that is found in a symbol's name says where its time goes.
PARTS = {
    "resampling": r"resample|resize|Taps",
    "network": r"mobilenet::cpu|mobilenet::model|to_tensor|classifier",
    "decoding": r"jpeg|jsimd|jpg|huff|mcu|idct|ycc|upsample|jinit|mozjpeg|pixels",
    "kernel": r"^\[k\]",
}


@dataclass(frozen=True)
class Set:
    count: int
    size: tuple
    grain: float
    # Ours and theirs beyond the plain ones.
    options: list
    variants: list


SETS = {
    "500x375": Set(1500, (500, 375), 9, [], [{"box": True}]),
    "4000x3000": Set(150, (4000, 3000), 3, ["--full-decode"], [
        {"box": True}, {"box": True, "draft": 1}, {"box": True, "draft": 2}]),
}


@dataclass(frozen=True)
class Case:
    alpha: float
    size: str
    threads: int
    folder: Path
    # The network's files, less what follows the last dot.
    models: str
    binary: str
    dtype: str = "f32"

    def command(self, competitor, output):
        if isinstance(competitor, Pipeline):
            model = f"{self.models}.{'tflite' if competitor.engine == 'litert' else 'onnx'}"
            if self.dtype == "int8":
                model += ".int8.onnx" if competitor.engine == "onnxruntime" else ".int8.tflite"
            return [sys.executable, str(HERE / "pipelines.py"), json.dumps(asdict(competitor)), model,
                    str(self.folder), output, str(self.threads)]
        return [self.binary, *competitor.split()[1:], "--weights", f"{self.models}.safetensors", str(self.folder),
                "--format", "csv", "--quiet", "-o", output, "-j", str(self.threads), "--dtype", self.dtype]


@dataclass(frozen=True)
class Run:
    # Seconds of the process; of a Python pipeline also without its start.
    whole: float
    seconds: float
    # Seconds of processors, without a Python pipeline's start.
    processors: float
    # Share of the cores' time that the process had.
    busy: float


def run(case, competitor, output):
    cores = sorted(os.sched_getaffinity(0))[:case.threads]
    start = perf_counter()
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            case.command(competitor, output), stdout=subprocess.PIPE, stderr=errors,
            preexec_fn=lambda: os.sched_setaffinity(0, cores))
        _, status, usage = os.wait4(process.pid, 0)
        whole = perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        printed = process.communicate()[0]
        if process.returncode != 0:
            errors.seek(0)
            sys.exit(f"{competitor}: {errors.read().decode(errors='replace')}")
    processors = usage.ru_utime + usage.ru_stime
    busy = processors / whole / case.threads
    return Run(whole, *map(float, printed.split() or (whole, processors)), busy)


def write_network(stem, alpha, checkpoint, paths, dtype):
    if checkpoint:
        weights = networks.load(checkpoint)[1]
    else:
        weights = networks.random_weights(alpha)
        networks.write_onnx(f"{stem}.onnx", alpha, weights, "n")
        spread_answers(weights, f"{stem}.onnx", paths)
    networks.save(f"{stem}.safetensors", alpha, weights)
    networks.write_onnx(f"{stem}.onnx", alpha, weights, "n")
    networks.write_tflite(f"{stem}.tflite", f"{stem}.safetensors", 1)
    if dtype == "int8":
        networks.quantise_onnx(f"{stem}.onnx", 1)
        networks.write_tflite(f"{stem}.tflite.int8.tflite", f"{stem}.safetensors", 1, "int8")


def spread_answers(weights, onnx, paths):
    """Gives each class's logits a mean of 0 over the pictures, and all of them a deviation of `SPREAD`."""
    pipeline = Pipeline("onnxruntime")
    network = pipelines.load(pipeline, onnx, 1)
    logits = np.vstack([network([pipelines.read(path, pipeline)]) for path in paths])
    mean = logits.mean(0)
    scale = SPREAD / (logits - mean).std()
    weights["conv_preds.weight"] *= scale
    weights["conv_preds.bias"] -= scale * mean


def link_some(folder, every, target):
    """Makes the folder `target` of one of `every` pictures."""
    target.mkdir()
    for path in sorted(folder.iterdir())[::every]:
        os.symlink(path.resolve(), target / path.name)
    return target


def tune(case, output):
    """The best plain pipeline of each engine, and the seconds of all."""
    with tempfile.TemporaryDirectory() as scratch:
        part = replace(case, folder=link_some(case.folder, TRIED_EVERY, Path(scratch) / "part"))
        trials = [{p: run(part, p, output).seconds for p in WORKERS} for _ in range(TRIALS)]
    seconds = {p: min(trial[p] for trial in trials) for p in WORKERS}
    best = {engine: min((p for p in WORKERS if p.engine == engine), key=seconds.get)
            for engine in ("onnxruntime", "litert")}
    return best, {str(p): s for p, s in seconds.items()}


def top_scores(path):
    """For each picture its first class and its second score by its first."""
    answers = {}
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            answers.setdefault(Path(row["path"]).name, []).append((row["index"], float(row["score"])))
    return {name: (first[0], second[1] / first[1]) for name, (first, second, *_) in answers.items()}


def compare(case, rounds, scratch):
    best, trials = tune(case, f"{scratch}/trial.csv")
    plain, other = best["onnxruntime"], best["litert"]
    variants = SETS[case.size].variants
    competitors = ["mobilenet classify"]
    competitors += [f"mobilenet classify {option}" for option in SETS[case.size].options]
    competitors += [plain, *(replace(plain, **variant) for variant in variants), replace(other, **variants[-1])]
    outputs = {c: f"{scratch}/{number}.csv" for number, c in enumerate(competitors)}
    runs = [{c: run(case, c, outputs[c]) for c in competitors} for _ in range(rounds)]
    reference = top_scores(outputs[plain])
    near = sum(ratio > NEAR_TIE for _, ratio in reference.values())
    count = len(reference)
    result = {"alpha": case.alpha, "size": case.size, "threads": case.threads, "images": count,
              "near_ties": near, "trial_seconds": trials, "competitors": []}
    print(f"\nalpha {case.alpha}, {case.size}, {case.threads} threads: {count} images, {near} near ties")
    print("  tried: " + "; ".join(f"{name} {seconds:.2f} s" for name, seconds in trials.items()))
    print(f"  {'':48}  images/s (whole)   theirs / ours (whole)        processor ms, / ours       busy  differ")
    for competitor in competitors:
        of = [r[competitor] for r in runs]
        ratios = sorted(r[competitor].seconds / r[competitors[0]].whole for r in runs)
        whole = statistics.median(r[competitor].whole / r[competitors[0]].whole for r in runs)
        processors = sorted(r[competitor].processors / r[competitors[0]].processors for r in runs)
        answers = top_scores(outputs[competitor])
        entry = {
            "name": str(competitor),
            "images_per_second": count / statistics.median(o.seconds for o in of),
            "images_per_second_whole": count / statistics.median(o.whole for o in of),
            "ratio": statistics.median(ratios), "ratio_range": [ratios[0], ratios[-1]],
            "ratio_whole": whole, "processor_ms": 1e3 * statistics.median(o.processors for o in of) / count,
            "processor_ratio": statistics.median(processors),
            "processor_ratio_range": [processors[0], processors[-1]], "busy": statistics.median(o.busy for o in of),
            "differ": sum(answers[name][0] != first for name, (first, _) in reference.items()),
        }
        result["competitors"].append(entry)
        print(line(entry), flush=True)
    return result


def line(entry):
    def ranged(key):
        return "{:.2f} ({:.2f}-{:.2f})".format(entry[key], *entry[f"{key}_range"])

    return (
        "  {name:48} {images_per_second:7.1f} ({images_per_second_whole:7.1f})".format(**entry)
        + f"  {ranged('ratio'):16} ({entry['ratio_whole']:.2f})"
        + f"  {entry['processor_ms']:7.2f}  {ranged('processor_ratio'):16}"
        + f"  {entry['busy']:5.0%}  {entry['differ']:6}")


def profile(case, scratch):
    """Shares of our processor time by `PARTS`, as `perf` sees them."""
    data = f"{scratch}/perf.data"
    command = case.command("mobilenet classify", f"{scratch}/profile.csv")
    subprocess.run(["perf", "record", "-q", "-F", "999", "-o", data, *command], check=True, capture_output=True)
    report = subprocess.run(
        ["perf", "report", "-q", "--stdio", "--no-children", "-s", "symbol", "-i", data],
        check=True, capture_output=True, text=True).stdout
    symbols = re.findall(r"^ *([\d.]+)% +(.*\S)", report, re.MULTILINE)
    shares = Counter()
    for share, symbol in symbols:
        part = next((part for part, pattern in PARTS.items() if re.search(pattern, symbol)), "other")
        shares[part] += float(share)
    print("  profile: " + ", ".join(f"{part} {share:.0f} %" for part, share in shares.most_common()))
    for share, symbol in symbols[:12]:
        print(f"    {share:>6} %  {symbol}")
    return dict(shares)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--binary", default="../../target/release/mobilenet")
    parser.add_argument("--pictures", type=Path, help="a folder to keep the pictures in for another time")
    parser.add_argument("--photographs", default=str(HERE.parent.parent / "samples"), help="to make them from")
    parser.add_argument("--sizes", choices=SETS, nargs="+", default=list(SETS))
    parser.add_argument("--alphas", type=float, nargs="+", default=[1.0, 0.25])
    parser.add_argument("--threads", type=int, nargs="+", default=[2, 1])
    parser.add_argument("--dtype", choices=["f32", "int8"], default="f32",
                        help="int8: each engine's network as its own tools quantise it")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--every", type=int, default=1, help="use one of so many pictures, to be done sooner")
    parser.add_argument("--checkpoint", nargs="*", default=[], help="safetensors of ours")
    parser.add_argument("--profile", action="store_true", help="also where our time goes (needs perf)")
    parser.add_argument("--json", help="a file for all figures")
    arguments = parser.parse_args()
    if not shutil.which(arguments.binary):
        parser.error(f"{arguments.binary} is not a program")
    checkpoints = {networks.load(path)[0]: path for path in arguments.checkpoint}
    with tempfile.TemporaryDirectory() as scratch:
        folders = {size: (arguments.pictures or Path(scratch)) / size for size in arguments.sizes}
        for size, folder in folders.items():
            of = SETS[size]
            pictures.make(folder, of.count, of.size, of.grain, arguments.photographs)
            bytes_each = sorted(len(path.read_bytes()) for path in folder.iterdir())
            if arguments.every > 1:
                folders[size] = link_some(folder, arguments.every, Path(scratch) / f"some-{size}")
            print(f"{size}: {of.count} files of {bytes_each[0] / 1e3:.0f} to {bytes_each[-1] / 1e3:.0f} kB", flush=True)
        results = []
        each = CALIBRATED_ON // len(folders)
        calibration = [path for folder in folders.values() for path in sorted(folder.iterdir())[:each]]
        for alpha in arguments.alphas:
            models = f"{scratch}/{alpha}"
            write_network(models, alpha, checkpoints.get(alpha), calibration, arguments.dtype)
            for size, folder in folders.items():
                for threads in arguments.threads:
                    case = Case(alpha, size, threads, folder, models, arguments.binary, arguments.dtype)
                    results.append(compare(case, arguments.rounds, scratch))
                    if arguments.profile:
                        results[-1]["profile"] = profile(case, scratch)
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
