"""Times `mobilenet serve` beside the same service on Python stacks, in turns, on the same cores as the load.

    pip install -r requirements.txt        # and wrk, from your distribution
    cargo build --release
    python serve.py --binary ../../target/release/mobilenet --photographs ../../../shared/images

Pictures of 500x375 (`../folder/pictures.py`) are posted by wrk with one thread and 8 connections; a round asks each
service in turn, and has `mobilenet classify` label the same folder. Printed are the medians of pictures a second,
and the ratios of ours to each within the rounds. All run the same network, with random weights or `--checkpoint`
(from `mobilenet convert`). The Python stacks have a worker a core, each with one thread of ONNX Runtime.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "peers"), str(HERE.parent / "folder")]
import networks  # noqa: E402
import pictures  # noqa: E402

PORT = 8200


class Service:
    def __init__(self, name, command, path, port, folder, environment=None):
        self.name, self.path, self.port = name, path, port
        log = open(Path(folder) / f"{name}.log", "w")
        self.process = subprocess.Popen(
            command, stdout=log, stderr=log, cwd=HERE, start_new_session=True,
            env={**os.environ, **(environment or {})})

    def wait(self, body):
        for _ in range(600):
            try:
                request = urllib.request.Request(f"http://127.0.0.1:{self.port}{self.path}", body)
                return json.load(urllib.request.urlopen(request, timeout=10))
            except OSError:
                time.sleep(0.1)
        raise SystemExit(f"{self.name} does not answer")

    def hold(self, signal_number):
        """Stopped while others are measured, so that nothing of it runs."""
        os.killpg(self.process.pid, signal_number)

    def load(self, folder, connections, seconds):
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", "post.lua",
                   f"http://127.0.0.1:{self.port}", "--", str(folder), self.path]
        output = subprocess.run(command, cwd=HERE, check=True, capture_output=True, text=True).stdout
        result = json.loads(next(line for line in output.splitlines() if line.startswith("{")))
        assert result["failed"] == 0, (self.name, result)
        result["rate"] = result["requests"] / result["seconds"]
        return result

    def resident_mb(self):
        total = 0
        listed = subprocess.run(["ps", "-o", "rss=", "-s", str(self.process.pid)], capture_output=True, text=True)
        for line in listed.stdout.split():
            total += int(line)
        return total / 1024


def onnx_of(folder, alpha, weights):
    path = str(Path(folder) / "network.onnx")
    networks.write_onnx(path, alpha, weights, "n")
    return path


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True, type=Path)
    parser.add_argument("--photographs", required=True, type=Path)
    parser.add_argument("--alpha", type=float, default=0.25)
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--pictures", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--peers", default="fastapi,bentoml")
    arguments = parser.parse_args()
    binary, cores = str(arguments.binary.resolve()), len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        album = Path(folder) / "album"
        pictures.make(album, arguments.pictures, (500, 375), 2, arguments.photographs)
        checkpoint, alpha = arguments.checkpoint, arguments.alpha
        if checkpoint:
            alpha, weights = networks.load(checkpoint)
        else:
            weights = networks.random_weights(alpha)
            # Scores as far apart as a trained network's: ours looks twice where they are not.
            weights["conv_preds.weight"] *= 8
            checkpoint = Path(folder) / "network.safetensors"
            networks.save(checkpoint, alpha, weights)
        model = onnx_of(folder, alpha, weights)
        ours = [binary, "serve", "--quiet", "--weights", str(Path(checkpoint).resolve()), "--listen"]
        services = [
            Service("ours", [*ours, f"127.0.0.1:{PORT}"], "/v1/classify", PORT, folder),
            Service("ours, int8", [*ours, f"127.0.0.1:{PORT + 1}", "--dtype", "int8"], "/v1/classify", PORT + 1, folder),
        ]
        for number, peer in enumerate(filter(None, arguments.peers.split(",")), 2):
            port = str(PORT + number)
            command = [sys.executable, "peers.py", model, port, str(cores)]
            environment = {"MODEL": model, "OMP_NUM_THREADS": "1"}
            if peer == "bentoml":
                environment["WORKERS"] = str(cores)
                environment["BENTOML_CONFIG_OPTIONS"] = "api_server.logging.access.enabled=false"
                command = [sys.executable, "-m", "bentoml", "serve", "bento_service:Classifier", "--port", port]
            services.append(Service(peer, command, "/classify", int(port), folder, environment))
        rates, folder_rates, halves = {service.name: [] for service in services}, [], []
        try:
            first = sorted(album.iterdir())[0].read_bytes()
            for service in services:
                answer = service.wait(first)
                print(service.name, json.dumps(answer)[:160], file=sys.stderr)
                service.load(album, arguments.connections, 1)
                service.hold(signal.SIGSTOP)
            for _ in range(arguments.rounds):
                for service in services:
                    service.hold(signal.SIGCONT)
                    result = service.load(album, arguments.connections, arguments.seconds)
                    rates[service.name].append(result)
                    service.hold(signal.SIGSTOP)
                begin = time.perf_counter()
                subprocess.run([binary, "classify", "--quiet", "--weights", str(checkpoint), "--format", "csv",
                                *[str(album)] * 4], check=True, stdout=subprocess.DEVNULL)
                folder_rates.append(4 * arguments.pictures / (time.perf_counter() - begin))
            # One connection a core keeps half of what 8 keep waiting, or less.
            services[0].hold(signal.SIGCONT)
            halves = [services[0].load(album, 1, arguments.seconds) for _ in range(3)]
            resident = {service.name: service.resident_mb() for service in services}
        finally:
            for service in services:
                service.hold(signal.SIGKILL)
        print(f"alpha {alpha}, {cores} cores, {arguments.connections} connections, {arguments.pictures} pictures of 500x375")
        print(f"{'':12} {'pictures/s':>10} {'p50 ms':>8} {'p99 ms':>8} {'MB':>6}  ours / it, median (range)")
        base = [result["rate"] for result in rates["ours"]]
        for name, results in rates.items():
            ratios = [a / b["rate"] for a, b in zip(base, results)]
            print(f"{name:12} {statistics.median(r['rate'] for r in results):10.1f}"
                  f" {statistics.median(r['p50_ms'] for r in results):8.2f}"
                  f" {statistics.median(r['p99_ms'] for r in results):8.2f} {resident[name]:6.0f}"
                  f"  {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
        ratios = [a / b for a, b in zip(base, folder_rates)]
        print(f"{'classify':12} {statistics.median(folder_rates):10.1f} {'':24}"
              f"  {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
        print("one connection:", ", ".join(f"p50 {r['p50_ms']:.2f}, p99 {r['p99_ms']:.2f} ms" for r in halves))


if __name__ == "__main__":
    main()
