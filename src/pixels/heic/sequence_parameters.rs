//! The size that a stream of HEVC states, which is all that is allocated for, before anything is.

use super::super::heif::{damaged, unread};
use crate::error::ImageError;

/// The kind of a unit of the stream that has a sequence's parameters.
const SEQUENCE_PARAMETERS: u8 = 33;

/// Width and height of the largest picture that a decoder's settings (`hvcC`) are for, with the
/// blocks that reach beyond what is shown.
pub(super) fn largest_size(configuration: &[u8]) -> Result<(u32, u32), ImageError> {
    let short = || damaged("its decoder's settings (hvcC) end early");
    let units = units(configuration).ok_or_else(short)?;
    let mut largest = None;
    for unit in units {
        let size = size(unit).ok_or_else(short)?;
        let area = |size: (u32, u32)| u64::from(size.0) * u64::from(size.1);
        if largest.is_none_or(|before| area(before) < area(size)) {
            largest = Some(size);
        }
    }
    largest.ok_or_else(|| unread("HEVC whose size is not in its decoder's settings"))
}

/// The units with a sequence's parameters.
fn units(configuration: &[u8]) -> Option<Vec<&[u8]>> {
    const HEADER: usize = 22;
    let (_, rest) = configuration.split_at_checked(HEADER)?;
    let (&arrays, mut rest) = rest.split_first()?;
    let mut found = Vec::new();
    for _ in 0..arrays {
        let &[kind, high, low, ref units @ ..] = rest else {
            return None;
        };
        rest = units;
        for _ in 0..u16::from_be_bytes([high, low]) {
            let &[high, low, ref unit @ ..] = rest else {
                return None;
            };
            let length = usize::from(u16::from_be_bytes([high, low]));
            let (unit, after) = unit.split_at_checked(length)?;
            if kind & 0x3f == SEQUENCE_PARAMETERS
                || unit.first()? >> 1 & 0x3f == SEQUENCE_PARAMETERS
            {
                found.push(unit);
            }
            rest = after;
        }
    }
    Some(found)
}

/// The size in a unit with a sequence's parameters.
fn size(unit: &[u8]) -> Option<(u32, u32)> {
    const LAYERS_ABOVE: u32 = 8;
    const PROFILE_BITS: u32 = 88;
    const LEVEL_BITS: u32 = 8;
    const PLANES_APART: u32 = 3;
    let mut bits = Bits::new(unit.get(2..)?);
    bits.take(4)?;
    let layers = bits.take(3)?;
    bits.take(1)?;
    bits.skip(PROFILE_BITS + LEVEL_BITS)?;
    if layers > 0 {
        let mut present = 0;
        for layer in 0..LAYERS_ABOVE {
            let (profile, level) = (bits.take(1)?, bits.take(1)?);
            if layer < layers {
                present += profile * PROFILE_BITS + level * LEVEL_BITS;
            }
        }
        bits.skip(present)?;
    }
    bits.golomb()?;
    if bits.golomb()? == PLANES_APART {
        bits.take(1)?;
    }
    Some((bits.golomb()?, bits.golomb()?))
}

/// Bits of a unit, without the bytes that keep its start code from occurring within it.
struct Bits<'a> {
    bytes: &'a [u8],
    zeros: u32,
    byte: u8,
    left: u32,
}

impl<'a> Bits<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            zeros: 0,
            byte: 0,
            left: 0,
        }
    }

    fn bit(&mut self) -> Option<u32> {
        const STUFFING: u8 = 3;
        if self.left == 0 {
            let (&byte, rest) = self.bytes.split_first()?;
            self.bytes = rest;
            if self.zeros >= 2 && byte == STUFFING {
                self.zeros = 0;
                return self.bit();
            }
            self.zeros = if byte == 0 { self.zeros + 1 } else { 0 };
            (self.byte, self.left) = (byte, 8);
        }
        self.left -= 1;
        Some(u32::from(self.byte >> self.left & 1))
    }

    fn take(&mut self, count: u32) -> Option<u32> {
        (0..count).try_fold(0, |sum, _| Some(sum << 1 | self.bit()?))
    }

    fn skip(&mut self, count: u32) -> Option<()> {
        (0..count).try_for_each(|_| self.bit().map(|_| ()))
    }

    /// A number of unknown length: as many bits as there are zeros before the first 1.
    fn golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.bit()? == 0 {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        let rest = self.take(zeros)?;
        ((1 << zeros) - 1u32).checked_add(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_long_as_their_zeros() {
        // 1, 010, 011, 00100 are 0 to 3.
        let mut bits = Bits::new(&[0b1010_0110, 0b0100_0000]);
        let read: Vec<_> = (0..4).map(|_| bits.golomb()).collect();
        assert_eq!(read, [Some(0), Some(1), Some(2), Some(3)]);
        assert_eq!(bits.golomb(), None);
        assert_eq!(Bits::new(&[0; 40]).golomb(), None);
    }

    #[test]
    fn stuffing_is_left_out() {
        let mut bits = Bits::new(&[0, 0, 3, 1, 3]);
        assert_eq!(bits.take(32), Some(0x0000_0103));
        assert_eq!(bits.take(1), None);
    }
}
