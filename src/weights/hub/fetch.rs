//! What the cache lacks, from the Hub.

use std::path::PathBuf;

use hf_hub::api::RepoInfo;

use super::cache::Folder;
use super::repo::{Repo, is_plain};
use super::{Cached, Hub, RepoFile, is_hex};
use crate::weights::checksum::Verdict;
use crate::weights::contents::MAX_FILE_BYTES;
use crate::weights::download::{
    Answer, Client, Failure, Kind, MAX_SMALL_BYTES, Progress, Wanted, check_address, remove_part,
};
use crate::weights::lock::Lock;

/// The header that says which commit an answer is of.
const COMMIT: &str = "x-repo-commit";

/// What the Hub says of a file before it is fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stated {
    commit: String,
    etag: String,
    size: Option<u64>,
}

impl Hub {
    /// Files of a repository, all of one commit, in the folder that is returned: from the cache,
    /// else downloaded. What is not required may be missing from it.
    ///
    /// # Errors
    /// What the server or the system answered.
    pub(in crate::weights) fn fetch(
        &self,
        repo: &Repo,
        files: &[RepoFile],
        progress: &dyn Progress,
    ) -> Result<PathBuf, Failure> {
        check_address(self.endpoint()).map_err(Failure::last)?;
        if let Some(file) = files.iter().find(|f| !f.name.split('/').all(is_plain)) {
            let reason = format!("{:?} is not a file's name", file.name);
            return Err(Failure::last(reason));
        }
        if let Cached::All(snapshot) = self.look(repo, files) {
            return Ok(snapshot);
        }
        let folder = Folder::new(&self.cache, repo);
        folder
            .prepare()
            .map_err(|e| Failure::of_cache(folder.root(), &e))?;
        let lock = Lock::take(&folder.revision_lock(), &repo.to_string(), progress);
        let job = Job {
            shared: lock.is_held(),
            ..self.job(repo, &folder, progress)
        };
        job.run(files)
    }

    fn job<'a>(
        &'a self,
        repo: &'a Repo,
        folder: &'a Folder,
        progress: &'a dyn Progress,
    ) -> Job<'a> {
        Job {
            hub: self,
            client: Client::new(self.patience),
            repo,
            folder,
            shared: false,
            progress,
        }
    }

    /// The commit that a repository's revision is now, if it has a file.
    ///
    /// # Errors
    /// What the server answered.
    pub(super) fn commit_of(
        &self,
        repo: &Repo,
        file: &str,
        progress: &dyn Progress,
    ) -> Result<String, Failure> {
        check_address(self.endpoint()).map_err(Failure::last)?;
        let folder = Folder::new(&self.cache, repo);
        let job = self.job(repo, &folder, progress);
        let ask = || job.ask(repo, file);
        let stated = job.client.patiently(progress, || 0, ask)?;
        Ok(stated.commit)
    }

    /// Notes which commit a repository's revision is.
    ///
    /// # Errors
    /// What the system answered.
    pub(super) fn refer(&self, repo: &Repo, commit: &str) -> Result<(), Failure> {
        let folder = Folder::new(&self.cache, repo);
        let noted = folder.refer(commit);
        noted.map_err(|e| Failure::of_cache(folder.root(), &e))
    }

    /// Notes which of some files a commit does not have.
    ///
    /// # Errors
    /// What the system answered. What the server does not tell is not noted.
    pub(super) fn note_absent(
        &self,
        repo: &Repo,
        files: &[&str],
        progress: &dyn Progress,
    ) -> Result<(), Failure> {
        let folder = Folder::new(&self.cache, repo);
        let commit = &repo.revision;
        let job = self.job(repo, &folder, progress);
        for file in files {
            if folder.is_absent(commit, file) {
                continue;
            }
            let answer = job.ask(repo, file);
            if answer.is_err_and(|failure| failure.kind == Kind::Absent) {
                let noted = folder.note_absent(commit, file);
                noted.map_err(|e| job.write(&e))?;
            }
        }
        Ok(())
    }

    /// Why a repository that has these files has no checkpoint.
    pub(in crate::weights) fn explain(&self, repo: &Repo, names: &[String], file: &str) -> Failure {
        let has = |name: &str| names.iter().any(|n| n == name);
        let foreign = ["tf_model.h5", "flax_model.msgpack", "model.ckpt"];
        let Some(foreign) = foreign.into_iter().find(|name| has(name)) else {
            let reason = format!("the repository has no {file} (not found)");
            return Failure::new(Kind::Absent, reason);
        };
        let id = &repo.id;
        let hint = match repo.revision.starts_with("refs/pr/") {
            true => String::new(),
            false => {
                format!("; conversions often lie in revision refs/pr/1: try --repo {id}@refs/pr/1")
            }
        };
        let reason = format!(
            "the repository has no {file} (not found), only {foreign}, which is not read{hint}"
        );
        Failure::new(Kind::Absent, reason)
    }

    /// The names of a repository's files; none where the server has no such list.
    pub(in crate::weights) fn list(&self, repo: &Repo) -> Option<Vec<String>> {
        let address = format!("{}/api/{}", self.endpoint(), repo.to_hf_hub().api_url());
        let client = Client::new(self.patience);
        let answer = client.get(&address, self.token.as_deref(), &[]).ok()?;
        let body = answer.response.into_body();
        let text = body.into_with_config().limit(MAX_SMALL_BYTES).read_to_vec();
        let info: RepoInfo = serde_json::from_slice(&text.ok()?).ok()?;
        let names = info.siblings.into_iter().map(|file| file.rfilename);
        Some(names.collect())
    }
}

/// One call of [`Hub::fetch`].
struct Job<'a> {
    hub: &'a Hub,
    client: Client,
    repo: &'a Repo,
    folder: &'a Folder,
    /// Whether other processes wait until this one is done.
    shared: bool,
    progress: &'a dyn Progress,
}

impl Job<'_> {
    fn run(&self, files: &[RepoFile]) -> Result<PathBuf, Failure> {
        // Another process may have done it while this one waited.
        let commit = match self.hub.look(self.repo, files) {
            Cached::All(snapshot) => return Ok(snapshot),
            // What is there decides which commit it is.
            Cached::Required(_) | Cached::Damaged(_) => self.folder.commit(),
            Cached::Nothing => None,
        };
        match self.files(files, commit.as_deref()) {
            // The server has it no more.
            Err(failure)
                if matches!(failure.kind, Kind::Absent | Kind::NoRevision) && commit.is_some() =>
            {
                self.files(files, None)
            }
            result => result,
        }
    }

    /// All files of one commit: the given one, else what the revision is now.
    fn files(&self, files: &[RepoFile], commit: Option<&str>) -> Result<PathBuf, Failure> {
        let mut at = commit.map(|commit| self.repo.at(commit));
        // The required ones first: they say which commit it is.
        let mut ordered = files.to_vec();
        ordered.sort_by_key(|file| !file.required);
        for file in ordered {
            let commit = self.file(at.as_ref(), file).map_err(|failure| {
                // The first one's name stands beside the failure already.
                match file.name == files[0].name {
                    true => failure,
                    false => {
                        Failure::new(failure.kind, format!("{}: {}", file.name, failure.reason))
                    }
                }
            })?;
            at.get_or_insert_with(|| self.repo.at(&commit));
        }
        let commit = at.map(|repo| repo.revision).unwrap_or_default();
        // Last, so that no revision ever refers to a commit that is not all there.
        self.folder.refer(&commit).map_err(|e| self.write(&e))?;
        Ok(self.folder.snapshot(&commit))
    }

    /// One file into the cache, at a commit where that is known; the commit.
    fn file(&self, at: Option<&Repo>, file: RepoFile) -> Result<String, Failure> {
        if let Some(Repo { revision, .. }) = at {
            let path = self.folder.snapshot(revision).join(file.name);
            let is_there = path.is_file() && self.hub.check(&path, false) != Verdict::Damaged;
            if is_there || !file.required && self.folder.is_absent(revision, file.name) {
                return Ok(revision.clone());
            }
        }
        let repo = at.unwrap_or(self.repo);
        let ask = || self.ask(repo, file.name);
        let stated = match self.client.patiently(self.progress, || 0, ask) {
            Err(Failure {
                kind: Kind::Absent, ..
            }) if !file.required && at.is_some() => {
                let commit = repo.revision.clone();
                let noted = self.folder.note_absent(&commit, file.name);
                noted.map_err(|e| self.write(&e))?;
                return Ok(commit);
            }
            stated => stated?,
        };
        self.content(repo, file, &stated)?;
        let pointed = self.folder.point(&stated.commit, file.name, &stated.etag);
        pointed.map_err(|e| self.write(&e))?;
        Ok(stated.commit)
    }

    /// A file's content as a blob.
    fn content(&self, repo: &Repo, file: RepoFile, stated: &Stated) -> Result<(), Failure> {
        let etag = &stated.etag;
        let lock = Lock::take(&self.folder.blob_lock(etag), file.name, self.progress);
        let blob = self.folder.blob(etag);
        if blob.is_file() {
            let is_whole = match self.hub.check(&blob, false) {
                Verdict::Unknown => blob.metadata().ok().map(|m| m.len()) == stated.size,
                verdict => verdict == Verdict::Sound,
            };
            if is_whole {
                return Ok(());
            }
            self.progress.note(&format!(
                "{} is damaged in the cache; fetching it again",
                file.name
            ));
        }
        // As older Python tools call it, who go on from there as well; newer ones begin anew, under a
        // name of their own.
        let shared = self.shared && lock.is_held();
        let part = match shared {
            true => blob.with_file_name(format!("{etag}.incomplete")),
            false => blob.with_file_name(format!("{etag}.{}.incomplete", std::process::id())),
        };
        let wanted = Wanted {
            name: file.name,
            part: &part,
            named: true,
            max: match file.required {
                true => MAX_FILE_BYTES,
                false => MAX_SMALL_BYTES,
            },
            size: stated.size,
            sha256: is_hex(etag, 64).then_some(etag),
        };
        // At its commit, so that it stays the same however often it is asked for.
        let address = self.hub.file_address(&repo.at(&stated.commit), file.name);
        let token = self.hub.token.as_deref();
        let attempt = || self.client.receive(&wanted, &address, token, self.progress);
        let received = || wanted.received();
        let result = self.client.patiently(self.progress, received, attempt);
        if result.is_err() && !shared {
            remove_part(&part);
        }
        result?;
        std::fs::rename(&part, &blob).map_err(|e| self.write(&e))?;
        self.hub.write_checksum(&blob, etag);
        Ok(())
    }

    /// What the Hub says of a file.
    fn ask(&self, repo: &Repo, file: &str) -> Result<Stated, Failure> {
        let address = self.hub.file_address(repo, file);
        let token = self.hub.token.as_deref();
        let answer = self.client.head(&address, token, COMMIT)?;
        let header = |name| answer.header(name).unwrap_or_default();
        let commit = header(COMMIT).to_owned();
        let etag = match header("x-linked-etag") {
            "" => header("etag"),
            etag => etag,
        };
        let etag = etag.trim_start_matches("W/").replace('"', "");
        // Both become parts of paths.
        if !is_plain(&commit) || !is_plain(&etag) {
            return Err(Failure::last(
                "the server's answer was not understood (it is none of a Hugging Face Hub)",
            ));
        }
        let size = stated_size(&answer);
        Ok(Stated { commit, etag, size })
    }

    fn write(&self, error: &std::io::Error) -> Failure {
        Failure::of_cache(self.folder.root(), error)
    }
}

/// The length that is stated for the file itself, not for an answer that only points to it.
fn stated_size(answer: &Answer) -> Option<u64> {
    let redirects = answer.response.status().is_redirection();
    let own = answer.header("content-length").filter(|_| !redirects);
    let size = answer.header("x-linked-size").or(own)?;
    size.trim().parse().ok()
}
