//! Where a frame of Zstandard ends, without unpacking it (RFC 8878).

use std::io::{self, BufRead, Read};

/// How a frame begins.
pub const MAGIC: [u8; 4] = 0xfd2f_b528u32.to_le_bytes();
/// Bytes of a dictionary's number, by the two lowest bits of the descriptor.
const DICTIONARY_BYTES: [usize; 4] = [0, 1, 2, 4];
/// Bytes of the content's size, by the two highest.
const SIZE_BYTES: [usize; 4] = [0, 2, 4, 8];
/// A block of one byte, repeated.
const REPEATED: u32 = 1;
const RESERVED: u32 = 3;

/// Reads to the end of a frame.
///
/// # Errors
/// [`io::ErrorKind::UnexpectedEof`] for one that is cut off, another kind for what is no frame.
pub fn pass(file: &mut impl BufRead) -> io::Result<()> {
    let mut start = [0; 5];
    file.read_exact(&mut start)?;
    let descriptor = start[4];
    if start[..4] != MAGIC {
        return Err(no_frame());
    }
    let is_single = descriptor & 0x20 != 0;
    let has_checksum = descriptor & 0x04 != 0;
    let size = match SIZE_BYTES[usize::from(descriptor >> 6)] {
        0 => usize::from(is_single),
        bytes => bytes,
    };
    let window = usize::from(!is_single);
    skip(
        file,
        window + DICTIONARY_BYTES[usize::from(descriptor & 3)] + size,
    )?;
    loop {
        let mut header = [0; 4];
        file.read_exact(&mut header[..3])?;
        let header = u32::from_le_bytes(header);
        let (is_last, kind, size) = (header & 1 == 1, header >> 1 & 3, header >> 3);
        match kind {
            REPEATED => skip(file, 1)?,
            RESERVED => return Err(no_frame()),
            _ => skip(file, size as usize)?,
        }
        if is_last {
            return skip(file, if has_checksum { 4 } else { 0 });
        }
    }
}

fn no_frame() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "not a frame of zstd")
}

fn skip(file: &mut impl BufRead, bytes: usize) -> io::Result<()> {
    let bytes = bytes as u64;
    if io::copy(&mut file.take(bytes), &mut io::sink())? < bytes {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}
