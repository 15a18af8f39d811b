//! Decoding and resizing, held against Pillow's bytes (`tests/data/pixels/make_pixels.py`).

use mobilenet::error::ImageErrorKind;
use mobilenet::pixels::{
    Centring, Crop, DecodeOptions, Filter, Preprocessing, Window, decode, open, resize,
};
use serde::Deserialize;

use crate::support::{data, decodes_to, image, repository, tensors};

#[test]
fn every_kind_of_file_decodes_to_pillows_bytes() {
    let golden = tensors(data("pixels/decode.golden.safetensors"));
    assert!(golden.len() > 60);
    decodes_to(&golden, "pixels/decode", &[]);
}

/// The program's rows have the path beside the message; an error of [`open`] is all there is.
#[test]
fn an_error_of_open_names_the_file() {
    let missing = open("album/nowhere.jpg", &DecodeOptions::default()).expect_err("no file");
    assert_eq!(missing.message, "no such file");
    let text = missing.to_string();
    assert_eq!(text.replace('\\', "/"), "album/nowhere.jpg: no such file");
    assert_eq!(mobilenet::Error::from(missing).to_string(), text);
    let damaged = repository("Cargo.toml");
    let error = open(&damaged, &DecodeOptions::default()).expect_err("no picture");
    assert_eq!(error.path.as_deref(), Some(damaged.as_path()));
    assert!(error.to_string().contains("Cargo.toml: not an image"));
    // Bytes have no name.
    let error = decode(b"text", &DecodeOptions::default()).expect_err("no picture");
    assert_eq!(error.path, None);
    assert_eq!(error.to_string(), error.message);
}

#[cfg(unix)]
#[test]
fn the_systems_reason_comes_without_its_number() {
    let error = open("x".repeat(5000), &DecodeOptions::default()).expect_err("too long");
    assert_eq!(error.kind, ImageErrorKind::Io);
    assert!(error.message.contains("too long"), "{error}");
    assert!(!error.message.contains("os error"), "{error}");
}

#[test]
fn a_damaged_palette_tiff_is_an_error() {
    for name in ["palette.tif", "palette_big.tif", "palette_4bit.tif"] {
        let whole = std::fs::read(data("pixels/decode").join(name)).expect(name);
        // Cut off anywhere, and with any one byte turned: an error or a picture, no panic.
        for length in 0..whole.len() {
            let result = decode(&whole[..length], &DecodeOptions::default());
            assert!(
                result.is_err() || length + 8 > whole.len(),
                "{name}: {length}"
            );
        }
        for at in 0..whole.len() {
            let mut turned = whole.clone();
            turned[at] ^= 0xff;
            let options = DecodeOptions::default().with_max_pixels(1 << 16);
            let _ = decode(&turned, &options);
        }
    }
}

/// As webcams send frames: without the Huffman tables, which are those of the standard.
#[test]
fn a_jpeg_without_its_tables_has_the_standards() {
    const TABLES: u8 = 0xc4;
    const SCAN: u8 = 0xda;
    let whole = std::fs::read(repository("samples/cat.jpg")).expect("a sample");
    let (mut bare, mut place) = (whole[..2].to_vec(), 2);
    let mut tables = 0;
    while whole[place + 1] != SCAN {
        let len = usize::from(u16::from_be_bytes([whole[place + 2], whole[place + 3]]));
        let segment = &whole[place..place + 2 + len];
        match segment[1] {
            TABLES => tables += 1,
            _ => bare.extend_from_slice(segment),
        }
        place += segment.len();
    }
    bare.extend_from_slice(&whole[place..]);
    assert!(tables > 0);
    let pixels = |bytes: &[u8]| {
        let picture = decode(bytes, &DecodeOptions::default());
        picture.expect("a picture").into_raw()
    };
    assert!(pixels(&bare) == pixels(&whole));
}

#[test]
fn exif_orientation_can_be_left_alone() {
    let path = data("pixels/decode/exif_6.jpg");
    let turned = open(&path, &DecodeOptions::default()).expect("a picture");
    let options = DecodeOptions::default().with_exif_orientation(false);
    let stored = open(&path, &options).expect("a picture");
    assert_eq!(turned.dimensions(), (stored.height(), stored.width()));
    assert_eq!(
        turned.get_pixel(turned.width() - 1, 0),
        stored.get_pixel(0, 0)
    );
}

#[derive(Deserialize)]
struct Case {
    name: String,
    source: String,
    recipe: String,
    filter: Filter,
    size: usize,
}

#[test]
fn resizing_gives_pillows_bytes() {
    let golden = tensors(data("pixels/resize.golden.safetensors"));
    let cases = std::fs::read(data("pixels/resize.json")).expect("the cases");
    let cases: Vec<Case> = serde_json::from_slice(&cases).expect("the cases");
    assert!(cases.len() > 20);
    for case in cases {
        let source = image(&golden[&format!("{}.source", case.source)]);
        let want = image(&golden[&format!("{}.pixels", case.name)]);
        let recipe = match case.recipe.as_str() {
            "squash" => Preprocessing::squash(case.size),
            _ => Preprocessing::center(case.size),
        };
        let recipe = recipe.with_filter(case.filter);
        assert!(recipe.apply(&source) == want, "{} differs", case.name);
    }
}

/// Only what the window shows is computed: it has to be what cutting it out later gives.
#[test]
fn a_window_is_a_part_of_the_whole() {
    let golden = tensors(data("pixels/resize.golden.safetensors"));
    for source in ["97x61", "40x400", "3x200"] {
        let source = image(&golden[&format!("{source}.source")]);
        for to in [(50, 40), (20, 90), (120, 130)] {
            let part = |left, top, width, height| {
                let window = Window {
                    left,
                    top,
                    width,
                    height,
                };
                resize(&source, to, Filter::Bicubic, window)
            };
            let whole = part(0, 0, to.0, to.1);
            let cut = part(7, 5, 11, 13);
            for (x, y, pixel) in cut.enumerate_pixels() {
                assert_eq!(pixel, whole.get_pixel(x + 7, y + 5));
            }
        }
    }
}

/// The samples' bytes with an EXIF block that states an orientation.
fn with_orientation(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let mut exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0]);
    let len = (exif.len() as u16 + 2).to_be_bytes();
    let (start, rest) = jpeg.split_at(2);
    [start, &[0xff, 0xe1], &len, &exif, rest].concat()
}

/// `tests/data/pixels/make_reduced.py`
#[test]
fn decoding_at_a_reduced_scale_gives_pillows_bytes() {
    let golden = tensors(data("pixels/reduced.golden.safetensors"));
    let options = DecodeOptions::default().with_reduced(true);
    let mut reduced = 0;
    for (key, want) in &golden {
        let parts: Vec<&str> = key.rsplitn(4, '.').collect();
        let [size, crop, orientation, name] = parts[..] else {
            panic!("{key}");
        };
        let jpeg = std::fs::read(repository("samples").join(name)).expect("a sample");
        let jpeg = with_orientation(&jpeg, orientation.parse().expect("a number"));
        let size = size.parse().expect("a number");
        let recipe = match crop {
            "squash" => Preprocessing::squash(size),
            _ => Preprocessing::center(size),
        };
        let got = recipe.read(&jpeg, &options).expect("a picture");
        assert!(got.pixels == image(want), "{key} differs");
        reduced += usize::from(got.reduced);
        // Whatever is not asked for in haste is exact.
        let full = recipe.read(&jpeg, &DecodeOptions::default());
        let full = full.expect("a picture");
        assert!(!full.reduced);
        let whole = decode(&jpeg, &DecodeOptions::default()).expect("a picture");
        assert_eq!(full.pixels, recipe.apply(&whole));
    }
    assert!(golden.len() > 30 && reduced > 25, "{reduced}");
}

/// Only the rows that the centre is made of are decoded; it has to be as if all were.
#[test]
fn what_is_not_decoded_is_not_missed() {
    let mut files: Vec<_> = std::fs::read_dir(data("pixels/decode"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "jpg"))
        .collect();
    files.extend(["cat.jpg", "coffee.jpg", "rocket.jpg"].map(|n| repository("samples").join(n)));
    assert!(files.len() > 15);
    for path in files {
        let jpeg = std::fs::read(&path).expect("a file");
        for orientation in [1, 3, 6, 8] {
            let jpeg = with_orientation(&jpeg, orientation);
            let whole = decode(&jpeg, &DecodeOptions::default()).expect("a picture");
            for (size, fraction, filter) in [
                (32, 1.0, Filter::Bilinear),
                (32, 0.3, Filter::Bicubic),
                (224, 0.875, Filter::Bilinear),
                (301, 0.5, Filter::Bicubic),
            ] {
                let recipe = Preprocessing::center(size)
                    .with_crop(Crop::Center(fraction))
                    .with_filter(filter)
                    .with_centring(Centring::HalfToEven);
                let got = recipe
                    .read(&jpeg, &DecodeOptions::default())
                    .expect("a picture");
                assert!(
                    got.pixels == recipe.apply(&whole),
                    "{} {size}",
                    path.display()
                );
            }
        }
        // However little is cut off, the end is gone.
        if jpeg.ends_with(&[0xff, 0xd9]) {
            let recipe = Preprocessing::center(32);
            let cut = recipe.read(&jpeg[..jpeg.len() - 1], &DecodeOptions::default());
            let error = cut.expect_err("truncated");
            assert!(
                error.message.contains("truncated"),
                "{}: {error}",
                path.display()
            );
        }
    }
}

#[test]
fn limits_are_checked_before_decoding() {
    let options = DecodeOptions::default().with_max_pixels(100);
    for name in [
        "420.jpg",
        "rgb.png",
        "plain.gif",
        "24bit.bmp",
        "lzw.tif",
        "palette.tif",
        "lossless.webp",
    ] {
        let bytes = std::fs::read(data("pixels/decode").join(name)).expect(name);
        let error = decode(&bytes, &options).expect_err(name);
        assert_eq!(error.kind, ImageErrorKind::Limit, "{name}");
    }
}
