//! Which files of a repository are its checkpoint.

use std::path::{Path, PathBuf};

use super::cache::Folder;
use super::repo::Repo;
use super::{Cached, Hub, RepoFile};
use crate::weights::download::{Failure, Kind, Progress};
use crate::weights::shards;

/// A form in which a repository may have its checkpoint: a file, or the index of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::weights) struct Form(pub &'static str);

/// All of them, the best first.
pub(in crate::weights) const FORMS: [Form; 4] = [
    Form("model.safetensors"),
    Form("model.safetensors.index.json"),
    Form("pytorch_model.bin"),
    Form("pytorch_model.bin.index.json"),
];

/// What may describe a checkpoint.
const DESCRIPTIONS: [&str; 3] = ["config.json", "preprocessor_config.json", "labels.json"];

impl Form {
    /// Those that go before it.
    fn better(self) -> impl Iterator<Item = Self> {
        FORMS.into_iter().take_while(move |form| *form != self)
    }

    /// Its file, the other parts of the checkpoint, and what may describe it.
    fn files<'a>(&self, parts: &'a [String]) -> Vec<RepoFile<'a>> {
        let file = |required| move |name| RepoFile { name, required };
        let parts = parts.iter().map(String::as_str);
        let required = std::iter::once(self.0).chain(parts).map(file(true));
        required.chain(DESCRIPTIONS.map(file(false))).collect()
    }

    fn is_index(self) -> bool {
        shards::is_index(Path::new(self.0))
    }

    /// The other files of a checkpoint in this form. An index that can't be read has none: whoever opens it
    /// is told why.
    fn parts(self, folder: &Path) -> Vec<String> {
        let path = folder.join(self.0);
        let names = self.is_index().then(|| shards::file_names(&path).ok());
        names.flatten().unwrap_or_default()
    }
}

impl Hub {
    /// Looks for a repository's checkpoint in the cache, without the network.
    pub(in crate::weights) fn look_for(&self, repo: &Repo, form: Form) -> Cached {
        let found = match self.look(repo, &form.files(&[])) {
            Cached::All(folder) | Cached::Required(folder) if form.is_index() => {
                self.look(repo, &form.files(&form.parts(&folder)))
            }
            found => found,
        };
        let cache = Folder::new(&self.cache, repo);
        let commit = cache.commit().unwrap_or_default();
        let mut better = form.better();
        match found {
            // There may be a better one.
            Cached::All(folder) if !better.all(|form| cache.is_absent(&commit, form.0)) => {
                Cached::Required(folder)
            }
            found => found,
        }
    }

    /// A repository's checkpoint and what describes it, all of one commit: from the cache, else
    /// downloaded. The file is returned, or the index beside its parts.
    ///
    /// # Errors
    /// The file that was asked for, and what the server or the system answered.
    pub(in crate::weights) fn fetch_checkpoint(
        &self,
        repo: &Repo,
        progress: &dyn Progress,
    ) -> Result<PathBuf, (Form, Failure)> {
        let first = FORMS[0];
        let failure = match self.fetch_form(repo, first, progress) {
            Err(failure) if failure.kind == Kind::Absent => failure,
            result => return result.map_err(|failure| (first, failure)),
        };
        let names = self.list(repo);
        for form in FORMS.into_iter().skip(1) {
            // Where there is no list each is asked for.
            let may_be = |names: &Vec<String>| names.iter().any(|name| name == form.0);
            if !names.as_ref().is_none_or(may_be) {
                continue;
            }
            match self.fetch_form(repo, form, progress) {
                Err(failure) if failure.kind == Kind::Absent => {}
                result => return result.map_err(|failure| (form, failure)),
            }
        }
        let failure = match names {
            Some(names) => self.explain(repo, &names, first.0),
            None => failure,
        };
        Err((first, failure))
    }

    fn fetch_form(
        &self,
        repo: &Repo,
        form: Form,
        progress: &dyn Progress,
    ) -> Result<PathBuf, Failure> {
        let folder = if form.is_index() {
            let commit = self.commit_of(repo, form.0, progress)?;
            let here = repo.at(&commit);
            let folder = self.fetch(&here, &form.files(&[]), progress)?;
            let parts = form.parts(&folder);
            let fetched = self.fetch(&here, &form.files(&parts), progress);
            fetched.map_err(|failure| match failure.kind {
                Kind::Absent => Failure::last(format!(
                    "a file that its index names is not there: {}",
                    failure.reason
                )),
                _ => failure,
            })?;
            // Only now, so that no revision refers to a commit that is not all there.
            self.refer(repo, &commit)?;
            folder
        } else {
            self.fetch(repo, &form.files(&[]), progress)?
        };
        let commit = folder.file_name().unwrap_or_default().to_string_lossy();
        let better: Vec<&str> = form.better().map(|better| better.0).collect();
        self.note_absent(&repo.at(&commit), &better, progress)?;
        Ok(folder.join(form.0))
    }
}
