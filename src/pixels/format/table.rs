//! The table of formats.

use super::PictureFormat;
use super::signatures::{any, has_brand, has_tag, is_bitmap, is_raw, is_riff, is_tga, is_tiff};

/// What becomes of a file of a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Support {
    /// It is decoded.
    Read,
    /// It is a raw photograph, for which the preview in it is decoded.
    Preview,
    /// It is a picture, so a folder does not leave it out, but it is answered by an error that
    /// names the format.
    Named,
    /// A folder leaves it out. The error names the format where the file itself is given.
    PassedOver,
}

/// A line of [`FORMATS`].
pub(super) struct Row {
    pub format: PictureFormat,
    /// In the user's words.
    pub name: &'static str,
    pub support: Support,
    /// In lower case.
    pub extensions: &'static [&'static str],
    /// Whether a file begins as those of the format do. 32 bytes are enough, but for
    /// [`PictureFormat::Raw`], which needs the first directory.
    pub begins: fn(&[u8]) -> bool,
}

/// All formats. The first whose beginning fits is the file's.
#[rustfmt::skip]
pub(super) const FORMATS: &[Row] = {
    use PictureFormat as F;
    use Support::{Named, PassedOver, Preview, Read};
    const fn row(
        format: PictureFormat,
        support: Support,
        name: &'static str,
        extensions: &'static [&'static str],
        begins: fn(&[u8]) -> bool,
    ) -> Row {
        Row { format, name, support, extensions, begins }
    }
    &[
        row(F::Jpeg, Read, "JPEG", &["jpg", "jpeg", "jpe", "jfif"], |s| s.starts_with(b"\xff\xd8\xff")),
        row(F::Png, Read, "PNG", &["png", "apng"], |s| s.starts_with(b"\x89PNG\r\n\x1a\n")),
        row(F::WebP, Read, "WebP", &["webp"], |s| is_riff(s, b"WEBP")),
        row(F::Gif, Read, "GIF", &["gif"], |s| any(s, &[b"GIF87a", b"GIF89a"])),
        row(F::Bmp, Read, "BMP", &["bmp", "dib"], |s| s.starts_with(b"BM") || is_bitmap(s)),
        // Before TIFF, which they begin as.
        row(F::Cr2, Preview, "a raw photograph (CR2)", &["cr2"], |s| is_tiff(s) && s.get(8..11) == Some(b"CR\x02")),
        row(F::Raw, Preview, "a raw photograph (NEF, ARW, DNG or the like)", RAW, is_raw),
        row(F::Tiff, Read, "TIFF", &["tif", "tiff"], is_tiff),
        row(F::Pnm, Read, "PNM", &["pnm", "pbm", "pgm", "ppm", "pam"], |s| matches!(s, [b'P', b'1'..=b'7', ..])),
        // The brands of ISO media say which of them a file is.
        row(F::Avif, if cfg!(feature = "avif") { Read } else { Named }, "AVIF", &["avif", "avifs"], |s| has_brand(s, &[b"avif", b"avis"])),
        row(F::Heic, if cfg!(feature = "heic") { Read } else { Named }, "HEIC", &["heic", "heif", "hif"], |s| has_brand(s, HEIC)),
        row(F::Cr3, Preview, "a raw photograph (CR3)", &["cr3"], |s| has_brand(s, &[b"crx "])),
        row(F::Mp4, PassedOver, "MP4 or its like", &["mp4", "m4v", "mov", "3gp"], |s| s.get(4..8) == Some(b"ftyp")),
        row(F::JpegXl, if cfg!(feature = "jxl") { Read } else { Named }, "JPEG XL", &["jxl"], |s| any(s, &[b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"])),
        row(F::Jpeg2000, Named, "JPEG 2000", &["jp2", "j2k", "j2c", "jpc", "jpf", "jpx"],
            |s| any(s, &[b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"])),
        row(F::JpegXr, Named, "JPEG XR", &["jxr", "wdp", "hdp"], |s| s.starts_with(b"II\xbc\x01")),
        row(F::Raf, Preview, "a raw photograph (RAF)", &["raf"], |s| s.starts_with(b"FUJIFILMCCD-RAW ")),
        row(F::Orf, Preview, "a raw photograph (ORF)", &["orf"], |s| any(s, &[b"IIRO", b"IIRS", b"MMOR"])),
        row(F::Rw2, Preview, "a raw photograph (RW2)", &["rw2", "rwl"], |s| s.starts_with(b"IIU\0")),
        row(F::Photoshop, Read, "PSD", &["psd", "psb"], |s| s.starts_with(b"8BPS")),
        row(F::Xcf, Named, "a GIMP document (XCF)", &["xcf"], |s| s.starts_with(b"gimp xcf ")),
        row(F::Qoi, Read, "QOI", &["qoi"], |s| s.starts_with(b"qoif")),
        row(F::Ico, Read, "ICO", &["ico"], |s| s.starts_with(b"\0\0\x01\0")),
        row(F::Icns, Named, "an icon (ICNS)", &["icns"], |s| s.starts_with(b"icns")),
        row(F::Dds, Named, "DDS", &["dds"], |s| s.starts_with(b"DDS ")),
        row(F::OpenExr, Named, "OpenEXR", &["exr"], |s| s.starts_with(b"\x76\x2f\x31\x01")),
        row(F::RadianceHdr, Named, "Radiance HDR", &["hdr"], |s| any(s, &[b"#?RADIANCE", b"#?RGBE"])),
        row(F::Pfm, Read, "PFM", &["pfm"], |s| matches!(s, [b'P', b'F' | b'f', b'\n' | b'\r', ..])),
        row(F::Farbfeld, Named, "farbfeld", &["ff"], |s| s.starts_with(b"farbfeld")),
        row(F::Pcx, Read, "PCX", &["pcx"], |s| matches!(s, [0x0a, 0 | 2..=5, 1, 1 | 2 | 4 | 8, ..])),
        row(F::Pdf, PassedOver, "PDF", &["pdf"], |s| s.starts_with(b"%PDF-")),
        row(F::PostScript, PassedOver, "PostScript", &["ps", "eps", "ai"], |s| any(s, &[b"%!PS", b"\xc5\xd0\xd3\xc6"])),
        row(F::WebPage, PassedOver, "a web page (HTML)", &["html", "htm"], |s| has_tag(s, &["<!doctype html", "<html"])),
        row(F::Svg, PassedOver, "SVG", &["svg"], |s| has_tag(s, &["<svg", "<!doctype svg"])),
        row(F::Xml, PassedOver, "XML (perhaps SVG)", &["xml"], |s| s.starts_with(b"<?xml")),
        row(F::AppleDouble, PassedOver, "what a Mac keeps of another file (AppleDouble)", &[], |s| s.starts_with(b"\x00\x05\x16\x07\0\x02\0\0")),
        row(F::Matroska, PassedOver, "WebM or Matroska", &["webm", "mkv"], |s| s.starts_with(b"\x1a\x45\xdf\xa3")),
        row(F::Avi, PassedOver, "AVI", &["avi"], |s| is_riff(s, b"AVI ")),
        // Has no signature, so it comes last.
        row(F::Tga, Read, "TGA", &["tga", "targa"], is_tga),
    ]
};

/// Extensions of raw photographs that are TIFF inside.
const RAW: &[&str] = &[
    "dng", "nef", "nrw", "arw", "sr2", "srf", "srw", "pef", "3fr", "fff", "iiq", "erf", "mef",
    "mos", "kdc", "dcr", "raw",
];

/// Brands of files whose pixels are HEVC's. `mif1` and `msf1` say no more than that there are
/// pictures; AVIF is asked for first.
const HEIC: &[&[u8; 4]] = &[
    b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1",
];
