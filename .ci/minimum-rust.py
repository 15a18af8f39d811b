"""No dependency may want a newer Rust than the `rust-version` that Cargo.toml states.

clippy's incompatible_msrv looks at what our own code uses.
"""

import json
import subprocess
import sys

command = ["cargo", "metadata", "--format-version", "1", "--locked", "--all-features"]
metadata = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def version(text):
    parts = [int(part) for part in (text or "0").split(".")]
    return parts + [0] * (3 - len(parts))


(ours,) = (p["rust_version"] for p in metadata["packages"] if p["id"] == metadata["resolve"]["root"])
newer = [p for p in metadata["packages"] if version(p["rust_version"]) > version(ours)]
for package in newer:
    print(f"{package['name']} {package['version']} wants Rust {package['rust_version']}, newer than {ours}")
print(f"{len(metadata['packages'])} packages: {len(newer)} want a newer Rust than {ours}")
sys.exit(bool(newer))
