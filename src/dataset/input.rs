//! One picture by its name.

use std::borrow::Cow;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::error::ImageError;
use crate::pixels::{DecodeOptions, read};

/// A picture by its name. Its bytes are read when they are wanted, and can be had again.
#[derive(Debug)]
pub struct Input {
    /// What its answer is called: the path of a file as it was given or found.
    pub name: OsString,
    content: Content,
}

/// Where a picture's bytes are.
enum Content {
    /// In the file of its name. What came of anything but a file, such as a pipe, is kept: it comes
    /// once.
    File(OnceLock<Result<Vec<u8>, ImageError>>),
    Bytes(Arc<[u8]>),
    /// What comes out of the reader, once it has been read.
    Reader {
        source: Mutex<Option<Box<dyn Read + Send>>>,
        bytes: OnceLock<Result<Vec<u8>, ImageError>>,
    },
    /// It is known already that there are none.
    Failed(ImageError),
}

impl Input {
    /// A file, whose name is its path.
    pub fn file(path: impl Into<OsString>) -> Self {
        Self::new(path, Content::File(OnceLock::new()))
    }

    /// The bytes of a picture's file in memory, under any name.
    pub fn bytes(name: impl Into<OsString>, bytes: impl Into<Arc<[u8]>>) -> Self {
        Self::new(name, Content::Bytes(bytes.into()))
    }

    /// What comes out of a reader, such as stdin, under any name. It is read at most once, to its
    /// end or the limit on a file's size, and what came is kept for as long as the input is.
    pub fn reader(name: impl Into<OsString>, source: impl Read + Send + 'static) -> Self {
        let content = Content::Reader {
            source: Mutex::new(Some(Box::new(source))),
            bytes: OnceLock::new(),
        };
        Self::new(name, content)
    }

    /// A picture of which it is known already why it can't be read, so that it is answered in its
    /// place.
    pub fn failed(name: impl Into<OsString>, error: ImageError) -> Self {
        Self::new(name, Content::Failed(error))
    }

    fn new(name: impl Into<OsString>, content: Content) -> Self {
        Self {
            name: name.into(),
            content,
        }
    }

    /// Its bytes, within the limit on a file's size.
    ///
    /// # Errors
    /// Why they can't be had.
    pub fn read(&self, options: &DecodeOptions) -> Result<Cow<'_, [u8]>, ImageError> {
        match &self.content {
            Content::File(kept) => {
                if let Some(kept) = kept.get() {
                    return borrowed(kept);
                }
                let file = File::open(Path::new(&self.name))?;
                if file.metadata().is_ok_and(|metadata| metadata.is_file()) {
                    return read(file, options).map(Cow::Owned);
                }
                borrowed(kept.get_or_init(|| read(file, options)))
            }
            Content::Bytes(bytes) => match u64::try_from(bytes.len()) {
                Ok(len) if len <= options.max_bytes => Ok(Cow::Borrowed(bytes)),
                // For the message that a file of that size gets.
                _ => read(&**bytes, options).map(Cow::Owned),
            },
            Content::Reader { source, bytes } => {
                let read = bytes.get_or_init(|| {
                    let source = source.lock().unwrap_or_else(PoisonError::into_inner).take();
                    source.map_or(Ok(Vec::new()), |source| read(source, options))
                });
                borrowed(read)
            }
            Content::Failed(error) => Err(error.clone()),
        }
    }

    /// What a decoder makes of its bytes. A defect of the decoder costs this picture, and no other:
    /// a panic is an error.
    ///
    /// # Errors
    /// As [`read`](Self::read), and those of `decode`.
    pub fn decode<T>(
        &self,
        options: &DecodeOptions,
        decode: impl FnOnce(&[u8]) -> Result<T, ImageError>,
    ) -> Result<T, ImageError> {
        let bytes = self.read(options)?;
        let decoded = catch_unwind(AssertUnwindSafe(|| decode(&bytes)));
        decoded.unwrap_or_else(|_| Err(ImageError::decoder_failed()))
    }
}

fn borrowed(read: &Result<Vec<u8>, ImageError>) -> Result<Cow<'_, [u8]>, ImageError> {
    match read {
        Ok(bytes) => Ok(Cow::Borrowed(bytes)),
        Err(error) => Err(error.clone()),
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(_) => write!(f, "File"),
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Self::Reader { .. } => write!(f, "Reader"),
            Self::Failed(error) => write!(f, "Failed({error})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ImageErrorKind;

    #[test]
    fn what_is_in_memory_or_comes_out_of_a_reader_can_be_had_again() {
        let options = DecodeOptions::default();
        let inputs = [
            Input::bytes("a", *b"picture"),
            Input::reader("b", &b"picture"[..]),
        ];
        for input in inputs {
            for _ in 0..2 {
                let bytes = input.read(&options).expect("bytes");
                assert_eq!(*bytes, *b"picture", "{input:?}");
            }
        }
    }

    /// As `<(curl ...)` names one, of a picture that is decoded twice.
    #[cfg(unix)]
    #[test]
    fn what_comes_out_of_a_pipe_can_be_had_again() {
        use std::io::Write;
        use std::os::fd::AsRawFd;

        let (end, mut begin) = std::io::pipe().expect("a pipe");
        begin.write_all(b"picture").expect("written");
        drop(begin);
        let input = Input::file(format!("/dev/fd/{}", end.as_raw_fd()));
        for _ in 0..2 {
            let bytes = input.read(&DecodeOptions::default()).expect("bytes");
            assert_eq!(*bytes, *b"picture");
        }
    }

    #[test]
    fn the_limit_on_a_file_holds_for_every_source() {
        let options = DecodeOptions {
            max_bytes: 6,
            ..DecodeOptions::default()
        };
        let inputs = [
            Input::bytes("a", *b"picture"),
            Input::reader("b", &b"picture"[..]),
        ];
        for input in inputs {
            for _ in 0..2 {
                let error = input.read(&options).expect_err("a limit");
                assert_eq!(error.kind, ImageErrorKind::Limit, "{input:?}");
            }
        }
    }

    #[test]
    fn a_panic_of_a_decoder_is_an_error() {
        let input = Input::bytes("a", *b"");
        let panics = |_: &[u8]| -> Result<(), _> { std::panic::resume_unwind(Box::new("defect")) };
        let error = input.decode(&DecodeOptions::default(), panics);
        assert_eq!(error.expect_err("a failure").kind, ImageErrorKind::Decode);
    }
}
