//! What belongs to a picture and is none of its pixels: transparency, EXIF and XMP.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::boxes::{Numbers, find};
use super::items::Items;
use super::{CodedImage, image};
use crate::error::ImageError;
use crate::pixels::metadata::Metadata;

/// EXIF and XMP of the picture that a file is for.
pub(in crate::pixels) fn metadata(file: &[u8]) -> Metadata<'_> {
    let find = || {
        let items = Items::new(file, find(file, b"meta")?).ok()?;
        let primary = items.primary?;
        let data = |kind: &[u8; 4]| {
            let mut ids = items.of_kind(*kind);
            let id = ids.find(|&id| items.referred(b"cdsc", id).any(|to| to == primary))?;
            items.data(id).ok()
        };
        // EXIF begins after a number that says how much there is before it.
        let exif = data(b"Exif").and_then(|data| {
            let before = Numbers(&data).u32()? as usize;
            Some(Cow::Owned(data.get(before.checked_add(4)?..)?.to_vec()))
        });
        Some(Metadata {
            exif,
            xmp: data(b"mime"),
        })
    };
    find().unwrap_or_default()
}

/// Whether any item has transparency, be it the picture or a part of it.
pub(super) fn has_transparency(file: &[u8]) -> bool {
    let Some(items) = find(file, b"meta").and_then(|meta| Items::new(file, meta).ok()) else {
        return false;
    };
    let mut beside = items.references(*b"auxl");
    beside.any(|(from, _)| items.property(from, b"auxC").is_some_and(is_alpha))
}

/// Finds the transparency of an item, or that of each of its tiles.
pub(super) fn find_alpha<'a>(
    file: &[u8],
    items: &Items<'a>,
    id: u32,
    coded: &mut CodedImage<'a>,
) -> Result<(), ImageError> {
    let all = items.references(*b"auxl");
    let alphas: BTreeMap<u32, u32> = all
        .filter(|&(from, _)| items.property(from, b"auxC").is_some_and(is_alpha))
        .map(|(from, to)| (to, from))
        .collect();
    let Some(&alpha) = alphas.get(&id) else {
        let mut tiles = items.referred(b"dimg", id).peekable();
        coded.has_alpha = tiles.peek().is_some() && tiles.all(|tile| alphas.contains_key(&tile));
        return Ok(());
    };
    coded.has_alpha = true;
    if items.referred(b"prem", id).any(|other| other == alpha) {
        coded.multiplied_by = Some(Box::new(image(file, items, alpha, 0)?));
    }
    Ok(())
}

/// Whether an auxiliary picture (`auxC`, or `auxi` of a track) is transparency.
pub(super) fn is_alpha(body: &[u8]) -> bool {
    const NAMES: [&[u8]; 2] = [
        b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0",
        b"urn:mpeg:hevc:2015:auxid:1\0",
    ];
    let name = body.get(4..).unwrap_or_default();
    NAMES.iter().any(|known| name.starts_with(known))
}
