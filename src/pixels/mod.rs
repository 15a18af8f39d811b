//! From the bytes of a file to the pixels that a network takes.
//!
//! `decode` turns any supported file into upright 8-bit RGB, `resize` resamples as Pillow does,
//! and a checkpoint's [`Preprocessing`] says how the two are put together.

mod decode;
mod gif;
mod jpeg;
mod limits;
mod picture;
mod png;
mod preprocess;
mod resample;
mod resize;
mod shrunk;

pub use ::image::RgbImage;
pub use decode::{SUPPORTED_FORMATS, decode, dimensions, looks_like_image, open, read};
pub use limits::DecodeOptions;
pub use preprocess::{CENTER_CROP, Centring, Crop, Prepared, Preprocessing, to_tensor};
pub use resize::{Filter, Window, resize};
pub use shrunk::decode_shrunk;
