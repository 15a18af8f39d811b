//! Numbers in a file, all of which may be missing.

use crate::error::ImageError;

/// A file, or a part of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bytes<'a>(pub &'a [u8]);

impl<'a> Bytes<'a> {
    /// So many bytes from `at` on.
    ///
    /// # Errors
    /// The file ends before.
    pub fn range(self, at: usize, length: usize) -> Result<&'a [u8], ImageError> {
        let range = self.0.get(at..at.saturating_add(length));
        range.ok_or_else(truncated)
    }

    /// The same, of a known length.
    ///
    /// # Errors
    /// The file ends before.
    pub fn array<const N: usize>(self, at: usize) -> Result<[u8; N], ImageError> {
        let rest = self.0.get(at..).and_then(<[u8]>::first_chunk);
        rest.copied().ok_or_else(truncated)
    }

    /// # Errors
    /// The file ends before.
    pub fn u16_le(self, at: usize) -> Result<u16, ImageError> {
        self.array(at).map(u16::from_le_bytes)
    }

    /// # Errors
    /// The file ends before.
    pub fn u32_le(self, at: usize) -> Result<u32, ImageError> {
        self.array(at).map(u32::from_le_bytes)
    }

    /// # Errors
    /// The file ends before.
    pub fn u16_be(self, at: usize) -> Result<u16, ImageError> {
        self.array(at).map(u16::from_be_bytes)
    }

    /// # Errors
    /// The file ends before.
    pub fn u32_be(self, at: usize) -> Result<u32, ImageError> {
        self.array(at).map(u32::from_be_bytes)
    }
}

pub(super) fn truncated() -> ImageError {
    ImageError::decode("the file is truncated")
}
