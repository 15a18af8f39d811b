//! The formats that are known by name: what is read, what is refused by its name, and what a
//! folder of pictures passes over.

use mobilenet::error::ImageErrorKind;
use mobilenet::pixels::{DecodeOptions, PictureFormat, decode, looks_like_image};
use serde_json::Value;

use crate::support::{Program, arg, data, repository};

/// How files begin whose format is known but not read, and what an error calls that.
const PICTURES: [(&[u8], &str, &str); 14] = [
    (b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom", "cr3", "CR3"),
    (b"II\x2a\0\x10\0\0\0CR\x02\0", "cr2", "CR2"),
    (RAW, "nef", "NEF"),
    (b"FUJIFILMCCD-RAW 0201", "raf", "RAF"),
    (b"IIRO\x08\0\0\0", "orf", "ORF"),
    (b"IIU\0\x18\0\0\0", "rw2", "RW2"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "jp2", "JPEG 2000"),
    (b"\xff\x4f\xff\x51\0\x2f", "j2k", "JPEG 2000"),
    (b"II\xbc\x01\x20\0\0\0", "jxr", "JPEG XR"),
    (b"gimp xcf v011\0", "xcf", "GIMP"),
    (b"icns\0\0\x01\0", "icns", "ICNS"),
    (b"DDS \x7c\0\0\0", "dds", "DDS"),
    (b"\x76\x2f\x31\x01\x02\0\0\0", "exr", "OpenEXR"),
    (b"#?RADIANCE\n", "hdr", "Radiance"),
];

/// A TIFF whose first picture is a small one, beside a directory of its own for the large one.
const RAW: &[u8] = b"II\x2a\0\x08\0\0\0\x02\0\
    \xfe\0\x04\0\x01\0\0\0\x01\0\0\0\
    \x4a\x01\x04\0\x01\0\0\0\x26\0\0\0\0\0\0\0";

/// The same for what is no picture.
const OTHERS: [(&[u8], &str, &str); 8] = [
    (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "mp4", "MP4"),
    (b"\x1a\x45\xdf\xa3\x01\0\0\0", "webm", "WebM"),
    (b"RIFF\x10\0\0\0AVI LIST", "avi", "AVI"),
    (b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>", "svg", "SVG"),
    (b"<?xml version=\"1.0\"?>", "xml", "SVG"),
    (b"%PDF-1.7\n", "pdf", "PDF"),
    (b"%!PS-Adobe-3.0 EPSF-3.0\n", "eps", "PostScript"),
    (b"<!DOCTYPE html>\n<html>", "html", "a web page"),
];

fn reason(bytes: &[u8], name: &str) -> String {
    let error = decode(bytes, &DecodeOptions::default()).expect_err(name);
    assert_eq!(error.kind, ImageErrorKind::Decode, "{name}");
    error.message
}

#[test]
fn what_is_not_read_is_called_by_its_name() {
    for (start, _, name) in PICTURES.into_iter().chain(OTHERS) {
        let message = reason(start, name);
        assert!(message.contains(name), "{message}");
        let is_page = name == "a web page";
        assert_eq!(message.contains("convert it"), !is_page, "{message}");
    }
    assert!(reason(b"\n<HTML lang=en>", "a page").contains("a web page"));
}

#[test]
fn a_format_is_known_by_its_beginning_and_by_its_extension() {
    for (start, extension, name) in PICTURES.into_iter().chain(OTHERS) {
        let format = PictureFormat::of(start).expect(name);
        assert_eq!(PictureFormat::of_extension(extension), Some(format));
        assert!(format.name().contains(name), "{format:?}");
        let is_read = format.is_raw_photograph();
        assert_eq!(format.is_read(), is_read, "{format:?}");
        assert_eq!(looks_like_image(start), is_read, "{format:?}");
    }
    assert!(PICTURES.iter().all(|(start, ..)| is_picture(start)));
    assert!(!OTHERS.iter().any(|(start, ..)| is_picture(start)));
    assert_eq!(PictureFormat::of_extension("txt"), None);
}

fn is_picture(start: &[u8]) -> bool {
    PictureFormat::of(start).is_some_and(PictureFormat::is_picture)
}

/// Each format that the table calls read has fixtures, and those are of the format that their
/// extension says.
#[test]
fn what_the_table_calls_read_is_read() {
    let mut unseen: Vec<_> = PictureFormat::all_read().collect();
    let folders =
        ["decode", "kinds", "avif", "heic", "jxl"].map(|folder| format!("pixels/{folder}"));
    let entries = folders.map(|folder| std::fs::read_dir(data(&folder)).expect("fixtures"));
    for entry in entries.into_iter().flatten() {
        let path = entry.expect("an entry").path();
        let bytes = std::fs::read(&path).expect("a file");
        let format = PictureFormat::of(&bytes).expect("a format");
        let name = path.display();
        // 32 bytes are enough.
        let short = PictureFormat::of(&bytes[..bytes.len().min(32)]);
        assert_eq!(short, Some(format), "{name}");
        let extension = path.extension().and_then(|e| e.to_str()).expect("UTF-8");
        if !path.ends_with("jpeg_inside.png") {
            assert_eq!(
                PictureFormat::of_extension(extension),
                Some(format),
                "{name}"
            );
        }
        assert!(decode(&bytes, &DecodeOptions::default()).is_ok(), "{name}");
        unseen.retain(|other| *other != format);
    }
    assert!(unseen.is_empty(), "{unseen:?}");
}

/// A raw photograph must not get the answer of the thumbnail in front of it.
#[test]
fn a_thumbnail_does_not_stand_for_a_raw_photograph() {
    assert_eq!(PictureFormat::of(RAW), Some(PictureFormat::Raw));
    // Full size, or nothing but one picture: a TIFF.
    for (at, value) in [(18, 0), (22, 0x4b)] {
        let mut tiff = RAW.to_vec();
        tiff[at] = value;
        assert_eq!(PictureFormat::of(&tiff), Some(PictureFormat::Tiff));
    }
    // What a sensor gave, without a thumbnail: the tag and its value in place of the second.
    let mut sensors = RAW.to_vec();
    sensors[18] = 0;
    sensors[22..34].copy_from_slice(b"\x06\x01\x03\0\x01\0\0\0\x23\x80\0\0");
    assert_eq!(PictureFormat::of(&sensors), Some(PictureFormat::Raw));
    let Some(folder) = crate::support::shared("cases/reports/f10") else {
        return;
    };
    for name in ["DSC_0001.NEF", "IMG_0002.dng"] {
        let bytes = std::fs::read(folder.join(name)).expect(name);
        assert!(reason(&bytes, name).contains("a raw photograph"));
    }
}

/// By extension or by their first bytes, whatever the other says.
#[test]
fn a_folder_leaves_no_picture_out_without_a_word() {
    let program = Program::new();
    std::fs::create_dir(program.path("album")).expect("a folder");
    let mut expected = Vec::new();
    for (number, (start, extension, name)) in PICTURES.into_iter().enumerate() {
        let file = format!("album/{number:02}.{}", extension.to_ascii_uppercase());
        program.file(&file, start);
        expected.push((file, name));
        // The first directory of a TIFF may be beyond what a folder looks at.
        let file = format!("album/{number:02}.bak");
        program.file(&file, start);
        expected.push((file, name));
    }
    for (number, (start, extension, _)) in OTHERS.into_iter().enumerate() {
        program.file(&format!("album/other{number}.{extension}"), start);
        program.file(&format!("album/other{number}"), start);
    }
    for sidecar in ["IMG_0001.AAE", "IMG_0001.xmp", "Thumbs.db", ".picasa.ini"] {
        program.file(&format!("album/{sidecar}"), "settings");
    }
    program.file(
        "album/cat",
        std::fs::read(repository("samples/cat.jpg")).expect("a sample"),
    );
    let weights = data("keras/tiny.keras");
    let ran = program.run(&["classify", "--jsonl", "--weights", arg(&weights), "album"]);
    assert_eq!(ran.code, Some(2));
    let rows = ran.rows();
    let (read, failed): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row["error"].is_null());
    assert_eq!(read.len(), 1);
    assert_eq!(read[0]["path"], "album/cat");
    let mut got = failed.iter().map(|row| &row["path"]).collect::<Vec<_>>();
    got.sort_by_key(|path| path.as_str());
    expected.sort();
    let want = expected.iter().map(|(file, _)| Value::from(file.as_str()));
    assert!(got.into_iter().eq(want.collect::<Vec<_>>().iter()));
    for (row, (file, name)) in failed.iter().zip(&expected) {
        assert_eq!(row["path"], file.as_str());
        assert_eq!(row["error"]["kind"], "decode");
        let message = row["error"]["message"].as_str().expect("a message");
        assert!(message.contains(name), "{file}: {message}");
    }
}
