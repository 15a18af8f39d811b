"""Make what TensorFlow, torchvision, transformers and Pillow make of pictures: recipes.TOOL.safetensors, recipes.jpeg.json.

    pip install tensorflow-cpu==2.21.0 keras==3.15.1 pillow==13.0.0 safetensors==0.8.0
    python make_recipes.py tensorflow
    pip install torch==2.14.1 torchvision==0.29.2 transformers==5.24.0 pillow==13.0.0 safetensors==0.8.0
    python make_recipes.py torch

torchvision's bilinear bytes are those of a CPU with AVX2.

`WxH.input` is a picture, uint8 [H, W, 3]; `WxH CROP FILTER RESAMPLER.output` what becomes of it. `FILE CROP FILTER
RESAMPLER.output` is made from a JPEG of ../../../samples, by the tool's own decoder. Outputs of bytes are uint8, others
float32, [N, N, 3]. recipes.jpeg.json has the SHA-256 of the RGB that TensorFlow decodes JPEGs to.
"""

import hashlib
import json
import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["KERAS_BACKEND"] = "tensorflow"

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

HERE = Path(__file__).parent
SAMPLES = HERE.parents[2] / "samples"
PHOTOGRAPHS = ["cat.jpg", "coffee.jpg", "rocket.jpg"]
SIZES = [(97, 61), (20, 33), (25, 70), (12, 12), (160, 90), (13, 9)]
SIDE = 12


def pictures():
    """Soft blobs, hard edges and noise."""
    rng = np.random.default_rng(15)
    for width, height in SIZES:
        y, x = np.mgrid[0:height, 0:width]
        waves = [127 + 110 * np.sin(x / (3 + 4 * c) + c) * np.cos(y / (5 - c)) for c in range(3)]
        picture = np.stack(waves, -1) + rng.normal(0, 25, (height, width, 3))
        picture[height // 3 : height // 2, width // 4 : width // 2] = [255, 0, 128]
        yield f"{width}x{height}", picture.clip(0, 255).astype(np.uint8)


def tensorflow():
    import keras
    import tensorflow as tf

    tensors = {}
    size = (SIDE, SIDE)

    def resized(picture, filter, antialias):
        name = {"lanczos": "lanczos3"}.get(filter, filter)
        return tf.image.resize(picture, size, name, antialias=antialias).numpy()

    for name, picture in pictures():
        tensors[f"{name}.input"] = picture
        for filter in ["nearest", "bilinear", "bicubic"]:
            tensors[f"{name} squash {filter} tensorflow.output"] = resized(picture, filter, False)
        for filter in ["bilinear", "bicubic", "lanczos"]:
            tensors[f"{name} squash {filter} tensorflow-antialias.output"] = resized(picture, filter, True)
        floats = picture.astype(np.float32)
        smart = keras.preprocessing.image.smart_resize(floats, size)
        tensors[f"{name} square bilinear tensorflow.output"] = np.asarray(smart)
        crop = keras.layers.CenterCrop(SIDE, SIDE)
        tensors[f"{name} unscaled bilinear tensorflow.output"] = np.asarray(crop(floats))
        resizing = keras.layers.Resizing(SIDE, SIDE, interpolation="bicubic", crop_to_aspect_ratio=True, antialias=True)
        tensors[f"{name} square bicubic tensorflow-antialias.output"] = np.asarray(resizing(floats))
        both = keras.Sequential([keras.layers.Resizing(15, 15), keras.layers.CenterCrop(SIDE, SIDE)])
        tensors[f"{name} squash-center:0.8 bilinear tensorflow.output"] = np.asarray(both(floats[None]))[0]
    for name in PHOTOGRAPHS:
        decoded = tf.io.decode_image((SAMPLES / name).read_bytes(), channels=3, expand_animations=False)
        tensors[f"{name} squash bilinear tensorflow.output"] = tf.image.resize(decoded, size, "bilinear").numpy()
        smart = keras.preprocessing.image.smart_resize(decoded, size)
        tensors[f"{name} square bilinear tensorflow.output"] = np.asarray(smart)
        for keep, crop in [(False, "squash"), (True, "square")]:
            for filter in ["nearest", "bilinear"]:
                loaded = keras.utils.load_img(SAMPLES / name, target_size=size, keep_aspect_ratio=keep, interpolation=filter)
                tensors[f"{name} {crop} {filter} pillow.output"] = np.asarray(loaded)
    save_file({k: np.ascontiguousarray(v) for k, v in tensors.items()}, HERE / "recipes.tensorflow.safetensors")

    digests = {}
    for path in sorted([*(HERE / "decode").glob("*.jpg"), *(SAMPLES / name for name in PHOTOGRAPHS)]):
        with Image.open(path) as picture:
            # TensorFlow has another way from CMYK to RGB.
            if picture.mode not in ("L", "RGB"):
                continue
        decoded = tf.io.decode_jpeg(path.read_bytes(), channels=3).numpy()
        digests[path.name] = hashlib.sha256(decoded.tobytes()).hexdigest()
    (HERE / "recipes.jpeg.json").write_text(json.dumps(digests, indent=1) + "\n")
    print(len(tensors), "outputs,", len(digests), "JPEGs; TensorFlow", tf.__version__, "Keras", keras.__version__)


def torch():
    import torch
    import torchvision
    import transformers
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms.v2.functional import resize

    assert torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")
    tensors = {}
    modes = {
        "nearest": InterpolationMode.NEAREST_EXACT,
        "bilinear": InterpolationMode.BILINEAR,
        "bicubic": InterpolationMode.BICUBIC,
        "lanczos": InterpolationMode.LANCZOS,
    }
    processor = transformers.MobileNetV1ImageProcessor(
        size={"shortest_edge": 16}, crop_size={"height": 14, "width": 14}, do_rescale=False, do_normalize=False
    )

    def processed(picture):
        return processor(picture, return_tensors="np")["pixel_values"][0].transpose(1, 2, 0)

    for name, picture in pictures():
        tensors[f"{name}.input"] = picture
        planes = torch.from_numpy(picture).permute(2, 0, 1)
        for filter, mode in modes.items():
            pixels = resize(planes, [SIDE, SIDE], interpolation=mode, antialias=True)
            tensors[f"{name} squash {filter} torchvision.output"] = pixels.permute(1, 2, 0).numpy()
        for filter in [*modes, "box", "hamming"]:
            pixels = Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling[filter.upper()])
            tensors[f"{name} squash {filter} pillow.output"] = np.asarray(pixels)
        tensors[f"{name} center:0.875 bilinear torchvision.output"] = processed(Image.fromarray(picture))
    for name in PHOTOGRAPHS:
        tensors[f"{name} center:0.875 bilinear torchvision.output"] = processed(Image.open(SAMPLES / name))
    save_file({k: np.ascontiguousarray(v) for k, v in tensors.items()}, HERE / "recipes.torch.safetensors")
    print(len(tensors), "outputs; torch", torch.__version__, "torchvision", torchvision.__version__)


if __name__ == "__main__":
    {"tensorflow": tensorflow, "torch": torch}[sys.argv[1]]()
