//! JPEG in the form of TIFF 6.0, which a technical note replaced in 1995: one JPEG for the whole
//! picture, whole somewhere in the file, or as tables and as strips of what it codes.

use super::chunks::Chunks;
use super::jpeg::{Wanted, begin, copy_segments, decode_parts};
use super::layout::Layout;
use super::{damaged, tags, unread};
use crate::error::ImageError;

const QUANTISERS: usize = 64;
const CODE_LENGTHS: usize = 16;
const START_OF_FRAME: u8 = 0xc0;
const START_OF_SCAN: u8 = 0xda;
/// What differs between rows of blocks is 8 pixels.
const BLOCK: usize = 8;

/// The samples of all pixels, behind the pixels of a row.
///
/// # Errors
/// Tables or strips that are not in the file, and what [`decode_parts`] refuses.
pub(super) fn decode(
    layout: &Layout<'_>,
    chunks: &mut Chunks<'_>,
) -> Result<(usize, Vec<u8>), ImageError> {
    if layout.samples != 1 && layout.samples != 3 {
        return Err(unread(
            "JPEG in the form before 1995 of other than 1 or 3 samples",
        ));
    }
    let wanted = if layout.samples == 1 {
        Wanted::Stored
    } else {
        Wanted::YCbCr
    };
    let bytes = layout.directory.bytes();
    let mut head = begin(wanted);
    let whole = layout
        .number(tags::OLD_JPEG)
        .and_then(|at| bytes.get(usize::try_from(at).ok()?..));
    let decode = |head: &[u8], scans: &[u8], sides: (usize, usize)| {
        let rows = decode_parts((head, scans), wanted, layout.samples, sides)?;
        Ok((sides.0, rows))
    };
    let sides = (layout.width, layout.height);
    if let Some(whole) = whole.filter(|whole| whole.starts_with(&[0xff, 0xd8])) {
        if let Some(rest) = copy_segments(whole, &mut head) {
            return decode(&head, rest, sides);
        }
        // Else it has no more than tables.
        let scans = scans(layout, chunks, &mut head)?;
        return decode(&head, &scans, sides);
    }
    if layout.is_tiled && layout.chunks_across() * layout.chunks_down() > 1 {
        return Err(unread("tiles of JPEG in the form before 1995"));
    }
    let sides = (layout.chunk.0, layout.chunk.1.max(layout.height));
    tables(layout, sides, &mut head)?;
    let scans = scans(layout, chunks, &mut head)?;
    decode(&head, &scans, sides)
}

/// The strips, one behind the other as one scan, with a mark between each two.
fn scans(
    layout: &Layout<'_>,
    chunks: &mut Chunks<'_>,
    head: &mut Vec<u8>,
) -> Result<Vec<u8>, ImageError> {
    let (h, v) = stated_subsampling(layout);
    let count = layout.chunks_across() * layout.chunks_down();
    if count > 1 {
        let blocks = layout.chunk.0.div_ceil(h * BLOCK) * layout.chunk.1.div_ceil(v * BLOCK);
        let blocks = u16::try_from(blocks).map_err(|_| damaged("strips of too many blocks"))?;
        head.extend([0xff, 0xdd, 0, 4]);
        head.extend(blocks.to_be_bytes());
    }
    let mut scans = Vec::new();
    for number in 0..count {
        let mut strip = chunks.bytes(number, 0)?;
        if scans.len() + strip.len() > layout.directory.bytes().len() {
            return Err(damaged("strips that are one another's"));
        }
        if number > 0 {
            scans.extend([0xff, 0xd0 | ((number - 1) % 8) as u8]);
        } else if !strip.starts_with(&[0xff, START_OF_SCAN]) {
            scans.extend(scan_header(layout.samples));
        }
        while let [rest @ .., 0xff, 0xd0..=0xd9] = strip {
            strip = rest;
        }
        scans.extend(strip);
    }
    scans.extend([0xff, 0xd9]);
    Ok(scans)
}

/// The tables that the directory points to, and a frame of these sides.
fn tables(
    layout: &Layout<'_>,
    (width, height): (usize, usize),
    head: &mut Vec<u8>,
) -> Result<(), ImageError> {
    let bytes = layout.directory.bytes();
    let at = |tag, component| {
        let at = layout.directory.entry(tag)?.number_at(component)?;
        bytes.get(usize::try_from(at).ok()?..)
    };
    let missing = || damaged("a JPEG without tables");
    for component in 0..layout.samples {
        let id = component as u8;
        let values =
            at(tags::OLD_JPEG_QUANTISERS, component).and_then(|rest| rest.get(..QUANTISERS));
        segment(head, 0xdb, id, values.ok_or_else(missing)?);
        for (tag, class) in [(tags::OLD_JPEG_DC, 0), (tags::OLD_JPEG_AC, 0x10)] {
            let codes = at(tag, component).and_then(|rest| {
                let lengths = rest.get(..CODE_LENGTHS)?;
                let values: usize = lengths.iter().map(|&count| usize::from(count)).sum();
                rest.get(..CODE_LENGTHS + values)
            });
            segment(head, 0xc4, class | id, codes.ok_or_else(missing)?);
        }
    }
    let (Ok(width), Ok(height)) = (u16::try_from(width), u16::try_from(height)) else {
        return Err(damaged("a JPEG of more than 65535 columns or rows"));
    };
    let (h, v) = stated_subsampling(layout);
    let mut frame = Vec::new();
    frame.extend(height.to_be_bytes());
    frame.extend(width.to_be_bytes());
    frame.push(layout.samples as u8);
    for component in 0..layout.samples {
        let factors = if component == 0 {
            (h << 4 | v) as u8
        } else {
            0x11
        };
        frame.extend([component as u8 + 1, factors, component as u8]);
    }
    segment(head, START_OF_FRAME, 8, &frame);
    Ok(())
}

/// A segment that begins with this byte.
fn segment(head: &mut Vec<u8>, marker: u8, first: u8, rest: &[u8]) {
    head.extend([0xff, marker]);
    // The length counts itself.
    head.extend((rest.len() as u16 + 3).to_be_bytes());
    head.push(first);
    head.extend(rest);
}

/// What stands before a scan of all components, each with tables of its own.
fn scan_header(components: usize) -> Vec<u8> {
    let components = components as u8;
    let mut header = vec![0xff, START_OF_SCAN, 0, 6 + 2 * components, components];
    for component in 0..components {
        header.extend([component + 1, component << 4 | component]);
    }
    header.extend([0, 63, 0]);
    header
}

/// Pixels that share a sample of chroma.
fn stated_subsampling(layout: &Layout<'_>) -> (usize, usize) {
    let side = |index| {
        let stated = layout
            .directory
            .entry(tags::SUBSAMPLING)?
            .number_at(index)?;
        matches!(stated, 1 | 2 | 4).then_some(stated as usize)
    };
    if layout.samples == 1 {
        return (1, 1);
    }
    (side(0).unwrap_or(2), side(1).unwrap_or(2))
}
