//! What unpacks the bytes of a strip or a tile.

use std::io::Read;

use flate2::read::ZlibDecoder;
use lzma_rust2::XzReader;
use ruzstd::decoding::StreamingDecoder;
use weezl::{BitOrder, LzwStatus};

use super::fax::{Fax, Scheme};
use super::kinds::Compression;
use super::layout::Layout;
use super::{TRUNCATED, damaged, tags};
use crate::error::ImageError;

/// Memory for what a decoder looks back at, beyond a picture's own: the most that the usual
/// programs ask for.
const MAX_WINDOW_BYTES: u64 = 128 << 20;

/// The first `length` bytes that `packed` comes to, in rows of `width` pixels where it matters.
///
/// # Errors
/// Bytes that are damaged, or that come to less.
pub(super) fn unpack(
    packed: &[u8],
    layout: &Layout<'_>,
    width: usize,
    length: usize,
) -> Result<Vec<u8>, ImageError> {
    let is_fax = matches!(
        layout.compression,
        Compression::FaxRows(_) | Compression::FaxGroup3 | Compression::FaxGroup4
    );
    let mut turned = Vec::new();
    let packed = if layout.is_reversed && !is_fax {
        turned
            .try_reserve_exact(packed.len())
            .map_err(|_| damaged("too long"))?;
        turned.extend(packed.iter().map(|byte| byte.reverse_bits()));
        &turned
    } else {
        packed
    };
    let bytes = match layout.compression {
        Compression::None => return Ok(packed.get(..length).unwrap_or(packed).to_vec()),
        Compression::PackBits => pack_bits(packed, length),
        Compression::Lzw => lzw(packed, length)?,
        Compression::Deflate => read("deflate", ZlibDecoder::new(packed), length)?,
        Compression::Zstd => {
            let decoder = StreamingDecoder::new_with_max_window_size(packed, MAX_WINDOW_BYTES);
            let decoder = decoder.map_err(|e| damaged(&format!("zstd, {e}")))?;
            read("zstd", decoder, length)?
        }
        Compression::Lzma => {
            let limit = (MAX_WINDOW_BYTES >> 10) as u32;
            read(
                "LZMA",
                XzReader::new_mem_limit(packed, false, limit),
                length,
            )?
        }
        Compression::FaxRows(_) | Compression::FaxGroup3 | Compression::FaxGroup4 => {
            let fax = Fax {
                bytes: packed,
                is_reversed: layout.is_reversed,
                width,
            };
            fax.unpack(scheme(layout), length)?
        }
        Compression::Jpeg | Compression::OldJpeg | Compression::WebP => {
            return Err(damaged("a picture in it that is no bytes"));
        }
    };
    if bytes.len() < length {
        return Err(ImageError::decode(TRUNCATED));
    }
    Ok(bytes)
}

fn scheme(layout: &Layout<'_>) -> Scheme {
    const TWO_DIMENSIONAL: u64 = 1;
    match layout.compression {
        Compression::FaxGroup4 => Scheme::Group4,
        Compression::FaxRows(align) => Scheme::Rows { align },
        _ => {
            let options = layout.number(tags::GROUP_3_OPTIONS).unwrap_or(0);
            Scheme::Group3 {
                is_two_dimensional: options & TWO_DIMENSIONAL != 0,
            }
        }
    }
}

/// What a decoder gives, which takes no more memory than that.
fn read(name: &str, decoder: impl Read, length: usize) -> Result<Vec<u8>, ImageError> {
    let mut bytes = Vec::new();
    let read = decoder.take(length as u64).read_to_end(&mut bytes);
    match read {
        Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            Err(ImageError::decode(TRUNCATED))
        }
        Err(e) => Err(damaged(&format!("{name}, {e}"))),
        Ok(_) => Ok(bytes),
    }
}

fn pack_bits(mut packed: &[u8], length: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < length {
        let Some((&head, rest)) = packed.split_first() else {
            break;
        };
        let count = usize::from(head.wrapping_neg()) + 1;
        match head {
            0..=127 => {
                let (run, rest) = rest.split_at(rest.len().min(usize::from(head) + 1));
                bytes.extend(run);
                packed = rest;
            }
            128 => packed = rest,
            _ => match rest.split_first() {
                Some((&byte, rest)) => {
                    bytes.resize(bytes.len() + count, byte);
                    packed = rest;
                }
                None => break,
            },
        }
    }
    bytes
}

fn lzw(packed: &[u8], length: usize) -> Result<Vec<u8>, ImageError> {
    // Before TIFF 5 the lowest bit came first, and codes grew one later. The first code clears the
    // table, whose nine bits look otherwise then.
    let is_old = matches!(packed, [0, next, ..] if next & 1 == 1);
    let mut decoder = if is_old {
        weezl::decode::Decoder::new(BitOrder::Lsb, 8)
    } else {
        weezl::decode::Decoder::with_tiff_size_switch(BitOrder::Msb, 8)
    };
    let mut bytes = Vec::new();
    let mut part = vec![0; 1 << 15];
    let mut rest = packed;
    while bytes.len() < length {
        let result = decoder.decode_bytes(rest, &mut part);
        rest = &rest[result.consumed_in..];
        bytes.extend(&part[..result.consumed_out]);
        match result.status {
            Ok(LzwStatus::Ok) => {}
            Ok(LzwStatus::Done | LzwStatus::NoProgress) => break,
            // Pixels that are all there are not lost by what stands behind them.
            Err(_) if bytes.len() >= length => break,
            Err(e) => return Err(damaged(&format!("LZW, {e}"))),
        }
    }
    Ok(bytes)
}
