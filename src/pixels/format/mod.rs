//! The formats that pictures come in: which file is of which, and what becomes of it.
//!
//! [`table`] is the one table of them. What is decoded, what folders take in, and what messages
//! say of the rest are derived from it.

mod signatures;
mod table;

use table::{FORMATS, Row, Support};

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
    /// What Macs keep of another file where a disk or an archive has no place for it.
    AppleDouble,
}

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

    /// Whether [`decode`](super::decode()) reads it: its pixels, or the preview in it.
    pub fn is_read(self) -> bool {
        matches!(self.support(), Some(Support::Read | Support::Preview))
    }

    /// Whether it is what a camera's sensor gave: then the preview is decoded that the camera put
    /// beside it.
    pub fn is_raw_photograph(self) -> bool {
        self.support() == Some(Support::Preview)
    }

    /// Whether pixels of such a file may show what is behind them.
    pub(super) fn may_have_alpha(self) -> bool {
        !matches!(self, Self::Jpeg | Self::Pfm)
    }

    /// The feature of this crate that it takes to read it, if that takes one.
    pub(super) fn feature(self) -> Option<&'static str> {
        match self {
            Self::Avif => Some("avif"),
            Self::Heic => Some("heic"),
            Self::JpegXl => Some("jxl"),
            _ => None,
        }
    }

    /// Whether a folder of pictures must not leave such a file out in silence: it is a picture,
    /// be it read or not. Documents, drawings in vectors and videos are none.
    pub fn is_picture(self) -> bool {
        matches!(
            self.support(),
            Some(Support::Read | Support::Preview | Support::Named)
        )
    }

    /// The formats whose own pixels are read.
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
    format!("{} and the previews in raw photographs", names.join(", "))
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
