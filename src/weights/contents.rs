//! The bytes of a checkpoint's file: mapped or read.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Deref;
use std::path::Path;
use std::sync::OnceLock;

use memmap2::{Mmap, MmapOptions};

use super::format::{FileFormat, SIGNATURE_BYTES};
use super::stranger;
use crate::digest::sha256;
use crate::error::{Error, Result};

/// The largest checkpoint file read: alpha 16 has 1.1 GB.
pub(super) const MAX_FILE_BYTES: u64 = 2 << 30;

/// The bytes of a file, and their digest once it was asked for.
pub(super) struct Contents {
    bytes: Bytes,
    sha256: OnceLock<String>,
}

enum Bytes {
    /// As the system holds them: nothing is copied, and nothing read that isn't used.
    Mapped(Mmap),
    /// A copy.
    Read(Vec<u8>),
}

impl fmt::Debug for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Contents({} bytes)", self.len())
    }
}

impl Deref for Contents {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Mapped(map) => map,
            Bytes::Read(bytes) => bytes,
        }
    }
}

impl From<Bytes> for Contents {
    fn from(bytes: Bytes) -> Self {
        Self {
            bytes,
            sha256: OnceLock::new(),
        }
    }
}

impl Contents {
    /// Bytes that were read.
    pub fn read(bytes: Vec<u8>) -> Self {
        Bytes::Read(bytes).into()
    }

    /// The digest of all bytes, made when it is asked for and then kept: it takes longer than a picture.
    pub fn sha256(&self) -> &str {
        self.sha256.get_or_init(|| sha256(self))
    }

    /// The bytes of a file whose first ones are those of a checkpoint: a safetensors file is
    /// mapped, anything else (also a pipe) read.
    pub fn open(path: &Path) -> Result<Self> {
        let mut file = File::open(path).map_err(Error::io(path))?;
        let mut bytes = Vec::new();
        let mut head = Read::by_ref(&mut file).take(SIGNATURE_BYTES);
        head.read_to_end(&mut bytes).map_err(Error::io(path))?;
        let Some(format) = FileFormat::of(&bytes) else {
            let mut more = file.take(stranger::SHOWN_BYTES);
            more.read_to_end(&mut bytes).map_err(Error::io(path))?;
            return Err(Error::checkpoint(path, stranger::file(path, &bytes)));
        };
        let too_large = || Error::checkpoint(path, "larger than any MobileNet V1");
        let metadata = file.metadata().ok().filter(|metadata| metadata.is_file());
        let length = metadata.map_or(0, |metadata| metadata.len());
        if length >= MAX_FILE_BYTES {
            return Err(too_large());
        }
        if format == FileFormat::Safetensors
            && let Some(map) = map(&file, None)
        {
            return Ok(Bytes::Mapped(map).into());
        }
        // At once what the file will need, where it tells; growing means copying.
        bytes.reserve(length as usize);
        let mut rest = file.take(MAX_FILE_BYTES);
        rest.read_to_end(&mut bytes).map_err(Error::io(path))?;
        if bytes.len() as u64 >= MAX_FILE_BYTES {
            return Err(too_large());
        }
        Ok(Self::read(bytes))
    }

    /// A part of a file, mapped where that can be.
    pub fn part(file: &File, start: u64, length: u64) -> io::Result<Self> {
        if length >= MAX_FILE_BYTES {
            return Err(io::Error::other("larger than any MobileNet V1"));
        }
        if let Some(map) = map(file, Some((start, length))) {
            return Ok(Bytes::Mapped(map).into());
        }
        let mut file = file.try_clone()?;
        let mut bytes = Vec::with_capacity(length as usize);
        file.seek(SeekFrom::Start(start))?;
        file.take(length).read_to_end(&mut bytes)?;
        Ok(Self::read(bytes))
    }
}

/// Adds the bytes of a file that has a part of a checkpoint.
pub(super) fn append(bytes: &mut Vec<u8>, path: &Path) -> io::Result<()> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    let left = MAX_FILE_BYTES.saturating_sub(bytes.len() as u64);
    if !metadata.is_file() || metadata.len() >= left {
        return Err(io::Error::other("no file, or larger than any MobileNet V1"));
    }
    bytes.reserve_exact(metadata.len() as usize);
    file.take(left).read_to_end(bytes)?;
    Ok(())
}

/// Maps a file or a part of it, where the system and the file can be mapped. Not on Windows,
/// which lets nobody replace a file that is mapped: one could not be converted in place.
fn map(file: &File, part: Option<(u64, u64)>) -> Option<Mmap> {
    if !cfg!(unix) || !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
        return None;
    }
    let mut options = MmapOptions::new();
    if let Some((start, length)) = part {
        options.offset(start).len(length as usize);
    }
    // SAFETY: what is mapped must not change. Whatever this program writes, its caches included,
    // takes a file's place by a rename, which leaves a mapped file as it was; but for answers that
    // are written bit by bit, which are refused where they would go to the checkpoint that was
    // opened. Against another
    // program that writes into the file meanwhile there is no help but a copy; it would see its
    // wrong bytes classified, or, having cut the file short, this process ended by SIGBUS. Every
    // bit pattern is a float, and what the header states is checked and kept when it is read, so
    // bytes that change lead to no access outside of the map.
    unsafe { options.map(file) }.ok()
}
