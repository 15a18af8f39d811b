//! Files from the Hugging Face Hub, through hf-hub.
//!
//! hf-hub 0.5 answers from its cache first, in the layout that all Hugging Face tools share.
//! What it lacks is added here: working offline, finding a commit that Python's tools cached,
//! checking a download's sha256, and giving up on a server that hangs.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::mpsc::Sender;
use std::time::Duration;

use hf_hub::api::sync::{ApiBuilder, ApiError, ApiRepo};
use hf_hub::{Cache, RepoType};

use super::contents::MAX_FILE_BYTES;
use super::download::{Event, Progress, describe_request, watched, without_credentials};
use super::imported::sha256;

/// The Hub's own address.
pub const DEFAULT_ENDPOINT: &str = "https://huggingface.co";

/// A repository on the Hub at a revision, written `OWNER/NAME[@REVISION]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repo {
    /// `OWNER/NAME`.
    pub id: String,
    /// Branch, tag, commit or `refs/pr/N`.
    pub revision: String,
}

impl FromStr for Repo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (id, revision) = text.split_once('@').unwrap_or((text, "main"));
        // Both become parts of addresses and of paths in the cache.
        let id_parts: Vec<&str> = id.split('/').collect();
        if id_parts.len() != 2 || !id_parts.iter().all(|p| is_plain(p)) {
            return Err(format!("{id:?} is not of the form OWNER/NAME"));
        }
        if !revision.split('/').all(is_plain) {
            return Err(format!("{revision:?} is not a branch, tag or commit"));
        }
        Ok(Self {
            id: id.into(),
            revision: revision.into(),
        })
    }
}

/// Whether a text can be a part of an address or of a path without changing what is around it.
fn is_plain(part: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    !part.is_empty() && part.chars().all(allowed) && !part.contains("..")
}

impl fmt::Display for Repo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.revision.as_str() {
            "main" => write!(f, "{}", self.id),
            revision => write!(f, "{}@{revision}", self.id),
        }
    }
}

impl Repo {
    fn to_hf_hub(&self) -> hf_hub::Repo {
        let (id, revision) = (self.id.clone(), self.revision.clone());
        hf_hub::Repo::with_revision(id, RepoType::Model, revision)
    }
}

/// How the Hub is reached and where its files are kept.
#[derive(Debug, Clone)]
pub struct Hub {
    /// Address of the Hub or of a mirror; [`DEFAULT_ENDPOINT`].
    pub endpoint: String,
    /// Cache shared with all Hugging Face tools.
    pub cache: PathBuf,
    /// Sent with every request.
    pub token: Option<String>,
    /// How long to wait for a server that says nothing.
    pub patience: Duration,
}

impl Hub {
    /// A file of a repository from the cache, without the network.
    pub fn cached(&self, repo: &Repo, file: &str) -> Option<PathBuf> {
        let cache = Cache::new(self.cache.clone());
        cache.repo(repo.to_hf_hub()).get(file).or_else(|| {
            // huggingface_hub keeps no reference for a revision that is a commit.
            let snapshot = self.cache.join(repo.to_hf_hub().folder_name());
            let path = snapshot.join("snapshots").join(&repo.revision).join(file);
            path.is_file().then_some(path)
        })
    }

    /// The address of a file of a repository, to be shown.
    pub fn address(&self, repo: &Repo, file: &str) -> String {
        let endpoint = without_credentials(self.endpoint.trim_end_matches('/'));
        let revision = repo.revision.replace('/', "%2F");
        format!("{endpoint}/{}/resolve/{revision}/{file}", repo.id)
    }

    /// Downloads a file of a repository into the cache, whether or not it is there.
    ///
    /// # Errors
    /// What the server or the system answered, in words.
    pub fn download(
        &self,
        repo: &Repo,
        file: &str,
        progress: &dyn Progress,
    ) -> Result<PathBuf, String> {
        // hf-hub takes the endpoint for an address without a check.
        let endpoint = self.endpoint.trim_end_matches('/').to_owned();
        let valid = endpoint.parse::<ureq::http::Uri>();
        if !valid.is_ok_and(|uri| uri.host().is_some() && uri.scheme().is_some()) {
            return Err(
                "not an address (HF_ENDPOINT has to begin with http:// or https://)".into(),
            );
        }
        std::fs::create_dir_all(&self.cache)
            .map_err(|e| format!("{} can't be written: {e}", self.cache.display()))?;
        // Not `new()`, which wants a home folder.
        let api = ApiBuilder::from_cache(Cache::new(self.cache.clone()))
            .with_endpoint(endpoint)
            .with_token(self.token.clone())
            .with_progress(false)
            .build()
            .map_err(|e| describe(&e))?;
        let (repo, file) = (repo.to_hf_hub(), file.to_owned());
        let (path, size) = watched(self.patience, progress, move |events| {
            let repo = api.repo(repo);
            let stated = api.metadata(&repo.url(&file)).map_err(|e| describe(&e))?;
            // hf-hub makes paths of both.
            if ![stated.etag(), stated.commit_hash()]
                .into_iter()
                .all(is_plain)
            {
                return Err("the server's answer was not understood".into());
            }
            if stated.size() as u64 > MAX_FILE_BYTES {
                return Err("larger than any MobileNet V1".into());
            }
            let path = fetch(&repo, &file, events)?;
            Ok((path, stated.size() as u64))
        })?;
        verify(&path, size)?;
        Ok(path)
    }
}

/// A file in the cache, and the size that the server states for it.
type Found = (PathBuf, u64);

/// One download. What an interrupted one left behind is taken up, and thrown away where the
/// server can't go on from there.
fn fetch(api: &ApiRepo, file: &str, events: &Sender<Event<Found>>) -> Result<PathBuf, String> {
    let first = api.download_with_progress(file, Relay(events.clone()));
    let result = match first {
        Err(ApiError::InvalidResume) => api.download_with_progress(file, Relay(events.clone())),
        result => result,
    };
    result.map_err(|e| describe(&e))
}

/// A download that was cut short, glued together wrongly or altered on its way has another size
/// than was stated, or another sha256 than the one by which the cache names large files.
fn verify(pointer: &Path, size: u64) -> Result<(), String> {
    let blob = pointer.canonicalize().map_err(|e| e.to_string())?;
    let bytes = std::fs::read(&blob).map_err(|e| e.to_string())?;
    let name = blob.file_name().unwrap_or_default().to_string_lossy();
    let is_sha256 = name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit());
    let wrong = if bytes.len() as u64 != size {
        format!("{} bytes arrived of {size}", bytes.len())
    } else if is_sha256 && !sha256(&bytes).eq_ignore_ascii_case(&name) {
        "its sha256 differs".to_owned()
    } else {
        return Ok(());
    };
    // A file that is known to be wrong must not be found by the next run.
    for path in [pointer, blob.as_path()] {
        std::fs::remove_file(path).ok();
    }
    Err(format!(
        "what arrived is not what the repository holds ({wrong}); try again"
    ))
}

fn describe(error: &ApiError) -> String {
    match error {
        ApiError::RequestError(e) => describe_request(e),
        ApiError::LockAcquisition(path) => format!(
            "another process is downloading the same file (lock {})",
            path.display()
        ),
        other => other.to_string(),
    }
}

/// hf-hub's progress, passed on to the thread that waits.
struct Relay(Sender<Event<Found>>);

impl hf_hub::api::Progress for Relay {
    fn init(&mut self, size: usize, filename: &str) {
        let event = Event::Start(filename.into(), Some(size as u64));
        let _ = self.0.send(event);
    }

    fn update(&mut self, size: usize) {
        let _ = self.0.send(Event::Advance(size as u64));
    }

    fn finish(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_parsed_and_hostile_ones_refused() {
        let repo: Repo = "google/mobilenet_v1_1.0_224@refs/pr/1".parse().unwrap();
        assert_eq!(repo.id, "google/mobilenet_v1_1.0_224");
        assert_eq!(repo.revision, "refs/pr/1");
        assert_eq!("a/b".parse::<Repo>().unwrap().revision, "main");
        for bad in [
            "",
            "a",
            "a/b/c",
            "a/..",
            "a/b@../../x",
            "a/b@",
            "a b/c",
            "/b",
            "a/b@x//y",
        ] {
            assert!(bad.parse::<Repo>().is_err(), "{bad}");
        }
    }
}
