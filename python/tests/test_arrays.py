"""Pixels from numpy, and embeddings to it."""

import warnings

import numpy as np
import pytest
from conftest import DIGITS, ROOT, printed_rows, run_program
from PIL import Image, ImageOps

import mobilenet

SHARED = ROOT.parent / "shared/pretrained/keras/mobilenet_2_5_224_tf.h5"


@pytest.fixture(scope="module")
def network():
    """One whose pictures have colours, where there is one."""
    weights = SHARED if SHARED.exists() else DIGITS
    return weights, mobilenet.Classifier(weights)


def random_pictures(number, height, width):
    """Noise over slopes: every size of crop and kernel has something to say."""
    random = np.random.default_rng(number * height + width)
    slopes = np.add.outer(np.arange(height), np.arange(width))[..., None] * [1, 2, 3]
    return np.uint8((slopes + random.integers(0, 64, (number, height, width, 3))) % 256)


def as_files(pictures, folder):
    paths = [folder / f"{number}.png" for number in range(len(pictures))]
    for path, picture in zip(paths, pictures):
        Image.fromarray(picture).save(path)
    return paths


@pytest.mark.parametrize("size", [(1, 1), (37, 91), (224, 224), (600, 401)])
def test_pixels_are_answered_as_a_file_of_them(network, tmp_path, size):
    weights, classifier = network
    pictures = random_pictures(35, *size)
    expected = printed_rows("--weights", weights, *as_files(pictures, tmp_path))
    expected = [row["predictions"] for row in expected]
    assert classifier.classify_pixels(pictures) == expected
    assert classifier.classify_pixels(pictures[3]) == [expected[3]]
    assert classifier.classify_pixels(pictures[:0]) == []


def test_arrays_may_lie_in_memory_as_they_like(network):
    _, classifier = network
    pictures = random_pictures(3, 60, 80)
    expected = classifier.embed_pixels(pictures)
    reversed_twice = np.ascontiguousarray(pictures[..., ::-1])[..., ::-1]
    fortran = np.asfortranarray(pictures)
    read_only = pictures.copy()
    read_only.flags.writeable = False
    sliced = np.repeat(pictures, 2, axis=2)[:, :, ::2]
    for array in (reversed_twice, fortran, read_only, sliced):
        assert np.array_equal(classifier.embed_pixels(array), expected)
    # Colours in another order are another picture.
    assert not np.array_equal(classifier.embed_pixels(pictures[..., ::-1]), expected) or classifier.alpha < 0.25


def test_pillow_by_way_of_numpy(network):
    weights, classifier = network
    path = "samples/photographer.png"
    with Image.open(path) as picture:
        pixels = np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
    (row,) = printed_rows("--weights", weights, path)
    assert classifier.classify_pixels(pixels) == [row["predictions"]]


def test_embeddings_are_the_programs(network, tmp_path, samples):
    weights, classifier = network
    out = tmp_path / "x.npy"
    run_program("embed", "--weights", weights, "-o", out, *samples)
    expected = np.load(out)
    embeddings = classifier.embed(samples)
    assert embeddings.dtype == np.float32 and embeddings.shape == (24, classifier.embedding_width)
    assert np.array_equal(embeddings, expected)
    embeddings *= 2  # It is the caller's.
    assert classifier.embed([]).shape == (0, classifier.embedding_width)
    assert np.array_equal(classifier.embed("samples"), np.load(embedded("samples", weights, tmp_path)))


def embedded(folder, weights, tmp_path):
    out = tmp_path / "folder.npy"
    run_program("embed", "--weights", weights, "-o", out, folder)
    return out


def test_embeddings_of_pixels_are_those_of_a_file(network, tmp_path):
    weights, classifier = network
    pictures = random_pictures(40, 90, 70)
    out = tmp_path / "x.npy"
    run_program("embed", "--weights", weights, "-o", out, *as_files(pictures, tmp_path))
    assert np.array_equal(classifier.embed_pixels(pictures), np.load(out))


def test_a_picture_without_an_embedding_is_nan_and_told(digits, tmp_path):
    paths = ["samples/digits/1-0.png", "missing.png", "README.md", "samples/digits/2-0.png"]
    out = tmp_path / "x.npy"
    run_program("embed", "--weights", DIGITS, "-o", out, *paths)
    with pytest.warns(UserWarning, match=r"no embedding of 2 pictures, the first of them missing.png: no such file"):
        embeddings = digits.embed(paths)
    assert np.array_equal(embeddings, np.load(out), equal_nan=True)
    assert np.isnan(embeddings[1:3]).all() and not np.isnan(embeddings[[0, 3]]).any()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        digits.embed(paths[:1])
        with pytest.raises(UserWarning):
            digits.embed(paths)


@pytest.mark.parametrize("call", ["classify_pixels", "embed_pixels"])
@pytest.mark.parametrize(
    ("array", "error", "named"),
    [
        (np.zeros((4, 4, 3), np.float32), TypeError, "float32"),
        (np.zeros((4, 4, 3), np.int8), TypeError, "int8"),
        (np.zeros((4, 4), np.uint8), ValueError, r"\[4, 4\]"),
        (np.zeros((4, 4, 4), np.uint8), ValueError, r"\[4, 4, 4\]"),
        (np.zeros((3, 4, 4), np.uint8), ValueError, r"\[3, 4, 4\]"),
        (np.zeros((0, 4, 3), np.uint8), ValueError, r"\[0, 4, 3\]"),
        (np.zeros((2, 4, 0, 3), np.uint8), ValueError, r"\[2, 4, 0, 3\]"),
        (np.zeros((1, 2, 4, 4, 3), np.uint8), ValueError, r"\[1, 2, 4, 4, 3\]"),
        (np.uint8(3), TypeError, "numpy.uint8"),
        ([[[1, 2, 3]]], TypeError, "list"),
        (b"abc", TypeError, "bytes"),
        (None, TypeError, "NoneType"),
        (Image.new("RGB", (4, 4)), TypeError, "Image"),
    ],
)
def test_wrong_arrays_are_told(digits, call, array, error, named):
    with pytest.raises(error, match=rf"uint8, \[H, W, 3\] or \[N, H, W, 3\].*{named}"):
        getattr(digits, call)(array)
