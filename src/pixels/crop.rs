//! Which part of a picture becomes the square that a network sees.

use serde::{Deserialize, Serialize};

use super::resize::Window;

/// The part of the resized image's side that TF-Slim's evaluation crops to, which the
/// published accuracies were measured with.
pub const CENTER_CROP: f64 = 0.875;

/// How a picture of any shape becomes a square.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Crop {
    /// The shorter side is resized to `round(size / fraction)`, and the centre cut out.
    Center(f64),
    /// Both sides are resized to `size`, whatever becomes of the proportions, as Keras
    /// tutorials do with `load_img(target_size=...)`.
    Squash,
    /// Both sides are resized to `round(size / fraction)`, and the centre cut out.
    SquashCenter(f64),
    /// The largest square in the centre is cut out, and resized to `size`: Keras's
    /// `crop_to_aspect_ratio` and `smart_resize`.
    Square,
    /// The centre is cut out of the picture as it is, which is not resized; of one with a side shorter
    /// than `size` it is the largest square, made larger: Keras's `CenterCrop`.
    Unscaled,
}

/// Where the centre of a picture lies that can't be in its middle.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Centring {
    /// Half a pixel up and to the left, as with integers: `(n - size) / 2`.
    #[default]
    Down,
    /// To the even offset, as torchvision's `round`, and so timm.
    HalfToEven,
}

impl Centring {
    pub(super) fn is_down(&self) -> bool {
        *self == Self::Down
    }

    /// What to leave out before the centre, of `spare` pixels that are too many.
    fn offset(self, spare: usize) -> usize {
        match self {
            Self::Down => spare / 2,
            Self::HalfToEven => spare / 2 + usize::from(spare % 4 == 3),
        }
    }
}

/// A part of a picture, in pixels and fractions of them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Region {
    /// What is left of it.
    pub left: f64,
    /// What is above it.
    pub top: f64,
    /// Its width.
    pub width: f64,
    /// Its height.
    pub height: f64,
}

impl Region {
    /// The same part of the picture where that is `x` times as wide and `y` times as high.
    pub fn scaled(self, (x, y): (f64, f64)) -> Self {
        Self {
            left: self.left * x,
            top: self.top * y,
            width: self.width * x,
            height: self.height * y,
        }
    }
}

/// What is done to a picture of a certain width and height, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Steps {
    /// The part that is cut out of it.
    pub part: Window,
    /// Width and height that this part is resized to.
    pub resized: (usize, usize),
    /// What is cut out of that: the network's input.
    pub window: Window,
}

impl Crop {
    /// The fraction that it states.
    pub(super) fn fraction(self) -> Option<f64> {
        match self {
            Self::Center(fraction) | Self::SquashCenter(fraction) => Some(fraction),
            Self::Squash | Self::Square | Self::Unscaled => None,
        }
    }

    /// How a picture of this width and height becomes a square of `side`.
    pub(super) fn steps(self, picture: (usize, usize), side: usize, centring: Centring) -> Steps {
        let (width, height) = picture;
        let enlarged = |fraction: f64| (side as f64 / fraction).round_ties_even() as usize;
        let whole = Window::whole(picture);
        let (part, resized) = match self {
            Self::Squash => (whole, (side, side)),
            Self::SquashCenter(fraction) => (whole, (enlarged(fraction), enlarged(fraction))),
            Self::Center(fraction) => {
                let shorter = enlarged(fraction);
                let longer = |long: usize, short: usize| long * shorter / short;
                let resized = if width <= height {
                    (shorter, longer(height, width))
                } else {
                    (longer(width, height), shorter)
                };
                (whole, resized)
            }
            Self::Unscaled if width.min(height) >= side => (whole, picture),
            Self::Square | Self::Unscaled => {
                let short = width.min(height);
                let square = Window {
                    left: (width - short) / 2,
                    top: (height - short) / 2,
                    width: short,
                    height: short,
                };
                (square, (side, side))
            }
        };
        let window = Window {
            left: centring.offset(resized.0 - side),
            top: centring.offset(resized.1 - side),
            width: side,
            height: side,
        };
        Steps {
            part,
            resized,
            window,
        }
    }
}

impl Steps {
    /// Pixels of the picture to one of the network's input, along x and y.
    pub fn scale(&self) -> (f64, f64) {
        (
            self.part.width as f64 / self.resized.0 as f64,
            self.part.height as f64 / self.resized.1 as f64,
        )
    }

    /// The part of the picture that the network sees.
    pub fn region(&self) -> Region {
        let (x, y) = self.scale();
        Region {
            left: self.part.left as f64 + self.window.left as f64 * x,
            top: self.part.top as f64 + self.window.top as f64 * y,
            width: self.window.width as f64 * x,
            height: self.window.height as f64 * y,
        }
    }
}
