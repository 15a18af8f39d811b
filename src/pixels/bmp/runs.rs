//! Runs of indices (RLE8 and RLE4).

use super::super::bytes::Bytes;
use crate::error::ImageError;

/// Unpacks runs of indices that begin at `at` in a file, row by row as they are stored. What they pass over
/// has the index 0.
pub(super) fn unpack(
    file: &[u8],
    at: usize,
    bits: usize,
    (width, height): (usize, usize),
) -> Result<Vec<u8>, ImageError> {
    let file = Bytes(file);
    let total = width * height;
    let mut indices = Vec::with_capacity(total);
    let (mut at, mut x) = (at, 0);
    while indices.len() < total {
        let [count, value] = file.array(at)?;
        at += 2;
        let count = usize::from(count);
        if count > 0 {
            // What a row has no room for is left out.
            let count = count.min(width - x.min(width)).min(total - indices.len());
            let index = |i: usize| sample(value, bits, i);
            indices.extend((0..count).map(index));
            x += count;
            continue;
        }
        match value {
            // The end of a row.
            0 => {
                let row_end = indices.len().next_multiple_of(width);
                indices.resize(row_end.min(total), 0);
                x = 0;
            }
            // The end of the picture.
            1 => indices.resize(total, 0),
            // Pixels that are passed over.
            2 => {
                let [right, up] = file.array(at)?.map(usize::from);
                at += 2;
                let end = indices.len() + right + up * width;
                indices.resize(end.min(total), 0);
                x = indices.len() % width;
            }
            // Indices as they are.
            count => {
                let count = usize::from(count).min(total - indices.len());
                let packed = file.range(at, (count * bits).div_ceil(8))?;
                indices.extend((0..count).map(|i| sample(packed[i * bits / 8], bits, i)));
                at += packed.len();
                // Then the next pair of bytes of the file begins.
                at += at % 2;
                x += usize::from(value);
            }
        }
    }
    Ok(indices)
}

/// The `i`-th index of a byte that has one or two of them, the first in its higher bits.
fn sample(byte: u8, bits: usize, i: usize) -> u8 {
    match (bits, i % 2) {
        (8, _) => byte,
        (_, 0) => byte >> 4,
        _ => byte & 0x0f,
    }
}
