//! The first frame of a GIF, as Pillow shows it.
//!
//! A transparent pixel keeps the colour that the palette has for it, where a compositing decoder would make
//! it black. A frame that reaches beyond the canvas makes it larger. What is unknown before the frame, and
//! all that stands behind it, is passed over.

use image::RgbImage;
use weezl::BitOrder;
use weezl::LzwStatus;
use weezl::decode::Decoder;

use super::layer::Layer;
use super::limits::{DecodeOptions, check_size};
use crate::error::ImageError;

/// Bytes of the header with the size of the canvas, which a palette may follow.
const HEADER_BYTES: usize = 13;
/// Flags of the header and of a frame: a palette follows, whose size is in the lowest bits.
const HAS_PALETTE: u8 = 0x80;
const INTERLACED: u8 = 0x40;

const EXTENSION: u8 = 0x21;
const GRAPHIC_CONTROL: u8 = 0xf9;
const IMAGE: u8 = 0x2c;

/// The first frame, before its pixels are unpacked.
struct FirstFrame<'a> {
    /// Width and height of the canvas, which holds the frame.
    canvas: (usize, usize),
    left: usize,
    top: usize,
    width: usize,
    height: usize,
    is_interlaced: bool,
    /// The colours of its own or of all frames; shades of grey where there are none.
    palette: Option<&'a [u8]>,
    /// The index that is transparent.
    transparent: Option<u8>,
    /// The length of the first codes less one, and the codes in blocks.
    packed: &'a [u8],
}

/// Width and height of the canvas.
pub(super) fn dimensions(bytes: &[u8]) -> Option<(u32, u32)> {
    let (width, height) = FirstFrame::find(bytes).ok()?.canvas;
    Some((width as u32, height as u32))
}

/// Decodes the first frame onto the canvas.
pub(super) fn decode(bytes: &[u8], options: &DecodeOptions) -> Result<Layer, ImageError> {
    let frame = FirstFrame::find(bytes)?;
    let (width, height) = frame.canvas;
    check_size(width as u64, height as u64, options)?;

    // What the frame leaves uncovered has the transparent index, else 0.
    let mut canvas = vec![frame.transparent.unwrap_or(0); width * height];
    let indices = frame.unpack()?;
    let rows = indices.chunks_exact(frame.width.max(1));
    for (row, y) in rows.zip(rows_in_order(frame.height, frame.is_interlaced)) {
        let start = (frame.top + y) * width + frame.left;
        canvas[start..start + frame.width].copy_from_slice(row);
    }

    let colour = |&index: &u8| match frame.palette {
        Some(palette) => {
            let (colours, _) = palette.as_chunks::<3>();
            colours.get(usize::from(index)).copied().unwrap_or_default()
        }
        None => [index; 3],
    };
    let pixels = canvas.iter().flat_map(colour).collect();
    let pixels = RgbImage::from_raw(width as u32, height as u32, pixels);
    let pixels = pixels.ok_or_else(|| ImageError::decode("a GIF without pixels"))?;
    let transparent = frame.transparent.filter(|_| options.background.is_some());
    let alpha = transparent.map(|transparent| {
        let alpha = |&index: &u8| if index == transparent { 0 } else { 255 };
        canvas.iter().map(alpha).collect()
    });
    Ok(Layer { pixels, alpha })
}

impl<'a> FirstFrame<'a> {
    fn find(bytes: &'a [u8]) -> Result<Self, ImageError> {
        let mut rest = Reader(bytes);
        let header = rest.take(HEADER_BYTES)?;
        let screen = (number(header, 6), number(header, 8));
        let mut palette = rest.palette(header[10])?;
        let mut transparent = None;
        loop {
            match rest.take(1) {
                Ok([EXTENSION]) => {
                    let is_control = rest.take(1)? == [GRAPHIC_CONTROL];
                    let mut block = rest.block()?;
                    if let (true, &[flags, _, _, index, ..]) = (is_control, block)
                        && flags & 1 != 0
                    {
                        transparent = Some(index);
                    }
                    while !block.is_empty() {
                        block = rest.block()?;
                    }
                }
                Ok([IMAGE]) => break,
                // The end, which is where it is found or where the file ends.
                Ok(b";") | Err(_) => return Err(ImageError::decode("a GIF without a frame")),
                // Bytes that belong to nothing.
                Ok(_) => {}
            }
        }
        let header = rest.take(9)?;
        palette = rest.palette(header[8])?.or(palette);
        let (left, top) = (number(header, 0), number(header, 2));
        let (width, height) = (number(header, 4), number(header, 6));
        Ok(Self {
            canvas: (screen.0.max(left + width), screen.1.max(top + height)),
            left,
            top,
            width,
            height,
            is_interlaced: header[8] & INTERLACED != 0,
            palette,
            transparent,
            packed: rest.0,
        })
    }

    /// The indices of its pixels, in rows as they are stored.
    fn unpack(&self) -> Result<Vec<u8>, ImageError> {
        const MAX_CODE_BITS: u8 = 11;
        let mut rest = Reader(self.packed);
        let &[bits] = rest.take(1)? else {
            return Err(truncated());
        };
        if bits > MAX_CODE_BITS {
            let message = format!("damaged GIF: codes of {bits} bits");
            return Err(ImageError::decode(message));
        }
        let mut codes = Vec::new();
        loop {
            let block = rest.block_or_rest();
            if block.is_empty() {
                break;
            }
            codes.extend_from_slice(block);
        }
        let mut decoder = Decoder::new(BitOrder::Lsb, bits);
        let mut indices = vec![0; self.width * self.height];
        let (mut read, mut filled) = (0, 0);
        while filled < indices.len() {
            let result = decoder.decode_bytes(&codes[read..], &mut indices[filled..]);
            read += result.consumed_in;
            filled += result.consumed_out;
            match result.status {
                Ok(LzwStatus::Done | LzwStatus::NoProgress) if filled < indices.len() => {
                    return Err(truncated());
                }
                // It may have more to give without any more to read.
                Ok(_) => {}
                Err(_) => return Err(ImageError::decode("damaged GIF: a code that is none")),
            }
        }
        Ok(indices)
    }
}

/// Rows of the picture in the order in which they are stored.
fn rows_in_order(height: usize, is_interlaced: bool) -> Box<dyn Iterator<Item = usize>> {
    if !is_interlaced {
        return Box::new(0..height);
    }
    let passes = [(0, 8), (4, 8), (2, 4), (1, 2)];
    Box::new(
        passes
            .into_iter()
            .flat_map(move |(first, step)| (first..height).step_by(step)),
    )
}

/// The bytes that were not read yet.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], ImageError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or_else(truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    /// The palette that such flags announce.
    fn palette(&mut self, flags: u8) -> Result<Option<&'a [u8]>, ImageError> {
        if flags & HAS_PALETTE == 0 {
            return Ok(None);
        }
        self.take(6 << (flags & 7)).map(Some)
    }

    /// A block behind its length; the empty one is the last.
    fn block(&mut self) -> Result<&'a [u8], ImageError> {
        let length = self.take(1)?;
        self.take(length.iter().copied().map(usize::from).sum())
    }

    /// The same, or what there is of it.
    fn block_or_rest(&mut self) -> &'a [u8] {
        let Some((&length, rest)) = self.0.split_first() else {
            return self.0;
        };
        let (block, rest) = rest.split_at(usize::from(length).min(rest.len()));
        self.0 = rest;
        block
    }
}

fn number(bytes: &[u8], at: usize) -> usize {
    usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]))
}

fn truncated() -> ImageError {
    ImageError::decode("the file is truncated")
}
