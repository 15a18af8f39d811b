//! The formats that pictures come in: which file is of which, and what becomes of it.
//!
//! [`FORMATS`] is the one table of them. What is decoded, what folders take in, and what
//! messages say of the rest are derived from it.

use super::ifd::Directory;

/// The format of a file that was given as a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PictureFormat {
    /// JPEG.
    Jpeg,
    /// PNG.
    Png,
    /// WebP.
    WebP,
    /// GIF.
    Gif,
    /// Windows bitmaps.
    Bmp,
    /// TIFF and BigTIFF.
    Tiff,
    /// PBM, PGM, PPM and PAM.
    Pnm,
    /// High efficiency image files whose pixels are HEVC's.
    Heic,
    /// High efficiency image files whose pixels are AV1's.
    Avif,
    /// JPEG XL.
    JpegXl,
    /// JPEG 2000.
    Jpeg2000,
    /// JPEG XR.
    JpegXr,
    /// Raw photographs that are TIFF inside: NEF, ARW, DNG, PEF and others.
    Raw,
    /// Canon's older raw photographs.
    Cr2,
    /// Canon's raw photographs.
    Cr3,
    /// Fujifilm's raw photographs.
    Raf,
    /// Olympus's raw photographs.
    Orf,
    /// Panasonic's raw photographs.
    Rw2,
    /// Photoshop's documents.
    Photoshop,
    /// GIMP's documents.
    Xcf,
    /// QOI.
    Qoi,
    /// Windows icons.
    Ico,
    /// Apple's icons.
    Icns,
    /// DirectDraw surfaces.
    Dds,
    /// OpenEXR.
    OpenExr,
    /// Radiance's RGBE.
    RadianceHdr,
    /// Portable float maps.
    Pfm,
    /// farbfeld.
    Farbfeld,
    /// PC Paintbrush.
    Pcx,
    /// Truevision's TGA.
    Tga,
    /// PDF.
    Pdf,
    /// PostScript, EPS among it.
    PostScript,
    /// SVG.
    Svg,
    /// XML of an unknown kind.
    Xml,
    /// HTML, which a download brings where there is no such picture.
    WebPage,
    /// MP4, QuickTime and other ISO media.
    Mp4,
    /// Matroska and WebM.
    Matroska,
    /// AVI.
    Avi,
}

/// What becomes of a file of a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Support {
    /// It is decoded.
    Read,
    /// It is a picture, so a folder does not leave it out, but it is answered by an error that
    /// names the format.
    Named,
    /// A folder leaves it out. The error names the format where the file itself is given.
    PassedOver,
}

/// A line of [`FORMATS`].
struct Row {
    format: PictureFormat,
    /// In the user's words.
    name: &'static str,
    support: Support,
    /// In lower case.
    extensions: &'static [&'static str],
    /// Whether a file begins as those of the format do. 32 bytes are enough, but for
    /// [`PictureFormat::Raw`], which needs the first directory.
    begins: fn(&[u8]) -> bool,
}

/// All formats. The first whose beginning fits is the file's.
#[rustfmt::skip]
const FORMATS: &[Row] = {
    use PictureFormat as F;
    use Support::{Named, PassedOver, Read};
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
        row(F::Bmp, Read, "BMP", &["bmp", "dib"], |s| s.starts_with(b"BM")),
        // Before TIFF, which they begin as.
        row(F::Cr2, Named, "a raw photograph (CR2)", &["cr2"], |s| is_tiff(s) && s.get(8..11) == Some(b"CR\x02")),
        row(F::Raw, Named, "a raw photograph (NEF, ARW, DNG or the like)", RAW, is_raw),
        row(F::Tiff, Read, "TIFF", &["tif", "tiff"], is_tiff),
        row(F::Pnm, Read, "PNM", &["pnm", "pbm", "pgm", "ppm", "pam"], |s| matches!(s, [b'P', b'1'..=b'7', ..])),
        // The brands of ISO media say which of them a file is.
        row(F::Avif, Named, "AVIF", &["avif", "avifs"], |s| has_brand(s, &[b"avif", b"avis"])),
        row(F::Heic, Named, "HEIC", &["heic", "heif", "hif"], |s| has_brand(s, HEIC)),
        row(F::Cr3, Named, "a raw photograph (CR3)", &["cr3"], |s| has_brand(s, &[b"crx "])),
        row(F::Mp4, PassedOver, "MP4 or its like", &["mp4", "m4v", "mov", "3gp"], |s| s.get(4..8) == Some(b"ftyp")),
        row(F::JpegXl, Named, "JPEG XL", &["jxl"], |s| any(s, &[b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"])),
        row(F::Jpeg2000, Named, "JPEG 2000", &["jp2", "j2k", "j2c", "jpc", "jpf", "jpx"],
            |s| any(s, &[b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"])),
        row(F::JpegXr, Named, "JPEG XR", &["jxr", "wdp", "hdp"], |s| s.starts_with(b"II\xbc\x01")),
        row(F::Raf, Named, "a raw photograph (RAF)", &["raf"], |s| s.starts_with(b"FUJIFILMCCD-RAW ")),
        row(F::Orf, Named, "a raw photograph (ORF)", &["orf"], |s| any(s, &[b"IIRO", b"IIRS", b"MMOR"])),
        row(F::Rw2, Named, "a raw photograph (RW2)", &["rw2", "rwl"], |s| s.starts_with(b"IIU\0")),
        row(F::Photoshop, Named, "a Photoshop document", &["psd", "psb"], |s| s.starts_with(b"8BPS")),
        row(F::Xcf, Named, "a GIMP document (XCF)", &["xcf"], |s| s.starts_with(b"gimp xcf ")),
        row(F::Qoi, Named, "QOI", &["qoi"], |s| s.starts_with(b"qoif")),
        row(F::Ico, Named, "an icon (ICO)", &["ico"], |s| s.starts_with(b"\0\0\x01\0")),
        row(F::Icns, Named, "an icon (ICNS)", &["icns"], |s| s.starts_with(b"icns")),
        row(F::Dds, Named, "DDS", &["dds"], |s| s.starts_with(b"DDS ")),
        row(F::OpenExr, Named, "OpenEXR", &["exr"], |s| s.starts_with(b"\x76\x2f\x31\x01")),
        row(F::RadianceHdr, Named, "Radiance HDR", &["hdr"], |s| any(s, &[b"#?RADIANCE", b"#?RGBE"])),
        row(F::Pfm, Named, "a portable float map (PFM)", &["pfm"], |s| matches!(s, [b'P', b'F' | b'f', b'\n' | b'\r', ..])),
        row(F::Farbfeld, Named, "farbfeld", &["ff"], |s| s.starts_with(b"farbfeld")),
        row(F::Pcx, Named, "PCX", &["pcx"], |s| matches!(s, [0x0a, 0 | 2..=5, 1, 1 | 2 | 4 | 8, ..])),
        row(F::Pdf, PassedOver, "PDF", &["pdf"], |s| s.starts_with(b"%PDF-")),
        row(F::PostScript, PassedOver, "PostScript", &["ps", "eps", "ai"], |s| any(s, &[b"%!PS", b"\xc5\xd0\xd3\xc6"])),
        row(F::WebPage, PassedOver, "a web page (HTML)", &["html", "htm"], |s| has_tag(s, &["<!doctype html", "<html"])),
        row(F::Svg, PassedOver, "SVG", &["svg"], |s| has_tag(s, &["<svg", "<!doctype svg"])),
        row(F::Xml, PassedOver, "XML (perhaps SVG)", &["xml"], |s| s.starts_with(b"<?xml")),
        row(F::Matroska, PassedOver, "WebM or Matroska", &["webm", "mkv"], |s| s.starts_with(b"\x1a\x45\xdf\xa3")),
        row(F::Avi, PassedOver, "AVI", &["avi"], |s| is_riff(s, b"AVI ")),
        // Has no signature, so it comes last.
        row(F::Tga, Named, "TGA", &["tga", "targa"], is_tga),
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

impl PictureFormat {
    /// The format that bytes begin as; `None` where that is none of these.
    ///
    /// 32 bytes are enough, but a raw photograph that is TIFF inside is known for one only by
    /// its first directory. Of a few bytes it is a TIFF.
    pub fn of(start: &[u8]) -> Option<Self> {
        let row = FORMATS.iter().find(|row| (row.begins)(start))?;
        Some(row.format)
    }

    /// The format whose files have this extension, in upper or lower case.
    pub fn of_extension(extension: &str) -> Option<Self> {
        let has = |row: &&Row| {
            let mut known = row.extensions.iter();
            known.any(|known| known.eq_ignore_ascii_case(extension))
        };
        FORMATS.iter().find(has).map(|row| row.format)
    }

    /// What users call it, as part of a sentence: `HEIC`, `a raw photograph (CR3)`.
    pub fn name(self) -> &'static str {
        self.row().map_or("a picture", |row| row.name)
    }

    /// The extensions of its files, in lower case, the usual one first.
    pub fn extensions(self) -> &'static [&'static str] {
        self.row().map_or(&[], |row| row.extensions)
    }

    /// Whether [`decode`](super::decode()) reads it.
    pub fn is_read(self) -> bool {
        self.support() == Some(Support::Read)
    }

    /// Whether a folder of pictures must not leave such a file out in silence: it is a picture,
    /// be it read or not. Documents, drawings in vectors and videos are none.
    pub fn is_picture(self) -> bool {
        matches!(self.support(), Some(Support::Read | Support::Named))
    }

    /// The formats that are read.
    pub fn all_read() -> impl Iterator<Item = Self> {
        let read = FORMATS.iter().filter(|row| row.support == Support::Read);
        read.map(|row| row.format)
    }

    fn support(self) -> Option<Support> {
        self.row().map(|row| row.support)
    }

    fn row(self) -> Option<&'static Row> {
        FORMATS.iter().find(|row| row.format == self)
    }
}

/// The names of the formats that are read, for messages: `JPEG, PNG, ...`.
pub fn supported_formats() -> String {
    let names: Vec<_> = PictureFormat::all_read().map(PictureFormat::name).collect();
    names.join(", ")
}

fn any(start: &[u8], signatures: &[&[u8]]) -> bool {
    signatures.iter().any(|known| start.starts_with(known))
}

fn is_riff(start: &[u8], kind: &[u8; 4]) -> bool {
    start.starts_with(b"RIFF") && start.get(8..12) == Some(kind)
}

fn is_tiff(start: &[u8]) -> bool {
    // BigTIFF has the next number.
    any(start, &[b"II\x2a\0", b"MM\0\x2a", b"II\x2b\0", b"MM\0\x2b"])
}

/// Whether ISO media are of one of these brands: by the major brand, and by the compatible ones
/// where that is a general one.
fn has_brand(start: &[u8], wanted: &[&[u8; 4]]) -> bool {
    const MAJOR: usize = 8;
    const COMPATIBLE: usize = 16;
    let Some((length, kind)) = start.split_at_checked(4) else {
        return false;
    };
    if !kind.starts_with(b"ftyp") {
        return false;
    }
    let is_wanted = |brand: &[u8]| wanted.iter().any(|known| *known == brand);
    match start.get(MAJOR..MAJOR + 4) {
        Some(b"mif1" | b"msf1" | b"miaf") => {}
        Some(major) => return is_wanted(major),
        None => return false,
    }
    let end = length
        .iter()
        .fold(0, |sum, &byte| sum << 8 | usize::from(byte));
    let compatible = start
        .get(COMPATIBLE..end.min(start.len()))
        .unwrap_or_default();
    let general = [&start[MAJOR..MAJOR + 4]];
    let brands = general.into_iter().chain(compatible.chunks_exact(4));
    brands.into_iter().any(is_wanted)
}

/// Whether text begins with one of these tags, in upper or lower case.
fn has_tag(start: &[u8], tags: &[&str]) -> bool {
    let text = start.trim_ascii_start();
    tags.iter().any(|tag| {
        let head = text.get(..tag.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(tag.as_bytes()))
    })
}

/// Whether the first picture of a TIFF is what a sensor gave, or a small one beside others in
/// directories of their own, which is how cameras keep a picture to show beside that.
fn is_raw(bytes: &[u8]) -> bool {
    const NEW_SUBFILE_TYPE: u16 = 254;
    const PHOTOMETRIC: u16 = 262;
    const SUB_IFDS: u16 = 330;
    const REDUCED: u64 = 1;
    const COLOUR_FILTER_ARRAY: u64 = 32803;
    const LINEAR_RAW: u64 = 34892;
    if !is_tiff(bytes) {
        return false;
    }
    let Some(first) = Directory::first(bytes) else {
        return false;
    };
    let integer = |tag| first.entry(tag).and_then(|entry| entry.integer());
    let is_reduced = integer(NEW_SUBFILE_TYPE).is_some_and(|kind| kind & REDUCED != 0);
    let is_sensors = matches!(integer(PHOTOMETRIC), Some(COLOUR_FILTER_ARRAY | LINEAR_RAW));
    is_sensors || is_reduced && first.entry(SUB_IFDS).is_some()
}

/// Whether all fields of a TGA's header have values that they may have.
fn is_tga(start: &[u8]) -> bool {
    let Some(
        &[
            _,
            has_map,
            kind,
            m0,
            m1,
            m2,
            m3,
            map_bits,
            _,
            _,
            _,
            _,
            w0,
            w1,
            h0,
            h1,
            bits,
            flags,
        ],
    ) = start.first_chunk::<18>()
    else {
        return false;
    };
    let map = [m0, m1, m2, m3, map_bits];
    let fits = match (has_map, kind) {
        (1, 1 | 9) => bits == 8 && matches!(map_bits, 15 | 16 | 24 | 32) && (m2, m3) != (0, 0),
        (0, 2 | 10) => map == [0; 5] && matches!(bits, 15 | 16 | 24 | 32),
        (0, 3 | 11) => map == [0; 5] && matches!(bits, 8 | 16),
        _ => false,
    };
    let alpha_bits = flags & 0x0f;
    fits && (w0, w1) != (0, 0) && (h0, h1) != (0, 0) && flags & 0xc0 == 0 && alpha_bits <= 8
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_format_has_one_row_and_every_extension_one_format() {
        let formats: HashSet<_> = FORMATS.iter().map(|row| row.format).collect();
        assert_eq!(formats.len(), FORMATS.len());
        let mut seen = HashSet::new();
        for row in FORMATS {
            for extension in row.extensions {
                assert!(seen.insert(extension), "{extension}");
                assert_eq!(*extension, extension.to_ascii_lowercase());
                let upper = extension.to_ascii_uppercase();
                assert_eq!(PictureFormat::of_extension(&upper), Some(row.format));
            }
        }
    }

    #[test]
    fn nothing_is_told_from_too_few_bytes() {
        for row in FORMATS {
            assert!(!(row.begins)(b""), "{}", row.name);
            assert!(!(row.begins)(b"\0"), "{}", row.name);
        }
        for noise in [
            &[0; 64][..],
            &[0xff; 64],
            b"this is no picture, but a line of text",
        ] {
            assert_eq!(PictureFormat::of(noise), None);
        }
    }

    #[test]
    fn a_general_brand_leaves_it_to_the_compatible_ones() {
        let of = |brands: &str| {
            let mut file = vec![0, 0, 0, 8 + brands.len() as u8];
            file.extend(b"ftyp");
            file.extend(brands.as_bytes());
            // What follows is no brand.
            file.extend(b"avifavif");
            PictureFormat::of(&file)
        };
        assert_eq!(of("mif1\0\0\0\0mif1avif"), Some(PictureFormat::Avif));
        assert_eq!(of("mif1\0\0\0\0mif1heic"), Some(PictureFormat::Heic));
        assert_eq!(of("heic\0\0\0\0mif1heic"), Some(PictureFormat::Heic));
        assert_eq!(of("msf1\0\0\0\0"), Some(PictureFormat::Heic));
        assert_eq!(of("isom\0\0\0\0avif"), Some(PictureFormat::Mp4));
        assert_eq!(
            PictureFormat::of(b"\xff\xff\xff\xffftypmif1"),
            Some(PictureFormat::Heic)
        );
    }
}
