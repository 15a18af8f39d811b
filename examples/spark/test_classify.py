"""Tests of `classify.py`: what Spark answers is what the program answers.

    MOBILENET=../../target/release/mobilenet python test_classify.py
"""

from __future__ import annotations

import csv
import glob
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
BINARY = os.environ.get("MOBILENET", str(REPOSITORY / "target/release/mobilenet"))
WEIGHTS = str(REPOSITORY / "tests/data/keras/tiny.keras")
SAMPLES = REPOSITORY / "samples"

# The workers run the Python that runs this.
os.environ["PYSPARK_PYTHON"] = sys.executable
os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True

from pyspark import SparkFiles  # noqa: E402
from pyspark.sql import SparkSession  # noqa: E402

import classify as example  # noqa: E402

spark: SparkSession | None = None


def setUpModule() -> None:
    global spark
    if not (shutil.which("java") or os.environ.get("JAVA_HOME")):
        raise unittest.SkipTest("Spark needs Java")
    spark = (
        SparkSession.builder.master("local[2, 2]")  # A task may fail once.
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("OFF")
    spark.sparkContext.addPyFile(example.__file__)


def tearDownModule() -> None:
    spark.stop()


def classify(paths, binary=BINARY, weights=WEIGHTS, **arguments):
    return example.classify(spark, paths, binary=binary, weights=weights, **arguments)


def as_json(row) -> dict:
    """A row as the program writes it in JSON Lines."""
    answer = row.asDict(recursive=True)
    path_bytes = answer.pop("path_bytes")
    if path_bytes is not None:
        answer["path_bytes"] = bytes(path_bytes)
    return answer


def directly(paths: list[bytes], *options: str) -> list[dict]:
    """The program's own answers, with scores as Spark holds them."""
    command = [BINARY, "classify", "--weights", WEIGHTS, "--jsonl", "--files0-from", "-", *options]
    names = b"".join(path + b"\0" for path in paths)
    ran = subprocess.run(command, input=names, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    answers = []
    for line in ran.stdout.splitlines():
        answer = json.loads(line)
        if "path_base64" in answer:
            answer["path_bytes"] = example.base64.b64decode(answer.pop("path_base64"))
        for found in answer["predictions"]:
            found["score"] = struct.unpack("f", struct.pack("f", found["score"]))[0]
        answers.append(answer)
    return answers


class Folder(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def script(self, text: str) -> str:
        """A program that stands in for `mobilenet`."""
        file = self.folder / "program"
        file.write_text("#!/bin/sh\n" + text)
        file.chmod(0o755)
        return str(file)

    def album(self) -> list[bytes]:
        """Good and bad pictures with all sorts of names."""
        photographs = [SAMPLES / "cat.jpg", SAMPLES / "photographer.png"]
        names = [b"plain.jpg", b"two words .jpg", b"two\nlines.jpg", b"quo\"te'd, \\.jpg"]
        names += [" ".encode() + "gr\u00fcn \U0001f408.jpg".encode()]
        if sys.platform == "linux":
            names.append(b"latin \xfc.jpg")
        paths = [os.path.join(os.fsencode(self.folder), name) for name in names]
        for i, path in enumerate(paths):
            shutil.copy(photographs[i % 2], path)
        broken = os.path.join(os.fsencode(self.folder), b"broken.jpg")
        Path(os.fsdecode(broken)).write_bytes((SAMPLES / "cat.jpg").read_bytes()[:100])
        return [paths[0], broken, *paths[1:], b"no such.jpg", b"no s\xfcch.jpg"]


class Rows(Folder):
    def test_rows_are_the_programs_own(self) -> None:
        paths = self.album()
        rows = [as_json(row) for row in classify(paths, partitions=3).collect()]
        self.assertEqual(rows, directly(paths))
        kinds = [row["error"] and row["error"]["kind"] for row in rows]
        self.assertEqual(kinds[:2], [None, "decode"])
        self.assertEqual(kinds[-2:], ["not_found", "not_found"])

    def test_options_reach_the_program(self) -> None:
        paths = [os.fsencode(SAMPLES / "cat.jpg")]
        rows = classify(paths, options=["-k", "1"]).collect()
        self.assertEqual([as_json(row) for row in rows], directly(paths, "-k", "1"))
        self.assertEqual(len(rows[0].predictions), 1)

    def test_text_is_a_path_too(self) -> None:
        row = classify([str(SAMPLES / "cat.jpg")]).first()
        self.assertEqual(row.path, str(SAMPLES / "cat.jpg"))
        self.assertIsNone(row.error)

    def test_one_process_a_partition_and_none_for_an_empty_one(self) -> None:
        binary = self.script(f'echo >>"{self.folder}/starts"\nexec "{BINARY}" "$@"\n')
        paths = [SAMPLES / "cat.jpg", SAMPLES / "rocket.jpg", SAMPLES / "coffee.jpg"]
        paths = [str(path) for path in paths]
        self.assertEqual(classify(paths, binary=binary, partitions=8).count(), 3)
        self.assertEqual((self.folder / "starts").read_text(), "\n" * 3)
        self.assertEqual(classify(paths * 5, binary=binary, partitions=2).count(), 15)
        self.assertEqual((self.folder / "starts").read_text(), "\n" * 5)
        self.assertEqual(classify([], binary=binary).count(), 0)
        self.assertEqual((self.folder / "starts").read_text(), "\n" * 5)

    def test_more_than_the_pipes_hold(self) -> None:
        # Rows, paths and messages are each megabytes.
        names = [f"{i}-{'x' * 200}" for i in range(20_000)]
        rows = classify(names, partitions=2).collect()
        self.assertEqual([row.path for row in rows], names)
        self.assertEqual({row.error.kind for row in rows}, {"not_found"})

    def test_an_rdd_of_paths(self) -> None:
        paths = spark.sparkContext.parallelize([str(SAMPLES / "cat.jpg")] * 4, 2)
        self.assertEqual(classify(paths).count(), 4)
        self.assertEqual(classify(paths, partitions=3).rdd.getNumPartitions(), 3)

    def test_shipped_files(self) -> None:
        paths = [os.fsencode(SAMPLES / "cat.jpg")]
        rows = [as_json(row) for row in classify(paths, ship=True).collect()]
        self.assertEqual(rows, directly(paths))
        self.assertTrue(os.path.exists(SparkFiles.get(os.path.basename(BINARY))))

    def test_who_has_enough_rows_leaves_no_process(self) -> None:
        binary = self.script(f'echo $$ >"{self.folder}/pid"\nexec "{BINARY}" "$@"\n')
        frame = classify([str(SAMPLES / "cat.jpg")] * 5000, binary=binary, partitions=1)
        self.assertEqual(len(frame.limit(2).collect()), 2)
        pid = int((self.folder / "pid").read_text())
        for _ in range(100):
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return
            time.sleep(0.1)
        self.fail("it still runs")

    def test_csv_of_a_folder(self) -> None:
        paths = self.album()
        output = str(self.folder / "answers.csv")
        names = example.pictures(os.fsencode(self.folder))
        example.write(classify(names, options=["-k", "2"], partitions=1), output)
        (part,) = glob.glob(f"{output}/part-*.csv")
        with open(part, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        want = []
        # The last two do not exist.
        for answer in directly(sorted(paths[:-2]), "-k", "2"):
            path = answer["path"] or ""
            encoded = example.base64.b64encode(answer.get("path_bytes", b"")).decode()
            error = (answer["error"] or {}).get("message", "")
            for rank, found in enumerate(answer["predictions"], 1):
                want.append((path, str(rank), str(found["index"]), found["label"], error, encoded))
            if error:
                want.append((path, "", "", "", error, encoded))
        keys = ("path", "rank", "index", "label", "error", "path_base64")
        self.assertEqual([tuple(row[key] for key in keys) for row in rows], want)


class Failures(Folder):
    def test_a_process_that_dies_is_started_again(self) -> None:
        once = f'[ -e "{self.folder}/died" ] || {{ >"{self.folder}/died"; head -c 20; exit 1; }}\n'
        binary = self.script(f'{once}exec "{BINARY}" "$@"\n')
        paths = self.album()
        rows = [as_json(row) for row in classify(paths, binary=binary, partitions=2).collect()]
        self.assertTrue((self.folder / "died").exists())
        self.assertEqual(rows, directly(paths))

    def fails(self, frame, *parts: str) -> None:
        with self.assertRaises(Exception) as caught:
            frame.collect()
        for part in parts:
            self.assertIn(part, str(caught.exception))

    def test_a_program_that_dies_at_once(self) -> None:
        binary = self.script("echo it broke >&2\nexit 3\n")
        names = [f"{i}.jpg" for i in range(50_000)]
        self.fails(classify(names, binary=binary, partitions=1), "ended with 3", "it broke")

    def test_a_program_that_dies_between_two_rows(self) -> None:
        binary = self.script(f'"{BINARY}" "$@" | head -n 2\necho it broke >&2\nexit 2\n')
        frame = classify([str(SAMPLES / "cat.jpg")] * 50, binary=binary, partitions=1)
        self.fails(frame, "ended with 2", "it broke")

    def test_a_program_that_dies_within_a_row(self) -> None:
        binary = self.script(f'"{BINARY}" "$@" | head -c 1000\necho it broke >&2\nkill -9 $$\n')
        frame = classify([str(SAMPLES / "cat.jpg")] * 50, binary=binary, partitions=1)
        self.fails(frame, "ended with -9", "it broke")

    def test_a_program_that_leaves_out_the_last_row(self) -> None:
        binary = self.script(f'"{BINARY}" "$@" | head -n 2\n')
        frame = classify([str(SAMPLES / "cat.jpg")] * 3, binary=binary, partitions=1)
        self.fails(frame, "ended with 0, not all answered")

    def test_the_programs_own_words(self) -> None:
        cat = [str(SAMPLES / "cat.jpg")]
        self.fails(classify(cat, weights="nosuch.keras"), "ended with 2", "nosuch.keras")
        self.fails(classify(cat, options=["--nosuch"]), "ended with 2", "--nosuch")
        self.fails(classify(cat, binary="/nosuch/mobilenet"), "/nosuch/mobilenet")

    def test_a_folder_is_no_picture(self) -> None:
        self.fails(classify([str(SAMPLES)]), "is it a folder?")

    def test_a_path_that_cannot_be(self) -> None:
        self.fails(classify([b"a.jpg", b"b\0c.jpg"], partitions=1), "no path has a NUL")

    def test_an_error_before_it_is_not_hidden(self) -> None:
        def name(i: int) -> str:
            return f"{i}.jpg" if i < 5000 else [][i]

        paths = spark.sparkContext.range(0, 10_000, numSlices=1).map(name)
        self.fails(classify(paths), "IndexError")


class Program(Folder):
    def test_parquet_from_a_list_on_stdin(self) -> None:
        paths = self.album()
        output = str(self.folder / "answers")
        command = [sys.executable, HERE / "classify.py", "--binary", BINARY, "--weights", WEIGHTS]
        submit = "--master local[2] --conf spark.ui.enabled=false pyspark-shell"
        ran = subprocess.run(
            [*command, "--files0-from", "-", "--output", output, "--", "-k", "3"],
            input=b"".join(path + b"\0" for path in paths),
            capture_output=True,
            env={**os.environ, "PYSPARK_SUBMIT_ARGS": submit},
            timeout=300,
        )
        self.assertEqual(ran.returncode, 0, ran.stderr.decode(errors="replace"))
        rows = [as_json(row) for row in spark.read.parquet(output).collect()]
        self.assertCountEqual(map(repr, rows), map(repr, directly(paths, "-k", "3")))


if __name__ == "__main__":
    unittest.main()
