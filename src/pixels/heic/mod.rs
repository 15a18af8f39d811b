//! HEIC: HEVC's pictures in a HEIF file, as pillow-heif shows them.
//!
//! The heic-decoder crate decodes luma and chroma, a tile at a time; what becomes of them is libheif's
//! arithmetic ([`colour`]), and so is the order of cropping, turning and mirroring. Its own way
//! from a whole file to RGB is a different one, in more memory.

mod colour;
mod hevc;
mod sequence_parameters;

use image::RgbImage;

use super::heif::{self, CodedImage, ColourCoding, Planes, Tile, Transform};
use super::limits::{DecodeOptions, check_size, reserve};
use crate::error::ImageError;

/// What decoding takes at most. Of a grid: the samples of luma and chroma, and once more while they are
/// turned or made to RGB. Of one piece the decoder has samples of 32 bits, and copies of them.
const BYTES_A_PIXEL_OF_GRID: u64 = 12;
const BYTES_A_PIXEL: u64 = 34;

/// Decodes a picture: cropped, turned and mirrored as the container says, which is what any
/// reader of HEIC does. Transparency is dropped.
pub(super) fn decode(coded: &CodedImage, options: &DecodeOptions) -> Result<RgbImage, ImageError> {
    let (width, height) = shown_size(coded)?;
    check_size(width as u64, height as u64, options)?;
    let bytes_a_pixel = match coded.grid {
        Some(_) => BYTES_A_PIXEL_OF_GRID,
        None => BYTES_A_PIXEL,
    };
    reserve(bytes_a_pixel.saturating_mul(width as u64 * height as u64))?;
    let tiles = coded.tiles.iter().map(hevc::coded_size);
    heif::check_coded(&tiles.collect::<Result<Vec<_>, _>>()?, options)?;

    let (planes, in_stream) = pixels(coded)?;
    let coding = coded.colour.or(in_stream);
    let planes = transformed(planes, &coded.transforms)?;
    let (width, height) = (planes.width() as u32, planes.height() as u32);
    let pixels = colour::to_rgb(&planes, coding)?;
    RgbImage::from_raw(width, height, pixels)
        .ok_or_else(|| heif::damaged("its planes differ in size"))
}

/// Width and height of what is shown.
pub(super) fn dimensions(coded: &CodedImage) -> Option<(u32, u32)> {
    let (width, height) = shown_size(coded).ok()?;
    Some((width.try_into().ok()?, height.try_into().ok()?))
}

fn shown_size(coded: &CodedImage) -> Result<(usize, usize), ImageError> {
    let (width, height) = size(coded)?;
    let mut shown = (width as usize, height as usize);
    for transform in &coded.transforms {
        shown = match transform {
            Transform::Crop(aperture) => {
                let [columns, rows] = aperture.window(shown.0, shown.1)?;
                (columns.len(), rows.len())
            }
            Transform::Rotate(1 | 3) => (shown.1, shown.0),
            _ => shown,
        };
    }
    Ok(shown)
}

/// Width and height before the container's transformations.
fn size(coded: &CodedImage) -> Result<(u32, u32), ImageError> {
    match (coded.grid, coded.tiles.first()) {
        (Some(grid), _) => Ok((grid.width, grid.height)),
        (None, Some(tile)) => hevc::coded_size(tile),
        (None, None) => Err(heif::damaged("a picture of no tiles")),
    }
}

fn transformed(planes: Planes, transforms: &[Transform]) -> Result<Planes, ImageError> {
    let mut transforms = transforms.iter();
    transforms.try_fold(planes, |planes, &transform| {
        planes.transformed(transform, colour::with_full_chroma)
    })
}

/// A tile as it is shown, and how its stream says that its colours are.
fn tile(tile: &Tile) -> Result<(Planes, Option<ColourCoding>), ImageError> {
    let (planes, coding) = hevc::decode(tile)?;
    Ok((transformed(planes, &tile.transforms)?, coding))
}

/// All that is coded, and how the stream says that its colours are.
fn pixels(coded: &CodedImage) -> Result<(Planes, Option<ColourCoding>), ImageError> {
    let mut tiles = coded.tiles.iter();
    let first = tiles
        .next()
        .ok_or_else(|| heif::damaged("a picture of no tiles"))?;
    let (first, coding) = tile(first)?;
    let Some(grid) = coded.grid else {
        return Ok((first, coding));
    };
    let mut whole = Planes::of_tiles(&first, grid)?;
    let tile_size = (first.width(), first.height());
    whole.place(&first, 0, grid)?;
    drop(first);
    for (index, next) in (1..).zip(tiles) {
        let (next, _) = tile(next)?;
        if (next.width(), next.height()) != tile_size {
            return Err(heif::damaged("its tiles are of several sizes"));
        }
        whole.place(&next, index, grid)?;
    }
    Ok((whole, coding))
}
