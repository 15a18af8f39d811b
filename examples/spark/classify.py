"""Classifies pictures with `mobilenet` on Apache Spark.

    python classify.py --weights FILE --output labels.parquet FOLDER
    spark-submit --master URL classify.py --ship --weights FILE --output labels.parquet FOLDER

Every partition of the paths is answered by one process that reads them from its stdin and writes a
    spark-submit --master URL classify.py --ship --weights FILE --output DIR FOLDER

    from classify import classify
    frame = classify(spark, ["a.jpg", "b.jpg"], weights="mobilenet.safetensors")
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import shutil
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

from pyspark import RDD, SparkFiles
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

# A path: text, or bytes where it is not UTF-8.
Name = str | bytes

SCHEMA = """
    path string,
    path_bytes binary,
    predictions array<struct<index: int, wnid: string, label: string, score: float>>,
    error struct<kind: string, message: string>
"""

# What `mobilenet classify` takes for a picture in a folder by its name.
EXTENSIONS = tuple(
    b"." + extension
    for extension in (
        b"jpg jpeg jpe jfif png webp gif bmp dib tif tiff pnm pbm pgm ppm pam heic heif avif jxl"
    ).split()
)

# How much of a process's stderr is kept to be shown if it dies.
STDERR_BYTES = 4096


def classify(
    spark: SparkSession,
    paths: Iterable[Name] | RDD,
    *,
    binary: str = "mobilenet",
    weights: str | None = None,
    options: Sequence[str] = (),
    partitions: int | None = None,
    ship: bool = False,
) -> DataFrame:
    """One row a picture, in the order of `paths`, with the keys of `mobilenet classify --jsonl`.

    A path is a picture, not a folder, and has to exist where the executors run. One that is not
    UTF-8 has a null `path` and its bytes in `path_bytes`. A picture that can't be read has an
    `error` and no predictions. `ship` sends `binary` and `weights` to the executors; otherwise
    both have to be there.

    The frame is lazy, like any: cache or write it before using it twice.
    """
    context = spark.sparkContext
    if not isinstance(paths, RDD):
        paths = context.parallelize(list(paths), partitions)
    elif partitions:
        paths = paths.repartition(partitions)
    if ship:
        context.addFile(os.path.abspath(shutil.which(binary) or binary))
        if weights is not None:
            context.addFile(os.path.abspath(weights))
    answer = partial(
        answers,
        binary=binary,
        weights=weights,
        options=[*options, "--threads", context.getConf().get("spark.task.cpus", "1")],
        ship=ship,
    )
    return spark.createDataFrame(paths.mapPartitions(answer), SCHEMA, verifySchema=False)


def answers(
    paths: Iterator[Name],
    *,
    binary: str,
    weights: str | None,
    options: Sequence[str],
    ship: bool,
) -> Iterator[tuple]:
    """The rows of one partition, from one process; from none where there are no paths."""

    def place(file: str) -> str:
        return SparkFiles.get(os.path.basename(file)) if ship else file

    command = [place(binary), "classify", "--jsonl", "--files0-from", "-", *options]
    if weights is not None:
        command += ["--weights", place(weights)]
    names = filter(None, map(to_bytes, paths))
    first = next(names, None)
    if first is None:
        return
    with Process(command) as process:
        yield from process.answers(first, names)


class Process:
    """A running `mobilenet classify`, killed at the end of the `with` if it is still there.

    Paths are written by a thread of their own, so neither side waits for the other with full
    pipes. The program reads no further ahead than it has room for, so memory is bounded.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self.command = command
        self.stderr = b""
        self.unanswered: deque[bytes] = deque()
        self.all_sent = False
        self.feed_error: Exception | None = None
        self.threads: list[threading.Thread] = []

    def __enter__(self) -> Process:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(self.command, stdin=pipe, stdout=pipe, stderr=pipe)
        self.stderr_reader = self.start(self.keep_stderr)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        for thread in self.threads:
            thread.join()
        self.process.stderr.close()

    def start(self, target: Callable, *arguments: object) -> threading.Thread:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        thread.start()
        self.threads.append(thread)
        return thread

    def keep_stderr(self) -> None:
        while chunk := self.process.stderr.read1():
            self.stderr = (self.stderr + chunk)[-STDERR_BYTES:]

    def feed(self, first: bytes, names: Iterator[bytes]) -> None:
        stdin = self.process.stdin
        try:
            name: bytes | None = first
            while name is not None:
                self.unanswered.append(name)
                stdin.write(name + b"\0")
                stdin.flush()
                name = next(names, None)
            self.all_sent = True
        except BrokenPipeError:
            pass  # It died, as its other end shows.
        except Exception as error:
            self.feed_error = error
        finally:
            try:
                stdin.close()
            except BrokenPipeError:
                pass

    def answers(self, first: bytes, names: Iterator[bytes]) -> Iterator[tuple]:
        self.start(self.feed, first, names)
        for line in self.process.stdout:
            if not line.endswith(b"\n"):
                break  # It died within a row.
            name, row = parse(line)
            expected = self.unanswered.popleft() if self.unanswered else None
            if name != expected:
                raise ValueError(f"{name!r} is answered where {expected!r} was asked for; "
                                 "is it a folder? Name the pictures in it")
            yield row
        code = self.process.wait()
        if self.feed_error:
            raise self.feed_error
        # 2 is also the code where a picture can't be read: its row says so.
        if code not in (0, 2) or self.unanswered or not self.all_sent:
            self.stderr_reader.join()
            stderr = self.stderr.decode(errors="replace").strip()
            raise RuntimeError(f"{self.command} ended with {code}, not all answered:\n{stderr}")


def parse(line: bytes) -> tuple[bytes, tuple]:
    """A JSON line as the bytes of its path and a row of `SCHEMA`."""
    answer = json.loads(line)
    path, path_bytes, error = answer["path"], None, answer["error"]
    if path is None:
        path_bytes = base64.b64decode(answer["path_base64"])
    predictions = [(p["index"], p["wnid"], p["label"], p["score"]) for p in answer["predictions"]]
    row = (path, path_bytes, predictions, error and (error["kind"], error["message"]))
    return path_bytes if path is None else path.encode(), row


def to_bytes(path: Name) -> bytes:
    name = path.encode(errors="surrogateescape") if isinstance(path, str) else bytes(path)
    if b"\0" in name:
        raise ValueError(f"{name!r}: no path has a NUL in it")
    return name


def flat(frame: DataFrame) -> DataFrame:
    """One row a prediction, with the columns of `mobilenet classify --format csv`.

    A picture without predictions has one row. `path_base64` is for paths that are not UTF-8.
    """
    exploded = frame.select(
        "path", "path_bytes", "error", F.posexplode_outer("predictions").alias("place", "found")
    )
    return exploded.select(
        "path",
        (F.col("place") + 1).alias("rank"),
        "found.index",
        "found.wnid",
        "found.label",
        "found.score",
        F.col("error.message").alias("error"),
        F.base64("path_bytes").alias("path_base64"),
    )


def write(frame: DataFrame, output: str) -> None:
    """CSV where the name ends with `.csv`, else Parquet: a folder of one file a partition."""
    if not output.endswith(".csv"):
        return frame.write.parquet(output)
    # As RFC 4180 quotes, and names keep their spaces.
    flat(frame).write.csv(
        output,
        header=True,
        escape='"',
        ignoreLeadingWhiteSpace=False,
        ignoreTrailingWhiteSpace=False,
    )


def pictures(name: bytes) -> Iterator[bytes]:
    """A picture itself, or the pictures in a folder by their extensions, in bytewise order."""
    if not os.path.isdir(name):
        yield name
        return

    def fail(error: OSError) -> None:
        raise error

    found = (
        os.path.join(folder, file)
        for folder, _, files in os.walk(name, onerror=fail)
        for file in files
        if file.lower().endswith(EXTENSIONS)
    )
    yield from sorted(found)


def listed(file: str, end: bytes) -> list[bytes]:
    """The paths in a file, `-` for stdin, each ended by a byte."""
    content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    return [name for name in content.split(end) if name]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog="Options of `mobilenet classify` may follow `--`.",
    )
    add = parser.add_argument
    add("paths", metavar="PATH", nargs="*", help="pictures and folders of them")
    add("--files-from", metavar="FILE", help="paths in a file, one a line; - is stdin")
    add("--files0-from", metavar="FILE", help="the same, each path ended by NUL")
    add("--binary", metavar="FILE", default="mobilenet", help="the program (default: in PATH)")
    add("--weights", metavar="FILE", help="the checkpoint (default: the program's)")
    add("--ship", action="store_true", help="send --binary and --weights to the executors")
    add("--partitions", metavar="N", type=int, help="default: four for each core")
    add("-o", "--output", metavar="DIR", help="NAME.csv or Parquet (default: show some rows)")
    own, options = sys.argv[1:], []
    if "--" in own:
        end = own.index("--")
        own, options = own[:end], own[end + 1:]
    return parser.parse_args(own, argparse.Namespace(options=options))


def main() -> None:
    args = arguments()
    paths = [picture for name in args.paths for picture in pictures(os.fsencode(name))]
    for file, end in ((args.files_from, b"\n"), (args.files0_from, b"\0")):
        if file:
            paths += listed(file, end)
    spark = SparkSession.builder.appName("mobilenet").getOrCreate()
    frame = classify(
        spark,
        paths,
        binary=args.binary,
        weights=args.weights,
        options=args.options,
        partitions=args.partitions or 4 * spark.sparkContext.defaultParallelism,
        ship=args.ship,
    )
    if args.output:
        write(frame, args.output)
    else:
        flat(frame).drop("path_base64").show(truncate=False)
    spark.stop()


if __name__ == "__main__":
    main()
