//! FlatBuffers, as far as a TFLite file needs them: tables, vectors and scalars at offsets, each
//! checked against the file's length when it is followed.

/// What a file's bytes give, or what is wrong with them.
pub(super) type Result<T> = std::result::Result<T, String>;

/// A number as it lies in a file.
pub(super) trait Scalar: Copy {
    const SIZE: usize;

    /// From the first bytes, or `None` where there are too few.
    fn first(bytes: &[u8]) -> Option<Self>;
}

macro_rules! scalars {
    ($($number:ty)*) => {
        $(impl Scalar for $number {
            const SIZE: usize = size_of::<Self>();

            fn first(bytes: &[u8]) -> Option<Self> {
                bytes.first_chunk().map(|bytes| Self::from_le_bytes(*bytes))
            }
        })*
    };
}

scalars!(u8 i8 u16 i32 u32 i64 u64 f32);

fn scalar<T: Scalar>(file: &[u8], at: usize) -> Result<T> {
    let bytes = file.get(at..).and_then(T::first);
    bytes.ok_or_else(|| damaged("it ends too early"))
}

/// Where the offset that lies at a place points to.
fn follow(file: &[u8], at: usize) -> Result<usize> {
    let offset: u32 = scalar(file, at)?;
    let target = at.checked_add(offset as usize);
    target
        .filter(|target| *target < file.len())
        .ok_or_else(|| damaged("an offset leads out of it"))
}

pub(super) fn damaged(reason: &str) -> String {
    format!("truncated or damaged TFLite ({reason})")
}

/// A table: fields by number, each of which may be left out.
#[derive(Clone, Copy)]
pub(super) struct Table<'a> {
    file: &'a [u8],
    at: usize,
    /// Where each field lies, counted from `at`, in 16 bits; 0 where it is left out.
    fields: &'a [u8],
}

impl<'a> Table<'a> {
    /// The table that a file begins with.
    pub fn root(file: &'a [u8]) -> Result<Self> {
        Self::new(file, follow(file, 0)?)
    }

    fn new(file: &'a [u8], at: usize) -> Result<Self> {
        let back: i32 = scalar(file, at)?;
        let fields = || {
            let start = usize::try_from(at as i64 - i64::from(back)).ok()?;
            let length: u16 = scalar(file, start).ok()?;
            file.get(start..start + usize::from(length))?.get(4..)
        };
        let fields = fields().ok_or_else(|| damaged("a table's fields lie outside of it"))?;
        Ok(Self { file, at, fields })
    }

    /// Where a field lies.
    fn place(&self, field: usize) -> Option<usize> {
        let offset = self.fields.get(2 * field..).and_then(u16::first)?;
        (offset != 0).then_some(self.at + usize::from(offset))
    }

    /// Whether a field is there.
    pub fn has(&self, field: usize) -> bool {
        self.place(field).is_some()
    }

    /// A number, or what stands for it where it is left out.
    pub fn scalar<T: Scalar>(&self, field: usize, default: T) -> Result<T> {
        match self.place(field) {
            Some(at) => scalar(self.file, at),
            None => Ok(default),
        }
    }

    /// A table in this one.
    pub fn table(&self, field: usize) -> Result<Option<Self>> {
        let table = |at| Self::new(self.file, follow(self.file, at)?);
        self.place(field).map(table).transpose()
    }

    /// A vector's bytes and where they lie; none where it is left out.
    fn vector(&self, field: usize, element: usize) -> Result<(usize, &'a [u8])> {
        let Some(at) = self.place(field) else {
            return Ok((0, &[]));
        };
        let at = follow(self.file, at)?;
        let length: u32 = scalar(self.file, at)?;
        let start = at + size_of::<u32>();
        let bytes = (length as usize)
            .checked_mul(element)
            .and_then(|length| self.file.get(start..)?.get(..length));
        let bytes = bytes.ok_or_else(|| damaged("a vector is longer than it"))?;
        Ok((start, bytes))
    }

    /// A vector of bytes.
    pub fn bytes(&self, field: usize) -> Result<&'a [u8]> {
        self.elements(field, 1)
    }

    /// The bytes of a vector whose elements have so many bytes each.
    pub fn elements(&self, field: usize, size: usize) -> Result<&'a [u8]> {
        Ok(self.vector(field, size)?.1)
    }

    /// A vector of at most `most` numbers.
    pub fn numbers<T: Scalar>(&self, field: usize, most: usize) -> Result<Vec<T>> {
        let (_, bytes) = self.vector(field, T::SIZE)?;
        let length = bytes.len() / T::SIZE;
        if length > most {
            let reason = format!("a list has {length} entries, where {most} are the most");
            return Err(damaged(&reason));
        }
        Ok(bytes.chunks_exact(T::SIZE).filter_map(T::first).collect())
    }

    /// A vector of tables.
    pub fn tables(&self, field: usize) -> Result<Tables<'a>> {
        let (start, bytes) = self.vector(field, size_of::<u32>())?;
        Ok(Tables {
            file: self.file,
            start,
            length: bytes.len() / size_of::<u32>(),
        })
    }
}

/// A vector of tables, each looked at when it is asked for.
#[derive(Clone, Copy)]
pub(super) struct Tables<'a> {
    file: &'a [u8],
    start: usize,
    length: usize,
}

impl<'a> Tables<'a> {
    pub fn len(&self) -> usize {
        self.length
    }

    /// The table of a number, or `None` where there are fewer.
    pub fn get(&self, number: usize) -> Result<Option<Table<'a>>> {
        if number >= self.length {
            return Ok(None);
        }
        let at = follow(self.file, self.start + number * size_of::<u32>())?;
        Table::new(self.file, at).map(Some)
    }
}
