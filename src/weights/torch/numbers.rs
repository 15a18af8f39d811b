//! A tensor's numbers, out of its storage.

use super::tensors::Described;

/// A tensor's numbers in the order of its shape. `left` is how many bytes there may still be.
pub(super) fn numbers(
    tensor: &Described,
    storage: &[u8],
    left: &mut usize,
) -> Result<Vec<u8>, String> {
    let width = tensor.dtype.bitsize() / 8;
    let count = tensor
        .shape
        .iter()
        .try_fold(1usize, |n, &side| n.checked_mul(side));
    let length = count.and_then(|count| count.checked_mul(width));
    let length = length.filter(|length| length <= left);
    let length = length.ok_or("its tensors have more numbers than the file has")?;
    *left -= length;
    if length == 0 {
        return Ok(Vec::new());
    }
    let outside = || "it lies outside of its numbers".to_owned();
    // The last of them lies furthest, since no stride is negative.
    let last = tensor
        .shape
        .iter()
        .zip(&tensor.strides)
        .try_fold(tensor.offset, |at, (&side, &stride)| {
            at.checked_add((side - 1).checked_mul(stride)?)
        });
    let end = last.and_then(|last| last.checked_add(1)?.checked_mul(width));
    if end.is_none_or(|end| end > storage.len()) {
        return Err(outside());
    }
    let mut bytes = Vec::with_capacity(length);
    let mut index = vec![0usize; tensor.shape.len()];
    let mut at = tensor.offset;
    loop {
        let number = storage
            .get(at * width..(at + 1) * width)
            .ok_or_else(outside)?;
        bytes.extend_from_slice(number);
        // The next index, the last dimension first.
        let mut dimension = index.len();
        loop {
            let Some(before) = dimension.checked_sub(1) else {
                return Ok(bytes);
            };
            dimension = before;
            index[dimension] += 1;
            at = at.wrapping_add(tensor.strides[dimension]);
            if index[dimension] < tensor.shape[dimension] {
                break;
            }
            at = at.wrapping_sub(index[dimension].wrapping_mul(tensor.strides[dimension]));
            index[dimension] = 0;
        }
    }
}
