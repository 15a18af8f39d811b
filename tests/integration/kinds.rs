//! Pictures of rarer kinds, damaged ones, and transparent ones: as Pillow has them
//! (`tests/data/pixels/make_kinds.py`).

use std::path::Path;

use image::{Rgba, RgbaImage};
use mobilenet::pixels::{
    DecodeOptions, Opacity, Preprocessing, RgbImage, decode, dimensions, open,
};
use serde_json::Value;

use crate::support::{Program, Ran, arg, data, decodes_to, image, shared, tensors};

const GOLDEN: &str = "pixels/kinds.golden.safetensors";

#[test]
fn rare_kinds_are_pillows() {
    let mut golden = tensors(data(GOLDEN));
    golden.retain(|name, _| !name.contains(" on "));
    assert!(golden.len() > 140);
    decodes_to(&golden, "pixels/kinds", &[]);
}

/// What a header says is what comes of the file.
#[test]
fn headers_tell_the_size() {
    for (name, want) in tensors(data(GOLDEN)) {
        if !name.contains(" on ") {
            let file = std::fs::read(data("pixels/kinds").join(&name)).expect("a fixture");
            assert_eq!(dimensions(&file), Some(image(&want).dimensions()), "{name}");
        }
    }
}

#[test]
fn transparent_pixels_show_the_background() {
    let mut seen = 0;
    for (name, want) in tensors(data(GOLDEN)) {
        let Some((file, colour)) = name.split_once(" on ") else {
            continue;
        };
        assert_eq!(colour, "0a64c8");
        let options = DecodeOptions::default().with_background(Some([0x0a, 0x64, 0xc8]));
        let got = open(data("pixels/kinds").join(file), &options).expect(&name);
        assert!(got == image(&want), "{name}");
        seen += 1;
    }
    assert!(seen > 20);
}

/// Where ours is right and Pillow is not, or reads what it refuses: grey of 16 bits, which Pillow clips, and a
/// picture whose runs end before its pixels do.
const NOT_PILLOWS: [&str; 4] = [
    "bmp_rle8_gap.bmp",
    "pgm_16.pgm",
    "png_grey16.png",
    "tiff_grey16.tif",
];

#[test]
fn cases_are_pillows() {
    let Some(folder) = shared("cases/pixels") else {
        return;
    };
    let expected = std::fs::read(folder.join("expected.json")).expect("expected values");
    let expected: Value = serde_json::from_slice(&expected).expect("JSON");
    let mut wrong = Vec::new();
    for (name, expected) in expected.as_object().expect("an object") {
        // TIFF has tests of its own.
        if name.starts_with("tiff") || NOT_PILLOWS.contains(&name.as_str()) {
            continue;
        }
        let size = expected["size"].as_array().expect("a size");
        let size: Vec<u64> = size
            .iter()
            .map(|side| side.as_u64().expect("a side"))
            .collect();
        let rgb = expected["rgb"].as_array().expect("pixels").iter();
        let rgb = rgb.flat_map(|pixel| pixel.as_array().expect("a pixel"));
        let rgb: Vec<u8> = rgb
            .map(|value| value.as_u64().expect("a byte") as u8)
            .collect();
        match open(folder.join(name), &DecodeOptions::default()) {
            Ok(got) => {
                let (width, height) = got.dimensions();
                if size != [u64::from(width), u64::from(height)] || got.as_raw() != &rgb {
                    wrong.push(format!("{name}: {:?}, not {rgb:?}", got.as_raw()));
                }
            }
            Err(error) => wrong.push(error.to_string()),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let grey = open(folder.join("png_grey16.png"), &DecodeOptions::default());
    assert_eq!(
        grey.expect("a picture").as_raw()[3..],
        [1, 1, 1, 156, 156, 156]
    );
}

/// Whole, and where only a part of its rows is needed.
#[test]
fn a_jpeg_whose_rows_are_all_there_needs_no_end() {
    let Some(folder) = shared("cases/reports/f01") else {
        return;
    };
    let [with, without] = ["same_with_eoi.jpg", "trailer_without_eoi.jpg"]
        .map(|name| std::fs::read(folder.join(name)).expect("a case"));
    let full = DecodeOptions::default();
    let recipe = Preprocessing::center(32);
    let read = |bytes: &[u8]| recipe.read(bytes, &full.clone().with_reduced(true));
    let pixels = |bytes: &[u8]| decode(bytes, &full).expect("a picture");
    assert!(pixels(&with) == pixels(&without));
    let (with, without) = (read(&with).expect("read"), read(&without).expect("read"));
    assert!(with.pixels == without.pixels);
}

#[test]
fn arithmetic_coding_and_wrong_checksums_are_read() {
    for name in ["f05/arithmetic.jpg", "f06/idat_wrong_crc.png"] {
        let Some(path) = shared(&format!("cases/reports/{name}")) else {
            return;
        };
        open(path, &DecodeOptions::default()).expect(name);
    }
}

/// Neither its checksum nor zlib's fits: its pixels are damaged.
#[test]
fn damaged_pixels_are_no_picture() {
    let path = data("pixels/kinds/rgba.png");
    let mut file = std::fs::read(path).expect("a fixture");
    let at = memchr::memmem::find(&file, b"IDAT").expect("pixels");
    let last = at + 4 + u32::from_be_bytes(file[at - 4..at].try_into().expect("a length")) as usize;
    file[last - 6] ^= 1;
    decode(&file, &DecodeOptions::default()).expect_err("damaged");
    // And where they end too early.
    let file = std::fs::read(data("pixels/kinds/no_end.png")).expect("a fixture");
    for length in 40..file.len() - 8 {
        decode(&file[..length], &DecodeOptions::default()).expect_err("cut short");
    }
}

/// Cut short at every byte, and with each byte of its first hundred in another state: an error or a picture, never
/// a panic.
#[test]
fn damaged_files_are_no_reason_to_panic() {
    let options = DecodeOptions::default().with_max_pixels(1 << 20);
    let (mut files, mut runs) = (0, 0);
    for entry in std::fs::read_dir(data("pixels/kinds")).expect("fixtures") {
        let whole = std::fs::read(entry.expect("an entry").path()).expect("a file");
        let mut look = |bytes: &[u8]| {
            let _ = (
                decode(bytes, &options),
                dimensions(bytes),
                Opacity::of(bytes, &options),
            );
            runs += 1;
        };
        for length in (0..whole.len()).step_by(1 + whole.len() / 200) {
            look(&whole[..length]);
        }
        let mut turned = whole;
        for at in 0..turned.len().min(100) {
            for mask in [0xff, 0x80, 0x01] {
                turned[at] ^= mask;
                look(&turned);
                turned[at] ^= mask;
            }
        }
        files += 1;
    }
    assert!(files > 140 && runs > 20_000, "{files} {runs}");
}

/// Samples that all would be black in 8 bits.
#[test]
fn a_float_map_from_0_to_1_is_refused_with_the_way_out() {
    let floats = [0.0f32, 0.25, 0.5, 1.0].map(f32::to_le_bytes).concat();
    let file = [&b"Pf\n2 2\n-1\n"[..], &floats].concat();
    let error = decode(&file, &DecodeOptions::default()).expect_err("shares");
    assert!(error.message.contains("multiply"), "{error}");
}

/// Drawings in black on nothing, alike to a network that sees no alpha.
fn drawings(program: &Program) {
    std::fs::create_dir(program.path("drawings")).expect("a folder");
    let strokes: [fn(u32, u32) -> bool; 3] = [
        |x, y| x.abs_diff(y) < 4,
        |x, y| x.abs_diff(30) < 4 || y.abs_diff(30) < 4,
        |x, y| (x / 8 + y / 8) % 2 == 0,
    ];
    for (number, stroke) in strokes.iter().enumerate() {
        let alpha = |x, y| if stroke(x, y) { 255 } else { 0 };
        let drawing = RgbaImage::from_fn(60, 60, |x, y| Rgba([0, 0, 0, alpha(x, y)]));
        let path = program.path(&format!("drawings/{number}.png"));
        drawing.save(path).expect("written");
    }
}

fn similar(program: &Program, more: &[&str]) -> Ran {
    let weights = data("keras/tiny.keras");
    let fixed = ["similar", "--groups", "-0", "--weights", arg(&weights)];
    let ran = program.run(&[&fixed, more].concat());
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{more:?}");
    ran
}

#[test]
fn drawings_that_differ_in_their_alpha_are_no_copies() {
    let program = Program::new();
    drawings(&program);
    assert_eq!(similar(&program, &["drawings"]).text(), "");
    // Not even where something is as black as both.
    let black = image::RgbImage::new(60, 60);
    black
        .save(program.path("drawings/black.png"))
        .expect("written");
    assert_eq!(similar(&program, &["drawings"]).text(), "");
    // A copy of one is found, also among embeddings.
    std::fs::copy(
        program.path("drawings/1.png"),
        program.path("drawings/copy.png"),
    )
    .expect("copied");
    let group = "drawings/1.png\0drawings/copy.png\0";
    assert_eq!(similar(&program, &["drawings"]).text(), group);
    let weights = data("keras/tiny.keras");
    let embed = [
        "embed",
        "drawings",
        "-o",
        "all.safetensors",
        "--weights",
        arg(&weights),
    ];
    assert_eq!(program.run(&embed).code, Some(0));
    assert_eq!(similar(&program, &["all.safetensors"]).text(), group);

    let Some(case) = shared("cases/reports/f07") else {
        return;
    };
    assert_eq!(similar(&program, &[arg(&case)]).text(), "");
}

#[test]
fn the_background_is_an_option_and_part_of_what_answers() {
    let program = Program::new();
    drawings(&program);
    let weights = data("keras/tiny.keras");
    let classify = |more: &[&str]| {
        let named = [
            "classify",
            "--weights",
            arg(&weights),
            "--json",
            "drawings/0.png",
        ];
        program.run(&[&named, more].concat())
    };
    let none = classify(&[]);
    assert_eq!(none.stdout, classify(&["--background", "none"]).stdout);
    // What is black on nothing is black on black.
    assert_eq!(none.stdout, classify(&["--background", "black"]).stdout);
    let white = classify(&["--background", "white"]);
    assert_ne!(none.stdout, white.stdout);
    for same in ["#ffffff", "FFFFFF"] {
        assert_eq!(classify(&["--background", same]).stdout, white.stdout);
    }
    let provenance = classify(&["--background", "#0a64c8", "--provenance"]).json();
    assert_eq!(
        provenance[0]["model"]["background"], "#0a64c8",
        "{provenance}"
    );
    classify(&["--background", "#12345"]).refused(&["--background", "rrggbb"]);
}

/// The sizes of a picture say no more than its pixels.
#[test]
fn opacity_is_that_of_the_parts() {
    let options = DecodeOptions::default();
    let of = |path: &Path| {
        let bytes = std::fs::read(path).expect("a file");
        Opacity::of(&bytes, &options).expect("a picture")
    };
    let opaque = of(&data("pixels/kinds/rgb.bmp"));
    assert!(opaque == of(&data("pixels/kinds/trailer_without_end.jpg")));
    assert!(opaque != of(&data("pixels/kinds/rgba.png")));
    let _: RgbImage = open(data("pixels/kinds/rgba.png"), &options).expect("a picture");
}
