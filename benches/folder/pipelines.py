"""A folder of JPEGs to a table of labels in Python: Pillow, and ONNX Runtime or LiteRT.

Run by `folder.py`, one pipeline a process. Prints the seconds from the moment when all is imported, loaded and
warm to the moment when the table is written, and the processor time that all its processes took meanwhile.
"""

import argparse
import csv
import json
import multiprocessing
import queue
import resource
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = 224
SHORTER = 256
TOP = 5
# Pictures a batch, where they go through the network in batches.
BATCH = 16


@dataclass(frozen=True)
class Pipeline:
    """How a pipeline is put together."""

    # `onnxruntime` or `litert`.
    engine: str
    # `threads` and `processes` take a picture all the way; `batches` decode on threads, and hand what is ready to
    # a network that runs on all cores.
    workers: str = "threads"
    # Workers for each core.
    crowd: int = 1
    # One session that all threads use, which ONNX Runtime allows.
    shared: bool = False
    # Resize just the part that the crop leaves. Bytes may be off by one.
    box: bool = False
    # `draft` to at least so many times the size that is resized to; 0 is no draft.
    draft: int = 0

    def __str__(self):
        sessions = ", one session" if self.shared else ""
        crowd = f" x{self.crowd}" if self.crowd > 1 else ""
        cut = ", box" if self.box else ""
        draft = f", draft {SHORTER * self.draft}" if self.draft else ""
        return f"{self.engine}, {self.workers}{crowd}{sessions}{cut}{draft}"


def read(path, pipeline):
    """A file's pixels, 224x224x3."""
    with Image.open(path) as image:
        width, height = image.size
        if width <= height:
            resized = SHORTER, height * SHORTER // width
        else:
            resized = width * SHORTER // height, SHORTER
        if pipeline.draft:
            image.draft("RGB", tuple(pipeline.draft * side for side in resized))
        if image.mode != "RGB":
            image = image.convert("RGB")
        left, top = ((side - SIZE) // 2 for side in resized)
        window = left, top, left + SIZE, top + SIZE
        if not pipeline.box:
            image = image.resize(resized, Image.Resampling.BILINEAR)
            return np.asarray(image.crop(window))
        scales = [of / to for of, to in zip(image.size, resized)] * 2
        box = tuple(edge * scale for edge, scale in zip(window, scales))
        return np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BILINEAR, box))


def onnxruntime(model, threads):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that spin take from those that decode.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def run(pictures):
        x = np.empty((len(pictures), 3, SIZE, SIZE), np.float32)
        for to, picture in zip(x, pictures):
            np.divide(picture.transpose(2, 0, 1), np.float32(127.5), out=to)
        x -= 1
        return session.run(None, {"input": x})[0]

    return run


def litert(model, threads):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=model, num_threads=threads)
    interpreter.allocate_tensors()
    details = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    source, target = (d["index"] for d in details)
    (step, zero), (logit_step, logit_zero) = (d["quantization"] for d in details)

    def run(pictures):
        x = np.stack(pictures) / np.float32(127.5)
        x -= 1
        if step:
            x = np.clip(np.round(x / step) + zero, -128, 127).astype(np.int8)
        interpreter.set_tensor(source, x)
        interpreter.invoke()
        logits = interpreter.get_tensor(target)
        return (logits.astype(np.float32) - logit_zero) * logit_step if logit_step else logits

    return run


def load(pipeline, model, threads):
    """A network that has run once."""
    run = {"onnxruntime": onnxruntime, "litert": litert}[pipeline.engine](model, threads)
    run([np.zeros((SIZE, SIZE, 3), np.uint8)])
    return run


def best(logits):
    """The most probable classes and their scores."""
    powers = np.exp(logits - logits.max())
    scores = powers / powers.sum()
    top = np.argpartition(scores, -TOP)[-TOP:]
    top = top[np.argsort(-scores[top])]
    return list(zip(top.tolist(), scores[top].tolist()))


class OnThreads:
    """Each picture on one of the threads, with a network that no other is using."""

    spent = 0

    def __init__(self, pipeline, model, cores):
        self.pipeline = pipeline
        self.networks = queue.SimpleQueue()
        count = pipeline.crowd * cores
        first = load(pipeline, model, 1)
        self.networks.put(first)
        for _ in range(count - 1):
            self.networks.put(first if pipeline.shared else load(pipeline, model, 1))
        self.executor = ThreadPoolExecutor(count)

    def answer(self, path):
        picture = read(path, self.pipeline)
        run = self.networks.get()
        try:
            return best(run([picture])[0])
        finally:
            self.networks.put(run)

    def answers(self, paths):
        return self.executor.map(self.answer, paths)

    def close(self):
        self.executor.shutdown()


class InBatches:
    """Threads decode; the main thread runs the network."""

    spent = 0

    def __init__(self, pipeline, model, cores):
        self.pipeline = pipeline
        self.run = load(pipeline, model, cores)
        self.executor = ThreadPoolExecutor(pipeline.crowd * cores)

    def answers(self, paths):
        # All pictures are small once they are resized, so nothing has to hold the decoding back.
        pictures = self.executor.map(lambda path: read(path, self.pipeline), paths)
        for start in range(0, len(paths), BATCH):
            batch = [next(pictures) for _ in paths[start:start + BATCH]]
            yield from map(best, self.run(batch))

    def close(self):
        self.executor.shutdown()


class InProcesses:
    """Each picture in one of the processes, each with its network."""

    def __init__(self, pipeline, model, cores):
        context = multiprocessing.get_context("spawn")
        count = pipeline.crowd * cores
        started = context.Queue()
        self.pool = context.Pool(count, begin_process, (pipeline, model, started))
        self.count = count
        # Processor time that their start took.
        self.spent = sum(started.get() for _ in range(count))

    def answers(self, paths):
        # Few enough that the processes end together, and many enough that handing them over costs little.
        chunk = max(1, min(8, len(paths) // (16 * self.count)))
        return self.pool.imap(answer_in_process, paths, chunk)

    def close(self):
        self.pool.close()
        self.pool.join()


def begin_process(pipeline, model, started):
    global process
    process = pipeline, load(pipeline, model, 1)
    started.put(time.process_time())


def answer_in_process(path):
    pipeline, run = process
    return best(run([read(path, pipeline)])[0])


WORKERS = {"threads": OnThreads, "batches": InBatches, "processes": InProcesses}


def processor_time():
    """Of this process, and of those that it started and that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pipeline", help="the fields of a Pipeline as JSON")
    parser.add_argument("model")
    parser.add_argument("folder", type=Path)
    parser.add_argument("output")
    parser.add_argument("cores", type=int)
    arguments = parser.parse_args()
    pipeline = Pipeline(**json.loads(arguments.pipeline))
    workers = WORKERS[pipeline.workers](pipeline, arguments.model, arguments.cores)
    spent = processor_time() + workers.spent
    start = time.perf_counter()
    paths = sorted(arguments.folder.iterdir())
    with open(arguments.output, "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "rank", "index", "score"])
        for path, classes in zip(paths, workers.answers(paths)):
            table.writerows([path, rank, *pair] for rank, pair in enumerate(classes, 1))
    seconds = time.perf_counter() - start
    workers.close()
    print(seconds, processor_time() - spent)


if __name__ == "__main__":
    main()
