//! The items of a file: what each is, where its bytes are, what is said of it.
//!
//! Nothing is copied but the numbers of the items, so that a hostile table can't ask for more
//! memory than a few times its own size.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::boxes::{BoxOf, Numbers, boxes, find};
use super::damaged;
use crate::error::ImageError;

/// The items that a `meta` box lists.
#[derive(Debug)]
pub(super) struct Items<'a> {
    /// The item that is the picture.
    pub primary: Option<u32>,
    file: &'a [u8],
    /// Bytes within the `meta` box itself.
    idat: &'a [u8],
    kinds: BTreeMap<u32, [u8; 4]>,
    locations: BTreeMap<u32, Location<'a>>,
    properties: Vec<BoxOf<'a>>,
    /// An item's properties, as entries of `ipma`.
    associations: BTreeMap<u32, Association<'a>>,
    /// What items refer to: in which way, and from where.
    references: BTreeMap<([u8; 4], u32), Vec<Ids<'a>>>,
}

/// Where an item's bytes are.
#[derive(Debug, Clone, Copy)]
struct Location<'a> {
    method: u16,
    base: u64,
    /// The lengths of an extent's index, offset and length.
    widths: [usize; 3],
    extents: &'a [u8],
    count: usize,
}

#[derive(Debug, Clone, Copy)]
struct Association<'a> {
    indices: &'a [u8],
    is_wide: bool,
}

/// The numbers of items.
#[derive(Debug, Clone, Copy)]
struct Ids<'a> {
    bytes: &'a [u8],
    is_wide: bool,
}

impl Ids<'_> {
    fn iter(&self) -> impl Iterator<Item = u32> {
        let mut numbers = Numbers(self.bytes);
        std::iter::from_fn(move || numbers.id(self.is_wide))
    }
}

impl<'a> Items<'a> {
    /// The items of a file's `meta` box.
    pub fn new(file: &'a [u8], meta: &'a [u8]) -> Result<Self, ImageError> {
        let mut children = Numbers(meta);
        children.version();
        let children = children.0;
        let mut items = Self {
            primary: None,
            file,
            idat: find(children, b"idat").unwrap_or_default(),
            kinds: BTreeMap::new(),
            locations: BTreeMap::new(),
            properties: Vec::new(),
            associations: BTreeMap::new(),
            references: BTreeMap::new(),
        };
        for BoxOf { kind, body } in boxes(children) {
            let (what, read) = match &kind {
                b"pitm" => ("pitm", items.read_primary(body)),
                b"iinf" => ("iinf", items.read_kinds(body)),
                b"iloc" => ("iloc", items.read_locations(body)),
                b"iref" => ("iref", items.read_references(body)),
                b"iprp" => ("iprp", items.read_properties(body)),
                _ => continue,
            };
            read.ok_or_else(|| damaged(&format!("its table of items ({what}) ends early")))?;
        }
        Ok(items)
    }

    /// What an item is, as four letters.
    pub fn kind(&self, id: u32) -> Option<[u8; 4]> {
        self.kinds.get(&id).copied()
    }

    /// The items of a kind.
    pub fn of_kind(&self, kind: [u8; 4]) -> impl Iterator<Item = u32> {
        let kinds = self.kinds.iter().filter(move |(_, found)| **found == kind);
        kinds.map(|(id, _)| *id)
    }

    /// An item's properties, in the order in which they apply.
    pub fn properties(&self, id: u32) -> impl Iterator<Item = BoxOf<'a>> {
        let association = self.associations.get(&id);
        let mut indices = Numbers(association.map_or(&[], |found| found.indices));
        let is_wide = association.is_some_and(|found| found.is_wide);
        // The highest bit says that a property must be understood.
        let index = move || {
            Some(if is_wide {
                usize::from(indices.u16()? & 0x7fff)
            } else {
                usize::from(indices.u8()? & 0x7f)
            })
        };
        // They count from 1; 0 is none.
        std::iter::from_fn(index)
            .filter_map(|index| self.properties.get(index.wrapping_sub(1)).copied())
    }

    /// An item's first property of a kind.
    pub fn property(&self, id: u32, kind: &[u8; 4]) -> Option<&'a [u8]> {
        let found = self.properties(id).find(|found| found.kind == *kind);
        found.map(|found| found.body)
    }

    /// The items that one refers to in a way, in order.
    pub fn referred(&self, kind: &[u8; 4], from: u32) -> impl Iterator<Item = u32> {
        let found = self.references.get(&(*kind, from));
        found.into_iter().flatten().flat_map(Ids::iter)
    }

    /// Every reference of a kind, as the items at its two ends.
    pub fn references(&self, kind: [u8; 4]) -> impl Iterator<Item = (u32, u32)> {
        let all = self.references.range((kind, 0)..=(kind, u32::MAX));
        all.flat_map(|((_, from), to)| {
            let to = to.iter().flat_map(Ids::iter);
            to.map(|to| (*from, to))
        })
    }

    /// An item's bytes, which are no more than the file's.
    pub fn data(&self, id: u32) -> Result<Cow<'a, [u8]>, ImageError> {
        const IN_THE_FILE: u16 = 0;
        const IN_IDAT: u16 = 1;
        let location = self
            .locations
            .get(&id)
            .ok_or_else(|| damaged(&format!("nowhere is said where item {id} is")))?;
        let source = match location.method {
            IN_THE_FILE => self.file,
            IN_IDAT => self.idat,
            other => return Err(damaged(&format!("an item by construction method {other}"))),
        };
        let mut extents = Numbers(location.extents);
        let mut whole: Cow<[u8]> = Cow::Borrowed(&[]);
        for _ in 0..location.count {
            let mut next = |width| extents.unsigned(width);
            let [index, offset, length] = location.widths;
            let extent = (|| {
                next(index)?;
                Some((next(offset)?, next(length)?))
            })();
            let (offset, length) =
                extent.ok_or_else(|| damaged("its table of items is too short"))?;
            let from = usize::try_from(location.base.saturating_add(offset));
            let rest = from.ok().and_then(|from| source.get(from..));
            let part = match (rest, usize::try_from(length)) {
                // Up to the end.
                (Some(rest), Ok(0)) => Some(rest),
                (Some(rest), Ok(length)) => rest.get(..length),
                _ => None,
            };
            let part = part.ok_or_else(|| ImageError::decode("the file is truncated"))?;
            // Of several none is empty: those would cost time without an end.
            let is_idle = part.is_empty() && location.count > 1;
            if is_idle || whole.len() + part.len() > source.len() {
                return Err(damaged("an item of more bytes than there are"));
            }
            if whole.is_empty() {
                whole = Cow::Borrowed(part);
            } else {
                whole.to_mut().extend(part);
            }
        }
        Ok(whole)
    }

    fn read_primary(&mut self, body: &'a [u8]) -> Option<()> {
        let mut numbers = Numbers(body);
        let (version, _) = numbers.version()?;
        self.primary = Some(numbers.id(version > 0)?);
        Some(())
    }

    fn read_kinds(&mut self, body: &'a [u8]) -> Option<()> {
        let mut numbers = Numbers(body);
        let (version, _) = numbers.version()?;
        numbers.id(version > 0)?;
        for entry in boxes(numbers.0).filter(|found| found.kind == *b"infe") {
            let mut numbers = Numbers(entry.body);
            let (version, _) = numbers.version()?;
            // Before, there were no kinds.
            if version >= 2 {
                let id = numbers.id(version > 2)?;
                numbers.u16()?;
                self.kinds.insert(id, numbers.bytes(4)?.try_into().ok()?);
            }
        }
        Some(())
    }

    fn read_locations(&mut self, body: &'a [u8]) -> Option<()> {
        let mut numbers = Numbers(body);
        let (version, _) = numbers.version()?;
        let word = numbers.u16()?;
        let width = |at: u16| usize::from(word >> at & 0xf);
        let widths = [if version > 0 { width(0) } else { 0 }, width(12), width(8)];
        let base = width(4);
        if widths.iter().chain([&base]).any(|&width| width > 8) {
            return None;
        }
        for _ in 0..numbers.id(version > 1)? {
            let id = numbers.id(version > 1)?;
            let method = if version > 0 { numbers.u16()? & 0xf } else { 0 };
            numbers.u16()?;
            let base = numbers.unsigned(base)?;
            let count = usize::from(numbers.u16()?);
            let width: usize = widths.iter().sum();
            // Extents of no bytes are all the same one.
            let count = if width == 0 { count.min(1) } else { count };
            let location = Location {
                method,
                base,
                widths,
                extents: numbers.bytes(width * count)?,
                count,
            };
            self.locations.insert(id, location);
        }
        Some(())
    }

    fn read_references(&mut self, body: &'a [u8]) -> Option<()> {
        let mut numbers = Numbers(body);
        let (version, _) = numbers.version()?;
        let is_wide = version > 0;
        for BoxOf { kind, body } in boxes(numbers.0) {
            let mut numbers = Numbers(body);
            let from = numbers.id(is_wide)?;
            let count = usize::from(numbers.u16()?);
            let bytes = numbers.bytes(count * if is_wide { 4 } else { 2 })?;
            let ids = Ids { bytes, is_wide };
            self.references.entry((kind, from)).or_default().push(ids);
        }
        Some(())
    }

    fn read_properties(&mut self, body: &'a [u8]) -> Option<()> {
        for BoxOf { kind, body } in boxes(body) {
            match &kind {
                b"ipco" => self.properties.extend(boxes(body)),
                b"ipma" => self.read_associations(body)?,
                _ => {}
            }
        }
        Some(())
    }

    fn read_associations(&mut self, body: &'a [u8]) -> Option<()> {
        let mut numbers = Numbers(body);
        let (version, flags) = numbers.version()?;
        let is_wide = flags & 1 != 0;
        for _ in 0..numbers.u32()? {
            let id = numbers.id(version > 0)?;
            let count = usize::from(numbers.u8()?);
            let indices = numbers.bytes(count * if is_wide { 2 } else { 1 })?;
            let association = Association { indices, is_wide };
            // Of several, the first counts.
            self.associations.entry(id).or_insert(association);
        }
        Some(())
    }
}
