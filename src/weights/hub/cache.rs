//! The cache that all Hugging Face tools share: `blobs` with contents, `snapshots` of commits
//! that point to them, `refs` from revisions to commits, `.no_exist` for what a commit lacks.
//!
//! Since huggingface_hub 2.4 a content may be a link to `blobs` of the whole cache, which all
//! repositories share. Those are read and never written to: only that tool's manifests say who needs
//! them. What is put in the place of such a link is the repository's own again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use hf_hub::{Cache, CacheRepo};

use super::repo::{Repo, is_plain};
use crate::atomic_file;

/// A folder's name for contents.
pub(super) const BLOBS: &str = "blobs";

/// A repository's part of the cache.
pub(super) struct Folder {
    repo: CacheRepo,
    revision: String,
    root: PathBuf,
    locks: PathBuf,
}

impl Folder {
    pub fn new(cache: &Path, repo: &Repo) -> Self {
        let hf_hub = repo.to_hf_hub();
        let name = hf_hub.folder_name();
        Self {
            root: cache.join(&name),
            locks: cache.join(".locks").join(name),
            repo: Cache::new(cache.to_owned()).repo(hf_hub),
            revision: repo.revision.clone(),
        }
    }

    /// The commit that the revision was when it was last looked up.
    pub fn commit(&self) -> Option<String> {
        let noted = fs::read_to_string(self.reference()).ok();
        let noted = noted.map(|text| text.trim().to_owned());
        noted.filter(|commit| is_plain(commit)).or_else(|| {
            // Python's tools keep no reference for a revision that is a commit.
            let is_commit = is_plain(&self.revision) && self.snapshot(&self.revision).is_dir();
            is_commit.then(|| self.revision.clone())
        })
    }

    fn reference(&self) -> PathBuf {
        self.root.join("refs").join(&self.revision)
    }

    /// The files of a commit.
    pub fn snapshot(&self, commit: &str) -> PathBuf {
        self.repo.pointer_path(commit)
    }

    /// A content, by the mark that the server gives it.
    pub fn blob(&self, etag: &str) -> PathBuf {
        self.repo.blob_path(etag)
    }

    /// There where it is noted that a commit has no such file.
    fn no_exist(&self, commit: &str, file: &str) -> PathBuf {
        self.root.join(".no_exist").join(commit).join(file)
    }

    /// Whether it is known that a commit has no such file.
    pub fn is_absent(&self, commit: &str, file: &str) -> bool {
        self.no_exist(commit, file).is_file()
    }

    /// The lock of a content, which Python's tools take as well.
    pub fn blob_lock(&self, etag: &str) -> PathBuf {
        self.locks.join(format!("{etag}.lock"))
    }

    /// The lock of a revision, which is ours.
    pub fn revision_lock(&self) -> PathBuf {
        let revision = self.revision.replace('/', "--");
        self.locks.join(format!("mobilenet-{revision}.lock"))
    }

    /// Makes the folders, and sees whether files can be written there.
    pub fn prepare(&self) -> io::Result<()> {
        let blobs = self.root.join(BLOBS);
        fs::create_dir_all(&blobs)?;
        tempfile::tempfile_in(&blobs).map(drop)
    }

    /// Where it all lies.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Makes a commit's file out of a content: a link, or a copy where there are no links.
    pub fn point(&self, commit: &str, file: &str, etag: &str) -> io::Result<()> {
        let pointer = self.snapshot(commit).join(file);
        let folder = pointer.parent().unwrap_or(&self.root);
        fs::create_dir_all(folder)?;
        // From the file's folder, below `snapshots/COMMIT`, up to the repository's.
        let up = "../".repeat(file.split('/').count() + 1);
        let target = format!("{up}{BLOBS}/{etag}");
        // Made under another name, so that a link or a copy that is there is replaced at once.
        let staged = folder.join(format!(".{}-{}", rand::random::<u32>(), std::process::id()));
        let made = symlink(Path::new(&target), &staged)
            .or_else(|_| fs::copy(self.blob(etag), &staged).map(drop))
            .and_then(|()| fs::rename(&staged, &pointer));
        if made.is_err() {
            fs::remove_file(&staged).ok();
        }
        made
    }

    /// Notes that a commit has no such file, as Python's tools do.
    pub fn note_absent(&self, commit: &str, file: &str) -> io::Result<()> {
        let path = self.no_exist(commit, file);
        fs::create_dir_all(path.parent().unwrap_or(&self.root))?;
        fs::write(path, "")
    }

    /// Notes which commit the revision is.
    pub fn refer(&self, commit: &str) -> io::Result<()> {
        let path = self.reference();
        let is_noted = fs::read_to_string(&path).is_ok_and(|noted| noted == commit);
        if is_noted || self.revision == commit {
            return Ok(());
        }
        fs::create_dir_all(path.parent().unwrap_or(&self.root))?;
        atomic_file::write(&path, commit.as_bytes())
    }
}

#[cfg(unix)]
fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(windows)]
fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    let target = target.to_string_lossy().replace('/', "\\");
    std::os::windows::fs::symlink_file(target, link)
}

#[cfg(not(any(unix, windows)))]
fn symlink(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
