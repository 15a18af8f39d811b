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

/// Entries of a directory that are looked at: as many as TIFF can count. BigTIFF can count more, but
/// has no use for them.
const MOST_ENTRIES: usize = u16::MAX as usize;

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
        Self::first_marked(bytes, &[])
    }

    /// The same, where other numbers may stand for TIFF's as well.
    pub fn first_marked(bytes: &'a [u8], marks: &[u64]) -> Option<Self> {
        let is_little = match bytes.get(..2)? {
            b"II" => true,
            b"MM" => false,
            _ => return None,
        };
        let numbers = Numbers { bytes, is_little };
        let (at, is_big) = match numbers.get(2, 2)? {
            43 => (numbers.offset(8, 8)?, true),
            mark if mark == 42 || marks.contains(&mark) => (numbers.offset(4, 4)?, false),
            _ => return None,
        };
        Self::read(numbers, at, is_big)
    }

    /// The directory without a header that begins at `at`, whose offsets count from the first of
    /// these bytes.
    pub fn bare(bytes: &'a [u8], at: usize, is_little: bool) -> Option<Self> {
        Self::read(Numbers { bytes, is_little }, at, false)
    }

    /// Another directory of the same file.
    pub fn at(self, at: u64) -> Option<Self> {
        Self::read(self.numbers, usize::try_from(at).ok()?, self.is_big)
    }

    /// Where the directory behind this one is; `None` behind the last one.
    pub fn next(self) -> Option<u64> {
        let (entry_bytes, number_bytes) = if self.is_big { (20, 8) } else { (12, 4) };
        let end = self
            .first
            .checked_add(self.entries.checked_mul(entry_bytes)?)?;
        self.numbers.get(end, number_bytes).filter(|&at| at != 0)
    }

    fn read(numbers: Numbers<'a>, at: usize, is_big: bool) -> Option<Self> {
        let count_bytes = if is_big { 8 } else { 2 };
        Some(Self {
            numbers,
            first: at.checked_add(count_bytes)?,
            entries: numbers.offset(at, count_bytes)?,
            is_big,
        })
    }

    /// The bytes that the directory is in.
    pub fn bytes(self) -> &'a [u8] {
        self.numbers.bytes
    }

    /// Whether the lowest byte of a number comes first.
    pub fn is_little(self) -> bool {
        self.numbers.is_little
    }

    /// The entries that are whole, in the file's order.
    fn entries(self) -> impl Iterator<Item = Entry<'a>> {
        // BigTIFF has longer counts and offsets.
        let (entry_bytes, number_bytes) = if self.is_big { (20, 8) } else { (12, 4) };
        let numbers = self.numbers;
        let starts = (0..self.entries.min(MOST_ENTRIES))
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

    /// How many values there are.
    pub fn count(self) -> usize {
        type_bytes(self.kind).map_or(0, |each| self.length / each)
    }

    /// Where the value of this index is, and how long it is.
    fn place(self, index: usize) -> Option<(usize, usize)> {
        let each = type_bytes(self.kind)?;
        let at = self.at.checked_add(index.checked_mul(each)?)?;
        (index < self.count()).then_some((at, each))
    }

    /// The first of the values, where those are integers. A negative one is a very large number.
    pub fn integer(self) -> Option<u64> {
        self.integer_at(0)
    }

    /// One of the values, where those are integers; see [`integer`](Self::integer).
    pub fn integer_at(self, index: usize) -> Option<u64> {
        const INTEGERS: [u16; 8] = [3, 4, 6, 8, 9, 13, 16, 17];
        let (at, each) = self.place(index)?;
        if !INTEGERS.contains(&self.kind) {
            return None;
        }
        self.numbers.get(at, each)
    }

    /// One of the values, where those are integers or bytes, which EXIF has for text but TIFF for
    /// small numbers.
    pub fn number_at(self, index: usize) -> Option<u64> {
        const BYTE: u16 = 1;
        if self.kind == BYTE {
            let (at, each) = self.place(index)?;
            return self.numbers.get(at, each);
        }
        self.integer_at(index)
    }

    /// One of the values, where those are fractions, of any type of them.
    pub fn real_at(self, index: usize) -> Option<f32> {
        const RATIONAL: u16 = 5;
        const FLOAT: u16 = 11;
        const DOUBLE: u16 = 12;
        let (at, each) = self.place(index)?;
        let number = |at, length| self.numbers.get(at, length);
        Some(match self.kind {
            RATIONAL => {
                let (above, below) = (number(at, 4)?, number(at + 4, 4)?);
                if below == 0 {
                    0.0
                } else {
                    (above as f64 / below as f64) as f32
                }
            }
            FLOAT => f32::from_bits(number(at, each)? as u32),
            DOUBLE => f64::from_bits(number(at, each)?) as f32,
            _ => self.number_at(index)? as f32,
        })
    }
}
