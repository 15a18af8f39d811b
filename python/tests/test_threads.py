"""Other Python threads go on meanwhile, many may ask at once, and Ctrl-C is heard."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from conftest import DIGITS

import mobilenet

# Arrays go through the network 32 pictures at a time, and in between the lock is had by whoever waits for it.
PARTS = 10
CALLS = {
    "classify_pixels": lambda network: network.classify_pixels(np.zeros((32 * PARTS, 300, 400, 3), np.uint8)),
    "embed": lambda network: network.embed(["samples/rocket.jpg"] * 300),
    "embed_pixels": lambda network: network.embed_pixels(np.zeros((32 * PARTS, 300, 400, 3), np.uint8)),
}


@pytest.mark.parametrize("call", CALLS)
def test_the_lock_is_given_up_for_a_long_call(digits, call):
    """A thread that looks at the clock would see it stand still for as long as the lock is held."""
    gaps, ended = [], threading.Event()

    def watch():
        before = time.perf_counter()
        while not ended.is_set():
            time.sleep(0.001)
            now = time.perf_counter()
            gaps.append(now - before)
            before = now

    watcher = threading.Thread(target=watch)
    watcher.start()
    begin = time.perf_counter()
    CALLS[call](digits)
    took = time.perf_counter() - begin
    ended.set()
    watcher.join()
    assert took > 0.05, "too quick to say anything"
    # It came around again and again, and did not wait for a part of the call to end.
    assert len(gaps) > 2 * PARTS
    assert sorted(gaps)[len(gaps) // 2] < took / PARTS / 3


@pytest.mark.parametrize("call", ["next(c.classify([pipe]))", "next(c.classify(pipe))", "c.embed([pipe])"])
def test_the_lock_is_given_up_for_a_slow_picture(call):
    """What comes out of the pipe is written by another thread, which a lock that is held keeps from it."""
    code = f"""
import os, tempfile, threading
with tempfile.TemporaryDirectory() as folder:
    pipe = folder + "/pipe"
    os.mkfifo(pipe)
    def write():
        with open("samples/digits/1-0.png", "rb") as picture, open(pipe, "wb") as out:
            out.write(picture.read())
    threading.Timer(0.3, write).start()
    {call}
    print("done")
"""
    with in_python(code) as child:
        assert child.communicate(timeout=60) == ("done\n", "")


def test_threads_get_the_answers_that_one_gets(digits, samples):
    expected = list(digits.classify(samples))
    embeddings = digits.embed(samples)
    pixels = np.random.default_rng(7).integers(0, 256, (5, 64, 64, 3), np.uint8)
    predictions = digits.classify_pixels(pixels)
    failures = []

    def work():
        try:
            for _ in range(5):
                assert list(digits.classify(samples)) == expected
                assert np.array_equal(digits.embed(samples), embeddings)
                assert digits.classify_pixels(pixels) == predictions
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_threads_share_the_rows_of_one_iterator(digits, samples):
    paths = samples * 20
    rows, taken, lock = digits.classify(iter(paths)), [], threading.Lock()

    def take():
        for row in rows:
            with lock:
                taken.append(row["path"])

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(paths)


@contextlib.contextmanager
def in_python(code):
    """A process of its own, which is gone afterwards whatever came of it."""
    # A shell's background jobs ignore Ctrl-C, and so would their children.
    begin = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\nimport mobilenet\n"
    code = f"{begin}c = mobilenet.Classifier({str(DIGITS)!r})\n{code}"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code], **pipes) as child:
        try:
            yield child
        finally:
            child.kill()


@pytest.mark.parametrize(
    "work",
    [
        "for row in c.classify(itertools.repeat('samples/rocket.jpg')): pass",
        "c.embed(itertools.repeat('samples/rocket.jpg'))",
        "c.embed_pixels(np.broadcast_to(np.uint8(7), (10_000_000, 64, 64, 3)))",
        # A pipe that nobody writes to.
        "with tempfile.TemporaryDirectory() as folder: os.mkfifo(folder + '/a'); list(c.classify([folder + '/a']))",
    ],
)
def test_ctrl_c(work):
    code = f"import itertools, os, tempfile, numpy as np\nprint('go', flush=True)\n{work}"
    with in_python(code) as child:
        assert child.stdout.readline() == "go\n"
        time.sleep(0.5)
        assert child.poll() is None
        child.send_signal(signal.SIGINT)
        _, told = child.communicate(timeout=60)
    assert "KeyboardInterrupt" in told and child.returncode in (1, -signal.SIGINT, 130), told


def test_a_program_may_end_in_the_middle():
    with in_python("rows = c.classify(['samples/rocket.jpg'] * 1000)\nnext(rows)\nprint('done')") as child:
        told, wrong = child.communicate(timeout=60)
    assert (told, wrong, child.returncode) == ("done\n", "", 0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_process_is_told(digits):
    code = """
import os
child = os.fork()
if not child:
    for call in (lambda: c.classify([]), lambda: c.embed([]), lambda: mobilenet.Classifier("x")):
        try:
            call()
        except mobilenet.Error as error:
            assert "fork" in str(error)
        else:
            os._exit(1)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
print(next(c.classify("samples/digits/1-0.png"))["predictions"][0]["label"])
"""
    with in_python(code) as child:
        told, wrong = child.communicate(timeout=60)
    assert told == "1\n", wrong


def test_memory_does_not_grow_with_the_pictures():
    code = """
import itertools, resource
def most(number):
    for row in c.classify(itertools.repeat("samples/digits/1-0.png", number)): pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
few = most(2000)
print(most(20000) - few)
"""
    with in_python(code) as child:
        told, wrong = child.communicate(timeout=300)
    assert int(told) < 20_000, wrong
