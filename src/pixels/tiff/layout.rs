//! What the directory of a TIFF says of its first picture, in the form that the decoder needs.

use super::kinds::{
    Compression, Photometric, Predictor, SampleFormat, compression, photometric, predictor,
};
use super::{damaged, tags, unread};
use crate::error::ImageError;
use crate::pixels::ifd::{Directory, Entry};
use crate::pixels::limits::{DecodeOptions, check_size};

/// The first picture's form.
#[derive(Debug, Clone)]
pub(super) struct Layout<'a> {
    pub directory: Directory<'a>,
    pub width: usize,
    pub height: usize,
    /// Samples of a pixel, those beside its colours among them.
    pub samples: usize,
    /// Bits of each sample.
    pub bits: usize,
    pub format: SampleFormat,
    pub photometric: Photometric,
    /// Whether the first sample beside the colours is an alpha that they are multiplied by.
    pub is_premultiplied: bool,
    /// Whether each sample has strips or tiles of its own.
    pub is_planar: bool,
    pub compression: Compression,
    pub predictor: Predictor,
    /// Whether the lowest bit of a byte comes first.
    pub is_reversed: bool,
    /// Pixels that share a sample of chroma: columns, rows.
    pub subsampling: (usize, usize),
    pub is_tiled: bool,
    /// Width and height of a tile, or of a strip.
    pub chunk: (usize, usize),
}

impl<'a> Layout<'a> {
    /// Reads and checks a directory.
    ///
    /// # Errors
    /// Values that contradict each other or are not read, and a picture larger than the limits.
    pub fn read(bytes: &'a [u8], options: &DecodeOptions) -> Result<Self, ImageError> {
        let directory =
            Directory::first(bytes).ok_or_else(|| damaged("its directory is not in the file"))?;
        let number = |tag| directory.entry(tag)?.number_at(0);
        let (Some(width), Some(height)) = (number(tags::WIDTH), number(tags::HEIGHT)) else {
            return Err(damaged("no width or height"));
        };
        check_size(width, height, options)?;
        let (width, height) = (width as usize, height as usize);

        let compression = compression(number(tags::COMPRESSION).unwrap_or(1))?;
        let photometric = photometric(directory, compression)?;
        let bits = directory.entry(tags::BITS);
        let samples = number(tags::SAMPLES).unwrap_or_else(|| match (compression, bits) {
            (Compression::OldJpeg, _) => photometric.colours() as u64,
            // Some leave it out and tell the bits of each.
            (_, Some(bits)) => bits.count() as u64,
            _ => 1,
        });
        let samples = usize::try_from(samples).unwrap_or(usize::MAX);
        // Of YCbCr and others the first sample alone is grey.
        let photometric = match photometric {
            Photometric::YCbCr if samples == 1 => Photometric::BlackIsZero,
            other => other,
        };
        if samples < photometric.colours() || samples > MOST_SAMPLES {
            return Err(unread(&format!("{photometric:?} of {samples} samples")));
        }
        let default_bits = if compression == Compression::OldJpeg {
            8
        } else {
            1
        };
        let bits = same(bits, samples, default_bits, "bits of a sample")?;
        let format = same(
            directory.entry(tags::FORMAT),
            samples,
            1,
            "format of a sample",
        )?;
        let format = match format {
            1 | 4 => SampleFormat::Unsigned,
            2 => SampleFormat::Signed,
            3 => SampleFormat::Float,
            other => return Err(unread(&format!("samples of the format {other}"))),
        };
        match (format, bits) {
            (SampleFormat::Float, 16 | 24 | 32 | 64) => {}
            (SampleFormat::Unsigned | SampleFormat::Signed, 1..=64) => {}
            _ => return Err(unread(&format!("{format:?} samples of {bits} bits"))),
        }
        let predictor = predictor(number(tags::PREDICTOR).unwrap_or(1), compression)?;
        if predictor == Predictor::FloatBytes && format != SampleFormat::Float {
            return Err(damaged("bytes of floats where there are none"));
        }
        let layout = Self {
            directory,
            width,
            height,
            samples,
            bits: bits as usize,
            format,
            photometric,
            is_premultiplied: samples > photometric.colours()
                && number(tags::EXTRA_SAMPLES) == Some(1),
            is_planar: number(tags::PLANES) == Some(2) && samples > 1,
            compression,
            predictor,
            is_reversed: number(tags::FILL_ORDER) == Some(2),
            subsampling: (1, 1),
            is_tiled: directory.entry(tags::TILE_WIDTH).is_some(),
            chunk: (0, 0),
        };
        layout.with_subsampling()?.with_chunks(options)
    }

    /// With the size of strips or tiles.
    fn with_chunks(self, options: &DecodeOptions) -> Result<Self, ImageError> {
        let number = |tag| {
            self.directory
                .entry(tag)
                .and_then(|entry| entry.number_at(0))
        };
        let chunk = if self.is_tiled {
            let sides = (number(tags::TILE_WIDTH), number(tags::TILE_HEIGHT));
            let (Some(width @ 1..), Some(height @ 1..)) = sides else {
                return Err(damaged("tiles without a width or a height"));
            };
            // Many more pixels than the picture has: that of a tile's padding is the most.
            let (across, down) = (
                (self.width as u64).div_ceil(width).saturating_mul(width),
                (self.height as u64).div_ceil(height).saturating_mul(height),
            );
            check_size(
                across,
                down,
                &options
                    .clone()
                    .with_max_pixels(options.max_pixels.saturating_mul(2)),
            )?;
            (width as usize, height as usize)
        } else {
            let rows = number(tags::ROWS_PER_STRIP).filter(|&rows| rows > 0);
            let rows = rows.and_then(|rows| usize::try_from(rows).ok());
            (self.width, rows.unwrap_or(usize::MAX).min(self.height))
        };
        Ok(Self { chunk, ..self })
    }

    /// With the pixels that share chroma, where there is chroma.
    fn with_subsampling(self) -> Result<Self, ImageError> {
        if self.photometric != Photometric::YCbCr {
            return Ok(self);
        }
        if self.bits != 8 || self.format != SampleFormat::Unsigned {
            return Err(unread("YCbCr of other than 8 bits"));
        }
        let stated = self.directory.entry(tags::SUBSAMPLING);
        let side = |index| stated.map_or(Some(2), |entry| entry.number_at(index));
        let subsampling = match (side(0), side(1)) {
            (Some(h @ (1 | 2 | 4)), Some(v @ (1 | 2 | 4))) => (h as usize, v as usize),
            _ => return Err(damaged("chroma for other than 1, 2 or 4 pixels")),
        };
        // JPEG says it itself, and planes are whole.
        let is_packed = !matches!(self.compression, Compression::Jpeg | Compression::OldJpeg)
            && !self.is_planar;
        if is_packed && subsampling != (1, 1) {
            if self.samples != 3 {
                return Err(unread(
                    "YCbCr with shared chroma and other samples beside it",
                ));
            }
            if self.predictor != Predictor::None {
                return Err(unread("differences of YCbCr with shared chroma"));
            }
            return Ok(Self {
                subsampling,
                ..self
            });
        }
        Ok(self)
    }

    /// Strips or tiles beside each other.
    pub fn chunks_across(&self) -> usize {
        self.width.div_ceil(self.chunk.0)
    }

    /// Strips or tiles below each other.
    pub fn chunks_down(&self) -> usize {
        self.height.div_ceil(self.chunk.1)
    }

    /// Samples of a pixel in one strip or tile.
    pub fn samples_together(&self) -> usize {
        if self.is_planar { 1 } else { self.samples }
    }

    /// Bytes of a row of a strip or tile, as it is unpacked; where chroma is shared, of so many
    /// rows as share it.
    pub fn row_bytes(&self) -> Option<usize> {
        let (h, v) = self.subsampling;
        if (h, v) != (1, 1) {
            return self.chunk.0.div_ceil(h).checked_mul(h * v + 2);
        }
        let samples = self.chunk.0.checked_mul(self.samples_together())?;
        Some(samples.checked_mul(self.bits)?.div_ceil(8))
    }

    /// A number of the directory.
    pub fn number(&self, tag: u16) -> Option<u64> {
        self.directory.entry(tag)?.number_at(0)
    }
}

/// More than any picture that is shown has beside its colours.
const MOST_SAMPLES: usize = 1024;

/// The value that each sample has alike. One value stands for all of them.
fn same(
    entry: Option<Entry<'_>>,
    samples: usize,
    default: u64,
    name: &str,
) -> Result<u64, ImageError> {
    let Some(entry) = entry else {
        return Ok(default);
    };
    let mut values = (0..entry.count().min(samples)).map(|index| entry.number_at(index));
    let first = values.next().flatten();
    let first = first.ok_or_else(|| damaged(&format!("the {name} is no number")))?;
    if values.all(|value| value == Some(first)) {
        Ok(first)
    } else {
        Err(unread(&format!("samples that differ in the {name}")))
    }
}
