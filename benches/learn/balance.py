"""Measures what `mobilenet learn` makes of classes of very different size: every other class of each task (tasks.py, broad.py) has 4
pictures to learn from and the rest up to 60. Prints the mean recall of the classes in `test`, and that of the small ones, as classes
count alike and with `--no-balance`.

    python balance.py PROGRAM TASKS WEIGHTS SIZE
"""

import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

program, tasks, weights, size = sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4]


def run(*arguments):
    done = subprocess.run([str(a) for a in arguments], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


for task in sorted(path for path in tasks.iterdir() if path.is_dir()):
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        classes = sorted(path.name for path in (task / "train").iterdir())
        for number, name in enumerate(classes):
            (scratch / "train" / name).mkdir(parents=True)
            pictures = sorted((task / "train" / name).iterdir())
            random.Random(1).shuffle(pictures)
            for path in pictures[: 4 if number % 2 else 60]:
                (scratch / "train" / name / path.name).symlink_to(path.resolve())
        line = f"{task.name:11}"
        for option in ([], ["--no-balance"]):
            own = scratch / "own.safetensors"
            run(program, "learn", scratch / "train", "-o", own, "--reject", 0, "--quiet", *option,
                "--weights", weights, "--size", size)
            rows = json.loads(run(program, "eval", "--json", "--weights", own, task / "test"))["per_class"]
            recalls = [row["recall"] for row in rows]
            small = recalls[1::2]
            line += f"  {sum(recalls) / len(recalls):6.1%} small {sum(small) / len(small):6.1%}"
        print(line, flush=True)
