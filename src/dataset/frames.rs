//! Pictures one behind the other in a stream, as `ffmpeg -f image2pipe` writes them.
//!
//! Where one ends is what JPEG (ITU-T T.81, annex B) and PNG (section 5) say: a thumbnail within a segment
//! is part of its picture. Nothing is decoded here.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{self, BufRead, ErrorKind};

use super::Input;
use crate::error::{ImageError, ImageLimit};

/// The pictures of a stream, JPEG and PNG in any order, read as far as they are asked for.
///
/// Each is an [`Input`] in memory with the name of the stream, `#` and its number, from 1 on. One that
/// the stream ends within is given as far as it goes, and one larger than the limit is a picture
/// that fails, behind which it goes on. Where no picture begins, nobody can say where the next one does:
/// that is the last one, and fails.
pub struct Frames {
    name: OsString,
    source: Box<dyn BufRead + Send>,
    /// Bytes of a picture at most.
    max_bytes: u64,
    /// Pictures so far.
    count: u64,
    done: bool,
}

impl Frames {
    /// The pictures that come out of a reader, which is called so; none of more than `max_bytes`.
    pub fn new(
        name: impl Into<OsString>,
        source: impl BufRead + Send + 'static,
        max_bytes: u64,
    ) -> Self {
        Self {
            name: name.into(),
            source: Box::new(source),
            max_bytes,
            count: 0,
            done: false,
        }
    }

    /// The next one's bytes; nothing behind the last one.
    fn frame(&mut self) -> Result<Option<Vec<u8>>, ImageError> {
        let mut frame = Frame {
            source: &mut self.source,
            bytes: Vec::new(),
            len: 0,
            max_bytes: self.max_bytes,
        };
        match frame.read() {
            Ok(()) => {}
            // It ends within a picture: what there is of it may still be one.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => self.done = true,
            Err(error) => {
                self.done = true;
                return Err(match error.kind() {
                    ErrorKind::InvalidData => ImageError::decode(error.to_string()),
                    _ => error.into(),
                });
            }
        }
        let (bytes, len) = (frame.bytes, frame.len);
        if len > self.max_bytes {
            let message = format!("larger than the limit of {} bytes", self.max_bytes);
            return Err(ImageError::over(ImageLimit::FileSize, message));
        }
        Ok((!bytes.is_empty()).then_some(bytes))
    }
}

impl Iterator for Frames {
    type Item = Input;

    fn next(&mut self) -> Option<Input> {
        if self.done {
            return None;
        }
        let frame = self.frame();
        self.count += 1;
        let mut name = self.name.clone();
        name.push(OsStr::new(&format!("#{}", self.count)));
        match frame {
            Ok(None) => {
                self.done = true;
                None
            }
            Ok(Some(bytes)) => Some(Input::bytes(name, bytes)),
            Err(error) => Some(Input::failed(name, error)),
        }
    }
}

impl fmt::Debug for Frames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frames")
            .field("name", &self.name)
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

const PNG: &[u8; 8] = b"\x89PNG\r\n\x1a\n";

/// Markers of JPEG, behind a byte of 255.
mod marker {
    pub const START: u8 = 0xd8;
    pub const END: u8 = 0xd9;
    pub const SCAN: u8 = 0xda;

    /// Whether it stands alone, with no segment behind it.
    pub fn is_alone(marker: u8) -> bool {
        matches!(marker, 0x01 | 0xd0..=0xd7)
    }
}

/// One picture on its way out of the stream.
struct Frame<'a> {
    source: &'a mut dyn BufRead,
    /// Its first bytes, up to the limit.
    bytes: Vec<u8>,
    /// All of its bytes.
    len: u64,
    max_bytes: u64,
}

impl Frame<'_> {
    /// Reads the picture that begins here, if the stream does not end here.
    fn read(&mut self) -> io::Result<()> {
        if self.source.fill_buf()?.is_empty() {
            return Ok(());
        }
        match self.array()? {
            [0xff, marker::START] => self.jpeg(),
            [0x89, b'P'] => self.png(),
            [first, second] => {
                let message = format!(
                    "no JPEG or PNG begins where the frame does, but the bytes {first:02x} {second:02x}"
                );
                Err(io::Error::new(ErrorKind::InvalidData, message))
            }
        }
    }

    /// The rest of a JPEG.
    fn jpeg(&mut self) -> io::Result<()> {
        let mut marker = self.marker()?;
        loop {
            if marker == marker::END {
                return Ok(());
            }
            if !marker::is_alone(marker) {
                let len = u16::from_be_bytes(self.array()?);
                self.skip(u64::from(len).saturating_sub(2))?;
            }
            marker = match marker {
                marker::SCAN => self.behind_scan()?,
                _ => self.marker()?,
            };
        }
    }

    /// The marker that has to be here.
    fn marker(&mut self) -> io::Result<u8> {
        let [first] = self.array()?;
        if first != 0xff {
            let message = "the frame is a JPEG with something else where a marker has to be";
            return Err(io::Error::new(ErrorKind::InvalidData, message));
        }
        loop {
            // Any number of these may come before it.
            let [marker] = self.array()?;
            if marker != 0xff {
                return Ok(marker);
            }
        }
    }

    /// The marker behind a scan's data, in which a byte of 0 is behind each of 255.
    fn behind_scan(&mut self) -> io::Result<u8> {
        loop {
            let buffered = self.source.fill_buf()?;
            if buffered.is_empty() {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            match memchr::memchr(0xff, buffered) {
                None => {
                    let len = buffered.len();
                    self.take(len);
                }
                Some(at) => {
                    self.take(at);
                    let marker = self.marker()?;
                    if marker != 0 && !marker::is_alone(marker) {
                        return Ok(marker);
                    }
                }
            }
        }
    }

    /// The rest of a PNG.
    fn png(&mut self) -> io::Result<()> {
        let signature: [u8; 6] = self.array()?;
        if signature != PNG[2..] {
            let message = "the frame begins like a PNG and is none";
            return Err(io::Error::new(ErrorKind::InvalidData, message));
        }
        loop {
            let len = u32::from_be_bytes(self.array()?);
            let kind: [u8; 4] = self.array()?;
            // The data and its checksum.
            self.skip(u64::from(len) + 4)?;
            if &kind == b"IEND" {
                return Ok(());
            }
        }
    }

    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut array = [0; N];
        for byte in &mut array {
            let buffered = self.source.fill_buf()?;
            *byte = *buffered.first().ok_or(ErrorKind::UnexpectedEof)?;
            self.take(1);
        }
        Ok(array)
    }

    /// So many bytes, whatever they are.
    fn skip(&mut self, mut len: u64) -> io::Result<()> {
        while len > 0 {
            let buffered = self.source.fill_buf()?.len();
            if buffered == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            let some = buffered.min(usize::try_from(len).unwrap_or(usize::MAX));
            self.take(some);
            len -= some as u64;
        }
        Ok(())
    }

    /// Moves so many of the bytes that are buffered into the picture.
    fn take(&mut self, count: usize) {
        // What is buffered can be had again without an error.
        let buffered = self.source.fill_buf().unwrap_or_default();
        let room = self.max_bytes.saturating_sub(self.len);
        let kept = count.min(usize::try_from(room).unwrap_or(usize::MAX));
        self.bytes
            .extend_from_slice(&buffered[..kept.min(buffered.len())]);
        self.source.consume(count);
        self.len += count as u64;
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;
    use crate::error::ImageErrorKind;
    use crate::pixels::DecodeOptions;

    /// A JPEG as far as its markers go: a segment with a whole JPEG in it, as a thumbnail is, fill bytes,
    /// two scans, a restart within one, and a byte of 255 within the other.
    fn jpeg() -> Vec<u8> {
        let thumbnail = b"\xff\xd8\xff\xd9";
        [
            &b"\xff\xd8\xff\xe1\x00\x06"[..],
            thumbnail,
            b"\xff\xff\xff\xda\x00\x03\x01abc\xff\xd0def\xff\xff\xd1g",
            b"\xff\xda\x00\x02x\xff\x00y\xff\xd9",
        ]
        .concat()
    }

    /// A PNG as far as its chunks go, one of them with what looks like the last one's name.
    fn png() -> Vec<u8> {
        let chunk = |kind: &[u8; 4], data: &[u8]| {
            let len = (data.len() as u32).to_be_bytes();
            [&len[..], kind, data, b"crc!"].concat()
        };
        let chunks = [chunk(b"IDAT", b"IEND\xff\xd9"), chunk(b"IEND", b"")];
        [PNG.as_slice(), &chunks.concat()].concat()
    }

    /// Name and bytes of each, or what is wrong; through buffers of any size.
    fn frames(stream: &[u8], buffer: usize) -> Vec<(String, Result<Vec<u8>, ImageErrorKind>)> {
        let source = BufReader::with_capacity(buffer, io::Cursor::new(stream.to_vec()));
        let frames = Frames::new("-", source, 60);
        let each = frames.map(|input| {
            let bytes = input.read(&DecodeOptions::default());
            let bytes = bytes.map(|bytes| bytes.into_owned());
            let name = input.name.to_string_lossy().into_owned();
            (name, bytes.map_err(|error| error.kind))
        });
        each.collect()
    }

    #[test]
    fn each_ends_where_its_format_says() {
        let stream = [jpeg(), png(), png(), jpeg(), jpeg()];
        for buffer in [1, 2, 3, 7, 64, 4096] {
            let found = frames(&stream.concat(), buffer);
            let bytes: Vec<_> = found.iter().map(|(_, bytes)| bytes.clone()).collect();
            assert_eq!(bytes, stream.clone().map(Ok), "{buffer}");
            let names: Vec<_> = found.into_iter().map(|(name, _)| name).collect();
            assert_eq!(names, ["-#1", "-#2", "-#3", "-#4", "-#5"]);
        }
        assert_eq!(frames(b"", 16), []);
    }

    #[test]
    fn wherever_a_stream_ends_what_is_there_is_the_last_one() {
        for whole in [jpeg(), png()] {
            for end in 1..whole.len() {
                let stream = [&whole, &whole[..end]].concat();
                let found = frames(&stream, 16);
                assert_eq!(found.len(), 2, "{end}");
                assert_eq!(found[1].1, Ok(whole[..end].to_vec()), "{end}");
            }
        }
    }

    #[test]
    fn what_is_no_picture_ends_the_stream_and_is_said() {
        for stranger in [
            &b"GIF89a"[..],
            b"\r\n\xff\xd8\xff\xd9",
            b"\x89PNG\n\n\x1a\n",
        ] {
            let found = frames(&[&jpeg(), stranger].concat(), 16);
            assert_eq!(found.len(), 2);
            assert_eq!(found[1], ("-#2".to_owned(), Err(ImageErrorKind::Decode)));
        }
        // Data where a marker has to be.
        let found = frames(b"\xff\xd8\xff\xe1\x00\x02oops\xff\xd9", 16);
        assert_eq!(found[0].1, Err(ImageErrorKind::Decode));
    }

    #[test]
    fn one_over_the_limit_costs_itself_alone() {
        let long = [&b"\xff\xd8\xff\xe1\x00\x50"[..], &[0xd9; 0x4e], b"\xff\xd9"].concat();
        let found = frames(&[jpeg(), long, png()].concat(), 16);
        let kinds: Vec<_> = found.iter().map(|(_, bytes)| bytes.is_ok()).collect();
        assert_eq!(kinds, [true, false, true]);
        assert_eq!(found[1].1, Err(ImageErrorKind::Limit));
    }
}
