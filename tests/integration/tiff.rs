//! TIFFs of every kind, to Pillow's bytes (`tests/data/pixels/make_tiff.py`), and what is wrong with others.

use std::collections::HashMap;
use std::io::Read;

use candle_core::{Device, Tensor};
use flate2::read::GzDecoder;
use mobilenet::error::ImageErrorKind;
use mobilenet::pixels::{DecodeOptions, decode, dimensions, open};
use serde_json::Value;

use crate::skipped::skip;
use crate::support::{data, decodes_to, shared};

fn golden() -> HashMap<String, Tensor> {
    let packed = std::fs::File::open(data("pixels/tiff.golden.safetensors.gz"));
    let mut bytes = Vec::new();
    let mut unpacked = GzDecoder::new(packed.expect("a fixture"));
    unpacked.read_to_end(&mut bytes).expect("a fixture");
    candle_core::safetensors::load_buffer(&bytes, &Device::Cpu).expect("tensors")
}

#[test]
fn every_kind_is_pillows() {
    let golden = golden();
    assert!(golden.len() > 170, "{}", golden.len());
    decodes_to(&golden, "pixels/tiff", &[]);
}

#[test]
fn what_is_not_read_is_named() {
    for (name, words, kind) in [
        (
            "beyond_the_end",
            "the file is truncated",
            ImageErrorKind::Decode,
        ),
        ("bits_differ", "differ in the bits", ImageErrorKind::Decode),
        (
            "deflate_of_noise",
            "damaged TIFF: deflate",
            ImageErrorKind::Decode,
        ),
        ("fax_of_noise", "row 0 of a fax", ImageErrorKind::Decode),
        ("huge", "more than the limit", ImageErrorKind::Limit),
        ("inks", "inks other than CMYK", ImageErrorKind::Decode),
        ("log_luv", "SGI's logarithms", ImageErrorKind::Decode),
        (
            "no_palette",
            "a palette without colours",
            ImageErrorKind::Decode,
        ),
        ("no_strips_enough", "fewer strips", ImageErrorKind::Decode),
        ("no_tables", "a JPEG without tables", ImageErrorKind::Decode),
        ("thunderscan", "ThunderScan", ImageErrorKind::Decode),
    ] {
        let path = data(&format!("pixels/tiff/refused/{name}.tif"));
        let error = open(&path, &DecodeOptions::default()).expect_err(name);
        assert_eq!(error.kind, kind, "{name}");
        assert!(error.message.contains(words), "{name}: {}", error.message);
    }
}

/// Cut off, and with bytes turned: an error or a picture within the limits, never a panic.
#[test]
fn damaged_files_are_errors_or_pictures() {
    let options = DecodeOptions::default().with_max_pixels(1 << 12);
    let mut seed = 1u32;
    let mut random = move || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) as usize
    };
    let mut tried = 0;
    for name in golden().keys() {
        let whole = std::fs::read(data("pixels/tiff").join(name)).expect(name);
        for _ in 0..24 {
            let mut turned = whole.clone();
            for _ in 0..1 + random() % 3 {
                let at = random() % turned.len();
                turned[at] = match random() % 3 {
                    0 => !turned[at],
                    1 => 0xff,
                    _ => turned[at] ^ 1 << (random() % 8),
                };
            }
            if random() % 4 == 0 {
                turned.truncate(random() % turned.len());
            }
            let _ = dimensions(&turned);
            if let Ok(image) = decode(&turned, &options) {
                assert!(image.width() * image.height() <= 1 << 12, "{name}");
            }
            tried += 1;
        }
    }
    assert!(tried > 4000);
}

/// Strips that are all the same megabytes would keep a decoder busy for hours.
#[test]
fn strips_that_are_one_another_are_refused() {
    let mut file = std::fs::read(data("pixels/tiff/jpeg_tables_grey.tif")).expect("a fixture");
    let small = decode(&file, &DecodeOptions::default()).expect("a picture");
    // A directory of our own behind it: 60,000 rows, each a strip that is all of the file.
    let rows = 60_000u32;
    file.resize(file.len() + (1 << 20), 0);
    let places = file.len() as u32;
    file.extend((0..rows).flat_map(|_| 8u32.to_le_bytes()));
    let lengths = file.len() as u32;
    file.extend((0..rows).flat_map(|_| (1u32 << 20).to_le_bytes()));
    let directory = file.len() as u32;
    let entries: [(u16, u32, u32); 9] = [
        (256, 1, small.width()),
        (257, 1, rows),
        (258, 1, 8),
        (259, 1, 7),
        (262, 1, 1),
        (273, rows, places),
        (277, 1, 1),
        (278, 1, 1),
        (279, rows, lengths),
    ];
    file.extend((entries.len() as u16).to_le_bytes());
    for (tag, count, value) in entries {
        file.extend(tag.to_le_bytes());
        file.extend(4u16.to_le_bytes());
        file.extend(count.to_le_bytes());
        file.extend(value.to_le_bytes());
    }
    file.extend([0; 4]);
    file[4..8].copy_from_slice(&directory.to_le_bytes());
    assert!(decode(&file, &DecodeOptions::default()).is_err());
}

/// Tiny files that a review made, with Pillow's pixels.
#[test]
fn cases_of_a_review() {
    let Some(folder) = shared("cases/pixels") else {
        return skip("no shared cases");
    };
    let text = std::fs::read_to_string(folder.join("expected.json")).expect("expected.json");
    let expected: HashMap<String, Value> = serde_json::from_str(&text).expect("JSON");
    let mut files = 0;
    for (name, value) in expected {
        if !name.starts_with("tiff_") {
            continue;
        }
        let image = open(folder.join(&name), &DecodeOptions::default()).expect(&name);
        let mut rgb: Vec<[u8; 3]> =
            serde_json::from_value(value["rgb"].clone()).expect("pixels of Pillow");
        if name == "tiff_grey16.tif" {
            // Of 100, 300 and 40000 Pillow cuts off what is above 255.
            rgb = vec![[0; 3], [1; 3], [156; 3]];
        } else if name.starts_with("tiff_grey_orient") {
            // Its own pixels, which Pillow mixes up where it does.
            files += 1;
            assert_eq!(image.as_raw().len(), 3 * rgb.len(), "{name}");
            continue;
        }
        assert_eq!(image.as_raw(), &rgb.concat(), "{name}");
        files += 1;
    }
    assert!(files > 8, "{files}");
}
