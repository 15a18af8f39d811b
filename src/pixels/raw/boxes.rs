//! Previews in the boxes of CR3.

use super::{Embedded, Found, MOST_JPEGS};
use crate::pixels::ifd::{Directory, Entry};

/// Boxes that are looked at: cameras write about a hundred.
const MOST_BOXES: usize = 4096;
/// How deep the boxes that lead to a track's samples lie.
const DEEPEST: usize = 6;

const UUID_BYTES: usize = 16;
/// What Canon tells of a photograph, in the movie's box.
const CANON: &[u8] = b"\x85\xc0\xb6\x87\x82\x0f\x11\xe0\x81\x11\xf4\xce\x46\x2b\x6a\x48";
/// A preview of medium size.
const PREVIEW: &[u8] = b"\xea\xf4\x2b\x5e\x1c\x98\x4b\x88\xb9\xfb\xb7\xdc\x40\x6e\x4d\x16";

/// Looks through all boxes of a file.
pub(super) fn find(bytes: &[u8]) -> Found<'_> {
    let mut search = Search {
        bytes,
        found: Found::default(),
        left: MOST_BOXES,
    };
    search.look(bytes, 0);
    search.found
}

struct Search<'a> {
    bytes: &'a [u8],
    found: Found<'a>,
    /// Boxes that may still be looked at.
    left: usize,
}

impl<'a> Search<'a> {
    fn look(&mut self, inside: &'a [u8], depth: usize) {
        if depth > DEEPEST {
            return;
        }
        for (kind, content) in Boxes(inside) {
            if self.left == 0 || self.found.jpegs.len() > MOST_JPEGS {
                return;
            }
            self.left -= 1;
            match kind {
                b"moov" | b"trak" | b"mdia" | b"minf" => self.look(content, depth + 1),
                b"stbl" => self.look_at_samples(content),
                b"uuid" if content.starts_with(CANON) => {
                    self.look(&content[UUID_BYTES..], depth + 1);
                }
                b"uuid" if content.starts_with(PREVIEW) => self.look_at_preview(content),
                // The first of four directories.
                b"CMT1" => {
                    const ORIENTATION: u16 = 274;
                    let first = Directory::first(content);
                    let stated = first.and_then(|first| first.entry(ORIENTATION));
                    self.found.orientation = stated.and_then(Entry::integer);
                }
                _ => {}
            }
        }
    }

    /// The first sample of a track: that of the first track is a JPEG of full size.
    fn look_at_samples(&mut self, table: &'a [u8]) {
        let of = |wanted: &[u8; 4]| {
            let mut boxes = Boxes(table);
            boxes
                .find(|(kind, _)| *kind == wanted)
                .map(|(_, content)| content)
        };
        let sample = || {
            // The length that all samples have, or zero, a number of samples, and their lengths.
            let lengths = of(b"stsz")?;
            let length = match number(lengths, 4, 4)? {
                0 => number(lengths, 12, 4)?,
                length => length,
            };
            // A number of offsets, and those.
            let at = match of(b"co64") {
                Some(offsets) => number(offsets, 8, 8)?,
                None => number(of(b"stco")?, 8, 4)?,
            };
            self.bytes.get(at..)?.get(..length)
        };
        let jpeg = sample().filter(|sample| sample.starts_with(&[0xff, 0xd8]));
        self.found.jpegs.extend(jpeg.map(|jpeg| Embedded {
            jpeg,
            is_preview: true,
        }));
    }

    fn look_at_preview(&mut self, content: &'a [u8]) {
        // Behind a count there is a box whose JPEG begins behind its sides.
        const BEFORE: usize = UUID_BYTES + 64;
        let head = &content[..content.len().min(BEFORE)];
        let at = memchr::memmem::find(head, b"\xff\xd8\xff");
        let jpeg = at.map(|at| &content[at..]);
        self.found.jpegs.extend(jpeg.map(|jpeg| Embedded {
            jpeg,
            is_preview: true,
        }));
    }
}

/// Boxes behind each other: a kind and what is inside.
struct Boxes<'a>(&'a [u8]);

impl<'a> Iterator for Boxes<'a> {
    type Item = (&'a [u8; 4], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (stated, kind) = (number(self.0, 0, 4)?, self.0.get(4..)?.first_chunk()?);
        let (head, length) = match stated {
            0 => (8, self.0.len()),
            1 => (16, number(self.0, 8, 8)?),
            length => (8, length),
        };
        // One that goes beyond the end ends there.
        let length = length.min(self.0.len());
        let content = self.0.get(head..length)?;
        self.0 = &self.0[length..];
        Some((kind, content))
    }
}

/// The number of so many bytes, at most 8, the highest first.
fn number(bytes: &[u8], at: usize, length: usize) -> Option<usize> {
    let bytes = bytes.get(at..at.checked_add(length)?)?;
    let number = bytes
        .iter()
        .fold(0u64, |sum, &byte| sum << 8 | u64::from(byte));
    usize::try_from(number).ok()
}
