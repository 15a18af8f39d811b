"""Runs the assembly of src/device/lazy.rs with harness.c: on this machine, and for 64-bit Arm where there are
aarch64-linux-gnu-gcc and qemu-aarch64."""

import ast
import platform
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
SOURCE = (HERE / "../../../../src/device/lazy.rs").read_text()
STRING = r'"(?:[^"\\]|\\.)*"'
COMPILERS = {"x86_64": ["cc"], "aarch64": ["aarch64-linux-gnu-gcc"]}


def assembly(architecture, names):
    """The way to what looks functions up, and functions of these names."""
    only = f'#[cfg(target_arch = "{architecture}")]\n'
    macro = SOURCE.split(only + "macro_rules! function")[1].split("\nmacro_rules!")[0].split("#[cfg(")[0]
    parts = re.findall(STRING + r"|\$name", macro.split("concat!(")[1].split("};")[0].split("/// ")[0])
    functions = ["".join(name if part == "$name" else ast.literal_eval(part) for part in parts) for name in names]
    lines = SOURCE.split(only + "global_asm!(")[1].split(");")[0]
    stack = '.section .note.GNU-stack,"",%progbits\n'
    return "\n".join([*map(ast.literal_eval, re.findall(STRING, lines)), *functions, stack])


def main():
    machine = platform.machine()
    for architecture, compiler in COMPILERS.items():
        native = architecture == machine
        compiler = ["cc"] if native else compiler
        runner = [] if native else [f"qemu-{architecture}", "-L", f"/usr/{architecture}-linux-gnu"]
        tools = [compiler[0], *runner[:1]]
        if not all(map(shutil.which, tools)):
            print(f"skipped: {architecture}, without {' and '.join(tools)}")
            continue
        with tempfile.TemporaryDirectory() as folder:
            text, program = Path(folder, "lazy.s"), Path(folder, "harness")
            text.write_text(assembly(architecture, ["cuMany", "cuLarge", "cuSum", "cuMissing"]))
            subprocess.run([*compiler, "-O1", "-fPIE", "-pie", HERE / "harness.c", text, "-o", program], check=True)
            subprocess.run([*runner, program], check=True)
        print(f"src/device/lazy.rs is right on {architecture}")


if __name__ == "__main__":
    main()
