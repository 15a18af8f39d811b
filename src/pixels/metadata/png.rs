//! EXIF and XMP in the chunks of a PNG, before its pixels and behind them.

use std::borrow::Cow;
use std::io::Read;

use flate2::read::ZlibDecoder;

use super::{Metadata, length, without_header};

const SIGNATURE_BYTES: usize = 8;
/// The keywords of texts that hold what we look for.
const XMP_KEYWORD: &[u8] = b"XML:com.adobe.xmp";
const RAW_PROFILE_KEYWORD: &[u8] = b"Raw profile type exif";
/// More than any text that we look for needs once it is inflated.
const MAX_TEXT_BYTES: u64 = 1 << 20;

/// What the chunks of the first picture say. Of several of a kind the last counts; EXIF of its own
/// goes before EXIF in a text.
pub(super) fn metadata(bytes: &[u8]) -> Metadata<'_> {
    let (mut exif, mut profile, mut xmp) = (None, None, None);
    let (mut is_animated, mut is_past_pixels) = (false, false);
    for (kind, data) in Chunks(bytes.get(SIGNATURE_BYTES..).unwrap_or_default()) {
        match kind {
            b"acTL" => is_animated = true,
            b"IDAT" => is_past_pixels = true,
            // The next picture.
            b"fcTL" if is_animated && is_past_pixels => break,
            b"IEND" => break,
            b"eXIf" => exif = Some(Cow::Borrowed(without_header(data))),
            b"tEXt" | b"zTXt" | b"iTXt" => {
                // Only what counts is inflated: there may be very many.
                if let Some(rest) = after_keyword(RAW_PROFILE_KEYWORD, data) {
                    profile = Some((kind, rest));
                } else if let Some(rest) = after_keyword(XMP_KEYWORD, data) {
                    xmp = Some((kind, rest));
                }
            }
            _ => {}
        }
    }
    let unpacked = || {
        let (kind, rest) = profile?;
        let exif = unpacked(&text(kind, rest)?)?;
        Some(Cow::Owned(without_header(&exif).to_vec()))
    };
    Metadata {
        exif: exif.or_else(unpacked),
        xmp: xmp.and_then(|(kind, rest)| text(kind, rest)),
    }
}

/// What stands behind this keyword in a chunk of text that has it.
fn after_keyword<'a>(keyword: &[u8], data: &'a [u8]) -> Option<&'a [u8]> {
    data.strip_prefix(keyword)?.strip_prefix(b"\0")
}

/// The text of a chunk of this kind, from behind its keyword on.
fn text<'a>(kind: &[u8; 4], rest: &'a [u8]) -> Option<Cow<'a, [u8]>> {
    match kind {
        b"tEXt" => Some(Cow::Borrowed(rest)),
        b"zTXt" => inflated(rest.strip_prefix(b"\0")?).map(Cow::Owned),
        _ => {
            // Whether it is compressed and how; a language and the keyword in it.
            let (&[is_compressed, method], rest) = rest.split_first_chunk()?;
            let mut parts = rest.splitn(3, |&byte| byte == 0).skip(2);
            let text = parts.next()?;
            match (is_compressed, method) {
                (0, _) => Some(Cow::Borrowed(text)),
                (_, 0) => inflated(text).map(Cow::Owned),
                _ => None,
            }
        }
    }
}

fn inflated(packed: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    let mut decoder = ZlibDecoder::new(packed).take(MAX_TEXT_BYTES + 1);
    decoder.read_to_end(&mut text).ok()?;
    (text.len() as u64 <= MAX_TEXT_BYTES).then_some(text)
}

/// The bytes of a profile that ImageMagick wrote as a text: three lines that say what it is and
/// how long, then hexadecimal digits.
fn unpacked(profile: &[u8]) -> Option<Vec<u8>> {
    let digits = profile.splitn(4, |&byte| byte == b'\n').nth(3)?;
    let digits = digits.iter().filter(|byte| !byte.is_ascii_whitespace());
    let digits: Option<Vec<_>> = digits
        .map(|&byte| char::from(byte).to_digit(16).map(|digit| digit as u8))
        .collect();
    let pairs = digits?;
    let (pairs, rest) = pairs.as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| high << 4 | low).collect();
    rest.is_empty().then_some(bytes)
}

/// A kind and its data. Checksums are left to the decoder.
struct Chunks<'a>(&'a [u8]);

impl<'a> Iterator for Chunks<'a> {
    type Item = (&'a [u8; 4], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        const CHECKSUM_BYTES: usize = 4;
        let (size, rest) = self.0.split_first_chunk::<4>()?;
        let (kind, rest) = rest.split_first_chunk::<4>()?;
        let size = length(*size, u32::from_be_bytes);
        let data = rest.get(..size)?;
        self.0 = rest
            .get(size.saturating_add(CHECKSUM_BYTES)..)
            .unwrap_or_default();
        Some((kind, data))
    }
}
