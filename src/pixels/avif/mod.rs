//! AVIF: AV1's pictures in a HEIF file, as Pillow shows them.
//!
//! The re_rav1d crate decodes luma and chroma; what becomes of them is the arithmetic of libyuv or,
//! for what that does not know, of libavif ([`colour`], [`float`]).

mod av1;
mod colour;
mod float;

use image::RgbImage;

use super::heif::{self, CodedImage, ColourCoding, Planes, Transform};
use super::limits::{DecodeOptions, check_size, reserve};
use super::orientation::{Orientation, Steps};
use crate::error::ImageError;

/// What decoding takes at most: the decoder's samples, those of the whole, and RGB.
const BYTES_A_PIXEL: u64 = 15;

/// Decodes a picture as it is stored: neither turned nor cropped.
///
/// Transparency is dropped, but colours that are multiplied by it are divided.
pub(super) fn decode(coded: &CodedImage, options: &DecodeOptions) -> Result<RgbImage, ImageError> {
    let (planes, coding) = pixels(coded, options)?;
    let mut pixels = if coded.has_alpha {
        colour::beside_alpha(&planes, coding)?
    } else {
        colour::to_rgb(&planes, coding)?
    };
    if let Some(alpha) = &coded.multiplied_by {
        let (alpha, _) = self::pixels(alpha, options)?;
        if (alpha.width(), alpha.height()) != (planes.width(), planes.height()) {
            return Err(heif::unread(
                "transparency of another size than the colours that it multiplies",
            ));
        }
        colour::divide(&mut pixels, &alpha.planes[0], alpha.depth);
    }
    let (width, height) = (planes.width() as u32, planes.height() as u32);
    RgbImage::from_raw(width, height, pixels)
        .ok_or_else(|| heif::damaged("its planes differ in size"))
}

/// Width and height of what is stored.
pub(super) fn dimensions(coded: &CodedImage) -> Option<(u32, u32)> {
    let grid = coded.grid.map(|grid| (grid.width, grid.height));
    grid.or(coded.size)
}

/// How a picture lies: its turns and mirrors in one.
pub(super) fn orientation(coded: &CodedImage) -> Orientation {
    let steps = coded
        .transforms
        .iter()
        .map(|&transform: &Transform| transform.steps());
    Orientation::of_steps(steps.fold(Orientation::Upright.steps(), Steps::then))
}

/// All that is coded, and how its colours are: as the container says, or else the stream.
fn pixels(
    coded: &CodedImage,
    options: &DecodeOptions,
) -> Result<(Planes, ColourCoding), ImageError> {
    if let Some((width, height)) = dimensions(coded) {
        check_size(width.into(), height.into(), options)?;
        reserve(BYTES_A_PIXEL.saturating_mul(u64::from(width) * u64::from(height)))?;
    }
    let mut tiles = coded.tiles.iter();
    let first = tiles
        .next()
        .ok_or_else(|| heif::damaged("a picture of no tiles"))?;
    let picture = av1::decode(first, options)?;
    let coding = coded.colour.unwrap_or_else(|| av1::coding(&picture));
    let first = av1::planes(&picture)?;
    drop(picture);
    let Some(grid) = coded.grid else {
        check_size(first.width() as u64, first.height() as u64, options)?;
        return Ok((first, coding));
    };
    let (width, height) = (first.width(), first.height());
    let tile_size = (width as u32, height as u32);
    heif::check_coded(&vec![tile_size; coded.tiles.len()], options)?;
    let mut whole = Planes::of_tiles(&first, grid)?;
    whole.place(&first, 0, grid)?;
    drop(first);
    for (index, next) in (1..).zip(tiles) {
        let next = av1::planes(&av1::decode(next, options)?)?;
        if (next.width(), next.height()) != (width, height) {
            return Err(heif::damaged("its tiles are of several sizes"));
        }
        whole.place(&next, index, grid)?;
    }
    Ok((whole, coding))
}
