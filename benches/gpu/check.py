"""Holds a GPU's answers against the CPU's, and shows what limits a folder on it.

    cargo build --release --features cuda
    python check.py PROGRAM FOLDER [MODEL OPTIONS]

for example `python check.py ../../target/release/mobilenet ~/Pictures --alpha 0.25`. It needs nothing but Python.

- Scores of all classes of each picture, in f32, f16 and bf16, one at a time and in batches of 7 and 64: how far they
  are from the CPU's, how far from one another between batches, and how many first classes differ.
- The whole way from the folder to a table, on 1, 2, 4, ... threads: where more of them no longer help, the GPU is busy;
  until then decoding is what limits.
- The most memory that the GPU had in use, where nvidia-smi is there.
"""

import json
import os
import subprocess
import sys
import threading
import time


# How far rounding moves scores, and some.
LIMITS = {"f32": 1e-4, "f16": 0.05, "bf16": 0.2}


def classify(program, options, device, *more):
    command = [program, "classify", *options, "--device", *device.split(), *more]
    start = time.perf_counter()
    ran = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    # 2: a picture could not be read; its row says so.
    if ran.returncode not in (0, 2):
        sys.exit(f"{command} ended with {ran.returncode}")
    return ran.stdout, time.perf_counter() - start


def scores(program, options, folder, device, batch):
    output, _ = classify(program, options, device, "-b", str(batch), "-k", "1000", "--format", "jsonl", folder)
    rows = [json.loads(line) for line in output.splitlines()]
    return {
        row["path"]: {prediction["index"]: prediction["score"] for prediction in row["predictions"]}
        for row in rows if not row["error"]
    }


def distance(a, b):
    """The largest difference of a score, and of how many pictures another class is first."""
    assert a.keys() == b.keys(), "other pictures"
    largest, changed = 0.0, 0
    for path in a:
        ours, theirs = a[path], b[path]
        largest = max([largest, *(abs(ours[index] - theirs[index]) for index in ours)])
        changed += max(ours, key=ours.get) != max(theirs, key=theirs.get)
    return largest, changed


class Memory:
    """The most of the GPU's memory that was in use meanwhile, in MiB."""

    def __enter__(self):
        self.most, self.running = None, True
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()
        return self

    def watch(self):
        query = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
        while self.running:
            try:
                used = int(subprocess.check_output(query, text=True).splitlines()[0])
            except (OSError, ValueError, IndexError, subprocess.CalledProcessError):
                return
            self.most = max(self.most or 0, used)
            time.sleep(0.2)

    def __exit__(self, *_):
        self.running = False
        self.thread.join()


def main():
    program, folder, *options = sys.argv[1:]
    cpu = scores(program, options, folder, "cpu", 1)
    print(f"{len(cpu)} pictures")
    wrong = not cpu
    for dtype in ["f32", "f16", "bf16"]:
        device = f"cuda --dtype {dtype}"
        answers = {batch: scores(program, options, folder, device, batch) for batch in (1, 7, 64)}
        for batch, answer in answers.items():
            largest, changed = distance(cpu, answer)
            among, _ = distance(answers[1], answer)
            wrong |= largest > LIMITS[dtype] or among > LIMITS[dtype] / 2
            print(f"{dtype}, batches of {batch:2}: scores within {largest:.2g} of the CPU's, first class another "
                  f"of {changed}, within {among:.2g} of batches of 1", flush=True)
    threads, most = 1, os.cpu_count()
    while threads <= most:
        with Memory() as memory:
            _, seconds = classify(
                program, options, "cuda --dtype f16", "-b", "64", "-j", str(threads), "--format", "csv", folder)
        used = f", {memory.most} MiB of the GPU's memory in use" if memory.most else ""
        print(f"{threads:3} threads: {seconds:.2f} s, {len(cpu) / seconds:.0f} pictures/s{used}", flush=True)
        threads *= 2
    if wrong:
        sys.exit("scores are further apart than rounding makes them")


if __name__ == "__main__":
    main()
