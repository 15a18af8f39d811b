//! What is said of a picture besides its pixels.

use super::boxes::Numbers;
use super::damaged;
use crate::error::ImageError;
use crate::pixels::orientation::Steps;

/// How colours are coded, with the numbers of ITU-T H.273 (`colr` of kind `nclx`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::pixels) struct ColourCoding {
    /// The primaries, on which some matrices depend.
    pub primaries: u16,
    /// The matrix between RGB and luma and chroma.
    pub matrix: u16,
    /// Whether samples have all values there are.
    pub is_full_range: bool,
}

impl ColourCoding {
    /// What a `colr` box says, unless that is a colour profile.
    pub(super) fn of_box(body: &[u8]) -> Option<Self> {
        let mut numbers = Numbers(body);
        if numbers.bytes(4)? != b"nclx" {
            return None;
        }
        let primaries = numbers.u16()?;
        let _transfer = numbers.u16()?;
        Some(Self {
            primaries,
            matrix: numbers.u16()?,
            is_full_range: numbers.u8()? & 0x80 != 0,
        })
    }
}

/// A step from the pixels that are coded to those that are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::pixels) enum Transform {
    /// Only a part of them is shown.
    Crop(CleanAperture),
    /// Quarters of a turn, anticlockwise.
    Rotate(u8),
    /// Left and right are exchanged.
    MirrorColumns,
    /// Top and bottom are exchanged.
    MirrorRows,
}

impl Transform {
    /// What a property says, if it is one of these.
    pub(super) fn of_property(kind: [u8; 4], body: &[u8]) -> Result<Option<Self>, ImageError> {
        let mut numbers = Numbers(body);
        let transform = match &kind {
            b"clap" => CleanAperture::of_box(body).map(Self::Crop),
            b"irot" => numbers.u8().map(|turns| Self::Rotate(turns & 3)),
            b"imir" => numbers.u8().map(|axis| {
                if axis & 1 == 1 {
                    Self::MirrorColumns
                } else {
                    Self::MirrorRows
                }
            }),
            _ => return Ok(None),
        };
        let name = String::from_utf8_lossy(&kind).into_owned();
        transform
            .map(Some)
            .ok_or_else(|| damaged(&format!("its transformation ({name}) is too short")))
    }

    /// The turn of it, as steps of an orientation; a crop is none.
    pub fn steps(self) -> Steps {
        let (transpose, mirror_columns, mirror_rows) = match self {
            Self::Crop(_) | Self::Rotate(0 | 4..) => (false, false, false),
            Self::Rotate(1) => (true, false, true),
            Self::Rotate(2) => (false, true, true),
            Self::Rotate(3) => (true, true, false),
            Self::MirrorColumns => (false, true, false),
            Self::MirrorRows => (false, false, true),
        };
        Steps {
            transpose,
            mirror_columns,
            mirror_rows,
        }
    }
}

/// A part of a picture, by its size and by where its centre is (`clap`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::pixels) struct CleanAperture {
    columns: Aperture,
    rows: Aperture,
}

/// A size, and an offset from the centre, as fractions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Aperture {
    size: (i64, i64),
    offset: (i64, i64),
}

impl CleanAperture {
    fn of_box(body: &[u8]) -> Option<Self> {
        let mut numbers = Numbers(body);
        let mut fraction = || {
            let above = numbers.u32()? as i32;
            let below = numbers.u32()? as i32;
            (below != 0).then_some((i64::from(above), i64::from(below)))
        };
        let (width, height) = (fraction()?, fraction()?);
        let (x, y) = (fraction()?, fraction()?);
        let aperture = |size, offset| Aperture { size, offset };
        Some(Self {
            columns: aperture(width, x),
            rows: aperture(height, y),
        })
    }

    /// The columns and rows that are shown of so many, as libheif rounds them: the first column
    /// down, the first row to the nearest.
    ///
    /// # Errors
    /// If none are.
    pub fn window(
        &self,
        width: usize,
        height: usize,
    ) -> Result<[std::ops::Range<usize>; 2], ImageError> {
        let columns = self.columns.of(width, f64::floor);
        let rows = self.rows.of(height, f64::round);
        match (columns, rows) {
            (Some(columns), Some(rows)) => Ok([columns, rows]),
            _ => Err(damaged("it is cropped (clap) to nothing")),
        }
    }
}

impl Aperture {
    fn of(self, length: usize, round: fn(f64) -> f64) -> Option<std::ops::Range<usize>> {
        let value = |(above, below): (i64, i64)| above as f64 / below as f64;
        let size = value(self.size);
        let first = round(value(self.offset) + (length as f64 - 1.0) / 2.0 - (size - 1.0) / 2.0);
        let last = (first + size - 1.0).round().min(length as f64 - 1.0);
        let first = first.max(0.0);
        (first <= last).then_some(first as usize..last as usize + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clap(numbers: [i32; 8]) -> CleanAperture {
        let body = numbers.map(i32::to_be_bytes).concat();
        CleanAperture::of_box(&body).expect("a box")
    }

    #[test]
    fn a_crop_lies_about_the_centre() {
        let [columns, rows] = clap([4, 1, 2, 1, 0, 1, 0, 1])
            .window(10, 8)
            .expect("a part");
        assert_eq!((columns, rows), (3..7, 3..5));
        let [columns, rows] = clap([4, 1, 2, 1, -3, 1, 3, 1])
            .window(10, 8)
            .expect("a part");
        assert_eq!((columns, rows), (0..4, 6..8));
        // Half a pixel to the left, and to below.
        let [columns, rows] = clap([3, 1, 3, 1, 0, 1, 0, 1])
            .window(10, 10)
            .expect("a part");
        assert_eq!((columns, rows), (3..6, 4..7));
        // What goes beyond the edge ends there.
        let [columns, _] = clap([400, 1, 2, 1, 0, 1, 0, 1])
            .window(10, 8)
            .expect("a part");
        assert_eq!(columns, 0..10);
    }

    #[test]
    fn a_crop_to_nothing_is_an_error() {
        for numbers in [
            [0, 1, 2, 1, 0, 1, 0, 1],
            [2, 1, 2, 1, 900, 1, 0, 1],
            [2, -1, 2, 1, 0, 1, 0, 1],
        ] {
            assert!(clap(numbers).window(10, 8).is_err(), "{numbers:?}");
        }
        let zero = [2, 0, 2, 1, 0, 1, 0, 1].map(i32::to_be_bytes).concat();
        assert!(CleanAperture::of_box(&zero).is_none());
    }

    #[test]
    fn turns_are_anticlockwise_and_mirrors_as_the_axis_says() {
        let of = |kind: &[u8; 4], byte: u8| Transform::of_property(*kind, &[byte]).expect("sound");
        assert_eq!(of(b"irot", 3), Some(Transform::Rotate(3)));
        assert_eq!(of(b"imir", 0), Some(Transform::MirrorRows));
        assert_eq!(of(b"imir", 1), Some(Transform::MirrorColumns));
        assert_eq!(of(b"ispe", 1), None);
        assert!(Transform::of_property(*b"irot", &[]).is_err());
    }
}
