"""What is wrong is told as the right exception, with the library's reason."""

import subprocess
from importlib.metadata import version

import pytest
from conftest import DIGITS, PROGRAM, ROOT

import mobilenet


def test_version_is_the_programs():
    printed = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True).stdout
    assert mobilenet.__version__ == version("mobilenet-cli") == printed.split()[1]


def test_a_missing_or_unreadable_checkpoint_is_the_systems_error(tmp_path):
    missing = tmp_path / "missing.safetensors"
    with pytest.raises(FileNotFoundError) as caught:
        mobilenet.Classifier(missing)
    assert caught.value.filename == str(missing)


def test_a_bad_checkpoint_is_an_error_that_says_why(tmp_path):
    for name, content in [
        ("cut.safetensors", DIGITS.read_bytes()[:5000]),
        ("text.h5", b"not a network"),
        ("empty.tflite", b""),
    ]:
        path = tmp_path / name
        path.write_bytes(content)
        program = subprocess.run(
            [PROGRAM, "classify", "--weights", path, "samples/cat.jpg"], capture_output=True, text=True, cwd=ROOT
        )
        assert program.returncode == 2
        with pytest.raises(mobilenet.Error) as caught:
            mobilenet.Classifier(path)
        assert str(path) in str(caught.value)
        assert str(caught.value).splitlines()[0] in program.stderr


@pytest.mark.parametrize(
    ("arguments", "error", "named"),
    [
        ({"device": "tpu"}, ValueError, "cpu, cuda"),
        ({"device": "cuda"}, mobilenet.Error, "CUDA"),
        ({"dtype": "f64"}, ValueError, "int8-reference"),
        ({"dtype": "f16"}, mobilenet.Error, "f16"),
        ({"threads": 0}, ValueError, "1 to 1024"),
        ({"threads": -1}, ValueError, "1 to 1024"),
        ({"threads": 2000}, ValueError, "1 to 1024"),
        ({"batch_size": 0}, ValueError, "1 to 1024"),
        ({"threads": "two"}, TypeError, "threads"),
        ({"size": 16}, ValueError, "16"),
        ({"size": -1}, ValueError, "-1"),
        ({"labels": ["one", "two"]}, mobilenet.Error, "2 labels"),
        ({"labels": 7}, TypeError, "labels"),
        ({"labels": "missing.txt"}, FileNotFoundError, "missing.txt"),
        ({"background": (1, 2)}, (TypeError, ValueError), None),
        ({"background": (1, 2, 256)}, (OverflowError, TypeError), None),
        ({"max_pixels": -1}, OverflowError, None),
        ({"colour": True}, TypeError, "colour"),
    ],
)
def test_wrong_options(arguments, error, named):
    with pytest.raises(error, match=named):
        mobilenet.Classifier(DIGITS, **arguments)


def test_wrong_calls(digits):
    for call in (
        lambda: mobilenet.Classifier(),
        lambda: mobilenet.Classifier(7),
        lambda: mobilenet.Classifier(DIGITS, "cpu"),
        lambda: digits.classify(),
        lambda: digits.classify(7),
        lambda: digits.classify(None),
        lambda: digits.classify([], top="five"),
        lambda: digits.classify([], folders=True),
        lambda: digits.embed(7),
        lambda: mobilenet.Rows(),
    ):
        with pytest.raises(TypeError):
            call()
    for call in (
        lambda: digits.classify([], top=-1),
        lambda: digits.classify([], threshold=1.5),
        lambda: digits.classify([], threshold=float("nan")),
    ):
        with pytest.raises(ValueError):
            call()
    with pytest.raises(AttributeError):
        digits.size = 3
