#!/usr/bin/env python3
"""Labels of pictures, from one mobilenet that is started once and asked again and again.

    python3 labels.py photo.jpg another.jpg -- --alpha 0.5 --size 160

It needs nothing but Python 3.9. docs/subprocess.md says what the program promises.
"""

import base64
import json
import os
import subprocess
import sys
import threading


class Labels:
    """A running program. Rows come in the order of the questions, so one thread asks at a time."""

    def __init__(self, *options, program="mobilenet"):
        # `--files0-from -`: a path is its bytes up to a NUL, so that any file can be named.
        # `--one-row`: one answer to each of them, whatever it names.
        command = [program, "classify", "--jsonl", "--one-row", "--files0-from", "-", *options]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def send(self, path):
        """Asks for a picture, without waiting."""
        self.process.stdin.write(os.fsencode(path) + b"\0")
        self.process.stdin.flush()

    def receive(self):
        """The next answer: `predictions`, or else `error` with its `kind` and `message`."""
        line = self.process.stdout.readline()
        if not line.endswith(b"\n"):
            # It has said why on stderr.
            raise EOFError(f"mobilenet ended with exit code {self.process.wait()}")
        row = json.loads(line)
        if row["path"] is None:
            row["path"] = os.fsdecode(base64.b64decode(row["path_base64"]))
        return row

    def ask(self, path):
        """One picture, answered before this returns."""
        self.send(path)
        return self.receive()

    def ask_all(self, paths):
        """Many, in their order; all cores work. Asked by a thread of its own, as pipes hold only so much."""
        paths = list(paths)
        failure = []

        def send_all():
            try:
                for path in paths:
                    self.send(path)
            except OSError as error:
                failure.append(error)

        threading.Thread(target=send_all, daemon=True).start()
        for _ in paths:
            yield self.receive()
        if failure:
            raise failure[0]

    def close(self):
        """Ends it. The exit code is 0 where every picture was answered, and 2 where one was not."""
        self.process.stdin.close()
        self.process.stdout.read()
        return self.process.wait()


def main():
    arguments = sys.argv[1:]
    split = arguments.index("--") if "--" in arguments else len(arguments)
    paths, options = arguments[:split], arguments[split + 1:]
    labels = Labels(*options, program=os.environ.get("MOBILENET", "mobilenet"))
    for row in labels.ask_all(paths):
        if row["error"]:
            print(f"{row['path']}: {row['error']['kind']}: {row['error']['message']}")
        else:
            best = row["predictions"][0]
            print(f"{row['path']}: {best['label']} {best['score']:.4f}")
    sys.exit(labels.close())


if __name__ == "__main__":
    main()
