"""Writes JPEG XL files of many kinds, and what pillow-jxl-plugin makes of them.

    pip install imagecodecs==2026.3.6 numpy==2.4.6 pillow==13.0.0 pillow-jxl-plugin==1.3.8 safetensors==0.8.0
    python make_jxl.py

`jxl.golden.safetensors` has by file name the uint8 [H, W, 3] array of `Image.open(file).convert("RGB")`
(libjxl 0.12.0), of an animation the first frame, and of what is turned imagecodecs' (libjxl 0.11.2).
"""

import io
from pathlib import Path

import imagecodecs
import numpy as np
import pillow_jxl  # noqa: F401 (registers itself)
from PIL import Image
from safetensors.numpy import save

HERE = Path(__file__).parent
OUT = HERE / "jxl"


def picture(width, height, seed=0):
    y, x = np.mgrid[:height, :width] / 8
    rng = np.random.default_rng(seed)
    waves = [np.sin(x + seed) * np.cos(y), np.cos(2 * x - y), np.sin(3 * y + x * x / 5)]
    values = np.stack(waves, -1) * 0.7 + 0.5 + rng.normal(0, 0.02, (height, width, 3))
    return values.clip(0, 1)


def shown(file):
    return np.asarray(Image.open(io.BytesIO(file)).convert("RGB"))


def turned(file, orientation, unturned):
    """The same codestream with an orientation in its header, whose end is tried for."""
    assert file[:2] == b"\xff\x0a"
    bits = [byte >> i & 1 for byte in file for i in range(8)]

    def size(at):
        def distance(at):
            return at + 2 + (9, 13, 18, 30)[bits[at] + 2 * bits[at + 1]]
        small = bits[at]
        at = at + 1 + 5 if small else distance(at + 1)
        ratio = sum(bits[at + i] << i for i in range(3))
        at += 3
        if ratio:
            return at
        return at + 5 if small else distance(at)

    at = size(16)
    # Neither all defaults, nor extra fields: those come to be there, with no more than an orientation and,
    # after the colours, wherever that is, the default of what they say of tones.
    assert bits[at:at + 2] == [0, 0], bits[at:at + 2]
    number = orientation - 1
    fields = [0, 1, number & 1, number >> 1 & 1, number >> 2, 0, 0, 0]
    for end in range(at // 8 + 1, 16):
        for dropped in range(8):
            rest = bits[at + 2:8 * end - dropped]
            for tones in range(len(rest) + 1):
                head = bits[:at] + fields + rest[:tones] + [1] + rest[tones:]
                head += [0] * (-len(head) % 8)
                whole = np.packbits(np.array(head, np.uint8), bitorder="little").tobytes() + file[end:]
                try:
                    plain = imagecodecs.jpegxl_decode(whole, keeporientation=True)
                    shown = imagecodecs.jpegxl_decode(whole)
                except Exception:
                    continue
                if plain.shape == unturned.shape and (plain == unturned).all() and (shown.shape != plain.shape or (shown != plain).any()):
                    return whole, shown
    raise ValueError("no end of the header found")


def main():
    OUT.mkdir(exist_ok=True)
    even = picture(24, 20)
    rgb = (even * 255).astype(np.uint8)
    alpha = np.concatenate([rgb, rgb[..., :1]], -1)
    deep = (even * 65535).astype(np.uint16)
    files = {}

    def pillow(name, pixels, mode=None, **options):
        file = io.BytesIO()
        Image.fromarray(pixels, mode).save(file, "JXL", **options)
        files[name] = file.getvalue()

    def codec(name, pixels, **options):
        files[name] = imagecodecs.jpegxl_encode(pixels, **options)

    pillow("lossless.jxl", rgb, lossless=True)
    pillow("lossy.jxl", rgb, quality=80)
    pillow("lossy_low.jxl", rgb, quality=30)
    pillow("grey.jxl", rgb[..., 0].copy(), lossless=True)
    pillow("grey_lossy.jxl", rgb[..., 0].copy(), quality=80)
    pillow("alpha.jxl", alpha, lossless=True)
    pillow("alpha_lossy.jxl", alpha, quality=80)
    pillow("grey_alpha.jxl", alpha[..., 2:].copy(), lossless=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    pillow("exif_6.jxl", rgb, lossless=True, exif=exif.tobytes())
    codec("deep.jxl", deep, lossless=True)
    codec("deep_lossy.jxl", deep, distance=1.0)
    codec("deep_grey.jxl", deep[..., 0].copy(), lossless=True)
    codec("ten.jxl", deep >> 6, lossless=True, bitspersample=10)
    codec("five.jxl", rgb >> 3, lossless=True, bitspersample=5)
    codec("float.jxl", even.astype(np.float32), lossless=True)
    codec("bare.jxl", rgb, lossless=True, usecontainer=False)
    codec("container.jxl", rgb, lossless=True, usecontainer=True)
    frames = np.stack([rgb, 255 - rgb, rgb[::-1]])
    codec("animation.jxl", frames, lossless=True)

    golden = {name: shown(file) for name, file in files.items()}
    golden["animation.jxl"] = rgb
    # Pillow clips it.
    golden["deep_grey.jxl"] = np.repeat((deep[..., :1] >> 8).astype(np.uint8), 3, -1)
    for orientation in range(2, 9):
        name = f"orientation_{orientation}.jxl"
        files[name], golden[name] = turned(files["bare.jxl"], orientation, rgb)
    for old in OUT.iterdir():
        old.unlink()
    for name, file in files.items():
        (OUT / name).write_bytes(file)
    (HERE / "jxl.golden.safetensors").write_bytes(save(golden))
    print(len(golden), "files,", sum(map(len, files.values())), "bytes")


if __name__ == "__main__":
    main()
