"""huggingface_hub's own view of a cache, for tests/integration/network/shared_blobs.rs. Nothing here asks a server.

    pip install huggingface_hub==2.4.0
    python cache.py fill CACHE REPO COMMIT FILE...  # puts files there, their contents in the store of all repositories
    python cache.py read CACHE REPO NAME...         # prints as JSON what it finds

`fill` does what a download from Xet storage does once the bytes are there, by the same functions.
"""

import hashlib
import json
import shutil
import sys
from pathlib import Path

import huggingface_hub
from huggingface_hub import hf_hub_download, scan_cache_dir, try_to_load_from_cache
from huggingface_hub.file_download import _create_symlink
from huggingface_hub.utils import _shared_blobs


def fill(cache, repo, commit, *files):
    folder = Path(cache) / f"models--{repo.replace('/', '--')}"
    for path in map(Path, files):
        bytes = path.read_bytes()
        # Any other digest will do for Xet's.
        etag, xet = hashlib.sha256(bytes).hexdigest(), hashlib.blake2s(bytes).hexdigest()
        blob, pointer = folder / "blobs" / etag, folder / "snapshots" / commit / path.name
        for parent in (blob.parent, pointer.parent, folder / "refs"):
            parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, blob)
        assert _shared_blobs.publish_blob_to_shared_store(
            blob_path=str(blob), xet_hash=xet, cache_dir=cache, expected_size=len(bytes)
        )
        _create_symlink(str(blob), str(pointer), new_blob=False)
    (folder / "refs" / "main").write_text(commit)


def read(cache, repo, *names):
    found = {}
    for name in names:
        path = try_to_load_from_cache(repo, name, cache_dir=cache)
        if isinstance(path, str):
            assert path == hf_hub_download(repo, name, cache_dir=cache, local_files_only=True)
            found[name] = hashlib.sha256(Path(path).read_bytes()).hexdigest()
        else:
            found[name] = None if path is None else "absent"
    scanned = scan_cache_dir(cache)
    print(json.dumps({
        "version": huggingface_hub.__version__,
        "files": found,
        "warnings": [str(warning) for warning in scanned.warnings],
        "repos": sorted(repo.repo_id for repo in scanned.repos),
        "unreferenced": [str(path) for path in _shared_blobs.unreferenced_shared_blobs(cache)],
    }))


if __name__ == "__main__":
    {"fill": fill, "read": read}[sys.argv[1]](*sys.argv[2:])
