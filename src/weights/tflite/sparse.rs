//! Where the values of a pruned tensor belong. A file has only those that are not 0, under one level
//! for each dimension: a dense level has all of its indices, a sparse one lists those that are there,
//! as compressed sparse rows do. A dimension may be cut into blocks, which are a level of their own.

use super::flatbuffer::{Result, Scalar, Table, damaged};
use super::graph::MAX_DIMENSIONS;

/// What one level of a tensor walks along.
struct Level {
    /// How many indices there are.
    extent: usize,
    /// How far apart in the dense tensor two of them lie.
    stride: usize,
}

/// The places in the dense tensor of the values that a file has, in the file's order. `most` is more
/// than the file can have.
pub(super) fn places(parameters: Table, shape: &[usize], most: usize) -> Result<Vec<usize>> {
    let wrong = || damaged("a pruned tensor's levels are not those of its shape");
    let order = indices(parameters, 0)?;
    let blocked = indices(parameters, 1)?;
    let metadata = parameters.tables(2)?;
    let levels = order.len();
    let is_permutation = (0..levels).all(|dimension| order.contains(&dimension));
    if levels != shape.len() + blocked.len() || metadata.len() != levels || !is_permutation {
        return Err(wrong());
    }
    let mut sizes = Vec::new();
    for level in 0..levels {
        sizes.push(Size::of(metadata.get(level)?.ok_or_else(wrong)?)?);
    }
    let dimensions = dimensions(shape, &order, &blocked, &sizes).ok_or_else(wrong)?;

    let mut found = vec![0usize];
    for (size, dimension) in sizes.iter().zip(order) {
        let Level { extent, stride } = dimensions[dimension];
        let mut next = Vec::new();
        match size {
            Size::Dense(count) if *count == extent => {
                if found.len().saturating_mul(extent) > most {
                    return Err(wrong());
                }
                for place in found {
                    next.extend((0..extent).map(|index| place + index * stride));
                }
            }
            Size::Dense(_) => return Err(wrong()),
            Size::Sparse { segments, indices } => {
                let is_whole = segments.len() == found.len() + 1
                    && segments.get(0) == Some(0)
                    && segments.get(found.len()) == Some(indices.len());
                if !is_whole {
                    return Err(wrong());
                }
                for (row, place) in found.into_iter().enumerate() {
                    let bounds = segments.get(row).zip(segments.get(row + 1));
                    let (start, end) = bounds.filter(|(a, b)| a <= b).ok_or_else(wrong)?;
                    let mut least = 0;
                    for number in start..end {
                        // In order, so that no place has two values.
                        let index = indices.get(number).ok_or_else(wrong)?;
                        if !(least..extent).contains(&index) {
                            return Err(wrong());
                        }
                        least = index + 1;
                        next.push(place + index * stride);
                    }
                }
            }
        }
        found = next;
    }
    Ok(found)
}

/// What each dimension, and behind them each block, walks along; `None` where they don't make up the
/// shape.
fn dimensions(
    shape: &[usize],
    order: &[usize],
    blocked: &[usize],
    sizes: &[Size<'_>],
) -> Option<Vec<Level>> {
    let mut levels = Vec::new();
    let mut stride = 1usize;
    for &extent in shape.iter().rev() {
        levels.push(Level { extent, stride });
        stride = stride.checked_mul(extent)?;
    }
    levels.reverse();
    for (number, &dimension) in blocked.iter().enumerate() {
        // Twice in blocks is a dimension of nobody's.
        if dimension >= shape.len() || blocked[..number].contains(&dimension) {
            return None;
        }
        let at = order.iter().position(|&it| it == shape.len() + number)?;
        let Size::Dense(block @ 1..) = sizes[at] else {
            return None;
        };
        let whole = &mut levels[dimension];
        if !whole.extent.is_multiple_of(block) {
            return None;
        }
        let stride = whole.stride;
        whole.extent /= block;
        whole.stride *= block;
        let extent = block;
        levels.push(Level { extent, stride });
    }
    Some(levels)
}

/// What a file says of one level.
enum Size<'a> {
    /// How many indices there are.
    Dense(usize),
    /// Where the indices of each row begin and end, and those that are there.
    Sparse {
        segments: List<'a>,
        indices: List<'a>,
    },
}

impl<'a> Size<'a> {
    fn of(table: Table<'a>) -> Result<Self> {
        match table.scalar::<i8>(0, 0)? {
            0 => {
                let size: i32 = table.scalar(1, 0)?;
                let size = usize::try_from(size);
                Ok(Self::Dense(size.map_err(|_| {
                    damaged("a pruned tensor's level has no size")
                })?))
            }
            1 => Ok(Self::Sparse {
                segments: List::of(table, 2)?,
                indices: List::of(table, 4)?,
            }),
            _ => Err(damaged("a pruned tensor has a level of an unknown kind")),
        }
    }
}

/// A short list of dimensions.
fn indices(table: Table, field: usize) -> Result<Vec<usize>> {
    let numbers: Vec<i32> = table.numbers(field, 2 * MAX_DIMENSIONS)?;
    let indices = numbers.into_iter().map(usize::try_from);
    let indices: std::result::Result<Vec<usize>, _> = indices.collect();
    indices.map_err(|_| damaged("a pruned tensor has a dimension below 0"))
}

/// Numbers of 8, 16 or 32 bits, where they lie.
#[derive(Clone, Copy)]
struct List<'a> {
    bytes: &'a [u8],
    /// The bytes of each.
    width: usize,
}

impl<'a> List<'a> {
    /// A union: its kind, and in the field behind that the table with the numbers.
    fn of(table: Table<'a>, kind: usize) -> Result<Self> {
        let missing = || damaged("a pruned tensor lacks its indices");
        let width = match table.scalar::<u8>(kind, 0)? {
            1 => 4,
            2 => 2,
            3 => 1,
            _ => return Err(missing()),
        };
        let numbers = table.table(kind + 1)?.ok_or_else(missing)?;
        let bytes = numbers.elements(0, width)?;
        Ok(Self { bytes, width })
    }

    fn len(self) -> usize {
        self.bytes.len() / self.width
    }

    /// A number, or `None` where there are fewer or it is below 0.
    fn get(self, number: usize) -> Option<usize> {
        let start = number.checked_mul(self.width)?;
        let bytes = self.bytes.get(start..)?;
        match self.width {
            1 => u8::first(bytes).map(usize::from),
            2 => u16::first(bytes).map(usize::from),
            _ => i32::first(bytes)?.try_into().ok(),
        }
    }
}
