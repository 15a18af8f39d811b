//! The boxes that ISO media are made of, and the numbers in them.

/// A box: its kind, and what is in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct BoxOf<'a> {
    pub kind: [u8; 4],
    pub body: &'a [u8],
}

/// The boxes that bytes consist of, up to the first that is none. One that says that it is longer
/// than the bytes ends with them: whoever reads it finds out whether something is missing.
pub(super) fn boxes(bytes: &[u8]) -> impl Iterator<Item = BoxOf<'_>> {
    const TO_THE_END: u32 = 0;
    const LONG: u32 = 1;
    let mut rest = Numbers(bytes);
    std::iter::from_fn(move || {
        let whole = rest.0;
        let size = rest.u32()?;
        let kind = rest.bytes(4)?.try_into().ok()?;
        let size = match size {
            TO_THE_END => whole.len(),
            LONG => usize::try_from(rest.unsigned(8)?).unwrap_or(usize::MAX),
            size => size as usize,
        };
        let header = whole.len() - rest.0.len();
        let body = rest.bytes(size.checked_sub(header)?.min(rest.0.len()))?;
        Some(BoxOf { kind, body })
    })
}

/// The first box of a kind.
pub(super) fn find<'a>(bytes: &'a [u8], kind: &[u8; 4]) -> Option<&'a [u8]> {
    let found = boxes(bytes).find(|found| found.kind == *kind);
    found.map(|found| found.body)
}

/// Big-endian numbers, read one after the other. What is not there is `None`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Numbers<'a>(pub &'a [u8]);

impl<'a> Numbers<'a> {
    pub fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    /// A number of so many bytes, at most 8; without any it is 0.
    pub fn unsigned(&mut self, length: usize) -> Option<u64> {
        let bytes = self.bytes(length)?;
        Some(
            bytes
                .iter()
                .fold(0, |sum, &byte| sum << 8 | u64::from(byte)),
        )
    }

    pub fn u8(&mut self) -> Option<u8> {
        let [byte] = *self.bytes(1)? else { return None };
        Some(byte)
    }

    pub fn u16(&mut self) -> Option<u16> {
        let bytes = self.bytes(2)?.try_into().ok()?;
        Some(u16::from_be_bytes(bytes))
    }

    pub fn u32(&mut self) -> Option<u32> {
        let bytes = self.bytes(4)?.try_into().ok()?;
        Some(u32::from_be_bytes(bytes))
    }

    /// An item's number, which has 16 bits or 32.
    pub fn id(&mut self, is_wide: bool) -> Option<u32> {
        if is_wide {
            self.u32()
        } else {
            self.u16().map(u32::from)
        }
    }

    /// What a full box begins with: its version and its flags.
    pub fn version(&mut self) -> Option<(u8, u32)> {
        let word = self.u32()?;
        Some(((word >> 24) as u8, word & 0x00ff_ffff))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_of_32_bits_or_of_64_or_up_to_the_end() {
        let bytes = [
            b"\0\0\0\x0aabcd12".as_slice(),
            b"\0\0\0\x01efgh\0\0\0\0\0\0\0\x11x",
            b"\0\0\0\0ijklthe rest",
        ]
        .concat();
        let found: Vec<_> = boxes(&bytes)
            .map(|found| (found.kind, found.body))
            .collect();
        assert_eq!(
            found,
            [
                (*b"abcd", b"12".as_slice()),
                (*b"efgh", b"x"),
                (*b"ijkl", b"the rest"),
            ]
        );
        assert_eq!(find(&bytes, b"efgh"), Some(b"x".as_slice()));
        assert_eq!(find(&bytes, b"mnop"), None);
    }

    #[test]
    fn a_box_ends_with_the_bytes_and_one_shorter_than_its_header_is_none() {
        let cut: Vec<_> = boxes(b"\0\0\0\xffabcd12").map(|found| found.body).collect();
        assert_eq!(cut, [b"12"]);
        assert_eq!(boxes(b"\0\0\0\x07abcd").count(), 0);
        assert_eq!(boxes(b"\0\0\0\x01abcd\0\0\0\0\0\0\0\x0f").count(), 0);
        assert_eq!(boxes(b"\0\0\0\x08abc").count(), 0);
    }
}
