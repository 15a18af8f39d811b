"""Rows are those of the program's `--jsonl`, in keys, values and order."""

import os
from pathlib import Path

import pytest
from conftest import DIGITS, ROOT, printed_rows

import mobilenet

SHARED = ROOT.parent / "shared/pretrained/keras/mobilenet_2_5_224_tf.h5"
# Of many formats some that can be read and some that can't, photographs with orientations, and hostile ones.
FIXTURES = sorted(
    str(path.relative_to(ROOT))
    for ending in ("avif", "bmp", "gif", "heic", "jpg", "jxl", "nef", "png", "psd", "tga", "tif", "webp")
    for path in sorted((ROOT / "tests/data/pixels").rglob(f"*.{ending}"))[:8]
)


def test_samples_and_fixtures(digits, samples):
    assert len(samples) == 24 and len(FIXTURES) > 60
    paths = [*samples, *FIXTURES]
    expected = printed_rows("--weights", DIGITS, *paths)
    rows = list(digits.classify(paths))
    assert rows == expected
    assert any(row["error"] for row in rows) and sum(not row["error"] for row in rows) > 60


@pytest.mark.skipif(not SHARED.exists(), reason="../shared is not here")
@pytest.mark.parametrize("dtype", [None, "int8"])
def test_a_network_of_keras(samples, dtype):
    classifier = mobilenet.Classifier(SHARED, dtype=dtype)
    options = ["--dtype", dtype] if dtype else []
    rows = list(classifier.classify(samples, top=1000))
    assert rows == printed_rows("--weights", SHARED, "-k", "1000", *options, *samples)
    facts = (classifier.classes, classifier.alpha, classifier.size, classifier.embedding_width)
    assert facts == (1000, 0.25, 224, 256)
    named = {prediction["index"]: prediction["label"] for prediction in rows[0]["predictions"]}
    assert classifier.labels == [named[index] for index in range(1000)]
    assert (classifier.device, classifier.dtype) == ("cpu", dtype or "f32")


def test_what_cannot_be_read_is_a_row(digits, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(Path("samples/cat.jpg").read_bytes()[:300])
    paths = ["samples/digits/1-0.png", broken, tmp_path / "missing.png", "README.md", "samples/digits/2-0.png"]
    rows = list(digits.classify(paths, top=1))
    assert rows == printed_rows("--weights", DIGITS, "-k", "1", *paths)
    assert [row["error"] and row["error"]["kind"] for row in rows] == [None, "decode", "not_found", "decode", None]


def test_limits_are_told_by_their_arguments(samples):
    classifier = mobilenet.Classifier(DIGITS, max_pixels=1000)
    expected = printed_rows("--weights", DIGITS, "--max-pixels", "1000", *samples)
    for row in expected:
        if row["error"]:
            row["error"]["message"] = row["error"]["message"].replace("--max-pixels", "max_pixels")
    rows = list(classifier.classify(samples))
    assert rows == expected
    assert any(row["error"] and "max_pixels raises it" in row["error"]["message"] for row in rows)


def test_options_are_the_programs(samples):
    for arguments, options in [
        ({"full_decode": True}, ["--full-decode"]),
        ({"exif": False}, ["--no-exif"]),
        ({"background": (255, 0, 16)}, ["--background", "ff0010"]),
        ({"threads": 1}, ["-j", "1"]),
        ({"batch_size": 7}, ["-b", "7"]),
        ({"dtype": "int8"}, ["--dtype", "int8"]),
    ]:
        classifier = mobilenet.Classifier(DIGITS, **arguments)
        paths = [*samples, *FIXTURES]
        assert list(classifier.classify(paths)) == printed_rows("--weights", DIGITS, *options, *paths), options


def test_top_threshold_and_labels(digits, samples, tmp_path):
    for top, threshold in [(0, None), (1, 0.5), (10, 0.0), (3, 1.0)]:
        options = ["-k", str(top)] + (["--threshold", str(threshold)] if threshold is not None else [])
        expected = printed_rows("--weights", DIGITS, *options, *samples)
        assert list(digits.classify(samples, top=top, threshold=threshold)) == expected
    names = [f"number {i}" for i in range(10)]
    file = tmp_path / "labels.txt"
    file.write_text("\n".join(names))
    expected = printed_rows("--weights", DIGITS, "--labels", file, *samples)
    for labels in (names, file):
        classifier = mobilenet.Classifier(DIGITS, labels=labels)
        assert list(classifier.classify(samples)) == expected
        assert classifier.labels == names


def test_folders_one_path_and_any_iterable(digits):
    expected = printed_rows("--weights", DIGITS, "samples")
    assert list(digits.classify("samples")) == expected
    assert list(digits.classify(["samples"])) == expected
    one = printed_rows("--weights", DIGITS, "samples/cat.jpg")
    assert list(digits.classify("samples/cat.jpg")) == one
    assert list(digits.classify(Path("samples/cat.jpg"))) == one
    assert list(digits.classify(str(path) for path in [Path("samples/cat.jpg")])) == one
    assert list(digits.classify([])) == []


def test_a_name_that_is_not_utf8(digits, tmp_path):
    name = os.fsencode(tmp_path) + b"/\xff.png"
    Path(os.fsdecode(name)).write_bytes(Path("samples/digits/3-0.png").read_bytes())
    (row,) = digits.classify([os.fsdecode(name)])
    assert [row] == printed_rows("--weights", DIGITS, os.fsdecode(name))
    assert row["path"] is None and row["path_base64"]


def test_rows_come_while_names_are_still_asked_for(digits):
    asked = 0

    def names():
        nonlocal asked
        for _ in range(10_000):
            asked += 1
            yield "samples/digits/4-0.png"

    rows = digits.classify(names())
    first = next(rows)
    assert first["predictions"][0]["label"] == "4"
    assert 1 <= asked < 1000
    rows.close()
    assert list(rows) == []


def test_what_the_iterable_raises_comes_after_the_rows_before(digits):
    def names():
        yield from ["samples/digits/4-0.png", "samples/digits/5-0.png"]
        raise LookupError("no more")

    rows = digits.classify(names())
    assert [next(rows)["predictions"][0]["label"] for _ in range(2)] == ["4", "5"]
    with pytest.raises(LookupError, match="no more"):
        next(rows)
    assert list(rows) == []
    rows = digits.classify(["samples/digits/4-0.png", 7])
    next(rows)
    with pytest.raises(TypeError):
        next(rows)


def test_what_is_no_exception_waits_for_no_rows(digits):
    def names():
        yield from ["samples/rocket.jpg"] * 20
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        assert sum(1 for _ in digits.classify(names())) < 20
