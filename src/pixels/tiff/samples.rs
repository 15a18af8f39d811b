//! Unpacked rows to samples of eight bits.

use super::kinds::{Photometric, Predictor, SampleFormat};
use super::layout::Layout;

/// Turns rows into samples of eight bits, one row at a time.
pub(super) struct Samples {
    bits: usize,
    /// Samples between one and the same of the next pixel.
    stride: usize,
    predictor: Predictor,
    is_little: bool,
    depth: Depth,
    /// The row's samples before they are brought to eight bits.
    wide: Vec<u64>,
    /// What of floats was seen.
    pub seen: Range,
}

/// How a sample comes to eight bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// Fewer bits are spread over the range, of more the highest are taken.
    Unsigned,
    /// Cut off at both ends.
    Signed,
    /// Cut off at both ends, multiplied before.
    Float { factor: u8 },
    /// As it is: a palette's index.
    Index,
}

/// Where floats lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    /// Whether all are between 0 and 1.
    is_within_one: bool,
    /// Whether any is above 0.
    has_light: bool,
}

impl Range {
    /// Whether the values are shares of white rather than levels up to 255.
    pub fn is_of_shares(self) -> bool {
        self.is_within_one && self.has_light
    }
}

impl Samples {
    /// For a file's rows; `is_of_shares` says that floats go up to 1.
    pub fn of(layout: &Layout<'_>, is_of_shares: bool) -> Self {
        let depth = match layout.format {
            _ if layout.photometric == Photometric::Palette => Depth::Index,
            // Lab has colours below zero, which say so or not.
            _ if layout.photometric == Photometric::Lab => Depth::Unsigned,
            // As Pillow takes bytes.
            SampleFormat::Signed if layout.bits != 8 => Depth::Signed,
            SampleFormat::Float => Depth::Float {
                factor: if is_of_shares { 255 } else { 1 },
            },
            _ => Depth::Unsigned,
        };
        Self {
            bits: layout.bits,
            stride: layout.samples_together(),
            predictor: layout.predictor,
            is_little: layout.directory.is_little(),
            depth,
            wide: Vec::new(),
            seen: Range {
                is_within_one: true,
                has_light: false,
            },
        }
    }

    /// Writes the samples of a row of so many to every `step`th place of `out`. A palette's index
    /// that is no byte is given to `index` instead.
    pub fn row(&mut self, row: &mut [u8], count: usize, out: &mut [u8], step: usize) {
        if self.bits == 8 && self.predictor != Predictor::FloatBytes {
            if self.predictor == Predictor::Differences {
                for i in self.stride..row.len() {
                    row[i] = row[i].wrapping_add(row[i - self.stride]);
                }
            }
            if step == 1 {
                out[..count].copy_from_slice(&row[..count]);
            } else {
                for (out, sample) in out.iter_mut().step_by(step).zip(&row[..count]) {
                    *out = *sample;
                }
            }
            return;
        }
        self.widen(row, count);
        let (bits, depth) = (self.bits, self.depth);
        for (out, &sample) in out.iter_mut().step_by(step).zip(&self.wide) {
            *out = match depth {
                Depth::Unsigned | Depth::Index => of_unsigned(sample, bits, depth),
                Depth::Signed => of_signed(sample, bits),
                Depth::Float { factor } => {
                    let value = of_float(sample, bits);
                    self.seen.is_within_one &= (0.0..=1.0).contains(&value);
                    self.seen.has_light |= value > 0.0;
                    let half = if factor == 1 { 0.0 } else { 0.5 };
                    // Cut off at both ends; what is no number is black.
                    (value * f64::from(factor) + half) as u8
                }
            };
        }
    }

    /// The samples of a row of so many as they are, undone of their predictor.
    pub fn widen(&mut self, row: &mut [u8], count: usize) -> &[u64] {
        self.wide.clear();
        if self.predictor == Predictor::FloatBytes {
            for i in self.stride..row.len() {
                row[i] = row[i].wrapping_add(row[i - self.stride]);
            }
            // The highest bytes of all samples, the next ones, and so on.
            let whole = row.len() / (self.bits / 8);
            let bytes = || row.chunks_exact(whole.max(1));
            self.wide.extend(
                (0..count.min(whole)).map(|sample| {
                    bytes().fold(0, |sum, bytes| sum << 8 | u64::from(bytes[sample]))
                }),
            );
            return &self.wide;
        }
        match (self.bits, self.is_little) {
            (16, true) => self.wide.extend(
                row.as_chunks()
                    .0
                    .iter()
                    .map(|&b| u64::from(u16::from_le_bytes(b))),
            ),
            (16, false) => self.wide.extend(
                row.as_chunks()
                    .0
                    .iter()
                    .map(|&b| u64::from(u16::from_be_bytes(b))),
            ),
            (24 | 32 | 40 | 48 | 56 | 64, is_little) => {
                let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
                self.wide
                    .extend(row.chunks_exact(self.bits / 8).map(|bytes| {
                        if is_little {
                            bytes.iter().rev().fold(0, add)
                        } else {
                            bytes.iter().fold(0, add)
                        }
                    }));
            }
            (bits, _) => self
                .wide
                .extend((0..count).map(|sample| bits_at(row, sample * bits, bits))),
        }
        self.wide.truncate(count);
        if self.predictor == Predictor::Differences {
            let mask = u64::MAX >> (64 - self.bits);
            for i in self.stride..self.wide.len() {
                self.wide[i] = self.wide[i].wrapping_add(self.wide[i - self.stride]) & mask;
            }
        }
        &self.wide
    }
}

/// So many bits of a row from a place on, the highest first.
fn bits_at(row: &[u8], at: usize, bits: usize) -> u64 {
    let mut value = 0u128;
    let end = (at + bits).div_ceil(8);
    for byte in &row[at / 8..end] {
        value = value << 8 | u128::from(*byte);
    }
    (value >> (8 * end - at - bits)) as u64 & (u64::MAX >> (64 - bits))
}

fn of_unsigned(sample: u64, bits: usize, depth: Depth) -> u8 {
    if depth == Depth::Index {
        return sample as u8;
    }
    if bits >= 8 {
        return (sample >> (bits - 8)) as u8;
    }
    let most = (1 << bits) - 1;
    ((sample * 255 + most / 2) / most) as u8
}

fn of_signed(sample: u64, bits: usize) -> u8 {
    let above = 64 - bits;
    let value = (sample << above).cast_signed() >> above;
    value.clamp(0, 255) as u8
}

fn of_float(sample: u64, bits: usize) -> f64 {
    match bits {
        16 => half::f16::from_bits(sample as u16).to_f64(),
        24 => {
            // A sign, seven bits of exponent and sixteen of fraction.
            let sign = if sample >> 23 == 0 { 1.0 } else { -1.0 };
            let exponent = (sample >> 16 & 0x7f) as i32;
            let fraction = (sample & 0xffff) as f64 / 65536.0;
            sign * match exponent {
                0 => fraction * f64::powi(2.0, -62),
                0x7f if fraction == 0.0 => f64::INFINITY,
                0x7f => f64::NAN,
                _ => (1.0 + fraction) * f64::powi(2.0, exponent - 63),
            }
        }
        32 => f64::from(f32::from_bits(sample as u32)),
        _ => f64::from_bits(sample),
    }
}
