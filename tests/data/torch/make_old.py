"""Make the fixtures of older forms in this folder, out of state_dict.pth.gz and training.pt.gz (see make_torch.py).

    pip install torch==2.14.1 huggingface_hub==2.4.0
    python make_old.py

| file | what it is |
| --- | --- |
| old.pth | the state_dict as PyTorch wrote files before 1.6 |
| old_training.pt | a training run's parameters so, with views of one storage, pickle protocol 4 |
| shards/ | the state_dict in parts, as `huggingface_hub.save_torch_state_dict` writes them without safetensors |

Each but the index is packed as NAME.gz.
"""

import gzip
import io
import tempfile
from pathlib import Path

import huggingface_hub
import torch
from huggingface_hub import save_torch_state_dict

HERE = Path(__file__).parent


def load(name):
    return torch.load(io.BytesIO(gzip.decompress((HERE / f"{name}.gz").read_bytes())), weights_only=True)


def pack(path, content):
    path.write_bytes(gzip.compress(content, mtime=0))


def old(name, value, **settings):
    file = io.BytesIO()
    torch.save(value, file, _use_new_zipfile_serialization=False, **settings)
    pack(HERE / f"{name}.gz", file.getvalue())


def main():
    state_dict = load("state_dict.pth")
    old("old.pth", state_dict)
    # All floats one behind the other in one storage, in halves, which keep them.
    floats = {name: value for name, value in state_dict.items() if value.is_floating_point()}
    together = torch.cat([value.flatten() for value in floats.values()]).half()
    views, start = {}, 0
    for name, value in floats.items():
        views[name] = together[start : start + value.numel()].view(value.shape)
        start += value.numel()
    old("old_training.pt", {"epoch": 3, "model_state_dict": views, "lr": 0.5}, pickle_protocol=4)
    (HERE / "shards").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        save_torch_state_dict(state_dict, folder, max_shard_size=50_000, safe_serialization=False)
        for file in sorted(Path(folder).iterdir()):
            if file.suffix == ".json":
                (HERE / "shards" / file.name).write_bytes(file.read_bytes())
            else:
                pack(HERE / "shards" / f"{file.name}.gz", file.read_bytes())
            print(file.name, file.stat().st_size)
    print(torch.__version__, huggingface_hub.__version__)


if __name__ == "__main__":
    main()
