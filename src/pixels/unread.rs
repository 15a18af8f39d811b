//! Formats that are recognised only to say that they are not read.

use image::ImageFormat;

use super::SUPPORTED_FORMATS;

/// Why a file that begins like this is not read, if it is anything that has a name.
pub(super) fn reason(start: &[u8]) -> Option<String> {
    // What a download brings where there is no such picture.
    let is_page = ["<!doctype html", "<html"].iter().any(|tag| {
        let head = start.trim_ascii_start().get(..tag.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(tag.as_bytes()))
    });
    if is_page {
        return Some("a web page (HTML) in place of a picture".into());
    }
    let name = name(start)?;
    Some(format!(
        "{name}, which is not read: convert it to one of {SUPPORTED_FORMATS}"
    ))
}

/// What it is, in the user's words.
fn name(start: &[u8]) -> Option<&'static str> {
    if let Ok(format) = image::guess_format(start) {
        return match format {
            ImageFormat::Avif => Some("AVIF"),
            ImageFormat::Ico => Some("an icon (ICO)"),
            ImageFormat::Dds => Some("DDS"),
            ImageFormat::OpenExr => Some("OpenEXR"),
            ImageFormat::Hdr => Some("Radiance HDR"),
            ImageFormat::Farbfeld => Some("farbfeld"),
            ImageFormat::Qoi => Some("QOI"),
            _ => None,
        };
    }
    // The ISO container of all of them names its kind after the length of the first box.
    if let Some(brand) = start.get(4..12).and_then(|s| s.strip_prefix(b"ftyp")) {
        return match brand {
            b"avif" | b"avis" => Some("AVIF"),
            b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"mif1" | b"msf1" => {
                Some("HEIC")
            }
            b"crx " => Some("a raw photograph (CR3)"),
            _ => Some("MP4 or its like"),
        };
    }
    let signatures: [(&[u8], &str); 9] = [
        (b"\xff\x0a", "JPEG XL"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"\xff\x4f\xff\x51", "JPEG 2000"),
        (b"8BPS", "a Photoshop document"),
        (b"%PDF-", "PDF"),
        (b"<svg", "SVG"),
        (b"<?xml", "XML (perhaps SVG)"),
        (b"\x1a\x45\xdf\xa3", "WebM or Matroska"),
    ];
    let found = signatures.iter().find(|(with, _)| start.starts_with(with));
    found.map(|(_, name)| *name)
}
