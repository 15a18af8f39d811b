//! Which way up a picture is, from wherever its file says so: as Pillow has it
//! (`tests/data/pixels/make_orientation.py`).

use std::path::Path;

use mobilenet::pixels::{DecodeOptions, Orientation, RgbImage, decode, open};

use crate::support::{data, decodes_to, shared, tensors};

#[test]
fn orientation_is_found_where_pillow_finds_it() {
    let golden = tensors(data("pixels/orientation.golden.safetensors"));
    assert!(golden.len() > 90);
    decodes_to(&golden, "pixels/orientation", &[]);
}

/// What is damaged is upright, or what it was: never a panic.
#[test]
fn damaged_metadata_is_no_reason_to_stop() {
    let mut files = 0;
    for entry in std::fs::read_dir(data("pixels/orientation")).expect("fixtures") {
        let whole = std::fs::read(entry.expect("an entry").path()).expect("a file");
        for length in 0..whole.len() {
            let _ = Orientation::of(&whole[..length]);
        }
        let mut turned = whole;
        for at in 0..turned.len() {
            for mask in [0xff, 0x80, 0x01] {
                turned[at] ^= mask;
                let _ = Orientation::of(&turned);
                turned[at] ^= mask;
            }
        }
        files += 1;
    }
    assert!(files > 90);
}

/// A header of EXIF in front of nothing that is EXIF: XMP is asked then. (Pillow refuses such a
/// file.)
#[test]
fn exif_that_is_none_is_passed_over() {
    let file = std::fs::read(data("pixels/orientation/xmp_beside_exif_upright.jpg"));
    let mut file = file.expect("a fixture");
    assert_eq!(Orientation::of(&file), Orientation::Upright);
    let at = memchr::memmem::find(&file, b"Exif\0\0MM").expect("EXIF") + 6;
    file[at..at + 2].copy_from_slice(b"no");
    assert_eq!(Orientation::of(&file), Orientation::Rotated90);
}

/// Each moves the corners to where EXIF says, and decoding at a reduced scale agrees.
#[test]
fn orientations_move_the_corners() {
    // 1 2
    // 3 4
    // 5 6
    let stored = RgbImage::from_fn(2, 3, |x, y| [(1 + x + 2 * y) as u8; 3].into());
    let shown: [(u64, u32, &[u8]); 8] = [
        (1, 2, &[1, 2, 3, 4, 5, 6]),
        (2, 2, &[2, 1, 4, 3, 6, 5]),
        (3, 2, &[6, 5, 4, 3, 2, 1]),
        (4, 2, &[5, 6, 3, 4, 1, 2]),
        (5, 3, &[1, 3, 5, 2, 4, 6]),
        (6, 3, &[5, 3, 1, 6, 4, 2]),
        (7, 3, &[6, 4, 2, 5, 3, 1]),
        (8, 3, &[2, 4, 6, 1, 3, 5]),
    ];
    for (number, width, want) in shown {
        let orientation = Orientation::from_exif(number).expect("an orientation");
        assert_eq!(orientation as u64, number);
        let got = orientation.apply(stored.clone());
        assert_eq!(got.width(), width, "{number}");
        let values: Vec<u8> = got.pixels().map(|pixel| pixel[0]).collect();
        assert_eq!(values, want, "{number}");
    }
    assert_eq!(Orientation::from_exif(0), None);
    assert_eq!(Orientation::from_exif(9), None);
}

/// Larger than the tiles that are turned at a time, against a pixel at a time.
#[test]
fn large_pictures_are_turned_like_small_ones() {
    for (width, height) in [(1, 100), (100, 1), (33, 65), (64, 32), (70, 41)] {
        let pixel = |x: u32, y: u32| [x as u8, y as u8, (x ^ y) as u8];
        let stored = RgbImage::from_fn(width, height, |x, y| pixel(x, y).into());
        for number in 1..=8 {
            let orientation = Orientation::from_exif(number).expect("an orientation");
            let shown = orientation.apply(stored.clone());
            for (x, y, got) in shown.enumerate_pixels() {
                let (right, bottom) = (shown.width() - 1 - x, shown.height() - 1 - y);
                let want = match number {
                    1 => pixel(x, y),
                    2 => pixel(right, y),
                    3 => pixel(right, bottom),
                    4 => pixel(x, bottom),
                    5 => pixel(y, x),
                    6 => pixel(y, right),
                    7 => pixel(bottom, right),
                    _ => pixel(bottom, x),
                };
                assert_eq!(got.0, want, "{number} of {width}x{height}");
            }
        }
    }
}

/// Files that public reports are about.
#[test]
fn reported_files_are_upright() {
    let upright = |path: &Path| open(path, &DecodeOptions::default()).expect("a picture");
    for (folder, name, others) in [
        (
            "f02",
            "upright.jpg",
            &["orientation_long.jpg", "orientation_short.jpg"][..],
        ),
        (
            "f03",
            "upright.png",
            &[
                "exif_after_idat_as_imagemagick6.png",
                "exif_before_idat.png",
            ],
        ),
        (
            "f03",
            "upright.webp",
            &["exif_plain.webp", "exif_with_prefix.webp"],
        ),
    ] {
        let Some(folder) = shared(&format!("cases/reports/{folder}")) else {
            return;
        };
        let want = upright(&folder.join(name)).dimensions();
        for other in others {
            assert_eq!(upright(&folder.join(other)).dimensions(), want, "{other}");
        }
    }
    let Some(folder) = shared("cases/pixels") else {
        return;
    };
    let expected = std::fs::read(folder.join("expected.json")).expect("values");
    let expected: serde_json::Value = serde_json::from_slice(&expected).expect("JSON");
    let expected = expected.as_object().expect("an object");
    let mut compared = 0;
    for (name, want) in expected {
        if !["exif", "xmp", "raw_profile"]
            .iter()
            .any(|kind| name.contains(kind))
        {
            continue;
        }
        let bytes = std::fs::read(folder.join(name)).expect("a file");
        let got = decode(&bytes, &DecodeOptions::default()).expect("a picture");
        let rows: Vec<[u8; 3]> = got.pixels().map(|pixel| pixel.0).collect();
        let want_rows: Vec<[u8; 3]> = serde_json::from_value(want["rgb"].clone()).expect("rows");
        assert_eq!(rows, want_rows, "{name}");
        assert_eq!(
            serde_json::json!([got.width(), got.height()]),
            want["size"],
            "{name}"
        );
        compared += 1;
    }
    assert!(compared >= 9);
}
