#!/usr/bin/env bash
# Frames of webcams (motion JPEG) leave the Huffman tables out: they are those of the standard's annex K, and everybody has
# them. Rust's image (zune-jpeg), jpeg-decoder and JavaScript's jpeg-js refuse such frames; Pillow, OpenCV and sharp,
# which are built on libjpeg-turbo, decode them to the pixels of the same frame with its tables.
#
# `ffmpeg -c:v copy` from a camera, and AVI files, hand such frames on as they are. What works from the shell in Python
# and Node fails in Rust and in a page, for every frame, with a message about damage.
# Source: the format of motion JPEG in AVI (the tables are implied); the messages below.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pillow==13.0.0 numpy==2.4.6 opencv-python-headless==5.0.0.93
npm install --silent --no-audit --no-fund --no-save sharp@0.35.5 jpeg-js@0.4.4

venv/bin/python - <<'PYTHON'
import io

import cv2
import numpy as np
from PIL import Image

y, x = np.mgrid[:48, :64]
pixels = np.stack([x * 4, y * 5, 255 - x * 2 - y], -1).astype(np.uint8)
frame = io.BytesIO()
Image.fromarray(pixels).save(frame, "JPEG", quality=90, optimize=False)
whole = frame.getvalue()
# Every segment but those of tables (ffc4), and all that follows the start of the scan.
bare, place = whole[:2], 2
while whole[place + 1] != 0xDA:
    end = place + 2 + int.from_bytes(whole[place + 2 : place + 4], "big")
    if whole[place + 1] != 0xC4:
        bare += whole[place:end]
    place = end
bare += whole[place:]
open("whole.jpg", "wb").write(whole)
open("bare.jpg", "wb").write(bare)
print(f"a frame of {len(whole)} bytes, without its tables {len(bare)}")
pillow = [np.asarray(Image.open(name)) for name in ("whole.jpg", "bare.jpg")]
opencv = [cv2.imread(name) for name in ("whole.jpg", "bare.jpg")]
for name, (first, second) in {"Pillow": pillow, "OpenCV": opencv}.items():
    assert (first == second).all()
    print(f"{name}: the same pixels without the tables")
PYTHON

cat > decode.js <<'JS'
const fs = require("fs");
const sharp = require("sharp");
const jpeg = require("jpeg-js");
(async () => {
  const [whole, bare] = ["whole.jpg", "bare.jpg"].map((name) => fs.readFileSync(name));
  const pixels = await Promise.all([whole, bare].map((bytes) => sharp(bytes).raw().toBuffer()));
  if (!pixels[0].equals(pixels[1])) process.exit(1);
  console.log("sharp: the same pixels without the tables");
  jpeg.decode(whole);
  try {
    jpeg.decode(bare);
    process.exit(1);
  } catch (error) {
    console.log(`jpeg-js: ${error.name}: ${error.message}`);
  }
})();
JS
node decode.js

mkdir -p rust/src
cat > rust/Cargo.toml <<'TOML'
[package]
name = "decode"
version = "0.0.0"
edition = "2021"

[dependencies]
image = { version = "=0.25.10", default-features = false, features = ["jpeg"] }
jpeg-decoder = { version = "=0.3.2", default-features = false }
zune-jpeg = "=0.5.15"
TOML
cat > rust/src/main.rs <<'RUST'
fn main() {
    let [whole, bare] = ["whole.jpg", "bare.jpg"].map(|name| std::fs::read(name).unwrap());
    image::load_from_memory(&whole).expect("image reads the whole frame");
    let refused = image::load_from_memory(&bare).expect_err("image refuses the bare one");
    println!("image (zune-jpeg): {refused}");
    let decode = |bytes: &[u8]| jpeg_decoder::Decoder::new(bytes).decode();
    decode(&whole).expect("jpeg-decoder reads the whole frame");
    let refused = decode(&bare).expect_err("jpeg-decoder refuses the bare one");
    println!("jpeg-decoder: {refused}");
}
RUST
CARGO_TARGET_DIR=$work/target cargo run --quiet --manifest-path rust/Cargo.toml
echo "expected: the pixels that libjpeg-turbo's users get, since the tables are the standard's"
