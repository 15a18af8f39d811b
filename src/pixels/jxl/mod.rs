//! JPEG XL, through the jxl crate: the first frame, turned as the stream itself says.
//!
//! Pixels are asked for in 16 bits and rounded here. What the crate and libjxl make of 8 bits has noise
//! added to it, each its own.

mod header;

use image::RgbImage;
use jxl::api::{
    Endianness, Event, JxlBitDepth, JxlColorType, JxlDataFormat, JxlDecoder, JxlDecoderOptions,
    JxlOutputBuffer, JxlPixelFormat, ProfileLevel,
};
use jxl::error::Error;

use self::header::without_narrow_buffers;
use super::limits::{DecodeOptions, check_size, reserve};
use crate::error::{ImageError, ImageErrorKind, ImageLimit};

/// The standard's number of the kind of sample that is an alpha, which the crate keeps the name of to
/// itself.
const ALPHA: u32 = 0;

/// Samples of a pixel, those beside its colours among them, that limits leave room for.
const MOST_SAMPLES: u64 = 8;

/// Decodes the first frame. What is beside the colours, such as transparency, is dropped; where there
/// is a background that could show through, it is refused.
pub(super) fn decode(bytes: &[u8], options: &DecodeOptions) -> Result<RgbImage, ImageError> {
    let mut input = bytes;
    let mut decoder = decoder(options);
    expect(&mut decoder, &mut input, None).map_err(|error| match error.kind {
        ImageErrorKind::Limit => {
            let message = format!("{} of {} pixels", error.message, options.max_pixels);
            ImageError::over(ImageLimit::Pixels, message)
        }
        _ => error,
    })?;
    let info = decoder.basic_info().ok_or_else(truncated)?;
    let (width, height) = info.size;
    check_size(width as u64, height as u64, options)?;
    let mut beside = info.extra_channels.iter();
    if options.background.is_some() && beside.any(|other| other.ec_type as u32 == ALPHA) {
        return Err(ImageError::decode(
            "a JPEG XL of a kind that is unsupported (alpha in front of a background; convert it to \
             PNG, or give none)",
        ));
    }
    let depth = info.bit_depth.clone();
    if matches!(
        depth,
        JxlBitDepth::Int {
            bits_per_sample: 16..
        }
    ) && let Some(copy) = without_narrow_buffers(bytes)
    {
        return decode(&copy, options);
    }
    let extra = info.extra_channels.len();
    let is_grey = decoder
        .current_pixel_format()
        .is_some_and(|format| format.color_type.is_grayscale());
    let (color_type, channels) = if is_grey {
        (JxlColorType::Grayscale, 1)
    } else {
        (JxlColorType::Rgb, 3)
    };
    let format = JxlPixelFormat {
        color_type,
        color_data_format: Some(JxlDataFormat::U16 {
            endianness: Endianness::native(),
            bit_depth: 16,
        }),
        extra_channel_format: vec![None; extra],
    };
    decoder.set_pixel_format(format).map_err(describe)?;

    let line = width * channels;
    reserve(2 * line as u64 * height as u64)?;
    let mut samples = vec![0u16; line * height];
    // Up to the frame, then the frame.
    expect(&mut decoder, &mut input, None)?;
    let buffer = bytemuck::cast_slice_mut(&mut samples);
    let mut buffers = [JxlOutputBuffer::new(buffer, height, 2 * line)];
    expect(&mut decoder, &mut input, Some(&mut buffers))?;

    let narrow = narrowing(&depth);
    let colours = samples.iter().map(|&sample| narrow(sample));
    let pixels = if is_grey {
        colours.flat_map(|grey| [grey; 3]).collect()
    } else {
        colours.collect()
    };
    RgbImage::from_raw(width as u32, height as u32, pixels).ok_or_else(truncated)
}

/// Width and height that the header states, as it is shown.
pub(super) fn dimensions(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut input = bytes;
    let mut decoder = decoder(&DecodeOptions::default());
    expect(&mut decoder, &mut input, None).ok()?;
    let (width, height) = decoder.basic_info()?.size;
    Some((width.try_into().ok()?, height.try_into().ok()?))
}

fn decoder(options: &DecodeOptions) -> JxlDecoder {
    let mut chosen = JxlDecoderOptions::default();
    let samples = options.max_pixels.saturating_mul(MOST_SAMPLES);
    chosen.sample_limit = Some(usize::try_from(samples).unwrap_or(usize::MAX));
    // What professionals may write, too.
    chosen.max_profile_level = ProfileLevel::Main10;
    JxlDecoder::new(chosen)
}

/// The next thing that there is to say of the file, which is all there.
fn expect(
    decoder: &mut JxlDecoder,
    input: &mut &[u8],
    buffers: Option<&mut [JxlOutputBuffer]>,
) -> Result<(), ImageError> {
    match decoder.process(input, buffers, None).map_err(describe)? {
        Event::NeedMoreInput { .. } => Err(truncated()),
        Event::Complete => Err(ImageError::decode("damaged JPEG XL: it has no frame")),
        Event::BasicInfo | Event::FrameHeader | Event::FrameComplete { .. } => Ok(()),
    }
}

/// What makes 8 bits of 16: rounded, but as pillow-jxl cuts what the file itself has more bits of.
fn narrowing(depth: &JxlBitDepth) -> fn(u16) -> u8 {
    match depth {
        JxlBitDepth::Int { bits_per_sample } if *bits_per_sample <= 8 => {
            |sample| ((u32::from(sample) * 255 + 32767) / 65535) as u8
        }
        JxlBitDepth::Int { .. } => |sample| (sample >> 8) as u8,
        JxlBitDepth::Float { .. } => |sample| (u32::from(sample) * 255 / 65535) as u8,
    }
}

fn truncated() -> ImageError {
    ImageError::decode("the file is truncated")
}

fn describe(error: Error) -> ImageError {
    match error {
        Error::ImageSizeTooLarge(width, height) => ImageError::over(
            ImageLimit::Pixels,
            format!("{width}x{height} is more than the limit"),
        ),
        other => ImageError::decode(format!("damaged JPEG XL: {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_bits_come_back_from_sixteen() {
        let eight = narrowing(&JxlBitDepth::Int { bits_per_sample: 8 });
        for byte in 0..=255 {
            assert_eq!(eight(u16::from(byte) * 257), byte);
        }
        assert_eq!(eight(128), 0);
        assert_eq!(eight(129), 1);
    }
}
