//! Brings a published variant, or a repository's file, to this machine.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::catalogue::{Catalogue, Variant, catalogue};
use super::checkpoint::Checkpoint;
use super::checksum::{self, Verdict};
use super::download::{Failure, Kind, Patience, Progress, without_credentials};
use super::hub::{Cached, FORMS, Hub, Repo, RepoFile};
use super::lock::Lock;
use super::open::LoadOptions;
use super::release;
use super::save::SaveOptions;
use super::shards;
use crate::digest::sha256;
use crate::error::{Attempt, AttemptKind, Error, FetchError, Result};

/// Where weights are looked for and kept.
///
/// The default weights of a variant are always those that Keras released: from a repository of
/// their conversions where one is configured, else from the release itself. No other training
/// of the network is ever put in their place.
#[derive(Debug, Clone)]
pub struct Store {
    /// The Hugging Face Hub and its cache.
    pub hub: Hub,
    /// Repository of our conversions.
    pub hub_repo: Option<Repo>,
    /// Folder of Keras's release, or of a mirror.
    pub release_url: String,
    /// Where conversions of the release are kept.
    pub cache: PathBuf,
    /// The network is not to be used at all.
    pub offline: bool,
    /// How long the release's server is waited for.
    pub patience: Patience,
}

impl Store {
    /// Where the conversion of a variant lies, once it was made.
    pub fn conversion_path(&self, variant: &Variant) -> PathBuf {
        self.cache.join(&variant.hub_file)
    }

    /// Address of a variant's file in the release.
    pub fn release_address(&self, variant: &Variant) -> String {
        let folder = self.release_url.trim_end_matches('/');
        format!("{folder}/{}", variant.release_file)
    }

    /// Where a variant's weights are on this machine, without the network.
    pub fn cached(&self, variant: &Variant) -> Option<PathBuf> {
        let from_hub = self.hub_repo.as_ref();
        let from_hub = from_hub.and_then(|repo| self.hub.cached(repo, &variant.hub_file));
        from_hub.or_else(|| {
            let path = self.conversion_path(variant);
            path.is_file().then_some(path)
        })
    }

    /// Removes what is kept of the published variants: conversions, the checksums beside them, and
    /// downloads that were not finished. What lies in Hugging Face's cache is its tools' to remove.
    ///
    /// # Errors
    /// A file that can't be removed; those before it are gone.
    pub fn remove_conversions(&self) -> Result<Vec<PathBuf>> {
        let ours: Vec<&str> = catalogue()
            .variants
            .iter()
            .flat_map(|variant| [variant.hub_file.as_str(), variant.release_file.as_str()])
            .collect();
        let Ok(entries) = std::fs::read_dir(&self.cache) else {
            return Ok(Vec::new());
        };
        let mut removed = Vec::new();
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = entry.path();
            if path.is_file() && ours.iter().any(|file| name.starts_with(file)) {
                std::fs::remove_file(&path).map_err(Error::io(&path))?;
                removed.push(path);
            }
        }
        removed.sort();
        Ok(removed)
    }

    /// A variant's weights as a file on this machine: from the cache, without the network;
    /// else, or where the cache's file is damaged, downloaded and kept.
    ///
    /// # Errors
    /// [`FetchError`] with every place that was tried and what came of it.
    pub fn fetch(&self, variant: &Variant, progress: &dyn Progress) -> Result<PathBuf> {
        let files = [RepoFile {
            name: &variant.hub_file,
            required: true,
        }];
        let mut attempts = Vec::new();
        if let Some(repo) = &self.hub_repo {
            match self.hub.look(repo, &files) {
                Cached::All(snapshot) | Cached::Required(snapshot) => {
                    return Ok(snapshot.join(&variant.hub_file));
                }
                Cached::Damaged(path) => attempts.push(damaged(&path, progress)),
                Cached::Nothing => attempts.push(not_cached(&self.hub.cache)),
            }
        }
        let path = self.conversion_path(variant);
        match check_conversion(&path) {
            None => attempts.push(not_cached(&path)),
            Some(Verdict::Damaged) => attempts.push(damaged(&path, progress)),
            Some(_) => return Ok(path),
        }
        if !self.offline {
            if let Some(repo) = &self.hub_repo {
                match self.hub.fetch(repo, &files, progress) {
                    Ok(snapshot) => return Ok(snapshot.join(&variant.hub_file)),
                    Err(failure) => {
                        let file = &variant.hub_file;
                        let is_absent = failure.kind == Kind::Absent;
                        let names = is_absent.then(|| self.hub.list(repo)).flatten();
                        let failure = match names {
                            Some(names) => self.hub.explain(repo, &names, file),
                            None => failure,
                        };
                        attempts.push(failure.at(self.hub.address(repo, file)));
                    }
                }
            }
            match self.fetch_release(variant, progress) {
                Ok(path) => return Ok(path),
                Err(attempt) => attempts.push(attempt),
            }
        }
        Err(self.failed(variant, attempts))
    }

    /// The checkpoint of a repository as a file on this machine: its `model.safetensors`, else the
    /// index of its parts, else the same of PyTorch's files. Parts lie beside their index, and so do
    /// settings and labels, where the repository has them.
    ///
    /// # Errors
    /// [`FetchError`] with every place that was tried and what came of it.
    pub fn fetch_repo(&self, repo: &Repo, progress: &dyn Progress) -> Result<PathBuf> {
        let mut attempts = Vec::new();
        let mut usable = None;
        for form in FORMS {
            match self.hub.look_for(repo, form) {
                Cached::All(snapshot) => return Ok(snapshot.join(form.0)),
                Cached::Required(snapshot) => {
                    usable.get_or_insert(snapshot.join(form.0));
                }
                Cached::Damaged(path) => attempts.push(damaged(&path, progress)),
                Cached::Nothing => {}
            }
        }
        if usable.is_none() && attempts.is_empty() {
            attempts.push(not_cached(&self.hub.cache));
        }
        if !self.offline {
            let mut hub = self.hub.clone();
            if usable.is_some() {
                // Nobody waits long for what may not be there.
                hub.patience.tries = hub.patience.tries.min(2);
            }
            match hub.fetch_checkpoint(repo, progress) {
                Ok(path) => return Ok(path),
                Err((form, failure)) => {
                    if usable.is_some() {
                        progress.note(&format!(
                            "{}: {}; going on with what the cache has of it",
                            self.hub.address(repo, ""),
                            failure.reason
                        ));
                    }
                    attempts.push(failure.at(self.hub.address(repo, form.0)));
                }
            }
        }
        usable.ok_or_else(|| self.failed(repo, attempts))
    }

    /// Looks closely at a file that was fetched and could not be used. One that is damaged, or
    /// that nothing speaks for, is fetched again the next time.
    pub fn recheck(&self, path: &Path) {
        if path.parent() != Some(&self.cache) {
            self.hub.check(path, true);
            let parts = shards::is_index(path).then(|| shards::file_names(path).ok());
            for part in parts.flatten().unwrap_or_default() {
                self.hub.check(&path.with_file_name(part), true);
            }
        } else if checksum::check(path, &checksum_path(path), None, true) == Verdict::Unknown {
            // Where that can't be noted, the same file comes again, and the same error.
            checksum::condemn(path, &checksum_path(path)).ok();
        }
    }

    fn failed(&self, wanted: &impl ToString, attempts: Vec<Attempt>) -> crate::Error {
        FetchError {
            wanted: wanted.to_string(),
            attempts,
            offline: self.offline,
        }
        .into()
    }

    /// Downloads Keras's file and keeps our conversion of it, if it can be kept.
    fn fetch_release(
        &self,
        variant: &Variant,
        progress: &dyn Progress,
    ) -> Result<PathBuf, Attempt> {
        let writable =
            std::fs::create_dir_all(&self.cache).and_then(|()| tempfile::tempfile_in(&self.cache));
        if let Err(error) = writable {
            let failure = Failure::of_cache(&self.cache, &error);
            return Err(failure.at(self.cache.display().to_string()));
        }
        let lock = self.cache.join(".locks");
        let lock = lock.join(format!("{}.lock", variant.hub_file));
        let lock = Lock::take(&lock, &variant.release_file, progress);
        sweep(&self.cache);
        // Another process may have done it while this one waited.
        let path = self.conversion_path(variant);
        if matches!(check_conversion(&path), Some(Verdict::Sound)) {
            return Ok(path);
        }
        let address = self.release_address(variant);
        let fetched = release::fetch(&address, &self.cache, self.patience, &lock, progress);
        let conversion =
            fetched.and_then(|bytes| convert(variant, bytes, &address).map_err(Failure::last));
        let kept = conversion.and_then(|bytes| {
            let sum = sha256(&bytes);
            checksum::write_with_checksum(&path, &checksum_path(&path), &bytes, &sum)
                .map_err(|e| Failure::of_cache(&self.cache, &e))
        });
        match kept {
            Ok(()) => Ok(path),
            Err(failure) => Err(failure.at(without_credentials(&address))),
        }
    }

    /// A store of the published weights with the given caches and nothing else configured.
    pub fn new(catalogue: &Catalogue, cache: PathBuf, hub: Hub) -> Self {
        Self {
            patience: hub.patience,
            hub,
            hub_repo: catalogue.hub_repo.as_deref().and_then(|r| r.parse().ok()),
            release_url: catalogue.release_url.clone(),
            cache,
            offline: false,
        }
    }
}

/// Our conversion of Keras's file of a variant.
fn convert(variant: &Variant, bytes: Vec<u8>, address: &str) -> Result<Vec<u8>, String> {
    let options = LoadOptions::default().with_size(variant.size);
    let checkpoint = Checkpoint::from_bytes(bytes, Path::new(&variant.release_file), &options)
        .map_err(|e| format!("what arrived is not the checkpoint: {e}"))?
        .with_source_name(&without_credentials(address));
    variant
        .check(&checkpoint)
        .map_err(|e| format!("what arrived is {e}"))?;
    checkpoint
        .to_safetensors(&SaveOptions::default())
        .map_err(|e| e.to_string())
}

/// Removes what runs left that were killed while they wrote a file.
fn sweep(folder: &Path) {
    let hour = Duration::from_secs(3600);
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let changed = entry.metadata().and_then(|metadata| metadata.modified());
        let is_old = changed.is_ok_and(|time| time.elapsed().is_ok_and(|age| age > hour));
        if is_old && entry.file_name().to_string_lossy().starts_with(".tmp") {
            std::fs::remove_file(entry.path()).ok();
        }
    }
}

/// The checksum of a conversion.
fn checksum_path(conversion: &Path) -> PathBuf {
    let mut path = conversion.as_os_str().to_owned();
    path.push(".sha256");
    path.into()
}

/// What is known of a conversion, where there is one.
fn check_conversion(path: &Path) -> Option<Verdict> {
    let is_there = path.is_file();
    is_there.then(|| checksum::check(path, &checksum_path(path), None, false))
}

fn not_cached(path: &Path) -> Attempt {
    let address = path.display().to_string();
    Attempt::new(address, AttemptKind::NotCached, "not in the cache")
}

fn damaged(path: &Path, progress: &dyn Progress) -> Attempt {
    let address = path.display().to_string();
    let outcome = "damaged (it is not what was put into the cache)";
    let attempt = Attempt::new(address, AttemptKind::Damaged, outcome);
    progress.note(&format!("{}: {}", attempt.address, attempt.outcome));
    attempt
}
