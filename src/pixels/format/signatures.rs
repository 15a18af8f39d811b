//! How the first bytes of a file tell its format.

use crate::pixels::ifd::Directory;

pub(super) fn any(start: &[u8], signatures: &[&[u8]]) -> bool {
    signatures.iter().any(|known| start.starts_with(known))
}

pub(super) fn is_riff(start: &[u8], kind: &[u8; 4]) -> bool {
    start.starts_with(b"RIFF") && start.get(8..12) == Some(kind)
}

pub(super) fn is_tiff(start: &[u8]) -> bool {
    // BigTIFF has the next number.
    any(start, &[b"II\x2a\0", b"MM\0\x2a", b"II\x2b\0", b"MM\0\x2b"])
}

/// Whether ISO media are of one of these brands: by the major brand, and by the compatible ones
/// where that is a general one.
pub(super) fn has_brand(start: &[u8], wanted: &[&[u8; 4]]) -> bool {
    const MAJOR: usize = 8;
    const COMPATIBLE: usize = 16;
    let Some((length, kind)) = start.split_at_checked(4) else {
        return false;
    };
    if !kind.starts_with(b"ftyp") {
        return false;
    }
    let is_wanted = |brand: &[u8]| wanted.iter().any(|known| *known == brand);
    match start.get(MAJOR..MAJOR + 4) {
        Some(b"mif1" | b"msf1" | b"miaf") => {}
        Some(major) => return is_wanted(major),
        None => return false,
    }
    let end = length
        .iter()
        .fold(0, |sum, &byte| sum << 8 | usize::from(byte));
    let compatible = start
        .get(COMPATIBLE..end.min(start.len()))
        .unwrap_or_default();
    let general = [&start[MAJOR..MAJOR + 4]];
    let brands = general.into_iter().chain(compatible.chunks_exact(4));
    brands.into_iter().any(is_wanted)
}

/// Whether text begins with one of these tags, in upper or lower case.
pub(super) fn has_tag(start: &[u8], tags: &[&str]) -> bool {
    let text = start.trim_ascii_start();
    tags.iter().any(|tag| {
        let head = text.get(..tag.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(tag.as_bytes()))
    })
}

/// Whether the first picture of a TIFF is what a sensor gave, or a small one beside others in
/// directories of their own, which is how cameras keep a picture to show beside that.
pub(super) fn is_raw(bytes: &[u8]) -> bool {
    const NEW_SUBFILE_TYPE: u16 = 254;
    const PHOTOMETRIC: u16 = 262;
    const SUB_IFDS: u16 = 330;
    const REDUCED: u64 = 1;
    const COLOUR_FILTER_ARRAY: u64 = 32803;
    const LINEAR_RAW: u64 = 34892;
    if !is_tiff(bytes) {
        return false;
    }
    let Some(first) = Directory::first(bytes) else {
        return false;
    };
    let integer = |tag| first.entry(tag).and_then(|entry| entry.integer());
    let is_reduced = integer(NEW_SUBFILE_TYPE).is_some_and(|kind| kind & REDUCED != 0);
    let is_sensors = matches!(integer(PHOTOMETRIC), Some(COLOUR_FILTER_ARRAY | LINEAR_RAW));
    is_sensors || is_reduced && first.entry(SUB_IFDS).is_some()
}

/// Whether all fields of a bitmap without a file's header (DIB) have values that they may have.
pub(super) fn is_bitmap(start: &[u8]) -> bool {
    let Some(&[size, 0, 0, 0, w0, w1, w2, w3, _, _, _, _, 1, 0, bits, 0]) =
        start.first_chunk::<16>()
    else {
        return false;
    };
    let has_width = [w0, w1, w2, w3] != [0; 4] && w3 == 0;
    has_width
        && matches!(size, 40 | 52 | 56 | 64 | 108 | 124)
        && matches!(bits, 1 | 4 | 8 | 16 | 24 | 32)
}

/// Whether all fields of a TGA's header have values that they may have.
pub(super) fn is_tga(start: &[u8]) -> bool {
    let Some(
        &[
            _,
            has_map,
            kind,
            m0,
            m1,
            m2,
            m3,
            map_bits,
            _,
            _,
            _,
            _,
            w0,
            w1,
            h0,
            h1,
            bits,
            flags,
        ],
    ) = start.first_chunk::<18>()
    else {
        return false;
    };
    let map = [m0, m1, m2, m3, map_bits];
    let fits = match (has_map, kind) {
        (1, 1 | 9) => bits == 8 && matches!(map_bits, 15 | 16 | 24 | 32) && (m2, m3) != (0, 0),
        (0, 2 | 10) => map == [0; 5] && matches!(bits, 15 | 16 | 24 | 32),
        (0, 3 | 11) => map == [0; 5] && matches!(bits, 8 | 16),
        _ => false,
    };
    let alpha_bits = flags & 0x0f;
    fits && (w0, w1) != (0, 0) && (h0, h1) != (0, 0) && flags & 0xc0 == 0 && alpha_bits <= 8
}
