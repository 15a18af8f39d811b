//! High efficiency image files: the picture that a file is for, the pieces that it is coded in,
//! and what is to be done with them.
//!
//! Nothing here decodes pixels: HEIC and AVIF are the same container with other codecs in it.

#![cfg_attr(
    not(all(feature = "avif", feature = "heic")),
    allow(dead_code, unused_imports)
)]

mod beside;
mod boxes;
mod items;
pub(super) mod matrix;
mod picture;
mod planes;
mod property;
mod sequence;

use std::borrow::Cow;

pub(super) use beside::metadata;
pub(super) use picture::{decode, dimensions, orientation};
pub(super) use planes::{Chroma, Plane, Planes};
pub(super) use property::{ColourCoding, Transform};

use self::beside::find_alpha;
use self::boxes::{Numbers, find};
use self::items::Items;
use super::limits::DecodeOptions;
use crate::error::{ImageError, ImageLimit};

/// What the pixels of a picture are coded as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    /// HEVC (H.265), as in HEIC.
    Hevc,
    /// AV1, as in AVIF.
    Av1,
}

/// A picture as it is coded.
#[derive(Debug)]
pub(super) struct CodedImage<'a> {
    pub codec: Codec,
    /// Row by row; all of them but in a grid there is one.
    pub tiles: Vec<Tile<'a>>,
    pub grid: Option<Grid>,
    /// Width and height before transformations, as the container has them.
    pub size: Option<(u32, u32)>,
    /// Whether there is transparency beside it.
    pub has_alpha: bool,
    /// The transparency that colours are multiplied by, if they are.
    pub multiplied_by: Option<Box<Self>>,
    /// How colours are coded, if the container says so.
    pub colour: Option<ColourCoding>,
    /// What is done with the pixels, in this order.
    pub transforms: Vec<Transform>,
}

/// A piece of a picture that is coded by itself.
#[derive(Debug)]
pub(super) struct Tile<'a> {
    /// The box that configures the decoder: `hvcC` or `av1C`.
    pub configuration: &'a [u8],
    pub data: Cow<'a, [u8]>,
    /// What is done with its pixels before it is put into a grid: encoders fill up small tiles.
    pub transforms: Vec<Transform>,
    /// Of a stream of AV1 for several operating points, the one to decode.
    pub operating_point: u8,
    /// Of a stream of several layers, the one to show; without it that is the last.
    pub layer: Option<u16>,
}

/// How tiles form a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grid {
    pub columns: usize,
    pub rows: usize,
    /// The picture's, which may cut the last tiles.
    pub width: u32,
    pub height: u32,
}

/// One of each kind is usual.
const MAX_TRANSFORMS: usize = 16;

/// Items that stand for one another, one after the other.
const MAX_DEPTH: usize = 8;

/// The picture that a file is for.
///
/// # Errors
/// A file that is damaged, or whose picture is of a kind that is not read.
pub(super) fn primary(file: &[u8]) -> Result<CodedImage<'_>, ImageError> {
    let (meta, movie) = (find(file, b"meta"), find(file, b"moov"));
    let is_sequence = find(file, b"ftyp").is_some_and(|brands| brands.starts_with(b"avis"));
    match (meta, movie) {
        (meta, Some(movie)) if is_sequence || meta.is_none() => {
            sequence::first_picture(file, movie)
        }
        (Some(meta), _) => {
            let items = Items::new(file, meta)?;
            let id = items.primary.ok_or_else(|| {
                damaged("it does not say which of its items is the picture (pitm)")
            })?;
            let mut coded = image(file, &items, id, 0)?;
            if coded.codec == Codec::Av1 {
                find_alpha(file, &items, id, &mut coded)?;
            }
            Ok(coded)
        }
        (None, _) => Err(damaged("there is no list of pictures (meta) in it")),
    }
}

fn image<'a>(
    file: &[u8],
    items: &Items<'a>,
    id: u32,
    depth: usize,
) -> Result<CodedImage<'a>, ImageError> {
    if depth > MAX_DEPTH {
        return Err(damaged("its items stand for one another in a circle"));
    }
    let kind = items
        .kind(id)
        .ok_or_else(|| damaged(&format!("item {id} is not in its list of items")))?;
    let mut coded = match &kind {
        b"iden" => {
            let source = items.referred(b"dimg", id).next();
            let source =
                source.ok_or_else(|| damaged("an item stands for another that is not named"))?;
            image(file, items, source, depth + 1)?
        }
        b"grid" => grid(file, items, id)?,
        _ => {
            let (codec, tile) = tile(items, id, kind)?;
            CodedImage {
                codec,
                tiles: vec![tile],
                grid: None,
                size: None,
                has_alpha: false,
                multiplied_by: None,
                colour: None,
                transforms: Vec::new(),
            }
        }
    };
    coded.colour = colour(items, id).or(coded.colour);
    coded.size = items.property(id, b"ispe").and_then(size).or(coded.size);
    coded.transforms.extend(transforms(items, id)?);
    if coded.transforms.len() > MAX_TRANSFORMS {
        return Err(damaged("it is turned and cropped without an end"));
    }
    Ok(coded)
}

fn transforms(items: &Items, id: u32) -> Result<Vec<Transform>, ImageError> {
    let mut transforms = Vec::new();
    for property in items.properties(id) {
        transforms.extend(Transform::of_property(property.kind, property.body)?);
    }
    Ok(transforms)
}

fn grid<'a>(file: &[u8], items: &Items<'a>, id: u32) -> Result<CodedImage<'a>, ImageError> {
    /// Bytes of tiles that any file may have, and times the file's own bytes that more of them may
    /// come to: a tile may be used often.
    const FEW: usize = 64 << 20;
    const OFTEN: usize = 4;

    let described = items.data(id)?;
    let grid = Grid::of_item(&described).ok_or_else(|| damaged("its grid is too short"))?;
    let ids: Vec<_> = items.referred(b"dimg", id).collect();
    if ids.len() != grid.columns * grid.rows {
        return Err(damaged(&format!(
            "a grid of {} columns and {} rows of {} tiles",
            grid.columns,
            grid.rows,
            ids.len()
        )));
    }
    let mut tiles = Vec::with_capacity(ids.len());
    let mut codecs = Vec::with_capacity(ids.len());
    let mut bytes = 0;
    for &id in &ids {
        let kind = items
            .kind(id)
            .ok_or_else(|| damaged(&format!("tile {id} is not in its list of items")))?;
        let (codec, mut tile) = tile(items, id, kind)?;
        tile.transforms = transforms(items, id)?;
        if tile.transforms.len() > MAX_TRANSFORMS {
            return Err(damaged("it is turned and cropped without an end"));
        }
        bytes += tile.configuration.len() + tile.data.len();
        if bytes > FEW && bytes / OFTEN > file.len() {
            return Err(damaged("its tiles have more bytes than the file"));
        }
        codecs.push(codec);
        tiles.push(tile);
    }
    match codecs.first() {
        Some(&codec) if codecs.iter().all(|other| *other == codec) => Ok(CodedImage {
            codec,
            tiles,
            grid: Some(grid),
            size: None,
            has_alpha: false,
            multiplied_by: None,
            // Some writers say it of the tiles alone.
            colour: ids.first().and_then(|&id| colour(items, id)),
            transforms: Vec::new(),
        }),
        _ => Err(unread("tiles of several codecs")),
    }
}

impl Grid {
    fn of_item(described: &[u8]) -> Option<Self> {
        let mut numbers = Numbers(described);
        let _version = numbers.u8()?;
        let is_wide = numbers.u8()? & 1 != 0;
        Some(Self {
            rows: usize::from(numbers.u8()?) + 1,
            columns: usize::from(numbers.u8()?) + 1,
            width: numbers.id(is_wide)?,
            height: numbers.id(is_wide)?,
        })
    }
}

fn tile<'a>(items: &Items<'a>, id: u32, kind: [u8; 4]) -> Result<(Codec, Tile<'a>), ImageError> {
    let (codec, name) = match &kind {
        b"hvc1" | b"hev1" => (Codec::Hevc, b"hvcC"),
        b"av01" => (Codec::Av1, b"av1C"),
        b"jpeg" => return Err(unread("pixels coded as JPEG")),
        b"j2k1" => return Err(unread("pixels coded as JPEG 2000")),
        b"avc1" => return Err(unread("pixels coded as H.264")),
        b"vvc1" => return Err(unread("pixels coded as VVC")),
        b"unci" => return Err(unread("pixels that are not compressed")),
        b"iovl" => return Err(unread("several pictures laid over one another")),
        other => {
            let other = String::from_utf8_lossy(other);
            return Err(unread(&format!("an item {other:?}")));
        }
    };
    if items.referred(b"pred", id).next().is_some() {
        return Err(unread("a picture that is predicted from another"));
    }
    let configuration = items.property(id, name).ok_or_else(|| {
        let name = String::from_utf8_lossy(name);
        damaged(&format!(
            "a picture without its decoder's settings ({name})"
        ))
    })?;
    let data = items.data(id)?;
    const LAST_LAYER: u16 = 0xffff;
    let operating_point = items
        .property(id, b"a1op")
        .and_then(|body| body.first().copied());
    let layer = items
        .property(id, b"lsel")
        .and_then(|body| Numbers(body).u16());
    let tile = Tile {
        configuration,
        data,
        transforms: Vec::new(),
        operating_point: operating_point.unwrap_or(0),
        layer: layer.filter(|&layer| layer != LAST_LAYER),
    };
    Ok((codec, tile))
}

/// Width and height (`ispe`).
fn size(body: &[u8]) -> Option<(u32, u32)> {
    let mut numbers = Numbers(body);
    numbers.version()?;
    Some((numbers.u32()?, numbers.u32()?))
}

fn colour(items: &Items, id: u32) -> Option<ColourCoding> {
    let boxes = items.properties(id).filter(|found| found.kind == *b"colr");
    boxes
        .filter_map(|found| ColourCoding::of_box(found.body))
        .next()
}

/// Checks how many pixels are coded, before they are decoded: those of tiles reach beyond the
/// picture, and so do the blocks of a small one.
pub(super) fn check_coded(sizes: &[(u32, u32)], options: &DecodeOptions) -> Result<(), ImageError> {
    let pixels = |&(width, height): &(u32, u32)| u64::from(width) * u64::from(height);
    let sum = sizes.iter().map(pixels).fold(0, u64::saturating_add);
    if sum <= most_coded(options) {
        return Ok(());
    }
    let message = format!(
        "{sum} coded pixels are more than twice the limit of {} pixels",
        options.max_pixels
    );
    Err(ImageError::over(ImageLimit::Pixels, message))
}

/// How many pixels may be coded for one picture.
pub(super) fn most_coded(options: &DecodeOptions) -> u64 {
    /// What any picture may have.
    const FEW: u64 = 1 << 20;
    options.max_pixels.saturating_mul(2).max(FEW)
}

pub(super) fn damaged(what: &str) -> ImageError {
    ImageError::decode(format!("damaged HEIF: {what}"))
}

pub(super) fn unread(what: &str) -> ImageError {
    ImageError::decode(format!("a HEIF of a kind that is unsupported ({what})"))
}
