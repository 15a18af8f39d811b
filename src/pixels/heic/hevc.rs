//! One picture of HEVC to its planes: the only place that calls the heic-decoder crate.
//!
//! The crate takes files, not streams. It is given the smallest file that has the picture in it, so
//! that it neither decodes transparency, which is dropped, nor holds all tiles of a grid at once.

use heic_decoder::{DecodedImage, HeifError};

use super::super::heif::{Chroma, ColourCoding, Planes, Tile, damaged, unread};
use super::sequence_parameters::largest_size;
use crate::error::{ImageError, ImageErrorKind};
use crate::pixels::heif::Plane;

/// Width and height that are coded.
pub(super) fn coded_size(tile: &Tile) -> Result<(u32, u32), ImageError> {
    largest_size(tile.configuration)
}

/// Decodes a picture, and finds how its stream says that colours are coded.
pub(super) fn decode(tile: &Tile) -> Result<(Planes, Option<ColourCoding>), ImageError> {
    let file = file_of(tile).ok_or_else(|| damaged("a tile of more than 4 GB"))?;
    let decoded = heic_decoder::decode(&file).map_err(describe)?;
    drop(file);
    let coding = decoded.color_info.map(|info| ColourCoding {
        primaries: info.color_primaries,
        matrix: info.matrix_coefficients,
        is_full_range: info.full_range,
    });
    let planes = planes(decoded)?;
    Ok((planes, coding))
}

fn planes(decoded: DecodedImage) -> Result<Planes, ImageError> {
    let chroma = match decoded.chroma_format_idc {
        0 => Chroma::None,
        1 => Chroma::Quarter,
        2 => Chroma::Half,
        _ => Chroma::Full,
    };
    let depth = decoded.bit_depth_luma;
    if chroma != Chroma::None && depth != decoded.bit_depth_chroma {
        return Err(unread("luma and chroma of different depths"));
    }
    if !(8..=16).contains(&depth) {
        return Err(unread(&format!("{depth} bits a sample")));
    }
    let plane = |width, height, samples: Vec<i32>| Plane {
        width,
        height,
        // The crate keeps them within their depth.
        samples: samples.into_iter().map(|sample| sample as u16).collect(),
    };
    let (width, height) = (decoded.width, decoded.height);
    let (across, down) = if chroma == Chroma::None {
        (0, 0)
    } else {
        (decoded.cb_width, decoded.cb_height)
    };
    let [cb, cr] = [decoded.cb, decoded.cr].map(|samples| match chroma {
        Chroma::None => Vec::new(),
        _ => samples,
    });
    let planes = Planes {
        chroma,
        depth,
        planes: [
            plane(width, height, decoded.y),
            plane(across, down, cb),
            plane(across, down, cr),
        ],
    };
    if planes.is_sound() {
        Ok(planes)
    } else {
        Err(damaged("its planes differ in size"))
    }
}

/// A file of one item, which is the picture.
fn file_of(tile: &Tile) -> Option<Vec<u8>> {
    const ITEM: [u8; 2] = [0, 1];
    let full = |kind: &[u8; 4], version: u8, body: &[&[u8]]| {
        boxed(kind, &[&[version, 0, 0, 0][..], &body.concat()].concat())
    };
    let entry = full(b"infe", 2, &[&ITEM, &[0, 0], b"hvc1", &[0]])?;
    let configuration = boxed(b"hvcC", tile.configuration)?;
    let properties = [
        boxed(b"ipco", &configuration)?,
        // One item, with one property, which must be understood, the first.
        full(b"ipma", 0, &[&[0, 0, 0, 1], &ITEM, &[1, 0x81]])?,
    ];
    let header = |offset: u32| {
        let length = u32::try_from(tile.data.len()).ok()?;
        // Offset and length of 4 bytes, no base; one item, in this file, in one piece.
        let numbers = [offset.to_be_bytes(), length.to_be_bytes()].concat();
        let location: [&[u8]; 6] = [&[0x44, 0], &[0, 1], &ITEM, &[0, 0], &[0, 1], &numbers];
        let meta = [
            full(b"pitm", 0, &[&ITEM])?,
            full(b"iinf", 0, &[&[0, 1], &entry])?,
            full(b"iloc", 0, &location)?,
            boxed(b"iprp", &properties.concat())?,
        ];
        let start = [
            boxed(b"ftyp", b"heic\0\0\0\0heic")?,
            full(b"meta", 0, &[&meta.concat()])?,
        ];
        Some(start.concat())
    };
    const MEDIA_HEADER: usize = 8;
    let offset = header(0)?.len() + MEDIA_HEADER;
    let mut file = header(u32::try_from(offset).ok()?)?;
    let size = u32::try_from(MEDIA_HEADER + tile.data.len()).ok()?;
    file.reserve_exact(size as usize);
    file.extend(size.to_be_bytes());
    file.extend(b"mdat");
    file.extend(tile.data.iter());
    Some(file)
}

fn boxed(kind: &[u8; 4], body: &[u8]) -> Option<Vec<u8>> {
    let size = u32::try_from(8 + body.len()).ok()?;
    Some([&size.to_be_bytes()[..], kind, body].concat())
}

fn describe(error: HeifError) -> ImageError {
    match error {
        HeifError::Unsupported(what) => unread(what),
        HeifError::LimitExceeded(what) => ImageError::new(
            ImageErrorKind::Limit,
            format!("its header asks for more than the decoder allows ({what})"),
        ),
        other => ImageError::decode(format!("damaged HEIC: {other}")),
    }
}
