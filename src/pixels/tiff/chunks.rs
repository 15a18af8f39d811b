//! Strips and tiles: where they are in the file and in the picture.

use super::kinds::Compression;
use super::layout::Layout;
use super::{damaged, tags};
use crate::error::{ImageError, ImageErrorKind};
use crate::pixels::ifd::Entry;

/// Where strips or tiles are in a file.
pub(super) struct Chunks<'a> {
    bytes: &'a [u8],
    offsets: Entry<'a>,
    lengths: Option<Entry<'a>>,
    is_packed: bool,
    /// Bytes that may still be asked for.
    budget: usize,
}

/// A part of a picture that is stored on its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Its number among those of a plane.
    pub number: usize,
    /// Where it begins in the picture.
    pub left: usize,
    pub top: usize,
    /// Rows that are stored.
    pub rows: usize,
    /// The part within the picture.
    pub visible: (usize, usize),
}

impl<'a> Chunks<'a> {
    pub fn of(layout: &Layout<'a>) -> Result<Self, ImageError> {
        let (at, long, other_at, other_long) = if layout.is_tiled {
            (
                tags::TILE_OFFSETS,
                tags::TILE_BYTES,
                tags::STRIP_OFFSETS,
                tags::STRIP_BYTES,
            )
        } else {
            (
                tags::STRIP_OFFSETS,
                tags::STRIP_BYTES,
                tags::TILE_OFFSETS,
                tags::TILE_BYTES,
            )
        };
        // Some write tiles under the name of strips.
        let entry = |tag, other| {
            layout
                .directory
                .entry(tag)
                .or_else(|| layout.directory.entry(other))
        };
        let bytes = layout.directory.bytes();
        Ok(Self {
            bytes,
            offsets: entry(at, other_at)
                .ok_or_else(|| damaged("it does not say where its pixels are"))?,
            lengths: entry(long, other_long),
            is_packed: layout.compression != Compression::None,
            budget: bytes.len().saturating_mul(4).saturating_add(SHARED_BYTES),
        })
    }

    /// The bytes of a strip or tile, which come to `unpacked` once they are unpacked.
    ///
    /// # Errors
    /// A file that ends before them, or whose strips are one another's over and over.
    pub fn bytes(&mut self, number: usize, unpacked: usize) -> Result<&'a [u8], ImageError> {
        let offset = self.offsets.number_at(number);
        let offset = offset.ok_or_else(|| damaged("fewer strips or tiles than the picture has"))?;
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let rest = self.bytes.get(offset..).ok_or_else(truncated)?;
        if !self.is_packed {
            // Not by what it says of their length, which is often wrong.
            return rest.get(..unpacked).ok_or_else(truncated);
        }
        let length = self.lengths.and_then(|lengths| lengths.number_at(number));
        let length = length.map_or(rest.len(), |length| {
            usize::try_from(length).unwrap_or(usize::MAX)
        });
        // A decoder stops where it has enough, or says that there is not.
        let found = &rest[..length.min(rest.len())];
        self.budget = self.budget.checked_sub(found.len()).ok_or_else(|| {
            let message =
                "its strips or tiles are the same bytes over and over, which would take long";
            ImageError::new(ImageErrorKind::Limit, message)
        })?;
        Ok(found)
    }
}

/// Bytes that strips or tiles may share with each other, such as those of an empty tile.
const SHARED_BYTES: usize = 256 << 20;

fn truncated() -> ImageError {
    ImageError::decode(super::TRUNCATED)
}

/// All strips or tiles of a plane, row after row.
pub(super) fn places(layout: &Layout<'_>) -> impl Iterator<Item = Place> {
    let (width, height) = (layout.width, layout.height);
    let (chunk_width, chunk_height) = layout.chunk;
    let is_tiled = layout.is_tiled;
    let across = layout.chunks_across();
    (0..across * layout.chunks_down()).map(move |number| {
        let (left, top) = (
            number % across * chunk_width,
            number / across * chunk_height,
        );
        let visible = (
            chunk_width.min(width - left),
            chunk_height.min(height - top),
        );
        Place {
            number,
            left,
            top,
            // A tile is always whole.
            rows: if is_tiled { chunk_height } else { visible.1 },
            visible,
        }
    })
}
