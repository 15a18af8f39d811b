//! The pictures that a command line names.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::Path;

use mobilenet::error::{ImageError, ImageErrorKind};
use mobilenet::pixels::{DecodeOptions, RgbImage, decode, read};

/// Reads and decodes a picture by its name: a path, or `-` for the bytes on stdin.
pub fn open(name: &OsStr, options: &DecodeOptions) -> Result<RgbImage, ImageError> {
    let bytes = if name == "-" {
        read(io::stdin().lock(), options)?
    } else {
        let path = Path::new(name);
        // Reading one fails as well, but not in these words on every system.
        if path.is_dir() {
            return Err(ImageError::new(ImageErrorKind::Io, "is a directory"));
        }
        read(File::open(path)?, options)?
    };
    decode(&bytes, options)
}
