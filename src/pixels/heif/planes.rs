//! Luma and chroma, before they become RGB.

use super::property::Transform;
use super::{Grid, damaged};
use crate::error::ImageError;
use crate::pixels::orientation::Steps;

/// How many samples of chroma there are for those of luma.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::pixels) enum Chroma {
    /// None: grey.
    None,
    /// Half as many in both directions (4:2:0).
    Quarter,
    /// Half as many in a row (4:2:2).
    Half,
    /// As many (4:4:4).
    Full,
}

impl Chroma {
    /// How far columns and rows are halved.
    pub fn shifts(self) -> (u32, u32) {
        match self {
            Self::Quarter => (1, 1),
            Self::Half => (1, 0),
            Self::None | Self::Full => (0, 0),
        }
    }

    /// Columns and rows of chroma for those of luma.
    fn size(self, width: usize, height: usize) -> (usize, usize) {
        let (across, down) = self.shifts();
        match self {
            Self::None => (0, 0),
            _ => (width.div_ceil(1 << across), height.div_ceil(1 << down)),
        }
    }
}

/// Samples in rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::pixels) struct Plane {
    pub width: usize,
    pub height: usize,
    pub samples: Vec<u16>,
}

impl Plane {
    pub fn new(width: usize, height: usize) -> Self {
        Self {
            width,
            height,
            samples: vec![0; width * height],
        }
    }

    pub fn row(&self, y: usize) -> &[u16] {
        &self.samples[y * self.width..(y + 1) * self.width]
    }

    pub fn row_mut(&mut self, y: usize) -> &mut [u16] {
        &mut self.samples[y * self.width..(y + 1) * self.width]
    }

    fn turned(self, steps: Steps) -> Self {
        let (samples, (width, height)) = steps.apply(&self.samples, (self.width, self.height));
        Self {
            width,
            height,
            samples,
        }
    }

    fn cropped(&self, left: usize, top: usize, width: usize, height: usize) -> Self {
        let rows = (top..top + height).flat_map(|y| &self.row(y)[left..left + width]);
        Self {
            width,
            height,
            samples: rows.copied().collect(),
        }
    }
}

/// A decoded picture: luma, then the two planes of chroma, of one depth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::pixels) struct Planes {
    pub chroma: Chroma,
    /// Bits of a sample.
    pub depth: u32,
    pub planes: [Plane; 3],
}

impl Planes {
    /// A picture of zeros.
    pub fn new(chroma: Chroma, depth: u32, width: usize, height: usize) -> Self {
        let (across, down) = chroma.size(width, height);
        Self {
            chroma,
            depth,
            planes: [
                Plane::new(width, height),
                Plane::new(across, down),
                Plane::new(across, down),
            ],
        }
    }

    /// A picture of zeros for tiles like the first one.
    pub fn of_tiles(first: &Self, grid: Grid) -> Result<Self, ImageError> {
        let (width, height) = (grid.width as usize, grid.height as usize);
        let reach = (first.width() * grid.columns, first.height() * grid.rows);
        if reach.0 < width || reach.1 < height {
            return Err(damaged("its tiles don't cover the picture"));
        }
        Ok(Self::new(first.chroma, first.depth, width, height))
    }

    pub fn width(&self) -> usize {
        self.planes[0].width
    }

    pub fn height(&self) -> usize {
        self.planes[0].height
    }

    /// Whether the planes have the sizes that belong to each other.
    pub fn is_sound(&self) -> bool {
        let [luma, chroma @ ..] = &self.planes;
        let size = self.chroma.size(luma.width, luma.height);
        chroma
            .iter()
            .all(|plane| (plane.width, plane.height) == size)
            && self
                .planes
                .iter()
                .all(|plane| plane.samples.len() == plane.width * plane.height)
    }

    /// Puts a tile where it belongs in a grid, whose tiles are all of its size. What is beyond the
    /// picture is dropped.
    pub fn place(&mut self, tile: &Self, index: usize, grid: Grid) -> Result<(), ImageError> {
        if (tile.chroma, tile.depth) != (self.chroma, self.depth) {
            return Err(damaged("its tiles are of several kinds"));
        }
        let (across, down) = self.chroma.shifts();
        let left = index % grid.columns * tile.width();
        let top = index / grid.columns * tile.height();
        let shifts = [(0, 0), (across, down), (across, down)];
        let planes = self.planes.iter_mut().zip(&tile.planes);
        for ((into, from), (across, down)) in planes.zip(shifts) {
            let (left, top) = (left >> across, top >> down);
            let width = from.width.min(into.width.saturating_sub(left));
            let height = from.height.min(into.height.saturating_sub(top));
            if width == 0 {
                continue;
            }
            for y in 0..height {
                into.row_mut(top + y)[left..left + width].copy_from_slice(&from.row(y)[..width]);
            }
        }
        Ok(())
    }

    /// What is shown of the picture, and how, as libheif does it: where chroma can't be turned or
    /// cropped as it is, there is as much of it as of luma first, by `full`.
    pub fn transformed(
        mut self,
        transform: Transform,
        full: fn(Self) -> Self,
    ) -> Result<Self, ImageError> {
        let (odd_width, odd_height) = (self.width() % 2 == 1, self.height() % 2 == 1);
        let window = match transform {
            Transform::Crop(aperture) => Some(aperture.window(self.width(), self.height())?),
            _ => None,
        };
        let odd_left = window
            .as_ref()
            .is_some_and(|[columns, _]| columns.start % 2 == 1);
        let odd_top = window.as_ref().is_some_and(|[_, rows]| rows.start % 2 == 1);
        let is_hard = match (self.chroma, transform) {
            (Chroma::Quarter, Transform::Rotate(1)) => odd_width,
            (Chroma::Quarter, Transform::Rotate(3)) => odd_height,
            (Chroma::Quarter, Transform::Rotate(2)) => odd_width || odd_height,
            (Chroma::Quarter, Transform::MirrorColumns | Transform::MirrorRows) => {
                odd_width || odd_height
            }
            (Chroma::Quarter, Transform::Crop(_)) => odd_left || odd_top,
            (Chroma::Half, Transform::Rotate(1 | 3)) => true,
            (Chroma::Half, Transform::Rotate(2)) => odd_width || odd_height,
            (Chroma::Half, Transform::MirrorColumns) => odd_width,
            (Chroma::Half, Transform::Crop(_)) => odd_left,
            _ => false,
        };
        if is_hard {
            self = full(self);
        }
        let Some([columns, rows]) = window else {
            let steps = transform.steps();
            self.planes = self.planes.map(|plane| plane.turned(steps));
            return Ok(self);
        };
        let (across, down) = self.chroma.shifts();
        for (plane, is_chroma) in self.planes.iter_mut().zip([false, true, true]) {
            if is_chroma && self.chroma == Chroma::None {
                continue;
            }
            let (across, down) = if is_chroma { (across, down) } else { (0, 0) };
            let width = ((columns.end - 1) >> across) + 1 - (columns.start >> across);
            let height = ((rows.end - 1) >> down) + 1 - (rows.start >> down);
            *plane = plane.cropped(columns.start >> across, rows.start >> down, width, height);
        }
        Ok(self)
    }
}
