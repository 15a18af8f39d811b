//! One picture of AV1 to its planes: the only place that calls the re_rav1d crate.

use re_rav1d::dav1d::pixel::YUVRange;
use re_rav1d::dav1d::{Decoder, Error, Picture, PixelLayout, PlanarImageComponent, Settings};

use super::super::heif::{self, Chroma, ColourCoding, Plane, Planes, Tile, damaged, unread};
use crate::error::ImageError;
use crate::pixels::heif::matrix;
use crate::pixels::limits::DecodeOptions;

/// Decodes the first picture of a stream, of several layers the last. On this thread: pictures are
/// decoded side by side.
pub(super) fn decode(tile: &Tile, options: &DecodeOptions) -> Result<Picture, ImageError> {
    let mut settings = Settings::new();
    settings.set_n_threads(1);
    settings.set_max_frame_delay(1);
    settings.set_operating_point(tile.operating_point.into());
    settings.set_all_layers(tile.layer.is_some());
    // It is 0 that has no limit.
    let most = heif::most_coded(options).clamp(1, u32::MAX.into());
    settings.set_frame_size_limit(most as u32);
    let mut decoder = Decoder::with_settings(&settings).map_err(describe)?;
    first_picture(&mut decoder, tile)
}

fn first_picture(decoder: &mut Decoder, tile: &Tile) -> Result<Picture, ImageError> {
    if tile.data.is_empty() {
        return Err(damaged("a picture of no bytes"));
    }
    let mut before = tile.layer.unwrap_or(0);
    let mut sent = decoder.send_data(tile.data.to_vec(), None, None, None);
    loop {
        match sent {
            Ok(()) | Err(Error::Again) => {}
            Err(error) => return Err(describe(error)),
        }
        match decoder.get_picture() {
            Ok(picture) if before == 0 => return Ok(picture),
            Ok(_) => before -= 1,
            Err(Error::Again) if sent.is_err() => {}
            Err(Error::Again) => return Err(ImageError::decode("the file is truncated")),
            Err(error) => return Err(describe(error)),
        }
        if sent.is_err() {
            sent = decoder.send_pending_data();
        }
    }
}

/// The samples of a picture.
pub(super) fn planes(picture: &Picture) -> Result<Planes, ImageError> {
    let chroma = match picture.pixel_layout() {
        PixelLayout::I400 => Chroma::None,
        PixelLayout::I420 => Chroma::Quarter,
        PixelLayout::I422 => Chroma::Half,
        PixelLayout::I444 => Chroma::Full,
    };
    let depth = picture.bit_depth();
    if !matches!(depth, 8 | 10 | 12) {
        return Err(unread(&format!("{depth} bits a sample")));
    }
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let mut planes = Planes::new(chroma, depth as u32, width, height);
    let components = [
        PlanarImageComponent::Y,
        PlanarImageComponent::U,
        PlanarImageComponent::V,
    ];
    for (plane, component) in planes.planes.iter_mut().zip(components) {
        if plane.width > 0 {
            copy(
                plane,
                &picture.plane(component),
                picture.stride(component) as usize,
                depth,
            )?;
        }
    }
    Ok(planes)
}

/// Copies rows that lie `stride` bytes apart.
fn copy(plane: &mut Plane, bytes: &[u8], stride: usize, depth: usize) -> Result<(), ImageError> {
    let width = plane.width;
    for y in 0..plane.height {
        let row = bytes.get(y * stride..).unwrap_or_default();
        let into = plane.row_mut(y);
        if depth == 8 {
            let from = row
                .get(..width)
                .ok_or_else(|| damaged("a plane is too short"))?;
            for (into, &from) in into.iter_mut().zip(from) {
                *into = from.into();
            }
        } else {
            let from = row
                .get(..2 * width)
                .ok_or_else(|| damaged("a plane is too short"))?;
            for (into, from) in into.iter_mut().zip(from.as_chunks().0) {
                *into = u16::from_ne_bytes(*from);
            }
        }
    }
    Ok(())
}

/// How a stream says that colours are coded. Primaries are not asked for: the crate panics at some
/// that are not defined, as it does at such a matrix.
pub(super) fn coding(picture: &Picture) -> ColourCoding {
    ColourCoding {
        primaries: matrix::UNKNOWN,
        matrix: picture.matrix_coefficients() as u16,
        is_full_range: picture.color_range() == YUVRange::Full,
    }
}

fn describe(error: Error) -> ImageError {
    match error {
        Error::NotEnoughMemory => ImageError::decode("decoding it takes more memory than there is"),
        Error::UnsupportedBitstream => unread("AV1 beyond what the decoder knows"),
        other => ImageError::decode(format!(
            "damaged AVIF, or one beyond the limit of pixels: {other}"
        )),
    }
}
