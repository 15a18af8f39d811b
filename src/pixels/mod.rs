//! From the bytes of a file to the pixels that a network takes.
//!
//! `decode` turns any supported file into upright 8-bit RGB, `resize` resamples as Pillow does,
//! and a checkpoint's [`Preprocessing`] says how the two are put together.

mod decode;
mod filter;
mod frame;
mod gif;
mod jpeg;
mod limits;
mod picture;
mod png;
mod preprocess;
mod resample;
mod resize;
mod scale;
mod shrunk;
mod tensor;
mod tiff;
mod unread;

pub use ::image::RgbImage;
pub use decode::{SUPPORTED_FORMATS, decode, dimensions, looks_like_image, open, read};
pub use filter::Filter;
pub use limits::DecodeOptions;
pub use preprocess::{CENTER_CROP, Centring, Crop, Prepared, Preprocessing, Region};
pub use resize::{Window, resize};
pub use scale::PixelScale;
pub(crate) use scale::{ByteScale, COLOURS};
pub use shrunk::decode_shrunk;
pub use tensor::{to_bytes, to_tensor};
