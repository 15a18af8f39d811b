//! The chunks of a RIFF file, such as a WebP.

/// Kinds and data, one chunk after the other.
pub(super) struct Chunks<'a> {
    rest: &'a [u8],
    only_whole: bool,
}

impl<'a> Chunks<'a> {
    /// All of them; of one that is cut short, what there is.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            only_whole: false,
        }
    }

    /// The same up to one that is cut short.
    pub fn whole(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            only_whole: true,
        }
    }
}

impl<'a> Iterator for Chunks<'a> {
    type Item = (&'a [u8; 4], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (kind, rest) = self.rest.split_first_chunk::<4>()?;
        let (size, rest) = rest.split_first_chunk::<4>()?;
        let size = usize::try_from(u32::from_le_bytes(*size)).unwrap_or(usize::MAX);
        let data = &rest[..size.min(rest.len())];
        if self.only_whole && data.len() < size {
            return None;
        }
        // Lengths are made even.
        self.rest = rest
            .get(size.saturating_add(size % 2)..)
            .unwrap_or_default();
        Some((kind, data))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_that_is_cut_short_is_the_last() {
        let bytes = b"ABCD\x03\0\0\0xyz\0EFGH\x04\0\0\0uv";
        let all: Vec<_> = Chunks::new(bytes).collect();
        assert_eq!(all, [(b"ABCD", &b"xyz"[..]), (b"EFGH", b"uv")]);
        assert_eq!(Chunks::whole(bytes).count(), 1);
        assert_eq!(Chunks::new(&bytes[..7]).count(), 0);
    }
}
