//! The directories of a TIFF, and of EXIF, which has the same form.

/// The bytes that a type's values have each; `None` for types that are none.
const fn type_bytes(kind: u16) -> Option<usize> {
    Some(match kind {
        1 | 2 | 6 | 7 => 1,
        3 | 8 => 2,
        4 | 9 | 11 | 13 => 4,
        5 | 10 | 12 | 16 | 17 | 18 => 8,
        _ => return None,
    })
}

/// A directory within the bytes of a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Directory<'a> {
    numbers: Numbers<'a>,
    /// Where its first entry begins.
    first: usize,
    /// How many it says that it has.
    entries: usize,
    is_big: bool,
}

/// One line of a directory: a tag and its values.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    numbers: Numbers<'a>,
    /// What the values mean.
    pub tag: u16,
    /// TIFF's number of their type.
    kind: u16,
    /// Where they are, and the bytes that they take.
    pub at: usize,
    length: usize,
}

/// Bytes with an order.
#[derive(Debug, Clone, Copy)]
struct Numbers<'a> {
    bytes: &'a [u8],
    is_little: bool,
}

impl Numbers<'_> {
    /// The unsigned number of `length` bytes, at most 8, that begins at `at`.
    fn get(self, at: usize, length: usize) -> Option<u64> {
        let bytes = self.bytes.get(at..at.checked_add(length)?)?;
        let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        Some(if self.is_little {
            bytes.iter().rev().fold(0, add)
        } else {
            bytes.iter().fold(0, add)
        })
    }

    fn offset(self, at: usize, length: usize) -> Option<usize> {
        self.get(at, length)?.try_into().ok()
    }
}

impl<'a> Directory<'a> {
    /// The first directory of a TIFF, a BigTIFF or a block of EXIF.
    pub fn first(bytes: &'a [u8]) -> Option<Self> {
        let is_little = match bytes.get(..2)? {
            b"II" => true,
            b"MM" => false,
            _ => return None,
        };
        let numbers = Numbers { bytes, is_little };
        let (at, count_bytes, is_big) = match numbers.get(2, 2)? {
            42 => (numbers.offset(4, 4)?, 2, false),
            43 => (numbers.offset(8, 8)?, 8, true),
            _ => return None,
        };
        Some(Self {
            numbers,
            first: at.checked_add(count_bytes)?,
            entries: numbers.offset(at, count_bytes)?,
            is_big,
        })
    }

    /// The entries that are whole, in the file's order.
    fn entries(self) -> impl Iterator<Item = Entry<'a>> {
        // BigTIFF has longer counts and offsets.
        let (entry_bytes, number_bytes) = if self.is_big { (20, 8) } else { (12, 4) };
        let numbers = self.numbers;
        let starts = (0..self.entries)
            .map_while(move |entry| self.first.checked_add(entry.checked_mul(entry_bytes)?));
        // None is beyond the end, however many the directory claims.
        let whole = starts.take_while(move |at| numbers.get(at + entry_bytes - 1, 1).is_some());
        whole.filter_map(move |start| {
            let kind = numbers.get(start + 2, 2)? as u16;
            let count = numbers.offset(start + 4, number_bytes)?;
            let length = count.checked_mul(type_bytes(kind)?)?;
            let place = start + 4 + number_bytes;
            Some(Entry {
                numbers,
                tag: numbers.get(start, 2)? as u16,
                kind,
                // Values that don't fit are elsewhere.
                at: if length <= number_bytes {
                    place
                } else {
                    numbers.offset(place, number_bytes)?
                },
                length,
            })
        })
    }

    /// The first entry of a tag that has values, all of them within the file.
    pub fn entry(self, tag: u16) -> Option<Entry<'a>> {
        self.entries()
            .find(|entry| entry.tag == tag && entry.bytes().is_some_and(|b| !b.is_empty()))
    }
}

impl<'a> Entry<'a> {
    /// The bytes of the values; `None` where the file ends before they do.
    pub fn bytes(self) -> Option<&'a [u8]> {
        let end = self.at.checked_add(self.length)?;
        self.numbers.bytes.get(self.at..end)
    }

    /// The first of the values, where those are integers. A negative one is a very large number.
    pub fn integer(self) -> Option<u64> {
        const INTEGERS: [u16; 8] = [3, 4, 6, 8, 9, 13, 16, 17];
        let length = type_bytes(self.kind)?;
        if !INTEGERS.contains(&self.kind) || self.length < length {
            return None;
        }
        self.numbers.get(self.at, length)
    }
}
