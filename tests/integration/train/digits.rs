//! The network of this repository.

use std::path::Path;

use candle_core::DType;
use mobilenet::device::DeviceChoice;
use mobilenet::pixels::{Filter, Window, resize};
use mobilenet::{Classifier, device};

use super::open;
use crate::support::{Program, arg, data, repository};

/// The network of this repository.
fn digits() -> Classifier {
    let checkpoint = open(&repository("weights/digits.safetensors"));
    let device = device::open(DeviceChoice::Cpu).expect("a device");
    Classifier::new(&checkpoint, None, &device, DType::F32).expect("a classifier")
}

#[test]
fn the_digits_are_read() {
    let program = Program::new();
    let weights = repository("weights/digits.safetensors");
    let length = std::fs::metadata(&weights).expect("a file").len();
    assert!(length < 500_000, "{length}");
    let samples = repository("samples/digits");
    let ran = program.run(&[
        "classify",
        "--weights",
        arg(&weights),
        "--jsonl",
        "-k",
        "1",
        arg(&samples),
    ]);
    assert_eq!(ran.code, Some(0));
    let rows = ran.rows();
    assert_eq!(rows.len(), 20);
    let right = rows.iter().filter(|row| {
        let path = Path::new(row["path"].as_str().expect("a path"));
        let name = path.file_name().and_then(|name| name.to_str());
        row["predictions"][0]["label"] == name.expect("a name")[..1]
    });
    // All but 9-0.png, which it takes for a 3.
    assert!(right.count() >= 19);
}

/// 360 digits that were not there when it was trained, nor when it was chosen how.
#[test]
fn digits_that_were_held_out_are_read() {
    let sheet = image::open(data("train/digits.png"))
        .expect("a picture")
        .into_rgb8();
    let (columns, rows) = (sheet.width() / 8, sheet.height() / 8);
    assert_eq!((columns, rows), (36, 10));
    let whole = Window {
        left: 0,
        top: 0,
        width: 128,
        height: 128,
    };
    let mut pictures = Vec::new();
    for i in 0..columns * rows {
        let (x, y) = (i % columns * 8, i / columns * 8);
        let digit = image::imageops::crop_imm(&sheet, x, y, 8, 8).to_image();
        pictures.push(resize(&digit, (128, 128), Filter::Bicubic, whole));
    }
    // They are those that the sample files show.
    let sample = image::open(repository("samples/digits/7-0.png"))
        .expect("a picture")
        .into_rgb8();
    assert!(pictures[7 * 36] == sample);
    let answers = digits().classify(&pictures, 1, None).expect("answers");
    let right = answers
        .iter()
        .zip(0..)
        .filter(|(answer, i)| answer[0].index == Some(i / 36));
    let right = right.count();
    // 98 % of them; it was 357.
    assert!(right >= 353, "{right} of 360");
}
