//! The wire format of Protocol Buffers, read where it lies: what is made of a message are slices of it, so
//! that no file makes more than its bytes. The messages themselves are known by the numbers of the few
//! fields that matter.

use prost::encoding::{WireType, decode_key, decode_varint};

pub(super) type Result<T> = std::result::Result<T, String>;

/// More integers than a shape or a list of settings has.
const MAX_NUMBERS: usize = 64;

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Field<'a> {
    Varint(u64),
    Fixed32([u8; 4]),
    Fixed64([u8; 8]),
    /// A message, a text, bytes, or numbers one after the other.
    Bytes(&'a [u8]),
}

/// The fields of a message, by number, in the file's order.
pub(super) fn fields(message: &[u8]) -> Fields<'_> {
    Fields { rest: message }
}

/// An iterator over fields.
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Field<'a>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = field(&mut self.rest);
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

fn field<'a>(rest: &mut &'a [u8]) -> Result<(u32, Field<'a>)> {
    let (number, kind) = decode_key(rest).map_err(damaged)?;
    let value = match kind {
        WireType::Varint => Field::Varint(decode_varint(rest).map_err(damaged)?),
        WireType::ThirtyTwoBit => Field::Fixed32(*first(rest)?),
        WireType::SixtyFourBit => Field::Fixed64(*first(rest)?),
        WireType::LengthDelimited => {
            let length = decode_varint(rest).map_err(damaged)?;
            let parts = usize::try_from(length).ok();
            let parts = parts.and_then(|length| rest.split_at_checked(length));
            let (bytes, after) = parts.ok_or_else(too_short)?;
            *rest = after;
            Field::Bytes(bytes)
        }
        WireType::StartGroup | WireType::EndGroup => {
            return Err(damaged("groups, which no such file has"));
        }
    };
    Ok((number, value))
}

fn first<'a, const N: usize>(rest: &mut &'a [u8]) -> Result<&'a [u8; N]> {
    let (bytes, after) = rest.split_first_chunk().ok_or_else(too_short)?;
    *rest = after;
    Ok(bytes)
}

impl<'a> Field<'a> {
    pub fn bytes(self) -> Result<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(damaged("a number where a message is expected")),
        }
    }

    pub fn text(self) -> Result<&'a str> {
        std::str::from_utf8(self.bytes()?).map_err(damaged)
    }

    /// A whole number; negative ones are stored as their two's complement of 64 bits.
    pub fn integer(self) -> Result<i64> {
        match self {
            Self::Varint(number) => Ok(number as i64),
            _ => Err(damaged("something else where a whole number is expected")),
        }
    }

    /// A number of 32 bits.
    pub fn float(self) -> Result<f32> {
        match self {
            Self::Fixed32(bytes) => Ok(f32::from_le_bytes(bytes)),
            _ => Err(damaged("something else where a number is expected")),
        }
    }

    /// Adds whole numbers, of which a field holds one or all.
    pub fn integers(self, numbers: &mut Vec<i64>) -> Result<()> {
        if let Self::Varint(number) = self {
            numbers.push(number as i64);
        } else {
            let mut rest = self.bytes()?;
            while !rest.is_empty() && numbers.len() <= MAX_NUMBERS {
                numbers.push(decode_varint(&mut rest).map_err(damaged)? as i64);
            }
        }
        match numbers.len() <= MAX_NUMBERS {
            true => Ok(()),
            false => Err(damaged("a list of more numbers than a network needs")),
        }
    }

    /// Adds the bytes of numbers of a fixed width, of which a field holds one or all.
    pub fn fixed(self, bytes: &mut Vec<u8>) -> Result<()> {
        match self {
            Self::Fixed32(number) => bytes.extend(number),
            Self::Fixed64(number) => bytes.extend(number),
            Self::Bytes(numbers) => bytes.extend(numbers),
            Self::Varint(_) => return Err(damaged("a whole number where others are expected")),
        }
        Ok(())
    }

    /// Adds the lowest `WIDTH` bytes of whole numbers, of which a field holds one or all.
    pub fn varints<const WIDTH: usize>(self, bytes: &mut Vec<u8>) -> Result<()> {
        let mut push = |number: u64| bytes.extend(number.to_le_bytes().into_iter().take(WIDTH));
        if let Self::Varint(number) = self {
            push(number);
            return Ok(());
        }
        let mut rest = self.bytes()?;
        while !rest.is_empty() {
            push(decode_varint(&mut rest).map_err(damaged)?);
        }
        Ok(())
    }
}

fn too_short() -> String {
    damaged("it ends too early")
}

fn damaged(reason: impl std::fmt::Display) -> String {
    format!("truncated or damaged ({reason})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_where_they_lie() {
        let message =
            b"\x08\x96\x01\x12\x02hi\x1d\0\0\x80\x3f\x22\x03\x01\x80\x01\x29\0\0\0\0\0\0\0\0";
        let read: Result<Vec<_>> = fields(message).collect();
        let read = read.expect("fields");
        assert_eq!(read[0], (1, Field::Varint(150)));
        assert_eq!(read[1].1.text(), Ok("hi"));
        assert_eq!(read[2].1.float(), Ok(1.0));
        let mut numbers = Vec::new();
        read[3].1.integers(&mut numbers).expect("numbers");
        assert_eq!(numbers, [1, 128]);
        let mut bytes = Vec::new();
        read[3].1.varints::<2>(&mut bytes).expect("numbers");
        assert_eq!(bytes, [1, 0, 128, 0]);
        assert_eq!(read[4], (5, Field::Fixed64([0; 8])));
    }

    #[test]
    fn lengths_that_lie_are_refused_once() {
        for message in [
            &b"\x12\x7f"[..],
            b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01a",
            b"\x1d\0\0",
            b"\x08\x80",
            b"\x0b\x0c",
            b"\x00",
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        ] {
            let read: Vec<_> = fields(message).collect();
            assert!(matches!(read[..], [Err(_)]), "{message:?}");
        }
        let many = [1; 1000];
        assert!(Field::Bytes(&many).integers(&mut Vec::new()).is_err());
    }
}
