//! The file that a download grows in, beside the one it is to become.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::Progress;
use super::failure::{Failure, Kind, WEB_PAGE, is_markup};
use super::http::{Answer, Client};
use crate::digest::sha256_of_file;

/// The largest file that is not a checkpoint: settings, labels.
pub(in crate::weights) const MAX_SMALL_BYTES: u64 = 16 << 20;

/// A server that is slower than this many bytes a second is one that says nothing.
const SLOWEST: f32 = 100.0;

/// A file to be downloaded.
#[derive(Debug, Clone, Copy)]
pub(in crate::weights) struct Wanted<'a> {
    /// What it is called, for whoever watches.
    pub name: &'a str,
    /// Where it grows. What an earlier download left there is taken up.
    pub part: &'a Path,
    /// Whether the part's name says which file it is of. Otherwise it is noted beside the part,
    /// and the server asked whether it is still the same.
    pub named: bool,
    /// A larger file is not taken.
    pub max: u64,
    /// Its length and its sha256, where they were stated.
    pub size: Option<u64>,
    pub sha256: Option<&'a str>,
}

impl Wanted<'_> {
    /// What the part holds already.
    pub fn received(&self) -> u64 {
        fs::metadata(self.part).map_or(0, |metadata| metadata.len())
    }

    /// Beside the part: the mark by which its server tells files apart.
    fn mark_path(&self) -> PathBuf {
        mark_path(self.part)
    }

    /// From where to go on, with the mark of the file that was begun.
    fn begun(&self) -> (u64, Option<String>) {
        let received = self.received();
        match (self.named, fs::read_to_string(self.mark_path())) {
            _ if received > self.size.unwrap_or(self.max) => (0, None),
            (true, _) => (received, None),
            (false, Ok(mark)) if !mark.is_empty() => (received, Some(mark)),
            // Nobody knows of what it is a part.
            (false, _) => (0, None),
        }
    }

    /// Makes the part an empty one of the file that the answer brings.
    fn begin(&self, answer: &Answer) -> io::Result<File> {
        let file = File::create(self.part)?;
        if !self.named {
            let etag = answer.header("etag").filter(|etag| !etag.starts_with("W/"));
            let mark = etag.or_else(|| answer.header("last-modified"));
            fs::write(self.mark_path(), mark.unwrap_or_default())?;
        }
        Ok(file)
    }

    fn failed(&self, error: &io::Error) -> Failure {
        let folder = self.part.parent().unwrap_or(self.part);
        Failure::of_cache(folder, error)
    }

    /// The whole file arrived: is it the one that was stated?
    fn verify(&self) -> Result<(), Failure> {
        let Some(stated) = self.sha256 else {
            return Ok(());
        };
        let sum = sha256_of_file(self.part).map_err(|e| self.failed(&e))?;
        if sum.eq_ignore_ascii_case(stated) {
            return Ok(());
        }
        remove_part(self.part);
        Err(Failure::new(
            Kind::Damaged,
            "what arrived is not what the server states (its sha256 differs)",
        ))
    }
}

fn mark_path(part: &Path) -> PathBuf {
    let mut path = part.as_os_str().to_owned();
    path.push(".etag");
    path.into()
}

/// Removes a part and what was noted of it.
pub(in crate::weights) fn remove_part(part: &Path) {
    fs::remove_file(part).ok();
    fs::remove_file(mark_path(part)).ok();
}

impl Client {
    /// One try at a file, from where the last one stopped.
    pub fn receive(
        &self,
        wanted: &Wanted,
        address: &str,
        token: Option<&str>,
        progress: &dyn Progress,
    ) -> Result<(), Failure> {
        let (start, mark) = wanted.begun();
        if start > 0 && wanted.size == Some(start) {
            return wanted.verify();
        }
        let mut headers = Vec::new();
        if start > 0 {
            headers.push(("range", format!("bytes={start}-")));
            headers.extend(mark.map(|mark| ("if-range", mark)));
        }
        let answer = self.get(address, token, &headers)?;
        let total = match answer.response.status().as_u16() {
            200 => answer.response.body().content_length(),
            206 if start > 0 => match answer.range() {
                Some((begin, total)) if begin == start => Some(total),
                _ => {
                    remove_part(wanted.part);
                    return Err(Failure::passing("another part arrived than was asked for"));
                }
            },
            416 if start > 0 && answer.whole() == Some(start) => return wanted.verify(),
            416 if start > 0 => {
                remove_part(wanted.part);
                return Err(Failure::passing("the server can't go on where it stopped"));
            }
            status => return Err(Failure::last(format!("the server answered {status}"))),
        };
        if let (Some(stated), Some(total)) = (wanted.size, total)
            && stated != total
        {
            return Err(Failure::new(
                Kind::Damaged,
                format!("{total} bytes are offered of {stated}"),
            ));
        }
        let total = total.or(wanted.size);
        if total.is_some_and(|total| total > wanted.max) {
            return Err(too_large());
        }
        let resumed = answer.response.status().as_u16() == 206;
        let file = match resumed {
            true => OpenOptions::new().append(true).open(wanted.part),
            false => wanted.begin(&answer),
        };
        let mut file = file.map_err(|e| wanted.failed(&e))?;
        let start = if resumed { start } else { 0 };
        progress.start(wanted.name, total);
        progress.advance(start);
        let result = self.copy(wanted, answer, &mut file, start, total, progress);
        progress.finish();
        if let Err(failure) = result {
            drop(file);
            if wanted.received() == 0 {
                remove_part(wanted.part);
            }
            return Err(failure);
        }
        file.sync_all().map_err(|e| wanted.failed(&e))?;
        wanted.verify()
    }

    /// The body of an answer to the end of a part.
    fn copy(
        &self,
        wanted: &Wanted,
        answer: Answer,
        file: &mut File,
        start: u64,
        total: Option<u64>,
        progress: &dyn Progress,
    ) -> Result<(), Failure> {
        let mut body = answer.response.into_body().into_reader();
        let mut received = start;
        let mut buffer = vec![0; 64 << 10];
        let (mut since, mut then) = (Instant::now(), start);
        loop {
            let read = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => {
                    let failure = self.describe(&ureq::Error::from(e));
                    let of = total.map_or(String::new(), |total| format!(" of {total}"));
                    let reason = format!("{} after {received}{of} bytes", failure.reason);
                    return Err(Failure::new(failure.kind, reason));
                }
            };
            if received == 0 && is_markup(&buffer[..read]) {
                return Err(Failure::last(WEB_PAGE));
            }
            received += read as u64;
            if received > total.unwrap_or(wanted.max) {
                remove_part(wanted.part);
                return Err(match total {
                    Some(total) => {
                        let reason = format!("more arrives than the {total} bytes that are stated");
                        Failure::new(Kind::Damaged, reason)
                    }
                    None => too_large(),
                });
            }
            file.write_all(&buffer[..read])
                .map_err(|e| wanted.failed(&e))?;
            progress.advance(read as u64);
            let silence = self.patience.silence;
            if since.elapsed() > silence {
                let enough = (SLOWEST * silence.as_secs_f32()) as u64;
                if received - then < enough {
                    return Err(Failure::passing(format!(
                        "only {} bytes arrived within {} seconds",
                        received - then,
                        silence.as_secs_f32()
                    )));
                }
                (since, then) = (Instant::now(), received);
            }
        }
        match total {
            Some(total) if received < total => Err(Failure::passing(format!(
                "the connection broke off after {received} of {total} bytes"
            ))),
            _ => Ok(()),
        }
    }
}

fn too_large() -> Failure {
    Failure::last("larger than any MobileNet V1")
}
