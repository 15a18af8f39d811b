//! A flag in the header of a codestream that some encoders set wrongly.
//!
//! It says that 16 bits are enough for all numbers between the coded ones and the pixels. The jxl
//! crate believes it, so that samples of 16 bits, which need one more, come out black from the half up;
//! libjxl does not look at it.

/// The same file with the flag taken back; `None` if it is not set.
pub(super) fn without_narrow_buffers(bytes: &[u8]) -> Option<Vec<u8>> {
    let start = codestream(bytes)?;
    let mut bits = Bits {
        bytes: bytes.get(start..)?,
        at: 0,
    };
    let flag = flag(&mut bits)?;
    let mut copy = bytes.to_vec();
    copy[start + flag / 8] &= !(1 << (flag % 8));
    Some(copy)
}

/// Where the codestream begins.
fn codestream(bytes: &[u8]) -> Option<usize> {
    const SIGNATURE: &[u8] = b"\xff\x0a";
    const HEADER: usize = 8;
    /// Of a codestream in parts, their number stands first.
    const PART: usize = 4;
    if bytes.starts_with(SIGNATURE) {
        return Some(0);
    }
    let mut at = 0;
    loop {
        let (size, rest) = bytes.get(at..)?.split_first_chunk::<4>()?;
        let begins = at + HEADER;
        match rest.first_chunk::<4>()? {
            b"jxlc" => return Some(begins),
            b"jxlp" => return Some(begins + PART),
            _ => {}
        }
        // Those of 64 bits don't come before it.
        let size = u32::from_be_bytes(*size) as usize;
        if size < HEADER {
            return None;
        }
        at += size;
    }
}

/// Bits from the lowest of each byte on.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: usize) -> Option<u32> {
        let mut value = 0;
        for place in 0..count {
            let byte = self.bytes.get(self.at / 8)?;
            value |= u32::from(byte >> (self.at % 8) & 1) << place;
            self.at += 1;
        }
        Some(value)
    }

    fn is_set(&mut self) -> Option<bool> {
        Some(self.take(1)? == 1)
    }

    /// A number in one of four ways, each a value and bits that are added to it.
    fn number(&mut self, ways: [(u32, usize); 4]) -> Option<u32> {
        let (base, bits) = ways[self.take(2)? as usize];
        Some(base.wrapping_add(self.take(bits)?))
    }

    /// A width and height, of `small` bits in eighths, or of others.
    fn size(
        &mut self,
        small: Option<usize>,
        eighths: [(u32, usize); 4],
        full: [(u32, usize); 4],
    ) -> Option<()> {
        let in_eighths = self.is_set()?;
        let side = |bits: &mut Self| match (in_eighths, small) {
            (true, Some(small)) => bits.take(small),
            (true, None) => bits.number(eighths),
            (false, _) => bits.number(full),
        };
        side(self)?;
        let ratio = self.take(3)?;
        if ratio == 0 {
            side(self)?;
        }
        Some(())
    }
}

/// Where the flag is, in bits, if it is set.
fn flag(bits: &mut Bits) -> Option<usize> {
    const SIDE: [(u32, usize); 4] = [(1, 9), (1, 13), (1, 18), (1, 30)];
    const NONE: [(u32, usize); 4] = [(0, 0); 4];
    bits.take(16)?;
    bits.size(Some(5), NONE, SIDE)?;
    let is_default = bits.is_set()?;
    if is_default {
        return None;
    }
    let has_more = bits.is_set()?;
    if has_more {
        bits.take(3)?;
        let has_own_size = bits.is_set()?;
        if has_own_size {
            bits.size(Some(5), NONE, SIDE)?;
        }
        let has_preview = bits.is_set()?;
        if has_preview {
            let eighths = [(16, 0), (32, 0), (1, 5), (33, 9)];
            bits.size(None, eighths, [(1, 6), (65, 8), (321, 10), (1345, 12)])?;
        }
        let is_animated = bits.is_set()?;
        if is_animated {
            bits.number([(100, 0), (1000, 0), (1, 10), (1, 30)])?;
            bits.number([(1, 0), (1001, 0), (1, 8), (1, 10)])?;
            bits.number([(0, 0), (0, 3), (0, 16), (0, 32)])?;
            bits.take(1)?;
        }
    }
    let is_float = bits.is_set()?;
    if is_float {
        bits.number([(32, 0), (16, 0), (24, 0), (1, 6)])?;
        bits.take(4)?;
    } else {
        bits.number([(8, 0), (10, 0), (12, 0), (1, 6)])?;
    }
    let at = bits.at;
    bits.is_set()?.then_some(at)
}
