//! A checkpoint at the end of an executable.
//!
//! Executables may be followed by anything. A bundle is a program, our safetensors at a multiple
//! of [`ALIGNMENT`], and a footer: where they begin, how long they are (each eight bytes,
//! little-endian), [`MAGIC`]. They are mapped from there, as from a file of their own.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::checkpoint::Checkpoint;
use super::contents::Contents;
use super::open::LoadOptions;
use crate::atomic_file::AtomicFile;
use crate::error::{Error, Result};

const MAGIC: &[u8; 16] = b"mobilenet bundle";
/// Bytes of the footer.
const FOOTER: u64 = 32;
/// So that the weights lie where floats may, and begin a page of most systems.
const ALIGNMENT: u64 = 4096;

/// Writes `program` with a checkpoint behind it, executable and whole or not at all. A program
/// that is a bundle already has its checkpoint replaced.
///
/// # Errors
/// A file that can't be read or written.
pub fn write_bundle(program: &Path, safetensors: &[u8], output: &Path) -> Result<()> {
    let mut file = File::open(program).map_err(Error::io(program))?;
    let footer = read_footer(&mut file).map_err(Error::io(program))?;
    let mut bytes = Vec::new();
    file.rewind().map_err(Error::io(program))?;
    let own = footer.map_or(u64::MAX, |(start, _)| start);
    let mut own = file.take(own);
    own.read_to_end(&mut bytes).map_err(Error::io(program))?;
    bytes.resize(bytes.len().next_multiple_of(ALIGNMENT as usize), 0);
    let start = bytes.len() as u64;
    bytes.extend(safetensors);
    bytes.extend(start.to_le_bytes());
    bytes.extend((safetensors.len() as u64).to_le_bytes());
    bytes.extend(MAGIC);
    let written = AtomicFile::create_program(output).and_then(|mut file| {
        file.write_all(&bytes)?;
        file.commit()
    });
    written.map_err(Error::io(output))
}

/// The checkpoint behind a program, if there is one.
///
/// # Errors
/// As [`Checkpoint::open`].
pub fn open_bundle(program: &Path, options: &LoadOptions) -> Result<Option<Checkpoint>> {
    let mut file = File::open(program).map_err(Error::io(program))?;
    let Some((start, length)) = read_footer(&mut file).map_err(Error::io(program))? else {
        return Ok(None);
    };
    let contents = Contents::part(&file, start, length).map_err(Error::io(program))?;
    Checkpoint::from_contents(contents, program, options).map(Some)
}

/// Where the checkpoint begins, and its length.
fn read_footer(file: &mut File) -> io::Result<Option<(u64, u64)>> {
    let end = file.seek(SeekFrom::End(0))?;
    if end < FOOTER {
        return Ok(None);
    }
    file.seek(SeekFrom::End(-(FOOTER as i64)))?;
    let mut footer = [0; FOOTER as usize];
    file.read_exact(&mut footer)?;
    let (numbers, magic) = footer.split_at(16);
    let number = |bytes: &[u8]| bytes.iter().rev().fold(0, |n, &b| n << 8 | u64::from(b));
    let (start, length) = (number(&numbers[..8]), number(&numbers[8..]));
    let fits = start
        .checked_add(length)
        .and_then(|n| n.checked_add(FOOTER))
        == Some(end);
    Ok((magic == MAGIC && fits).then_some((start, length)))
}
