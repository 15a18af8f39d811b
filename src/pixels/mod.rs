//! From the bytes of a file to the pixels that a network takes.
//!
//! A file's [`PictureFormat`] says who decodes it; `decode` turns it into upright 8-bit RGB, `resize` resamples as Pillow, torchvision
//! or TensorFlow does,
//! and a checkpoint's [`Preprocessing`] says how the two are put together.

#[cfg(feature = "avif")]
mod avif;
mod bmp;
mod bytes;
mod cmyk;
mod crop;
mod decode;
mod filter;
mod format;
mod frame;
mod gif;
#[cfg(feature = "heic")]
mod heic;
#[cfg(any(feature = "avif", feature = "heic"))]
mod heif;
mod ico;
mod ifd;
mod image_crate;
mod input;
mod jpeg;
#[cfg(feature = "jxl")]
mod jxl;
mod layer;
mod limits;
mod line;
mod metadata;
mod opacity;
mod orientation;
mod pcx;
mod picture;
mod png;
mod pnm;
mod preprocess;
mod psd;
mod qoi;
mod raw;
mod resample;
mod resize;
mod riff;
mod scale;
mod shrunk;
mod tensor;
mod tga;
mod tiff;
mod unrounded;
mod webp;

pub use ::image::RgbImage;
pub use crop::{CENTER_CROP, Centring, Crop, Region};
pub use decode::{decode, dimensions, looks_like_image, open, read};
pub use filter::{Filter, Resampler};
pub use format::{PictureFormat, supported_formats};
pub use input::{AsPixels, Pixels, Samples};
pub use jpeg::Dct;
pub use limits::DecodeOptions;
pub use opacity::Opacity;
pub use orientation::Orientation;
pub use preprocess::{Prepared, Preprocessing};
pub use resize::{Window, resize};
pub use scale::PixelScale;
pub(crate) use scale::{ByteScale, COLOURS};
pub use shrunk::decode_shrunk;
pub(crate) use tensor::to_input;
pub use tensor::{to_bytes, to_tensor};
