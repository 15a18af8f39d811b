//! `mobilenet similar --groups` and `--extras`: which picture of a group to keep.

use std::fs::File;
use std::time::{Duration, SystemTime};

use image::{Rgb, RgbImage};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};

use crate::support::{Program, Ran};

/// Writes pictures of these sizes, and a file of embeddings of two values, at these angles in degrees.
fn album(program: &Program, pictures: &[(&str, u32, f32)]) {
    let mut values = Vec::new();
    for (name, side, angle) in pictures {
        let picture = RgbImage::from_fn(2 * side, *side, |x, y| {
            Rgb([(x * 7 + y) as u8, (y * 5) as u8, (x ^ y) as u8])
        });
        program.file(name, encoded(&picture, name));
        let angle = angle.to_radians();
        values.extend([angle.cos(), angle.sin()]);
    }
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    let view = TensorView::new(Dtype::F32, vec![pictures.len(), 2], &bytes).expect("a view");
    let names: Vec<&str> = pictures.iter().map(|(name, ..)| *name).collect();
    let metadata = [("paths".to_owned(), json!(names).to_string())];
    let file = safetensors::serialize([("embeddings", view)], Some(metadata.into()));
    program.file("album.safetensors", file.expect("safetensors"));
}

/// As the name's extension says.
fn encoded(picture: &RgbImage, name: &str) -> Vec<u8> {
    let (width, height) = picture.dimensions();
    match name.rsplit('.').next() {
        Some("ppm") => {
            let header = format!("P6 {width} {height} 255\n");
            [header.as_bytes(), picture.as_raw()].concat()
        }
        Some("jpg") => {
            let mut compress = mozjpeg::Compress::new(mozjpeg::ColorSpace::JCS_RGB);
            compress.set_size(width as usize, height as usize);
            let mut compress = compress.start_compress(Vec::new()).expect("a start");
            compress.write_scanlines(picture).expect("written");
            compress.finish().expect("a JPEG")
        }
        _ => {
            let mut bytes = std::io::Cursor::new(Vec::new());
            let written = picture.write_to(&mut bytes, image::ImageFormat::Png);
            written.expect("a PNG");
            bytes.into_inner()
        }
    }
}

/// Two are alike up to 26 degrees (a cosine of 0.9).
fn similar(program: &Program, more: &[&str]) -> Ran {
    program.run(&[&["similar"], more, &["album.safetensors"]].concat())
}

/// The pictures of the one group: their names, and whether they are kept.
fn kept(ran: &Ran) -> Vec<(String, Value)> {
    let rows = ran.rows();
    assert_eq!(rows.len(), 1, "{ran:?}");
    let pictures = rows[0]["pictures"].as_array().expect("pictures").iter();
    let pair = |it: &Value| {
        (
            it["path"].as_str().expect("UTF-8").into(),
            it["keep"].clone(),
        )
    };
    pictures.map(pair).collect()
}

#[test]
fn one_of_pictures_that_are_all_alike_is_kept() {
    let program = Program::new();
    album(
        &program,
        &[
            ("small.png", 20, 0.0),
            ("large.png", 40, 5.0),
            ("other.png", 90, 80.0),
            ("last.ppm", 30, 9.0),
        ],
    );
    let age = |name: &str, seconds: u64| {
        let file = File::options().write(true).open(program.path(name));
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        file.and_then(|file| file.set_modified(time))
            .expect("a time");
    };
    age("small.png", 1_000_000);
    age("large.png", 3_000_000);
    age("last.ppm", 2_000_000);
    let bytes = |name: &str| std::fs::metadata(program.path(name)).expect("a file").len();
    let ran = similar(&program, &["--groups", "--jsonl"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let group = ran.rows()[0].clone();
    let picture = |name: &str, side: u32, keep: bool| json!({"path": name, "width": 2 * side, "height": side, "bytes": bytes(name), "keep": keep});
    let pictures = [
        picture("small.png", 20, false),
        picture("large.png", 40, true),
        picture("last.ppm", 30, false),
    ];
    assert_eq!(group["pictures"], json!(pictures));
    assert_eq!(group["chain"], json!(false));

    for (which, name) in [
        ("largest", "large.png"),
        // Three bytes a pixel, and a header.
        ("least-compressed", "last.ppm"),
        ("oldest", "small.png"),
    ] {
        let ran = similar(&program, &["--groups", "--jsonl", "--keep", which]);
        for (path, keep) in kept(&ran) {
            assert_eq!(keep, json!(path == name), "{which}: {path}");
        }
        let extras = similar(&program, &["--extras", "-0", "--keep", which]);
        let mut names = vec!["small.png", "large.png", "last.ppm"];
        names.retain(|other| *other != name);
        assert_eq!(extras.text(), names.map_to_nul());
        assert_eq!((extras.code, extras.stderr.as_str()), (Some(0), ""));
    }
    assert_eq!(
        similar(&program, &["--extras"]).text(),
        "small.png\nlast.ppm\n"
    );
    assert_eq!(
        similar(&program, &["--groups", "--extras"]).text(),
        "small.png\nlast.ppm\n"
    );
    let lines = similar(&program, &["--groups"]);
    let (small, large, last) = (bytes("small.png"), bytes("large.png"), bytes("last.ppm"));
    let widths = [small, large, last].map(|n| n.to_string().len());
    let width = widths.into_iter().max().unwrap_or(0);
    let expected = format!(
        "3 pictures, alike from 0.9877 to 0.9976\n  extra   40x20  {small:>width$} bytes  small.png\n  keep    \
         80x40  {large:>width$} bytes  large.png\n  extra   60x30  {last:>width$} bytes  last.ppm\n"
    );
    assert_eq!(lines.text(), expected);
    let table = similar(&program, &["--groups", "--format", "csv"]);
    let rows: Vec<&str> = table.text().lines().collect();
    assert_eq!(rows[0], "path,group,lowest,highest,width,height,bytes,keep");
    assert!(rows[2].starts_with("large.png,1,"), "{}", rows[2]);
    assert!(
        rows[2].ends_with(&format!(",80,40,{large},true")),
        "{}",
        rows[2]
    );
}

trait MapToNul {
    fn map_to_nul(&self) -> String;
}

impl MapToNul for Vec<&str> {
    fn map_to_nul(&self) -> String {
        self.iter().map(|name| format!("{name}\0")).collect()
    }
}

/// Whoever removes the extras still has a picture like each of them.
#[test]
fn every_extra_of_a_chain_is_like_one_that_is_kept() {
    let program = Program::new();
    for (sides, kept_names) in [
        // The middle is like both ends,
        ([10, 30, 20], &["b.png"][..]),
        // and no end is like the other.
        ([30, 20, 10], &["a.png", "c.png"]),
        ([10, 20, 30], &["a.png", "c.png"]),
    ] {
        let [a, b, c] = sides;
        album(
            &program,
            &[("a.png", a, 0.0), ("b.png", b, 20.0), ("c.png", c, 40.0)],
        );
        let ran = similar(&program, &["--groups", "--jsonl"]);
        let group = &ran.rows()[0];
        assert_eq!(group["chain"], json!(true));
        let lowest = group["lowest"].as_f64().expect("a number");
        assert!((lowest - 40f64.to_radians().cos()).abs() < 1e-6);
        let found = kept(&ran)
            .into_iter()
            .filter(|(_, keep)| keep == &json!(true));
        let found: Vec<String> = found.map(|(name, _)| name).collect();
        assert_eq!(found, kept_names, "{sides:?}");
        let extras = similar(&program, &["--extras"]);
        assert_eq!(extras.text().lines().count(), 3 - kept_names.len());
        assert!(extras.stderr.contains("chains"), "{}", extras.stderr);
        let text = similar(&program, &["--groups"]);
        let heading = "3 pictures in a chain, alike from 0.7660 (linked by others) to 0.9397\n";
        assert!(text.text().starts_with(heading), "{}", text.text());
    }
}

#[test]
fn no_item_of_nul_separated_paths_is_empty() {
    let program = Program::new();
    album(
        &program,
        &[
            ("a.png", 9, 0.0),
            ("b\n.png", 8, 1.0),
            ("c.png", 7, 70.0),
            ("d.png", 6, 71.0),
        ],
    );
    let all = similar(&program, &["--groups", "-0"]);
    assert_eq!(all.text(), "a.png\0b\n.png\0c.png\0d.png\0");
    assert_eq!(
        similar(&program, &["--extras", "-0"]).text(),
        "b\n.png\0d.png\0"
    );
    // Nothing is alike: no item at all.
    let none = similar(&program, &["--extras", "-0", "--threshold", "1"]);
    assert_eq!((none.code, none.text()), (Some(0), ""));
}

/// A picture that is not there any more is no reason to remove another.
#[test]
fn what_cant_be_read_stands_in_for_nothing() {
    let program = Program::new();
    album(
        &program,
        &[("a.png", 9, 0.0), ("b.png", 8, 1.0), ("c.png", 7, 2.0)],
    );
    std::fs::remove_file(program.path("a.png")).expect("removed");
    let ran = similar(&program, &["--groups", "--jsonl"]);
    let keep = |name: &str, keep: Value| (name.to_owned(), keep);
    let expected = [
        keep("a.png", Value::Null),
        keep("b.png", json!(true)),
        keep("c.png", json!(false)),
    ];
    assert_eq!(kept(&ran), expected);
    assert!(ran.rows()[0]["pictures"][0]["width"].is_null());
    assert!(ran.stderr.contains("can't be read"), "{}", ran.stderr);
    assert_eq!(similar(&program, &["--extras"]).text(), "c.png\n");
    program.file("b.png", "no picture any more");
    assert_eq!(similar(&program, &["--extras"]).text(), "");
    assert_eq!(similar(&program, &["--extras", "--quiet"]).stderr, "");
}

/// A photograph that was taken upright is told with the sides that it is seen with.
#[test]
fn sides_are_those_of_the_upright_picture() {
    let program = Program::new();
    album(&program, &[("a.jpg", 16, 0.0), ("b.jpg", 8, 1.0)]);
    let bytes = std::fs::read(program.path("a.jpg")).expect("a JPEG");
    // Big-endian, one tag: 0x0112, a short, 6: by a quarter of a turn.
    let exif = b"\xff\xe1\x00\x22Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let turned = [&bytes[..2], exif, &bytes[2..]].concat();
    program.file("a.jpg", turned);
    let sides = |more: &[&str]| {
        let fixed = ["--groups", "--jsonl"];
        let picture =
            similar(&program, &[&fixed[..], more].concat()).rows()[0]["pictures"][0].clone();
        (picture["width"].clone(), picture["height"].clone())
    };
    assert_eq!(sides(&[]), (json!(16), json!(32)));
    assert_eq!(sides(&["--no-exif"]), (json!(32), json!(16)));
}

#[test]
fn what_means_nothing_together_is_refused() {
    let program = Program::new();
    album(&program, &[("a.png", 9, 0.0), ("b.png", 8, 1.0)]);
    similar(&program, &["--extras", "--json"]).refused(&["--extras", "`keep`"]);
    similar(&program, &["--extras", "-k", "3"]).refused(&["--top-k"]);
    similar(&program, &["--keep", "oldest", "a.png"]).refused(&["--keep is for --groups"]);
    similar(&program, &["--groups", "--keep", "newest"]).refused(&["least-compressed"]);
}
