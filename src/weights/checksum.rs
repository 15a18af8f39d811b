//! Whether a file in a cache is still the one that was put there.
//!
//! The checksum file is a small text beside it, in the form of `sha256sum`: the file's sha256, with the
//! length and the time of change that it had when the sum was last found right. While those are
//! the same the sum is not taken again, which would cost as much time as a picture.

use std::fs::{self, Metadata};
use std::io::{self, Write};
use std::path::Path;
use std::time::UNIX_EPOCH;

use crate::atomic_file::{self, AtomicFile};
use crate::digest::sha256_of_file;

/// What a sum is compared with that no file has.
const NONE: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// What is known of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is as it was put there.
    Sound,
    /// It is another one.
    Damaged,
    /// Nothing says what it should be.
    Unknown,
}

#[derive(Debug, PartialEq, Eq)]
struct ChecksumFile {
    sha256: String,
    /// Length, and nanoseconds of the time of change.
    state: (u64, u128),
}

impl ChecksumFile {
    fn read(path: &Path) -> Option<Self> {
        let text = fs::read_to_string(path).ok()?;
        let (comment, sum) = text.split_once('\n')?;
        let state = comment.strip_prefix("# ")?.split_once(" bytes, changed ")?;
        let sha256 = sum.split_whitespace().next()?.to_owned();
        let state = (state.0.parse().ok()?, state.1.trim().parse().ok()?);
        Some(Self { sha256, state })
    }

    fn write(&self, path: &Path, file: &Path) -> io::Result<()> {
        let (length, changed) = self.state;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let sha256 = &self.sha256;
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let text = format!("# {length} bytes, changed {changed}\n{sha256}  {name}\n");
        atomic_file::write(path, text.as_bytes())
    }
}

fn state(metadata: &Metadata) -> (u64, u128) {
    let changed = metadata.modified().ok();
    let since = changed.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    (metadata.len(), since.map_or(0, |since| since.as_nanos()))
}

/// Looks at a file: at its length and time of change where these are the recorded ones, else, or
/// where `thorough`, at all of its bytes. `stated` is its sha256 where something else than the
/// checksum says it.
pub(super) fn check(
    file: &Path,
    checksum_file: &Path,
    stated: Option<&str>,
    thorough: bool,
) -> Verdict {
    let recorded = ChecksumFile::read(checksum_file);
    let Some(expected) = stated.or(recorded.as_ref().map(|recorded| recorded.sha256.as_str()))
    else {
        return Verdict::Unknown;
    };
    let Ok(metadata) = fs::metadata(file) else {
        return Verdict::Unknown;
    };
    let now = state(&metadata);
    if let Some(recorded) = &recorded
        && recorded.sha256 == expected
        && recorded.state == now
        && !thorough
    {
        return Verdict::Sound;
    }
    match sha256_of_file(file) {
        Ok(sum) if sum.eq_ignore_ascii_case(expected) => {
            let fresh = ChecksumFile {
                sha256: expected.to_owned(),
                state: now,
            };
            if recorded.as_ref() != Some(&fresh) {
                // Where that can't be written, the next run takes the sum again.
                fresh.write(checksum_file, file).ok();
            }
            Verdict::Sound
        }
        Ok(_) => {
            // So that the next look, a cursory one, sees it too.
            if recorded
                .as_ref()
                .is_some_and(|recorded| recorded.state == now)
            {
                let broken = ChecksumFile {
                    sha256: expected.to_owned(),
                    state: (0, 0),
                };
                broken.write(checksum_file, file).ok();
            }
            Verdict::Damaged
        }
        Err(_) => Verdict::Unknown,
    }
}

/// Records the checksum of a file as it is.
pub(super) fn write(file: &Path, checksum_file: &Path) -> io::Result<()> {
    let state = state(&fs::metadata(file)?);
    let sha256 = sha256_of_file(file)?;
    ChecksumFile { sha256, state }.write(checksum_file, file)
}

/// Records the checksum of a file as damaged: it could not be used, and nothing says what it should be.
pub(super) fn condemn(file: &Path, checksum_file: &Path) -> io::Result<()> {
    let sha256 = NONE.to_owned();
    let state = (0, 0);
    ChecksumFile { sha256, state }.write(checksum_file, file)
}

/// Writes a file that appears whole or not at all, and its checksum before it.
pub(super) fn write_with_checksum(
    file: &Path,
    checksum_file: &Path,
    bytes: &[u8],
    sha256: &str,
) -> io::Result<()> {
    let mut staged = AtomicFile::create(file)?;
    staged.write_all(bytes)?;
    let fresh = ChecksumFile {
        sha256: sha256.to_owned(),
        state: state(&staged.flushed()?.metadata()?),
    };
    fresh.write(checksum_file, file)?;
    staged.commit()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::sha256;

    #[test]
    fn every_change_of_a_file_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let (file, checksum_file) = (folder.path().join("a"), folder.path().join("a.sha256"));
        let look = |thorough| check(&file, &checksum_file, None, thorough);
        fs::write(&file, "right").unwrap();
        assert_eq!(look(false), Verdict::Unknown);

        write_with_checksum(&file, &checksum_file, b"right", &sha256(b"right")).unwrap();
        assert_eq!(look(false), Verdict::Sound);
        assert_eq!(look(true), Verdict::Sound);
        for wrong in ["wrong", "righ", ""] {
            fs::write(&file, wrong).unwrap();
            assert_eq!(look(false), Verdict::Damaged, "{wrong}");
        }
        // Copied to another time, it is looked at once more.
        fs::write(&file, "right").unwrap();
        assert_eq!(look(false), Verdict::Sound);

        // What changed without a trace is found by a thorough look, and then by any.
        let changed = fs::metadata(&file).unwrap().modified().unwrap();
        fs::write(&file, "wrong").unwrap();
        let open = fs::OpenOptions::new().write(true).open(&file).unwrap();
        open.set_modified(changed).unwrap();
        assert_eq!(look(false), Verdict::Sound);
        assert_eq!(look(true), Verdict::Damaged);
        assert_eq!(look(false), Verdict::Damaged);
    }

    #[test]
    fn what_was_condemned_stays_so_until_it_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (file, checksum_file) = (folder.path().join("a"), folder.path().join("a.sha256"));
        fs::write(&file, "wrong").unwrap();
        condemn(&file, &checksum_file).unwrap();
        assert_eq!(check(&file, &checksum_file, None, false), Verdict::Damaged);
        write_with_checksum(&file, &checksum_file, b"right", &sha256(b"right")).unwrap();
        assert_eq!(check(&file, &checksum_file, None, false), Verdict::Sound);
    }
}
