//! Brings a published variant, or a repository's file, to this machine.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::catalogue::{Catalogue, Variant};
use super::checkpoint::{Checkpoint, LoadOptions};
use super::download::{Progress, without_credentials};
use super::hub::{Hub, Repo};
use super::release;
use crate::error::{Attempt, FetchError, Result};

/// The file that `--repo` loads from a repository.
const REPO_FILE: &str = "model.safetensors";

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
    /// How long to wait for a server that says nothing.
    pub patience: Duration,
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

    /// A variant's weights as a file on this machine: from the cache, without the network;
    /// else downloaded and kept.
    ///
    /// # Errors
    /// [`FetchError`] with every place that was tried and what came of it.
    pub fn fetch(&self, variant: &Variant, progress: &dyn Progress) -> Result<PathBuf> {
        if let Some(path) = self.cached(variant) {
            return Ok(path);
        }
        let mut attempts = self.cache_attempts(variant);
        if !self.offline {
            if let Some(repo) = &self.hub_repo {
                match self.hub.download(repo, &variant.hub_file, progress) {
                    Ok(path) => return Ok(path),
                    Err(outcome) => attempts.push(Attempt {
                        address: self.hub.address(repo, &variant.hub_file),
                        outcome,
                    }),
                }
            }
            match self.fetch_release(variant, progress) {
                Ok(path) => return Ok(path),
                Err(attempt) => attempts.push(attempt),
            }
        }
        Err(FetchError {
            wanted: variant.to_string(),
            attempts,
            offline: self.offline,
        }
        .into())
    }

    /// The checkpoint of a repository as a file on this machine.
    ///
    /// # Errors
    /// [`FetchError`] with every place that was tried and what came of it.
    pub fn fetch_repo(&self, repo: &Repo, progress: &dyn Progress) -> Result<PathBuf> {
        if let Some(path) = self.hub.cached(repo, REPO_FILE) {
            return Ok(path);
        }
        let mut attempts = vec![not_cached(&self.hub.cache)];
        if !self.offline {
            match self.hub.download(repo, REPO_FILE, progress) {
                Ok(path) => return Ok(path),
                Err(outcome) => attempts.push(Attempt {
                    address: self.hub.address(repo, REPO_FILE),
                    outcome,
                }),
            }
        }
        Err(FetchError {
            wanted: repo.to_string(),
            attempts,
            offline: self.offline,
        }
        .into())
    }

    fn cache_attempts(&self, variant: &Variant) -> Vec<Attempt> {
        let hub = self.hub_repo.as_ref().map(|_| not_cached(&self.hub.cache));
        let conversion = not_cached(&self.conversion_path(variant));
        hub.into_iter().chain([conversion]).collect()
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
            return Err(Attempt {
                address: self.cache.display().to_string(),
                outcome: format!("the cache can't be written to ({})", error.kind()),
            });
        }
        self.convert_release(variant, progress)
            .map_err(|outcome| Attempt {
                address: without_credentials(&self.release_address(variant)),
                outcome,
            })
    }

    /// Downloads Keras's file and keeps our conversion of it.
    fn convert_release(
        &self,
        variant: &Variant,
        progress: &dyn Progress,
    ) -> Result<PathBuf, String> {
        let address = self.release_address(variant);
        let bytes = release::download(&address, self.patience, progress)?;
        let options = LoadOptions {
            size: Some(variant.size),
            activation: None,
        };
        let checkpoint = Checkpoint::from_bytes(bytes, Path::new(&variant.release_file), &options)
            .map_err(|e| format!("what arrived is not the checkpoint: {e}"))?
            .with_source_name(&without_credentials(&address));
        variant
            .check(&checkpoint)
            .map_err(|e| format!("what arrived is {e}"))?;
        let path = self.conversion_path(variant);
        checkpoint.save(&path).map_err(|e| e.to_string())?;
        Ok(path)
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

fn not_cached(path: &Path) -> Attempt {
    Attempt {
        address: path.display().to_string(),
        outcome: "not in the cache".into(),
    }
}
