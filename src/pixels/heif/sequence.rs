//! Sequences: the first picture of the track that is shown.

use std::borrow::Cow;

use super::beside::is_alpha;
use super::boxes::{BoxOf, Numbers, boxes, find};
use super::{Codec, CodedImage, ColourCoding, Tile, damaged, unread};
use crate::error::ImageError;

/// The first picture of a movie: of its first track of pictures.
pub(super) fn first_picture<'a>(
    file: &'a [u8],
    movie: &'a [u8],
) -> Result<CodedImage<'a>, ImageError> {
    let tracks = boxes(movie).filter(|found| found.kind == *b"trak");
    let tracks: Vec<_> = tracks.filter_map(|found| Track::of(found.body)).collect();
    let shown = tracks
        .iter()
        .find(|track| matches!(&track.handler, b"pict" | b"vide"));
    let shown = shown.ok_or_else(|| damaged("a sequence without a track of pictures"))?;
    let mut coded = shown.picture(file)?;
    let alpha = tracks.iter().find(|track| {
        track.handler == *b"auxv"
            && track.referred(b"auxl") == Some(shown.id)
            && track
                .entry()
                .and_then(|(_, entry)| find(entry, b"auxi"))
                .is_some_and(is_alpha)
    });
    if let Some(alpha) = alpha.filter(|_| coded.codec == Codec::Av1) {
        coded.has_alpha = true;
        if shown.referred(b"prem") == Some(alpha.id) {
            coded.multiplied_by = Some(Box::new(alpha.picture(file)?));
        }
    }
    Ok(coded)
}

/// A track, as far as it is looked at.
#[derive(Debug)]
struct Track<'a> {
    id: u32,
    handler: [u8; 4],
    /// What it refers to.
    references: &'a [u8],
    /// The tables of its samples.
    tables: &'a [u8],
}

impl<'a> Track<'a> {
    fn of(body: &'a [u8]) -> Option<Self> {
        let mut header = Numbers(find(body, b"tkhd")?);
        let (version, _) = header.version()?;
        // When it was made, and when it was changed.
        header.bytes(if version == 1 { 16 } else { 8 })?;
        let media = find(body, b"mdia")?;
        let handler = find(media, b"hdlr")?.get(8..12)?.try_into().ok()?;
        Some(Self {
            id: header.u32()?,
            handler,
            references: find(body, b"tref").unwrap_or_default(),
            tables: find(find(media, b"minf")?, b"stbl")?,
        })
    }

    /// The first track that this one refers to in a way.
    fn referred(&self, kind: &[u8; 4]) -> Option<u32> {
        Numbers(find(self.references, kind)?).u32()
    }

    /// How its samples are coded: the kind, and the boxes that say more.
    fn entry(&self) -> Option<([u8; 4], &'a [u8])> {
        const VISUAL: usize = 78;
        let entry = self.whole_entry()?;
        Some((entry.kind, entry.body.get(VISUAL..)?))
    }

    fn whole_entry(&self) -> Option<BoxOf<'a>> {
        let entries = find(self.tables, b"stsd")?.get(8..)?;
        boxes(entries).next()
    }

    /// Width and height of its samples.
    fn size(&self) -> Option<(u32, u32)> {
        const WIDTH: usize = 24;
        let mut numbers = Numbers(self.whole_entry()?.body.get(WIDTH..)?);
        Some((numbers.u16()?.into(), numbers.u16()?.into()))
    }

    fn picture(&self, file: &'a [u8]) -> Result<CodedImage<'a>, ImageError> {
        let (kind, entry) = self
            .entry()
            .ok_or_else(|| damaged("a track that does not say how it is coded (stsd)"))?;
        let (codec, name) = match &kind {
            b"av01" => (Codec::Av1, b"av1C"),
            b"hvc1" | b"hev1" => (Codec::Hevc, b"hvcC"),
            other => {
                let other = String::from_utf8_lossy(other);
                return Err(unread(&format!("a sequence of {other:?}")));
            }
        };
        let configuration =
            find(entry, name).ok_or_else(|| damaged("a track without its decoder's settings"))?;
        let (offset, length) = self
            .first_sample()
            .ok_or_else(|| damaged("a track that does not say where its pictures are"))?;
        let data = file.get(offset..).and_then(|rest| rest.get(..length));
        let data = data.ok_or_else(|| ImageError::decode("the file is truncated"))?;
        let colours = boxes(entry).filter(|found| found.kind == *b"colr");
        let tile = Tile {
            configuration,
            data: Cow::Borrowed(data),
            transforms: Vec::new(),
            operating_point: 0,
            layer: None,
        };
        Ok(CodedImage {
            codec,
            tiles: vec![tile],
            grid: None,
            size: self.size(),
            has_alpha: false,
            multiplied_by: None,
            colour: colours
                .filter_map(|found| ColourCoding::of_box(found.body))
                .next(),
            transforms: Vec::new(),
        })
    }

    /// Where the first sample is, and its length.
    fn first_sample(&self) -> Option<(usize, usize)> {
        let mut sizes = Numbers(find(self.tables, b"stsz")?);
        sizes.version()?;
        let same = sizes.u32()?;
        let count = sizes.u32()?;
        let length = if same > 0 { same } else { sizes.u32()? };
        let offset = match find(self.tables, b"stco") {
            Some(chunks) => Numbers(chunks.get(8..)?).unsigned(4)?,
            None => Numbers(find(self.tables, b"co64")?.get(8..)?).unsigned(8)?,
        };
        let first = (usize::try_from(offset).ok()?, length as usize);
        (count > 0).then_some(first)
    }
}
