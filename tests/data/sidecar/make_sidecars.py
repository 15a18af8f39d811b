"""Make sidecars.json: configurations of transformers and timm, and what those tools make of a picture by them.

    pip install torch==2.14.1 torchvision==0.29.2 transformers==5.24.0 timm==1.0.31 pillow==13.0.0
    python make_sidecars.py

Each begins as the tool itself saves it. What is then changed or removed in the JSON is as files on the Hub have it; the
tool reads it before it answers. `sha256` is of the uint8 [H, W, 3] RGB of ../../../samples/cat.jpg after resizing
and cropping, `row` the first row of what the network takes of it, [column][colour].
"""

import hashlib
import io
import json
import tempfile
from pathlib import Path

import numpy as np
import timm
import torch
import transformers
from PIL import Image

HERE = Path(__file__).parent
PICTURE = Image.open(HERE.parents[2] / "samples/cat.jpg").convert("RGB")
SIDE = 32
SQUARE = {"height": SIDE, "width": SIDE}
IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
GONE = object()

assert torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")


def transformers_case(name, kind, made, changed=()):
    made = getattr(transformers, kind)(**made)
    with tempfile.TemporaryDirectory() as folder:
        made.save_pretrained(folder)
        path = Path(folder) / "preprocessor_config.json"
        config = json.loads(path.read_text())
        for key, value in dict(changed).items():
            if value is GONE:
                config.pop(key, None)
            else:
                config[key] = value
        path.write_text(json.dumps(config))
        # Those of Pillow are saved as those of torchvision, which can't do what is asked for here.
        loader = getattr(transformers, kind) if kind.endswith("Pil") else transformers.AutoImageProcessor
        processor = loader.from_pretrained(folder)
        values = processor(PICTURE, return_tensors="np")["pixel_values"][0].transpose(1, 2, 0)
        pixels = processor(PICTURE, return_tensors="np", do_rescale=False, do_normalize=False)
        pixels = pixels["pixel_values"][0].transpose(1, 2, 0)
    return answered(name, "preprocessor_config.json", config, pixels, values)


def answered(name, file, config, pixels, values):
    assert (pixels == pixels.astype(np.uint8)).all()
    return {
        "name": name,
        "file": file,
        "config": config,
        "size": len(pixels),
        "sha256": hashlib.sha256(np.ascontiguousarray(pixels.astype(np.uint8)).tobytes()).hexdigest(),
        "row": [round(float(x), 7) for x in np.asarray(values, np.float32)[0].ravel()],
    }


def timm_case(name, **overlay):
    overlay = {"input_size": (3, SIDE, SIDE), **overlay}
    model = timm.create_model("mobilenetv1_100", num_classes=3, pretrained_cfg_overlay=overlay)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.json"
        timm.models._hub.save_config_for_hf(model, path, {"label_names": ["a", "b", "c"]})
        config = json.loads(path.read_text())
    data = timm.data.resolve_data_config(pretrained_cfg=config["pretrained_cfg"])
    steps = timm.data.create_transform(**data).transforms
    picture = PICTURE
    for step in steps:
        if type(step).__name__ == "MaybeToTensor":
            pixels = np.asarray(picture)
        picture = step(picture)
    return answered(name, "config.json", config, pixels, picture.numpy().transpose(1, 2, 0))


def refused(name, file, config, reason):
    return {"name": name, "file": file, "config": config, "refused": reason}


def refused_processor(name, kind, made, reason):
    made = getattr(transformers, kind)(**made)
    with tempfile.TemporaryDirectory() as folder:
        made.save_pretrained(folder)
        config = json.loads((Path(folder) / "preprocessor_config.json").read_text())
    return refused(name, "preprocessor_config.json", config, reason)


def main():
    mobilenet = {"size": {"shortest_edge": 36}, "crop_size": SQUARE}
    one, pil = "MobileNetV1ImageProcessor", "MobileNetV1ImageProcessorPil"
    vit = {"size": SQUARE}
    cases = [
        transformers_case("as it is made", one, mobilenet),
        transformers_case("version 2", "MobileNetV2ImageProcessor", mobilenet),
        transformers_case("no rescaling", one, {**mobilenet, "do_rescale": False}),
        transformers_case("no normalization", one, {**mobilenet, "do_normalize": False}),
        transformers_case("neither", one, {**mobilenet, "do_rescale": False, "do_normalize": False}),
        transformers_case("another factor", one, {**mobilenet, "rescale_factor": 1 / 127.5}),
        transformers_case("ImageNet's mean", one, {**mobilenet, **IMAGENET}),
        transformers_case("no word on crops", one, mobilenet, {"do_center_crop": GONE}),
        transformers_case("no word on steps", one, mobilenet, {k: GONE for k in ["do_resize", "do_rescale", "do_normalize", "rescale_factor"]}),
        transformers_case("no word on resampling", one, mobilenet, {"resample": GONE}),
        transformers_case("plain numbers", one, mobilenet, {"size": 36, "crop_size": SIDE}),
        transformers_case("no crop", one, {**mobilenet, "size": SQUARE, "do_center_crop": False}),
        transformers_case("both sides, then a crop", one, {**mobilenet, "size": {"height": 40, "width": 40}}),
        transformers_case("an odd rest", one, {**mobilenet, "size": {"shortest_edge": 37}}),
        transformers_case("ViT", "ViTImageProcessor", vit),
        transformers_case("ViT, a plain number", "ViTImageProcessor", vit, {"size": SIDE}),
        transformers_case("ViT, ImageNet's mean", "ViTImageProcessor", {**vit, **IMAGENET}),
        transformers_case("ViT of version 4", "ViTImageProcessor", vit, {"image_processor_type": "ViTImageProcessorFast"}),
        transformers_case("DeiT", "DeiTImageProcessor", {"size": {"height": 40, "width": 40}, "crop_size": SQUARE}),
        transformers_case("DeiT, plain numbers", "DeiTImageProcessor", {}, {"size": 40, "crop_size": SIDE}),
        transformers_case("CLIP", "CLIPImageProcessor", {"size": {"shortest_edge": SIDE}, "crop_size": SQUARE}),
    ]
    for code, filter in enumerate(["nearest", "lanczos", "bilinear", "bicubic"]):
        cases.append(transformers_case(filter, one, {**mobilenet, "resample": code}))
    for code, filter in [(4, "box"), (5, "hamming")]:
        cases.append(transformers_case(f"{filter} by Pillow", pil, {**mobilenet, "resample": code}))
    cases += [
        timm_case("timm"),
        timm_case("timm, crop_pct", crop_pct=0.9),
        timm_case("timm, all of it", crop_pct=1.0),
        timm_case("timm, squash", crop_pct=0.8, crop_mode="squash"),
        timm_case("timm, ImageNet's mean", mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
        *[timm_case(f"timm, {filter}", interpolation=filter) for filter in ["nearest", "bilinear", "box", "hamming", "lanczos"]],
    ]
    border = timm_case("", crop_pct=1.0)["config"]
    border["pretrained_cfg"]["crop_mode"] = "border"
    cases += [
        refused("timm, border", "config.json", border, "its crop_mode is border"),
        refused_processor("no resizing", one, {**mobilenet, "do_resize": False}, "it does not resize pictures"),
        refused_processor("crop_pct", "ConvNextImageProcessor", {"size": {"shortest_edge": SIDE}}, "ConvNextImageProcessor"),
        refused_processor("an offset", "EfficientNetImageProcessor", {"size": SQUARE, "rescale_offset": True}, "EfficientNetImageProcessor"),
        refused_processor("another order", "MobileViTImageProcessor", {"size": {"shortest_edge": 36}, "crop_size": SQUARE}, "MobileViTImageProcessor"),
        refused_processor("another kind", "BitImageProcessor", {"size": {"shortest_edge": SIDE}, "crop_size": SQUARE}, "BitImageProcessor"),
        refused_processor("no square", one, {**mobilenet, "crop_size": {"height": 32, "width": 48}}, "not a square"),
        refused_processor("a crop beyond", one, {**mobilenet, "size": {"shortest_edge": 20}}, "it resizes to 20 and crops to 32"),
    ]
    out = io.StringIO()
    json.dump(cases, out, separators=(",", ":"))
    (HERE / "sidecars.json").write_text(out.getvalue().replace('},{"name"', '},\n{"name"') + "\n")
    print(len(cases), "cases; transformers", transformers.__version__, "timm", timm.__version__)


if __name__ == "__main__":
    main()
