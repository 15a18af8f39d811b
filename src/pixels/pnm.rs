//! PBM, PGM, PPM and PFM, plain or not, of any depth. PAM is left to the image crate.

use image::RgbImage;

use super::bytes::{Bytes, truncated};
use super::limits::{DecodeOptions, check_size};
use crate::error::ImageError;

/// Longer than any number in a header or among plain samples.
const MAX_TOKEN_BYTES: usize = 10;

/// What a sample is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sample {
    /// Black or white, and 1 is black.
    Bit,
    Integer,
    Float,
}

/// What stands before the samples.
struct Header<'a> {
    sample: Sample,
    channels: usize,
    /// Samples are numbers in text.
    is_plain: bool,
    width: usize,
    height: usize,
    /// The largest sample, or a number of which a PFM means the sign.
    most: f64,
    samples: &'a [u8],
}

/// Width and height that the header states.
pub(super) fn dimensions(bytes: &[u8]) -> Option<(u32, u32)> {
    let header = Header::read(bytes).ok()?;
    let side = |side| u32::try_from(side).ok();
    Some((side(header.width)?, side(header.height)?))
}

/// Decodes a picture as it is stored.
pub(super) fn decode(bytes: &[u8], options: &DecodeOptions) -> Result<RgbImage, ImageError> {
    let header = Header::read(bytes)?;
    check_size(header.width as u64, header.height as u64, options)?;
    let samples = match (header.sample, header.is_plain) {
        (Sample::Bit, true) => header.plain_bits()?,
        (Sample::Bit, false) => header.bits()?,
        (Sample::Integer, true) => header.plain_integers()?,
        (Sample::Integer, false) => header.integers()?,
        (Sample::Float, _) => header.floats()?,
    };
    let pixels = if header.channels == 1 {
        samples.iter().flat_map(|&grey| [grey; 3]).collect()
    } else {
        samples
    };
    let (width, height) = (header.width as u32, header.height as u32);
    RgbImage::from_raw(width, height, pixels).ok_or_else(truncated)
}

impl<'a> Header<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, ImageError> {
        let magic = Bytes(bytes).array(0)?;
        let (sample, channels, is_plain) = match &magic {
            b"P1" => (Sample::Bit, 1, true),
            b"P2" => (Sample::Integer, 1, true),
            b"P3" => (Sample::Integer, 3, true),
            b"P4" => (Sample::Bit, 1, false),
            b"P5" => (Sample::Integer, 1, false),
            b"P6" => (Sample::Integer, 3, false),
            b"Pf" => (Sample::Float, 1, false),
            b"PF" => (Sample::Float, 3, false),
            _ => {
                return Err(ImageError::decode(
                    "damaged PNM: its first bytes are no format's",
                ));
            }
        };
        let mut text = Text(&bytes[2..]);
        let side = |text: &mut Text| -> Result<usize, ImageError> {
            let number: u32 = text.number()?;
            Ok(number as usize)
        };
        let (width, height) = (side(&mut text)?, side(&mut text)?);
        let most = match sample {
            Sample::Bit => 1.0,
            Sample::Integer => f64::from(text.number::<u16>()?),
            Sample::Float => text.number()?,
        };
        if most == 0.0 || !most.is_finite() {
            return Err(ImageError::decode(format!(
                "damaged PNM: a largest value of {most}"
            )));
        }
        Ok(Self {
            sample,
            channels,
            is_plain,
            width,
            height,
            most,
            samples: text.0,
        })
    }

    fn row_samples(&self) -> usize {
        self.width * self.channels
    }

    fn total(&self) -> usize {
        self.row_samples() * self.height
    }

    fn bits(&self) -> Result<Vec<u8>, ImageError> {
        let row_bytes = self.width.div_ceil(8);
        let rows = Bytes(self.samples).range(0, row_bytes * self.height)?;
        let row = |row: &'a [u8]| (0..self.width).map(move |x| row[x / 8] >> (7 - x % 8) & 1);
        let bits = rows.chunks_exact(row_bytes).flat_map(row);
        Ok(bits.map(shade).collect())
    }

    /// White space between them may be left out.
    fn plain_bits(&self) -> Result<Vec<u8>, ImageError> {
        let mut text = Text(self.samples);
        let mut samples = Vec::with_capacity(self.total().min(self.samples.len()));
        while samples.len() < self.total() {
            match text.next_byte() {
                Some(byte @ (b'0' | b'1')) => samples.push(shade(byte - b'0')),
                Some(byte) if byte.is_ascii_whitespace() || byte == 0x0b => {}
                Some(byte) => return Err(no_number(&[byte])),
                None => return Err(truncated()),
            }
        }
        Ok(samples)
    }

    fn integers(&self) -> Result<Vec<u8>, ImageError> {
        let total = self.total();
        if self.most < 256.0 {
            let samples = Bytes(self.samples).range(0, total)?;
            if self.most == 255.0 {
                return Ok(samples.to_vec());
            }
            return Ok(samples.iter().map(|&v| self.in_8_bits(v.into())).collect());
        }
        let samples = Bytes(self.samples).range(0, total * 2)?.as_chunks::<2>().0;
        let value = |&sample: &[u8; 2]| self.in_8_bits(u16::from_be_bytes(sample));
        Ok(samples.iter().map(value).collect())
    }

    fn plain_integers(&self) -> Result<Vec<u8>, ImageError> {
        let mut text = Text(self.samples);
        let mut samples = Vec::with_capacity(self.total().min(self.samples.len()));
        while samples.len() < self.total() {
            let value: u16 = text.number()?;
            if f64::from(value) > self.most {
                let message = format!("damaged PNM: a sample of {value}, more than the largest");
                return Err(ImageError::decode(message));
            }
            samples.push(self.in_8_bits(value));
        }
        Ok(samples)
    }

    /// Rounded as Pillow rounds colours. Of grey that has more than 8 bits, which Pillow clips, the high byte
    /// is taken, as elsewhere.
    fn in_8_bits(&self, value: u16) -> u8 {
        let share = f64::from(value) / self.most;
        if self.channels == 1 && self.most > 255.0 {
            let in_16_bits = (share * 65535.0).round_ties_even().min(65535.0);
            (in_16_bits as u32 >> 8) as u8
        } else {
            (share * 255.0).round_ties_even().min(255.0) as u8
        }
    }

    /// From 0 to 255, rounded down, the lowest row first.
    fn floats(&self) -> Result<Vec<u8>, ImageError> {
        let samples = Bytes(self.samples).range(0, self.total() * 4)?;
        let samples = samples.as_chunks::<4>().0;
        let value = |&sample: &[u8; 4]| {
            if self.most < 0.0 {
                f32::from_le_bytes(sample)
            } else {
                f32::from_be_bytes(sample)
            }
        };
        let largest = samples.iter().map(value).fold(0.0, f32::max);
        if largest > 0.0 && largest <= 1.0 {
            return Err(ImageError::decode(
                "a PFM whose samples are from 0 to 1: of what is clipped to 0 to 255 nothing would be left; \
                 multiply them by 255",
            ));
        }
        let rows = samples.chunks_exact(self.row_samples()).rev().flatten();
        // A cast clips, and makes 0 of what is no number.
        Ok(rows.map(|sample| value(sample) as u8).collect())
    }
}

/// Of a bit.
fn shade(bit: u8) -> u8 {
    if bit == 0 { 255 } else { 0 }
}

/// Text with comments in it, each to the end of its line.
struct Text<'a>(&'a [u8]);

impl Text<'_> {
    /// The next byte that is not in a comment.
    fn next_byte(&mut self) -> Option<u8> {
        loop {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            if byte != b'#' {
                return Some(byte);
            }
            let end = memchr::memchr2(b'\n', b'\r', rest).map_or(rest.len(), |at| at + 1);
            self.0 = &rest[end..];
        }
    }

    /// The next number, and the byte of white space behind it.
    fn number<T: std::str::FromStr>(&mut self) -> Result<T, ImageError> {
        let mut token = Vec::new();
        loop {
            match self.next_byte() {
                Some(byte) if byte.is_ascii_whitespace() || byte == 0x0b => {
                    if !token.is_empty() {
                        break;
                    }
                }
                Some(byte) => token.push(byte),
                None if token.is_empty() => return Err(truncated()),
                None => break,
            }
            if token.len() > MAX_TOKEN_BYTES {
                return Err(no_number(&token));
            }
        }
        let text = std::str::from_utf8(&token).ok();
        text.and_then(|text| text.parse().ok())
            .ok_or_else(|| no_number(&token))
    }
}

fn no_number(token: &[u8]) -> ImageError {
    let token = String::from_utf8_lossy(token);
    ImageError::decode(format!("damaged PNM: {token:?} where a number is wanted"))
}
