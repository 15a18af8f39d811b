//! Formats that are recognised only to say that they are not read.

use image::ImageFormat;

/// What a file is that begins like this, in the user's words.
pub(super) fn name(start: &[u8]) -> Option<&'static str> {
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
            _ => Some("a film (MP4 or its like)"),
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
        (b"\x1a\x45\xdf\xa3", "a film (WebM or Matroska)"),
    ];
    let found = signatures.iter().find(|(with, _)| start.starts_with(with));
    found.map(|(_, name)| *name)
}
