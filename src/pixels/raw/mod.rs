//! Raw photographs: the preview that cameras put beside what the sensor gave.
//!
//! What a sensor gave has to be developed, which is not done here. Cameras keep a JPEG of it, as
//! large as the photograph or nearly so, and thumbnails. The largest JPEG is taken, and never a
//! thumbnail: `directories` finds them in the files that are TIFF inside, `boxes` in CR3.

mod boxes;
mod directories;

use super::format::PictureFormat;
use super::jpeg;
use super::orientation::Orientation;
use crate::error::ImageError;

/// A preview.
pub(super) struct Preview<'a> {
    /// A JPEG.
    pub jpeg: &'a [u8],
    /// How the photograph lies.
    pub orientation: Orientation,
}

/// What a raw photograph's structure tells.
#[derive(Debug, Default)]
struct Found<'a> {
    jpegs: Vec<Embedded<'a>>,
    /// The longer side of what the sensor gave.
    sensor: Option<u64>,
    /// EXIF's number.
    orientation: Option<u64>,
}

/// A JPEG within a file.
#[derive(Debug)]
struct Embedded<'a> {
    jpeg: &'a [u8],
    /// Whether it is the preview by its place, whatever its size.
    is_preview: bool,
}

/// From this length of the longer side on a JPEG is no thumbnail. Those are of 160 or 320 pixels,
/// or of 256 in DNG.
const LONGER_THAN_THUMBNAILS: u64 = 512;
/// Most that are looked at; cameras write two or three.
const MOST_JPEGS: usize = 64;

impl<'a> Preview<'a> {
    /// The largest preview of a raw photograph.
    ///
    /// # Errors
    /// A file that has none, or nothing but a thumbnail.
    pub fn of(bytes: &'a [u8], format: PictureFormat) -> Result<Self, ImageError> {
        let found = match format {
            PictureFormat::Cr3 => boxes::find(bytes),
            PictureFormat::Raf => fujifilm(bytes),
            _ => directories::find(bytes),
        };
        let name = format.name();
        let develop = "convert it to JPEG or TIFF with a raw developer";
        let sizes = found.jpegs.iter().take(MOST_JPEGS).filter_map(|embedded| {
            let (width, height) = jpeg::dimensions(embedded.jpeg)?;
            Some((u64::from(width), u64::from(height), embedded))
        });
        let largest = sizes.max_by_key(|(width, height, _)| width * height);
        let Some((width, height, largest)) = largest else {
            return Err(ImageError::decode(format!(
                "{name} without a preview: {develop}"
            )));
        };
        if !largest.is_preview && is_thumbnail(width.max(height), found.sensor) {
            let message = format!(
                "{name} whose largest preview is a thumbnail of {width}x{height}: {develop}"
            );
            return Err(ImageError::decode(message));
        }
        // Where the photograph does not say how it lies the preview may.
        let stated = found.orientation.and_then(Orientation::from_exif);
        let orientation =
            stated.unwrap_or_else(|| Orientation::of_file(largest.jpeg, PictureFormat::Jpeg));
        Ok(Self {
            jpeg: largest.jpeg,
            orientation,
        })
    }
}

/// Whether a JPEG of this longer side does not stand for the photograph: it is small, and much
/// smaller than the sensor, or no reduction of what that gave.
fn is_thumbnail(longer: u64, sensor: Option<u64>) -> bool {
    let is_sensors = |sensor: u64| longer * 2 >= sensor && longer <= sensor + sensor / 16 + 16;
    longer < LONGER_THAN_THUMBNAILS && !sensor.is_some_and(is_sensors)
}

/// Fujifilm's header tells where the preview is. Its own EXIF says how the photograph lies.
fn fujifilm(bytes: &[u8]) -> Found<'_> {
    const PREVIEW: usize = 84;
    let number = |at: usize| {
        let bytes = bytes.get(at..)?.first_chunk()?;
        usize::try_from(u32::from_be_bytes(*bytes)).ok()
    };
    let jpeg = || bytes.get(number(PREVIEW)?..)?.get(..number(PREVIEW + 4)?);
    let mut found = Found::default();
    found.jpegs.extend(jpeg().map(|jpeg| Embedded {
        jpeg,
        is_preview: true,
    }));
    found
}
