//! Rows that are packed as they are written: gzip (`.gz`) and Zstandard (`.zst`).
//!
//! Such a file is written part by part: members of gzip, frames of zstd, which any reader takes for one file. Each part
//! holds whole rows and is packed when it is large enough, or a second old. So what a run that is killed leaves is
//! whole parts, and a run that goes on with them writes further ones.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::mem;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use flate2::Compression;
use flate2::bufread::{GzDecoder, MultiGzDecoder};
use flate2::write::GzEncoder;
use ruzstd::decoding::StreamingDecoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use super::frames;

/// How much a part holds, unpacked.
const PART_BYTES: usize = 1 << 18;

/// How long rows wait for others of their part.
pub const PART_AGE: Duration = Duration::from_secs(1);

/// How a file is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    Gzip,
    Zstd,
}

impl Packing {
    /// What a file's name says of it.
    pub fn of_name(path: &Path) -> Option<Self> {
        let extension = path.extension().and_then(OsStr::to_str)?;
        match extension.to_ascii_lowercase().as_str() {
            "gz" => Some(Self::Gzip),
            "zst" => Some(Self::Zstd),
            _ => None,
        }
    }

    /// A name without the ending that says how the file is packed.
    pub fn inner_name(path: &Path) -> PathBuf {
        match Self::of_name(path) {
            Some(_) => path.with_extension(""),
            None => path.to_owned(),
        }
    }

    /// How each part begins.
    fn magic(self) -> &'static [u8] {
        match self {
            Self::Gzip => b"\x1f\x8b",
            Self::Zstd => &frames::MAGIC,
        }
    }

    fn pack(self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip => {
                let mut packed = GzEncoder::new(Vec::new(), Compression::default());
                packed.write_all(bytes)?;
                packed.finish()
            }
            Self::Zstd => Ok(compress_to_vec(bytes, CompressionLevel::Fastest)),
        }
    }

    /// How long the whole parts of a file are. What is behind them was cut off.
    ///
    /// # Errors
    /// A file that is not packed like this, or damaged.
    fn whole_length(self, path: &Path) -> io::Result<u64> {
        let mut file = Counted {
            file: BufReader::new(File::open(path)?),
            read: 0,
        };
        let mut whole = 0;
        loop {
            let start = file.fill_buf()?;
            if start.is_empty() {
                break;
            }
            let magic = self.magic();
            let is_start = start.iter().zip(magic).all(|(byte, magic)| byte == magic);
            let part = match self {
                _ if !is_start => Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "it begins otherwise",
                )),
                Self::Gzip => io::copy(&mut GzDecoder::new(&mut file), &mut io::sink()).map(drop),
                Self::Zstd => frames::pass(&mut file),
            };
            match part {
                Ok(()) => whole = file.read,
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
                Err(error) => {
                    let what = format!("what is packed from byte {whole} on is damaged ({error})");
                    return Err(io::Error::new(error.kind(), what));
                }
            }
        }
        Ok(whole)
    }
}

/// What a file of rows holds.
pub struct Contents {
    /// Its bytes, unpacked.
    pub rows: Box<dyn BufRead>,
    /// How long the part of the file is that they are from.
    pub whole_length: u64,
    /// Whether there is more of it that can't be unpacked.
    pub is_cut_off: bool,
}

impl Contents {
    /// Opens a file, which is packed if its name says so.
    ///
    /// # Errors
    /// It can't be read, or is damaged.
    pub fn open(path: &Path) -> Result<Self> {
        let length = path.metadata()?.len();
        let Some(packing) = Packing::of_name(path) else {
            return Ok(Self {
                rows: Box::new(BufReader::new(File::open(path)?)),
                whole_length: length,
                is_cut_off: false,
            });
        };
        let whole_length = packing.whole_length(path)?;
        let file = BufReader::new(File::open(path)?.take(whole_length));
        let rows: Box<dyn Read> = match packing {
            // In which the reader would miss a part.
            _ if whole_length == 0 => Box::new(io::empty()),
            Packing::Gzip => Box::new(MultiGzDecoder::new(file)),
            Packing::Zstd => Box::new(Frames::Between(file)),
        };
        Ok(Self {
            rows: Box::new(BufReader::new(rows)),
            whole_length,
            is_cut_off: whole_length < length,
        })
    }

    /// Refuses what was cut off, unless it is known that a run of ours was on its way there.
    ///
    /// # Errors
    /// It was.
    pub fn refuse_cut_off(&self, is_ours: bool) -> Result<()> {
        ensure!(
            is_ours || !self.is_cut_off,
            "its end is cut off, and nothing says that a run of ours was on its way there: unpack it, and go on \
             with what is unpacked"
        );
        Ok(())
    }
}

/// The frames of a file, unpacked.
enum Frames<R: BufRead> {
    Between(R),
    Within(Box<StreamingDecoder<R, ruzstd::decoding::FrameDecoder>>),
    Ended,
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            *self = match mem::replace(self, Self::Ended) {
                Self::Ended => return Ok(0),
                Self::Between(mut file) => {
                    if file.fill_buf()?.is_empty() {
                        return Ok(0);
                    }
                    Self::Within(Box::new(
                        StreamingDecoder::new(file).map_err(io::Error::other)?,
                    ))
                }
                Self::Within(mut frame) => {
                    let read = frame.read(bytes)?;
                    if read > 0 || bytes.is_empty() {
                        *self = Self::Within(frame);
                        return Ok(read);
                    }
                    Self::Between(frame.into_inner())
                }
            };
        }
    }
}

/// Counts what is taken from a file.
struct Counted {
    file: BufReader<File>,
    read: u64,
}

impl Read for Counted {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(bytes)?;
        self.read += read as u64;
        Ok(read)
    }
}

impl BufRead for Counted {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.file.fill_buf()
    }

    fn consume(&mut self, bytes: usize) {
        self.read += bytes as u64;
        self.file.consume(bytes);
    }
}

/// Packs what is written, part by part. A part ends only where it is flushed.
pub struct Packer<W: Write> {
    out: W,
    packing: Packing,
    part: Vec<u8>,
    /// What of it may be packed: up to the last flush.
    flushed: usize,
    settled: Instant,
}

impl<W: Write> Packer<W> {
    pub fn new(out: W, packing: Packing) -> Self {
        Self {
            out,
            packing,
            part: Vec::new(),
            flushed: 0,
            settled: Instant::now(),
        }
    }

    /// Whether all that was written is in the file.
    pub fn is_settled(&self) -> bool {
        self.part.is_empty()
    }

    /// Writes what waits.
    ///
    /// # Errors
    /// It can't be written.
    pub fn settle(&mut self) -> io::Result<()> {
        self.flushed = self.part.len();
        self.settle_flushed()
    }

    /// Writes what waits, up to the last flush, if it has waited long enough.
    ///
    /// # Errors
    /// It can't be written.
    pub fn flush_old(&mut self) -> io::Result<()> {
        if self.flushed > 0 && self.settled.elapsed() >= PART_AGE {
            self.settle_flushed()?;
        }
        Ok(())
    }

    fn settle_flushed(&mut self) -> io::Result<()> {
        if self.flushed > 0 {
            let part = self.part.drain(..mem::take(&mut self.flushed));
            let packed = self.packing.pack(part.as_slice())?;
            drop(part);
            self.out.write_all(&packed)?;
        }
        self.settled = Instant::now();
        self.out.flush()
    }

    /// What is written to.
    pub fn get_mut(&mut self) -> &mut W {
        &mut self.out
    }

    /// Writes what waits, and gives back what was written to.
    ///
    /// # Errors
    /// It can't be written.
    pub fn finish(mut self) -> io::Result<W> {
        self.settle()?;
        Ok(self.out)
    }
}

impl<W: Write> Write for Packer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.part.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.flushed = self.part.len();
        if self.flushed >= PART_BYTES {
            self.settle_flushed()?;
        }
        self.flush_old()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [(Packing, &str); 2] = [(Packing::Gzip, "x.csv.gz"), (Packing::Zstd, "x.csv.zst")];

    /// Parts of a file, each of which holds one text.
    fn parts(packing: Packing, texts: &[&[u8]]) -> Vec<Vec<u8>> {
        let pack = |text: &&[u8]| packing.pack(text).expect("packed");
        texts.iter().map(pack).collect()
    }

    fn read(path: &Path) -> (Vec<u8>, Contents) {
        let mut contents = Contents::open(path).expect("readable");
        let mut bytes = Vec::new();
        contents.rows.read_to_end(&mut bytes).expect("unpacked");
        (bytes, contents)
    }

    #[test]
    fn a_file_is_its_whole_parts_wherever_it_was_cut() {
        let folder = tempfile::tempdir().expect("a folder");
        for (packing, name) in BOTH {
            let path = folder.path().join(name);
            let long = b"0123456789".repeat(30_000);
            let texts: [&[u8]; 3] = [b"one\n", &long, b"three\n"];
            let parts = parts(packing, &texts);
            let whole = parts.concat();
            let first_two = parts[..2].concat().len();
            let tail = whole.len() - first_two;
            for cut in [0, 1, 3, tail - 9, tail - 4, tail - 1] {
                std::fs::write(&path, &whole[..first_two + cut]).expect("written");
                let (bytes, contents) = read(&path);
                assert!(bytes == texts[..2].concat(), "{name} {cut}");
                assert_eq!(contents.whole_length, first_two as u64, "{name} {cut}");
                assert_eq!(contents.is_cut_off, cut > 0);
                assert_eq!(contents.refuse_cut_off(false).is_err(), cut > 0);
                assert!(contents.refuse_cut_off(true).is_ok());
            }
            std::fs::write(&path, &whole).expect("written");
            assert!(read(&path).0 == texts.concat());
            std::fs::write(&path, [&whole[..], b"path,label\na.jpg,cat\n"].concat())
                .expect("written");
            let error = Contents::open(&path).err().expect("no part of it");
            assert!(error.to_string().contains("damaged"), "{error}");
        }
    }

    #[test]
    fn a_part_ends_where_it_is_flushed_and_large_enough() {
        for (packing, _) in BOTH {
            let mut packer = Packer::new(Vec::new(), packing);
            let row = vec![b'x'; PART_BYTES - 1];
            packer.write_all(&row).expect("kept");
            packer.flush().expect("kept");
            assert!(!packer.is_settled());
            packer.write_all(&row).expect("kept");
            assert!(!packer.is_settled());
            packer.flush().expect("packed");
            assert!(packer.is_settled());
            let packed = packer.finish().expect("written");
            let once = packing.pack(&row.repeat(2)).expect("packed");
            assert!(packed == once);
        }
    }
}
