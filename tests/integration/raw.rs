//! Raw photographs: the preview that the camera put into them, upright, and never a thumbnail
//! (`tests/data/pixels/make_raw.py`).

use std::io::Read;
use std::path::Path;

use candle_core::Device;
use flate2::read::GzDecoder;
use mobilenet::pixels::{DecodeOptions, PictureFormat, decode, dimensions, open};

use crate::support::{Program, arg, data, decodes_to};

const REFUSED: [(&str, &str); 3] = [
    ("thumbnail.nef", "a thumbnail of 18x12"),
    ("thumbnail.dng", "a thumbnail of 18x12"),
    ("nothing.dng", "without a preview"),
];

#[test]
fn the_largest_preview_is_shown_upright() {
    let packed = std::fs::File::open(data("pixels/raw.golden.safetensors.gz"));
    let mut bytes = Vec::new();
    let mut unpacked = GzDecoder::new(packed.expect("a fixture"));
    unpacked.read_to_end(&mut bytes).expect("a fixture");
    let golden = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu).expect("tensors");
    assert_eq!(golden.len(), 11);
    decodes_to(&golden, "pixels/raw", &[]);
    for name in golden.keys() {
        let bytes = std::fs::read(data("pixels/raw").join(name)).expect(name);
        let format = PictureFormat::of(&bytes).expect(name);
        assert!(format.is_raw_photograph(), "{name}");
        let extension = Path::new(name).extension().and_then(|e| e.to_str());
        assert_eq!(
            PictureFormat::of_extension(extension.expect("one")),
            Some(format)
        );
        let sides = if name == "medium.cr3" {
            (36, 24)
        } else {
            (72, 48)
        };
        assert_eq!(dimensions(&bytes), Some(sides), "{name}");
    }
}

#[test]
fn a_thumbnail_is_no_preview() {
    for (name, words) in REFUSED {
        let path = data("pixels/raw/refused").join(name);
        let error = open(&path, &DecodeOptions::default()).expect_err(name);
        assert!(error.message.contains("a raw photograph"), "{error}");
        assert!(error.message.contains(words), "{error}");
        assert!(error.message.contains("convert it"), "{error}");
    }
}

#[test]
fn damaged_photographs_are_errors_or_pictures() {
    let options = DecodeOptions::default().with_max_pixels(1 << 14);
    for entry in std::fs::read_dir(data("pixels/raw")).expect("fixtures") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            continue;
        }
        let whole = std::fs::read(&path).expect("a file");
        for length in (0..whole.len()).step_by(7) {
            let _ = decode(&whole[..length], &options);
        }
        let mut turned = whole;
        for at in (0..turned.len()).step_by(3) {
            for mask in [0xff, 0x01] {
                turned[at] ^= mask;
                let _ = dimensions(&turned);
                let _ = decode(&turned, &options);
                turned[at] ^= mask;
            }
        }
    }
}

/// A word on stderr, a key where the provenance is asked for, and a row for each in a folder.
#[test]
fn the_program_says_that_it_is_the_preview() {
    let program = Program::new();
    let (folder, weights) = (data("pixels/raw"), data("keras/tiny.keras"));
    let run = |more: &[&str]| {
        let first = ["classify", "--weights", arg(&weights)];
        program.run(&[&first, more].concat())
    };
    let ran = run(&["--jsonl", "--provenance", arg(&folder)]);
    assert!(ran.stderr.contains("11 raw photographs"), "{ran:?}");
    let rows = ran.rows();
    assert_eq!((rows.len(), ran.code), (14, Some(2)));
    let previews = rows.iter().filter(|row| row["preview"] == true).count();
    let failed = rows.iter().filter(|row| !row["error"].is_null()).count();
    assert_eq!((previews, failed), (11, 3));

    let one = folder.join("side.nef");
    let ran = run(&[arg(&one)]);
    assert_eq!(ran.code, Some(0));
    assert!(ran.stderr.contains("preview"), "{ran:?}");
    let ran = run(&["--quiet", "--jsonl", arg(&one)]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert!(ran.rows()[0].get("preview").is_none());
}
