//! The sorted tables in which TensorFlow's checkpoints keep names: LevelDB's, with CRC-32C behind each block.

use prost::encoding::decode_varint;

use crate::weights::protobuf::Result;

/// The last bytes of a table.
const MAGIC: [u8; 8] = 0xdb47_7524_8b80_fb57_u64.to_le_bytes();

/// The places of two blocks, filled up to 40 bytes, and [`MAGIC`].
const FOOTER_BYTES: usize = 48;

/// A training checkpoint has a few thousand entries.
const MAX_ENTRIES: usize = 20_000;

/// A variable's name has about a hundred bytes.
const MAX_KEY_BYTES: usize = 1024;

/// An entry.
pub(super) struct Entry<'a> {
    pub key: Vec<u8>,
    pub value: &'a [u8],
}

/// The entries of a table.
///
/// # Errors
/// What is no table, damaged, or has more entries than a network's.
pub(super) fn entries(file: &[u8]) -> Result<Vec<Entry<'_>>> {
    let footer = file
        .len()
        .checked_sub(FOOTER_BYTES)
        .and_then(|at| file.get(at..));
    let footer = footer.filter(|footer| footer.ends_with(&MAGIC));
    let mut footer = footer.ok_or_else(|| damaged("it does not end as a table"))?;
    // What it says of itself, of which nothing is needed but that it is sound.
    block(file, place(&mut footer)?, MAX_ENTRIES)?;
    let index = place(&mut footer)?;
    let mut entries = Vec::new();
    let mut end = 0;
    for Entry { mut value, .. } in block(file, index, MAX_ENTRIES)? {
        let (start, length) = place(&mut value)?;
        // One after the other, so that no byte is gone through again and again.
        if start < end {
            return Err(damaged("its blocks overlap"));
        }
        end = start.saturating_add(length);
        let left = MAX_ENTRIES - entries.len();
        entries.extend(block(file, (start, length), left)?);
    }
    Ok(entries)
}

/// Where a block lies, and how long it is.
fn place(bytes: &mut &[u8]) -> Result<(usize, usize)> {
    Ok((size(bytes)?, size(bytes)?))
}

fn size(bytes: &mut &[u8]) -> Result<usize> {
    let number = decode_varint(bytes).map_err(|e| damaged(&e.to_string()))?;
    usize::try_from(number).map_err(|e| damaged(&e.to_string()))
}

fn block(file: &[u8], (start, length): (usize, usize), most: usize) -> Result<Vec<Entry<'_>>> {
    /// How a block is packed, and its checksum.
    const TRAILER_BYTES: usize = 5;
    let outside = || damaged("a block lies outside of it");
    let whole = file.get(start..).and_then(|rest| {
        let length = length.checked_add(TRAILER_BYTES)?;
        rest.get(..length)
    });
    let whole = whole.ok_or_else(outside)?;
    let (checked, sum) = whole.split_last_chunk::<4>().ok_or_else(outside)?;
    if u32::from_le_bytes(*sum) != checksum(checked) {
        return Err(damaged("the checksum of a block is wrong"));
    }
    let (packing, block) = checked.split_last().ok_or_else(outside)?;
    match packing {
        0 => {}
        1 => {
            return Err(
                "its table is packed with Snappy, which is not supported: save it once more".into(),
            );
        }
        _ => return Err("its table is packed in a way that is not known".into()),
    }
    // Behind the entries there are places in them, and how many.
    let (_, restarts) = block.split_last_chunk::<4>().ok_or_else(outside)?;
    let restarts = u32::from_le_bytes(*restarts) as usize;
    let end = restarts.checked_add(1).and_then(|n| n.checked_mul(4));
    let end = end.and_then(|n| block.len().checked_sub(n));
    let mut rest = end.and_then(|end| block.get(..end)).ok_or_else(outside)?;
    let mut entries: Vec<Entry> = Vec::new();
    while !rest.is_empty() {
        if entries.len() >= most {
            return Err("it has more entries than a network's checkpoint".into());
        }
        let shared = size(&mut rest)?;
        let (own, length) = (size(&mut rest)?, size(&mut rest)?);
        let before = entries.last().map_or(&[][..], |entry| &entry.key);
        let shared = before.get(..shared).ok_or_else(outside)?;
        let (own, after) = rest.split_at_checked(own).ok_or_else(outside)?;
        let (value, after) = after.split_at_checked(length).ok_or_else(outside)?;
        let key = [shared, own].concat();
        if key.len() > MAX_KEY_BYTES {
            return Err(damaged("a name is too long"));
        }
        entries.push(Entry { key, value });
        rest = after;
    }
    Ok(entries)
}

/// CRC-32C as it is stored: turned, and moved by a constant.
pub(super) fn checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
        .rotate_right(15)
        .wrapping_add(0xa282_ead8)
}

fn damaged(reason: &str) -> String {
    format!("truncated or damaged ({reason})")
}

#[cfg(test)]
mod tests {
    use prost::encoding::encode_varint;

    use super::*;

    /// A block's bytes; `sum` is added to its checksum.
    fn packed(mut block: Vec<u8>, packing: u8, sum: u32) -> Vec<u8> {
        block.push(packing);
        let sum = checksum(&block).wrapping_add(sum);
        block.extend(sum.to_le_bytes());
        block
    }

    /// Entries as three numbers and their bytes, without places in them.
    fn block(entries: &[(u64, u64, u64, &[u8])]) -> Vec<u8> {
        let mut block = Vec::new();
        for (shared, own, length, bytes) in entries {
            for number in [shared, own, length] {
                encode_varint(*number, &mut block);
            }
            block.extend_from_slice(bytes);
        }
        block.extend(0u32.to_le_bytes());
        block
    }

    fn place(start: usize, length: usize) -> Vec<u8> {
        let mut place = Vec::new();
        encode_varint(start as u64, &mut place);
        encode_varint(length as u64, &mut place);
        place
    }

    /// A table of one block, which its index names so often.
    fn table(data: &[u8], packing: u8, sum: u32, times: usize) -> Vec<u8> {
        let mut file = packed(data.to_vec(), packing, sum);
        let handle = place(0, data.len());
        let entry = (0, 0, handle.len() as u64, handle.as_slice());
        let index = block(&vec![entry; times]);
        let metadata = place(file.len(), 4);
        file.extend(packed(block(&[]), 0, 0));
        let at = file.len();
        file.extend(packed(index.clone(), 0, 0));
        let mut footer = metadata;
        footer.extend(place(at, index.len()));
        footer.resize(FOOTER_BYTES - MAGIC.len(), 0);
        footer.extend(MAGIC);
        file.extend(footer);
        file
    }

    fn refused(file: &[u8], reason: &str) {
        let error = entries(file).map(|entries| entries.len());
        let error = error.expect_err(reason);
        assert!(error.contains(reason), "{reason:?} is not in {error:?}");
    }

    #[test]
    fn names_share_what_they_begin_with() {
        let sound = block(&[(0, 3, 1, b"abcx"), (2, 1, 2, b"dyz")]);
        let file = table(&sound, 0, 0, 1);
        let entries = entries(&file).expect("a table");
        let read: Vec<_> = entries
            .iter()
            .map(|e| (e.key.as_slice(), e.value))
            .collect();
        assert_eq!(read, [(&b"abc"[..], &b"x"[..]), (b"abd", b"yz")]);
        refused(&table(&sound, 1, 0, 1), "Snappy");
        refused(&table(&sound, 2, 0, 1), "in a way that is not known");
        refused(&table(&sound, 0, 1, 1), "the checksum of a block is wrong");
        refused(&table(&sound, 0, 0, 2), "its blocks overlap");
        for length in 0..file.len() {
            assert!(super::entries(&file[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        let most = u64::MAX;
        for entry in [
            (1, 1, 0, &b"a"[..]),
            (0, 2, 0, b"a"),
            (0, 1, 9, b"a"),
            (most, most, most, b"a"),
            (0, most, 1, b"a"),
        ] {
            refused(&table(&block(&[entry]), 0, 0, 1), "a block lies outside");
        }
        let long = [b'a'; 2000];
        refused(&table(&block(&[(0, 2000, 0, &long)]), 0, 0, 1), "too long");
        let many = vec![(0, 0, 0, &b""[..]); MAX_ENTRIES + 1];
        refused(&table(&block(&many), 0, 0, 1), "more entries");
        // More places than there are bytes.
        refused(&table(&[0xff; 4], 0, 0, 1), "a block lies outside");
        refused(&table(&[], 0, 0, 1), "a block lies outside");
    }
}
