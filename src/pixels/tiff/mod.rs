//! TIFF: the first picture of a file.
//!
//! A reader of our own over crates that unpack: `layout` is what the directory says, `chunks` finds
//! strips and tiles, `unpack`, `fax` and `jpeg` make rows of them, `samples` brings those to eight
//! bits and `colour` to RGB. The pixels are those of Pillow, whose strips libtiff unpacks; where
//! Pillow is wrong it is said in `docs/exactness.md`.

mod chunks;
mod colour;
mod fax;
mod jpeg;
mod kinds;
mod lab;
mod layout;
mod old_jpeg;
mod samples;
mod tags;
mod unpack;
mod ycbcr;

use image::RgbImage;

use self::chunks::{Chunks, Place};
use self::colour::Colours;
use self::kinds::{Compression, Photometric, SampleFormat};
use self::layout::Layout;
use self::samples::Samples;
use super::format::PictureFormat;
use super::ifd::Directory;
use super::image_crate;
use super::limits::{DecodeOptions, reserve};
use crate::error::{ImageError, ImageErrorKind};

const TRUNCATED: &str = "the file is truncated";

/// Width and height of the first picture.
pub(super) fn dimensions(bytes: &[u8]) -> Option<(u32, u32)> {
    let directory = Directory::first(bytes)?;
    let side = |tag| u32::try_from(directory.entry(tag)?.number_at(0)?).ok();
    Some((side(tags::WIDTH)?, side(tags::HEIGHT)?))
}

/// Refuses a TIFF with an alpha, of which nothing is kept here that a background could show through.
pub(super) fn check_opaque(bytes: &[u8]) -> Result<(), ImageError> {
    let extra =
        Directory::first(bytes).and_then(|first| first.entry(tags::EXTRA_SAMPLES)?.integer());
    if extra.is_some_and(|kind| kind > 0) {
        return Err(unread("alpha in front of a background"));
    }
    Ok(())
}

/// Decodes the first picture of a TIFF.
///
/// # Errors
/// Files that are damaged or of a kind that is not read, and those beyond the limits.
pub(super) fn decode(bytes: &[u8], options: &DecodeOptions) -> Result<RgbImage, ImageError> {
    let layout = Layout::read(bytes, options)?;
    let (image, seen) = decode_as(&layout, options, false)?;
    // Floats mean levels up to 255 to Pillow. A picture whose floats are shares would be black.
    if seen.is_of_shares() && layout.format == SampleFormat::Float {
        return Ok(decode_as(&layout, options, true)?.0);
    }
    Ok(image)
}

fn decode_as(
    layout: &Layout<'_>,
    options: &DecodeOptions,
    is_of_shares: bool,
) -> Result<(RgbImage, samples::Range), ImageError> {
    let mut picture = Painter {
        options,
        chunks: Chunks::of(layout)?,
        samples: Samples::of(layout, is_of_shares),
        colours: Colours::of(layout)?,
        layout,
        row: Vec::new(),
    };
    let bytes = 3 * layout.width * layout.height;
    reserve(bytes as u64)?;
    let mut pixels = vec![0; bytes];
    if layout.compression == Compression::OldJpeg {
        let (width, rows) = old_jpeg::decode(layout, &mut picture.chunks)?;
        let rows = rows.chunks_exact(layout.samples * width);
        for (row, out) in rows.zip(pixels.chunks_exact_mut(3 * layout.width)) {
            picture
                .colours
                .to_rgb(&row[..layout.samples * layout.width], out);
        }
    } else {
        for place in chunks::places(layout) {
            picture.paint(place, &mut pixels)?;
        }
    }
    let image = RgbImage::from_raw(layout.width as u32, layout.height as u32, pixels);
    let image = image.ok_or_else(|| damaged("sides that are too long"))?;
    Ok((image, picture.samples.seen))
}

/// What draws strips and tiles, one at a time.
struct Painter<'l, 'a> {
    options: &'l DecodeOptions,
    layout: &'l Layout<'a>,
    chunks: Chunks<'a>,
    samples: Samples,
    colours: Colours,
    /// The samples of a row of pixels.
    row: Vec<u8>,
}

impl Painter<'_, '_> {
    fn paint(&mut self, place: Place, pixels: &mut [u8]) -> Result<(), ImageError> {
        let layout = self.layout;
        if layout.compression == Compression::WebP {
            return self.paint_webp(place, pixels);
        }
        let planes = if layout.is_planar { layout.samples } else { 1 };
        let used = planes.min(layout.photometric.colours() + usize::from(layout.is_premultiplied));
        let mut unpacked = Vec::new();
        for plane in 0..used {
            let number = plane * layout.chunks_across() * layout.chunks_down() + place.number;
            unpacked.push(self.unpack(number, place.rows)?);
        }
        if layout.compression == Compression::Jpeg {
            self.paint_jpeg(place, &unpacked, pixels);
        } else if layout.subsampling != (1, 1) {
            self.paint_blocks(place, &unpacked[0], pixels);
        } else {
            self.paint_rows(place, &mut unpacked, pixels);
        }
        Ok(())
    }

    /// The rows of a strip or tile of a plane.
    fn unpack(&mut self, number: usize, rows: usize) -> Result<Vec<u8>, ImageError> {
        let layout = self.layout;
        let rows_together = rows.div_ceil(layout.subsampling.1);
        let length = layout
            .row_bytes()
            .and_then(|bytes| bytes.checked_mul(rows_together));
        let most = self.options.max_decoded_bytes();
        let length = length.filter(|&length| length as u64 <= most);
        let length = length.ok_or_else(|| {
            let message = format!("a strip or tile of more than {most} bytes");
            ImageError::new(ImageErrorKind::Limit, message)
        })?;
        let packed = self.chunks.bytes(number, length)?;
        if layout.compression == Compression::Jpeg {
            return jpeg::decode(packed, layout, (layout.chunk.0, rows));
        }
        unpack::unpack(packed, layout, layout.chunk.0, length)
    }

    /// A strip or tile that is a WebP.
    fn paint_webp(&mut self, place: Place, pixels: &mut [u8]) -> Result<(), ImageError> {
        let layout = self.layout;
        if layout.photometric != Photometric::Rgb || layout.is_planar || layout.is_premultiplied {
            return Err(unread("WebP inside that is no RGB"));
        }
        let packed = self.chunks.bytes(place.number, 0)?;
        let sides = (layout.chunk.0, place.rows);
        let found = image_crate::dimensions(packed, PictureFormat::WebP);
        if found.map(|(width, height)| (width as usize, height as usize)) != Some(sides) {
            return Err(damaged("a WebP of other sides than its strip or tile"));
        }
        let image = image_crate::decode(packed, PictureFormat::WebP, self.options)?.pixels;
        let rows = image.chunks_exact(3 * layout.chunk.0);
        for (y, row) in rows.take(place.visible.1).enumerate() {
            target(layout, place, y, pixels).copy_from_slice(&row[..3 * place.visible.0]);
        }
        Ok(())
    }

    /// Rows of samples, or of planes.
    fn paint_rows(&mut self, place: Place, planes: &mut [Vec<u8>], pixels: &mut [u8]) {
        let layout = self.layout;
        let (Some(row_bytes), (width, height)) = (layout.row_bytes(), place.visible) else {
            return;
        };
        let together = layout.samples_together();
        self.row.resize(layout.chunk.0 * layout.samples, 0);
        for y in 0..height {
            let range = y * row_bytes..(y + 1) * row_bytes;
            let out = target(layout, place, y, pixels);
            if let Some(palette) = self.colours.palette().filter(|_| layout.bits > 8) {
                let indices = self
                    .samples
                    .widen(&mut planes[0][range], layout.chunk.0 * together);
                let colours = indices
                    .iter()
                    .step_by(together)
                    .map(|&index| palette.get(index as usize));
                for (out, colour) in out.as_chunks_mut().0.iter_mut().zip(colours) {
                    *out = colour.copied().unwrap_or_default();
                }
                continue;
            }
            for (plane, rows) in planes.iter_mut().enumerate() {
                let row = &mut rows[range.clone()];
                let step = if layout.is_planar { layout.samples } else { 1 };
                self.samples
                    .row(row, layout.chunk.0 * together, &mut self.row[plane..], step);
            }
            self.colours
                .to_rgb(&self.row[..width * layout.samples], out);
        }
    }

    /// Rows of blocks that share chroma.
    fn paint_blocks(&mut self, place: Place, blocks: &[u8], pixels: &mut [u8]) {
        let layout = self.layout;
        let (Some(row_bytes), (width, height)) = (layout.row_bytes(), place.visible) else {
            return;
        };
        let rows_together = layout.subsampling.1;
        for (number, blocks) in blocks.chunks_exact(row_bytes).enumerate() {
            ycbcr::spread(blocks, layout.subsampling, layout.chunk.0, &mut self.row);
            let rows = self.row.chunks_exact(3 * layout.chunk.0);
            let first = number * rows_together;
            for (y, row) in (first..height).zip(rows) {
                self.colours
                    .to_rgb(&row[..3 * width], target(layout, place, y, pixels));
            }
        }
    }

    /// What a JPEG decoder gave.
    fn paint_jpeg(&mut self, place: Place, planes: &[Vec<u8>], pixels: &mut [u8]) {
        let layout = self.layout;
        let is_rgb = layout.photometric == Photometric::YCbCr && !layout.is_planar;
        let rgb = Colours::rgb();
        let colours = if is_rgb { &rgb } else { &self.colours };
        let (width, height) = place.visible;
        let together = layout.samples_together();
        self.row.resize(layout.chunk.0 * layout.samples, 0);
        for y in 0..height {
            let range = y * layout.chunk.0 * together..(y + 1) * layout.chunk.0 * together;
            for (plane, rows) in planes.iter().enumerate() {
                let step = if layout.is_planar { layout.samples } else { 1 };
                for (to, from) in self.row[plane..]
                    .iter_mut()
                    .step_by(step)
                    .zip(&rows[range.clone()])
                {
                    *to = *from;
                }
            }
            colours.to_rgb(
                &self.row[..width * layout.samples],
                target(layout, place, y, pixels),
            );
        }
    }
}

/// The part of a row of the picture that a row of a strip or tile is drawn to.
fn target<'p>(layout: &Layout<'_>, place: Place, y: usize, pixels: &'p mut [u8]) -> &'p mut [u8] {
    let begin = 3 * ((place.top + y) * layout.width + place.left);
    &mut pixels[begin..begin + 3 * place.visible.0]
}

fn unread(what: &str) -> ImageError {
    ImageError::decode(format!(
        "a TIFF of a kind that is not read ({what}): convert it to PNG"
    ))
}

fn damaged(what: &str) -> ImageError {
    ImageError::decode(format!("damaged TIFF: {what}"))
}
