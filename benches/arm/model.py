#!/usr/bin/env python3
"""How near the loops of the Arm kernels come to each core's limit, by LLVM's models of the cores.

    python3 benches/arm/model.py PROGRAM [OTHER]

PROGRAM is `mobilenet` built for aarch64, with its symbols. OTHER is an earlier one beside it. Needs
`llvm-mca-22` or another and `aarch64-linux-gnu-objdump`, or `objdump` on Arm.

A line is a kernel: of its widest innermost loop the products, all instructions and accesses to the
stack by vectors, and for each core products a cycle and what share that is of the limit: of the same
instruction alone, 24 sums that don't wait for each other. It is a model: caches always hit, and
branches are foreseen.
"""

import re
import shutil
import subprocess
import sys

CORES = {
    "cortex-a55": "A55",
    "cortex-a72": "A72",
    "cortex-a76": "A76",
    "neoverse-n1": "N1",
    "neoverse-v1": "V1",
    "neoverse-v2": "V2",
    "apple-m1": "M1",
}
# Cores without an instruction; LLVM would model it all the same.
WITHOUT = {
    "udot": {"cortex-a72"},
    "usmmla": {"cortex-a55", "cortex-a72", "cortex-a76", "neoverse-n1", "apple-m1"},
    "bfmmla": {"cortex-a55", "cortex-a72", "cortex-a76", "neoverse-n1", "apple-m1"},
}
# A part of the mangled name, the instruction that multiplies, and its operands.
KERNELS = [
    ("3cpu7kernels8portable9pointwise", "fmla", "v{d}.4s, v30.4s, v31.4s"),
    ("3cpu7kernels4neon9pointwise", "fmla", "v{d}.4s, v30.4s, v31.s[1]"),
    ("3cpu7kernels8portable9depthwise", "fmla", "v{d}.4s, v30.4s, v31.4s"),
    ("3cpu7kernels4neon9depthwise", "fmla", "v{d}.4s, v30.4s, v31.4s"),
    ("3cpu7kernels4neon4stem", "fmla", "v{d}.4s, v30.4s, v31.s[1]"),
    ("4int87kernels8portable9pointwise", "smlal", "v{d}.4s, v30.4h, v31.4h"),
    ("4int87kernels4neon9pointwise", "smlal", "v{d}.4s, v30.4h, v15.h[1]"),
    ("4int87kernels4neon9depthwise", "smlal", "v{d}.4s, v30.4h, v31.4h"),
    ("4int87kernels12neon_dotprod9pointwise", "udot", "v{d}.4s, v30.16b, v31.4b[1]"),
    ("4int87kernels9neon_i8mm9pointwise", "usmmla", "v{d}.4s, v30.16b, v31.16b"),
    ("3cpu4bf164neon9pointwise", "bfmmla", "v{d}.4s, v30.8h, v31.8h"),
]


def tool(*names):
    found = next((name for name in names if shutil.which(name)), None)
    return found or sys.exit(f"{names[0]} is not installed")


MCA = tool(*(f"llvm-mca-{version}" for version in range(30, 14, -1)), "llvm-mca")
OBJDUMP = tool("aarch64-linux-gnu-objdump", "objdump")


def run(*command, text=None):
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def functions(program):
    """Names, where they begin and where they end."""
    for line in run(OBJDUMP, "-t", program).splitlines():
        words = line.split()
        if " F " in line and ".text" in words:
            start, size = int(words[0], 16), int(words[words.index(".text") + 1], 16)
            yield words[-1], start, start + size


def widest_loop(program, start, stop, product):
    """The innermost loop with the most products."""
    code = []
    listing = run(OBJDUMP, "-d", "--no-show-raw-insn", f"--start-address={start}", f"--stop-address={stop}", program)
    for line in listing.splitlines():
        found = re.match(r"\s*([0-9a-f]+):\t([^/]*)", line)
        if found:
            code.append((int(found[1], 16), found[2].strip()))
    places = {address: i for i, (address, _) in enumerate(code)}
    loops = []
    for end, (_, text) in enumerate(code):
        found = re.match(r"(b\.\w+|b|cbn?z|tbn?z)\s(?:.*,\s*)?([0-9a-f]+) <", text)
        first = found and places.get(int(found[2], 16))
        if first is not None and first <= end:
            loops.append((first, end))
    def is_inner(loop):
        return not any(other != loop and other[0] >= loop[0] and other[1] <= loop[1] for other in loops)
    bodies = [[text for _, text in code[first : end + 1]] for first, end in filter(is_inner, loops)]
    return max(bodies, key=lambda body: sum(text.startswith(product) for text in body), default=[])


def cycles(lines, core):
    """Cycles that a round takes."""
    rounds = 200
    listing = run(
        MCA,
        "-mtriple=aarch64",
        f"-mcpu={core}",
        "-mattr=+neon,+dotprod,+i8mm,+bf16",
        f"-iterations={rounds}",
        text="\n".join(lines) + "\n",
    )
    return int(re.search(r"Total Cycles:\s+(\d+)", listing)[1]) / rounds


def assembly(body):
    lines = ["top:"]
    for text in body:
        lines.append(re.sub(r"\b[0-9a-f]+ <[^>]*>", "top", text))
    return lines


def main():
    print(run(MCA, "--version").strip().splitlines()[0].strip())
    for program in sys.argv[1:]:
        print(program)
        names = list(functions(program))
        print(f"{'':34} {'products':>8} {'all':>4} {'stack':>5} ", *(f"{name:>10}" for name in CORES.values()))
        for symbol, product, operands in KERNELS:
            found = next((name for name in names if symbol in name[0]), None)
            if found is None:
                print(f"{symbol:34} is not there")
                continue
            body = widest_loop(program, found[1], found[2], product)
            products = sum(text.startswith(product) for text in body)
            spills = sum("[sp" in text and bool(re.search(r"[\s{][qdsv]\d", text)) for text in body)
            cells = []
            for core in CORES:
                if core in WITHOUT.get(product, ()):
                    cells.append(f"{'-':>10}")
                    continue
                alone = [f"{product} " + operands.format(d=d) for d in range(14 if product == "smlal" else 24)]
                limit = len(alone) / cycles(alone, core)
                reached = products / cycles(assembly(body), core)
                cells.append(f"{reached:5.2f} {100 * reached / limit:3.0f}%")
            print(f"{symbol:34} {products:8} {len(body):4} {spills:5} ", *(f"{cell:>10}" for cell in cells))


main()
