//! PNG: what the decoder has to be kept from, and files that are damaged beside their pixels.

use flate2::Crc;
use image::RgbImage;
use png::{BitDepth, ColorType, Decoder, Transformations};

use super::bytes::truncated;
use super::format::PictureFormat;
use super::image_crate;
use super::layer::Layer;
use super::limits::{DecodeOptions, check_size};
use crate::error::{ImageError, ImageErrorKind};

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
/// A colour of a palette.
const COLOUR_BYTES: usize = 3;

/// Decodes a picture, or the default one of an animation.
///
/// Of a file with a wrong checksum or without its end the pixels are read if they are all there, and their own
/// checksum fits: that of zlib, which Pillow doesn't look at.
pub(super) fn decode(bytes: &[u8], options: &DecodeOptions) -> Result<Layer, ImageError> {
    check_palette(bytes)?;
    let whole = image_crate::decode(bytes, PictureFormat::Png, options);
    whole.or_else(|error| {
        if error.kind == ImageErrorKind::Limit {
            return Err(error);
        }
        match mended(bytes) {
            // What is wrong may be that of the file as it is.
            Some(mended) => decode_mended(&mended, options)?.ok_or(error),
            None => Err(error),
        }
    })
}

/// Refuses a palette that ends within a colour, at which the decoder panics (png 0.18.1).
fn check_palette(bytes: &[u8]) -> Result<(), ImageError> {
    for chunk in Chunks::of(bytes) {
        match chunk.kind {
            b"PLTE" if !chunk.length.is_multiple_of(COLOUR_BYTES) => {
                let message = format!("damaged PNG: a palette of {} bytes", chunk.length);
                return Err(ImageError::decode(message));
            }
            b"IDAT" => break,
            _ => {}
        }
    }
    Ok(())
}

/// The same picture with the chunks of its pixels alone, whose checksums are right, and with an end. `None` where
/// the pixels' size, their kind or their palette is damaged.
fn mended(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut file = SIGNATURE.to_vec();
    let mut has_pixels = false;
    for chunk in Chunks::of(bytes) {
        match chunk.kind {
            b"IHDR" | b"PLTE" | b"tRNS" if !has_pixels => {
                if chunk.checksum? != checksum(chunk.kind, chunk.data) {
                    return None;
                }
                append(&mut file, chunk.kind, chunk.data);
            }
            b"IDAT" => {
                has_pixels = true;
                append(&mut file, chunk.kind, chunk.data);
            }
            // Pixels are in one piece.
            _ if has_pixels => break,
            _ => {}
        }
    }
    append(&mut file, b"IEND", &[]);
    has_pixels.then_some(file)
}

fn append(file: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
    file.extend((data.len() as u32).to_be_bytes());
    file.extend(kind);
    file.extend(data);
    file.extend(checksum(kind, data).to_be_bytes());
}

fn checksum(kind: &[u8; 4], data: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(kind);
    crc.update(data);
    crc.sum()
}

/// Decodes what was mended; `None` where its pixels are damaged, or are not all there.
fn decode_mended(bytes: &[u8], options: &DecodeOptions) -> Result<Option<Layer>, ImageError> {
    let mut settings = png::DecodeOptions::default();
    settings.set_ignore_adler32(false);
    let mut decoder = Decoder::new_with_options(std::io::Cursor::new(bytes), settings);
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    let Ok(mut reader) = decoder.read_info() else {
        return Ok(None);
    };
    let (width, height) = (reader.info().width, reader.info().height);
    check_size(width.into(), height.into(), options)?;
    let length = reader.output_buffer_size().ok_or_else(truncated)?;
    let mut samples = vec![0; length];
    let Ok(found) = reader.next_frame(&mut samples) else {
        return Ok(None);
    };
    let channels = match (found.color_type, found.bit_depth) {
        (ColorType::Grayscale, BitDepth::Eight) => 1,
        (ColorType::GrayscaleAlpha, BitDepth::Eight) => 2,
        (ColorType::Rgb, BitDepth::Eight) => 3,
        (ColorType::Rgba, BitDepth::Eight) => 4,
        _ => return Ok(None),
    };
    let samples = samples.chunks_exact(channels);
    let alpha = channels
        .is_multiple_of(2)
        .then(|| samples.clone().map(|s| s[channels - 1]).collect());
    let colour = |s: &[u8]| {
        if channels < 3 {
            [s[0]; 3]
        } else {
            [s[0], s[1], s[2]]
        }
    };
    let pixels = RgbImage::from_raw(width, height, samples.flat_map(colour).collect());
    let pixels = pixels.ok_or_else(truncated)?;
    Ok(Some(Layer { pixels, alpha }))
}

/// A part of the file.
struct Chunk<'a> {
    kind: &'a [u8; 4],
    /// As it is stated.
    length: usize,
    /// What there is of its data.
    data: &'a [u8],
    /// As it is stated.
    checksum: Option<u32>,
}

/// The parts of a file, of which the last may be cut short.
struct Chunks<'a>(&'a [u8]);

impl<'a> Chunks<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        Self(bytes.get(SIGNATURE.len()..).unwrap_or_default())
    }
}

impl<'a> Iterator for Chunks<'a> {
    type Item = Chunk<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let (length, rest) = self.0.split_first_chunk::<4>()?;
        let (kind, rest) = rest.split_first_chunk::<4>()?;
        let length = u32::from_be_bytes(*length) as usize;
        let (data, rest) = rest.split_at(length.min(rest.len()));
        let checksum = rest.first_chunk::<4>().map(|sum| u32::from_be_bytes(*sum));
        self.0 = rest.get(4..).unwrap_or_default();
        Some(Chunk {
            kind,
            length,
            data,
            checksum,
        })
    }
}
