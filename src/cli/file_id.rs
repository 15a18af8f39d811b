//! Which file a path names.

use std::path::Path;

/// What two paths have in common that name the same file: links to it, or another way there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FileId(Id);

/// Its device and its number there.
#[cfg(unix)]
type Id = (u64, u64);
/// Its path without links.
#[cfg(not(unix))]
type Id = std::path::PathBuf;

impl FileId {
    /// The file that a path names, if there is one; a pipe, which may be there only once, is
    /// none. It is not opened.
    pub fn of(path: &Path) -> Option<Self> {
        let metadata = path.metadata().ok().filter(|metadata| metadata.is_file())?;
        Self::with(path, &metadata)
    }

    #[cfg(unix)]
    fn with(_: &Path, metadata: &std::fs::Metadata) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        Some(Self((metadata.dev(), metadata.ino())))
    }

    #[cfg(not(unix))]
    fn with(path: &Path, _: &std::fs::Metadata) -> Option<Self> {
        path.canonicalize().ok().map(Self)
    }
}

/// Whether two paths name the same file. Neither is opened: a pipe would wait for its other end.
pub fn is_same_file(a: &Path, b: &Path) -> bool {
    let a = FileId::of(a);
    a.is_some() && a == FileId::of(b)
}
