//! Files from the Hugging Face Hub, in the cache that all Hugging Face tools share.
//!
//! hf-hub knows the addresses and the cache's layout. The requests are our own: hf-hub 0.5 sends
//! a token along to other hosts, asks twice which file it is about, checks no sha256, and waits
//! for a server that says nothing until it says something.

mod cache;
mod fetch;
mod forms;
mod repo;

use std::fmt;
use std::path::{Path, PathBuf};

pub use repo::Repo;

use super::checksum::{self, Verdict};
use super::download::{Patience, without_credentials};
use cache::Folder;
pub(in crate::weights) use forms::FORMS;

/// The Hub's own address.
pub const DEFAULT_ENDPOINT: &str = "https://huggingface.co";

/// A snapshot's file leads to its content by two links, and a cache may have been moved behind more.
const MOST_LINKS: usize = 8;

/// A file that is wanted of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RepoFile<'a> {
    /// Its path in the repository.
    pub name: &'a str,
    /// Whether the repository is of no use without it.
    pub required: bool,
}

/// How the Hub is reached and where its files are kept.
#[derive(Clone)]
pub struct Hub {
    /// Address of the Hub or of a mirror; [`DEFAULT_ENDPOINT`].
    pub endpoint: String,
    /// Cache shared with all Hugging Face tools.
    pub cache: PathBuf,
    /// Folder for notes on which of its files were found to be whole.
    pub checksums: PathBuf,
    /// Sent to the endpoint, and to nobody that it redirects to.
    pub token: Option<String>,
    /// How long it is waited for.
    pub patience: Patience,
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("endpoint", &without_credentials(&self.endpoint))
            .field("cache", &self.cache)
            .field("checksums", &self.checksums)
            .field("token", &self.token.as_ref().map(|_| "(set)"))
            .field("patience", &self.patience)
            .finish()
    }
}

/// What the cache has of a repository's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::weights) enum Cached {
    /// Everything that there is, in this folder.
    All(PathBuf),
    /// Everything that is required, in this folder; whether there is more is not known.
    Required(PathBuf),
    /// A file is not the one that was put there.
    Damaged(PathBuf),
    /// Not everything that is required.
    Nothing,
}

impl Hub {
    /// A file of a repository from the cache, without the network.
    pub fn cached(&self, repo: &Repo, file: &str) -> Option<PathBuf> {
        let folder = Folder::new(&self.cache, repo);
        let path = folder.snapshot(&folder.commit()?).join(file);
        path.is_file().then_some(path)
    }

    /// The address of a file of a repository, to be shown.
    pub fn address(&self, repo: &Repo, file: &str) -> String {
        without_credentials(&self.file_address(repo, file))
    }

    fn endpoint(&self) -> &str {
        self.endpoint.trim_end_matches('/')
    }

    fn file_address(&self, repo: &Repo, file: &str) -> String {
        let (endpoint, repo) = (self.endpoint(), repo.to_hf_hub());
        let (id, revision) = (repo.url(), repo.url_revision());
        format!("{endpoint}/{id}/resolve/{revision}/{file}")
    }

    /// Looks into the cache, without the network.
    pub(in crate::weights) fn look(&self, repo: &Repo, files: &[RepoFile]) -> Cached {
        let folder = Folder::new(&self.cache, repo);
        let Some(commit) = folder.commit() else {
            return Cached::Nothing;
        };
        let snapshot = folder.snapshot(&commit);
        let mut all = true;
        for file in files {
            let path = snapshot.join(file.name);
            if path.is_file() {
                if self.check(&path, false) == Verdict::Damaged {
                    return Cached::Damaged(path);
                }
            } else if file.required {
                return Cached::Nothing;
            } else {
                all &= folder.is_absent(&commit, file.name);
            }
        }
        match all {
            true => Cached::All(snapshot),
            false => Cached::Required(snapshot),
        }
    }

    /// Whether a file in the cache is what was put there: a large one's mark is its sha256, a small
    /// one's is noted when it comes.
    pub(in crate::weights) fn check(&self, path: &Path, thorough: bool) -> Verdict {
        match mark(path) {
            Some(etag) => {
                let stated = is_hex(&etag, 64).then_some(&*etag);
                checksum::check(path, &self.checksums.join(&etag), stated, thorough)
            }
            None => Verdict::Unknown,
        }
    }

    /// Notes what came, so that it need not be read once more when it is used.
    fn write_checksum(&self, blob: &Path, etag: &str) {
        if is_hex(etag, 64) || is_hex(etag, 40) {
            // Where that can't be noted, a large file's name still tells.
            checksum::write(blob, &self.checksums.join(etag)).ok();
        }
    }
}

/// The mark by which the server knows the content of a file in the cache: the name that it has among
/// its repository's `blobs`, to which a snapshot's link points. That may be a link itself, to where
/// the contents of all repositories lie: there they are called otherwise (by the hash of Xet, which
/// is no digest of their bytes).
fn mark(path: &Path) -> Option<String> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let folder = path.parent()?;
        let name = path.file_name()?.to_string_lossy().into_owned();
        let is_blob = folder
            .file_name()
            .is_some_and(|folder| folder == cache::BLOBS);
        if is_blob && (is_hex(&name, 64) || is_hex(&name, 40)) {
            return Some(name);
        }
        path = folder.join(std::fs::read_link(&path).ok()?);
    }
    None
}

/// Whether this is a digest of so many digits: 64 for sha256, 40 for git's.
fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_not_printed() {
        let hub = Hub {
            endpoint: "https://me:hf_secret@hub".into(),
            cache: "cache".into(),
            checksums: "seals".into(),
            token: Some("hf_secret".into()),
            patience: Patience::default(),
        };
        let shown = format!("{hub:?}");
        assert!(
            shown.contains("https://hub") && !shown.contains("secret"),
            "{shown}"
        );
    }
}
