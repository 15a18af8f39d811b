//! Previews in the files that are TIFF inside, or nearly so: NEF, CR2, ARW, DNG, ORF, RW2, PEF and
//! others.

use super::{Embedded, Found, MOST_JPEGS};
use crate::pixels::ifd::{Directory, Entry};

/// Directories that are looked at: cameras write about ten.
const MOST_DIRECTORIES: usize = 64;

/// In place of TIFF's 42: Olympus's and Panasonic's numbers.
const MARKS: [u64; 3] = [0x4f52, 0x5352, 0x0055];

const SUBFILE_TYPE: u16 = 254;
const WIDTH: u16 = 256;
const HEIGHT: u16 = 257;
const COMPRESSION: u16 = 259;
const STRIP_OFFSETS: u16 = 273;
const STRIP_BYTES: u16 = 279;
const ORIENTATION: u16 = 274;
const SUB_DIRECTORIES: u16 = 330;
const JPEG_OFFSET: u16 = 513;
const JPEG_BYTES: u16 = 514;
const EXIF: u16 = 34665;
const MAKER_NOTE: u16 = 37500;
/// Panasonic's preview, which is the tag's value.
const PANASONICS_JPEG: u16 = 0x002e;

/// Looks through all directories of a file.
pub(super) fn find(bytes: &[u8]) -> Found<'_> {
    let mut found = Found::default();
    let Some(first) = Directory::first_marked(bytes, &MARKS) else {
        return found;
    };
    found.orientation = first.entry(ORIENTATION).and_then(Entry::integer);
    let mut waiting = vec![first];
    let mut seen = 0;
    while let Some(directory) = waiting.pop() {
        seen += 1;
        if seen > MOST_DIRECTORIES || found.jpegs.len() > MOST_JPEGS {
            break;
        }
        look(directory, &mut found);
        let rest = MOST_DIRECTORIES - waiting.len().min(MOST_DIRECTORIES);
        let subs = directory.entry(SUB_DIRECTORIES);
        let subs = subs
            .into_iter()
            .flat_map(|subs| (0..subs.count()).map_while(move |i| subs.integer_at(i)));
        let exif = directory.entry(EXIF).and_then(Entry::integer);
        let others = subs.chain(exif).chain(directory.next());
        waiting.extend(others.take(rest).filter_map(|at| directory.at(at)));
        if let Some(note) = directory.entry(MAKER_NOTE) {
            look_at_note(bytes, note, directory.is_little(), &mut found);
        }
    }
    found
}

/// Adds what one directory tells.
fn look<'a>(directory: Directory<'a>, found: &mut Found<'a>) {
    let number = |tag| directory.entry(tag)?.integer();
    let bytes = directory.bytes();
    let mut add = |jpeg: Option<&'a [u8]>, is_preview| {
        let jpeg = jpeg.filter(|jpeg| jpeg.starts_with(&[0xff, 0xd8]));
        found
            .jpegs
            .extend(jpeg.map(|jpeg| Embedded { jpeg, is_preview }));
    };
    if let Some(at) = number(JPEG_OFFSET) {
        add(part(bytes, at, number(JPEG_BYTES)), false);
    }
    if matches!(number(COMPRESSION), Some(6 | 7))
        && let Some(strips) = directory
            .entry(STRIP_OFFSETS)
            .filter(|strips| strips.count() == 1)
        && let Some(at) = strips.integer()
    {
        add(part(bytes, at, number(STRIP_BYTES)), false);
    }
    add(
        directory.entry(PANASONICS_JPEG).and_then(Entry::bytes),
        true,
    );
    let is_reduced = number(SUBFILE_TYPE).is_some_and(|kind| kind & 1 == 1);
    if let (false, Some(width), Some(height)) = (is_reduced, number(WIDTH), number(HEIGHT)) {
        found.sensor = found.sensor.max(Some(width.max(height)));
    }
}

/// Nikon's and Olympus's notes have previews of their own.
fn look_at_note<'a>(bytes: &'a [u8], note: Entry<'a>, is_little: bool, found: &mut Found<'a>) {
    const NIKONS_PREVIEW: u16 = 0x0011;
    const OLYMPUS_SETTINGS: u16 = 0x2020;
    const OLYMPUS_PREVIEW: u16 = 0x0101;
    const OLYMPUS_PREVIEW_BYTES: u16 = 0x0102;
    // Offsets count from the note, or from the header in it.
    let Some(rest) = bytes.get(note.at..) else {
        return;
    };
    if rest.starts_with(b"Nikon\0") {
        let first = rest.get(10..).and_then(Directory::first);
        let preview = first.and_then(|first| first.at(first.entry(NIKONS_PREVIEW)?.integer()?));
        if let Some(preview) = preview {
            look(preview, found);
        }
        return;
    }
    let at = if rest.starts_with(b"OLYMPUS\0") {
        12
    } else if rest.starts_with(b"OM SYSTEM\0") {
        16
    } else {
        return;
    };
    let jpeg = || {
        let first = Directory::bare(rest, at, is_little)?;
        let settings = first.at(first.entry(OLYMPUS_SETTINGS)?.integer()?)?;
        let at = settings.entry(OLYMPUS_PREVIEW)?.integer()?;
        let length = settings.entry(OLYMPUS_PREVIEW_BYTES)?.integer();
        part(rest, at, length).filter(|jpeg| jpeg.starts_with(&[0xff, 0xd8]))
    };
    found.jpegs.extend(jpeg().map(|jpeg| Embedded {
        jpeg,
        is_preview: true,
    }));
}

/// So many bytes from a place on, or all that follow.
fn part(bytes: &[u8], at: u64, length: Option<u64>) -> Option<&[u8]> {
    let rest = bytes.get(usize::try_from(at).ok()?..)?;
    let length = length.and_then(|length| usize::try_from(length).ok());
    Some(&rest[..length.unwrap_or(rest.len()).min(rest.len())])
}
