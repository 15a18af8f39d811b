//! Which of the files in folders are taken for pictures of somebody's.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use glob::MatchOptions;

/// Folders that programs keep copies, thumbnails and deleted files in, in lower case.
const LITTER: &[&str] = &[
    // What a Mac adds to a zip, and to disks of others.
    "__macosx",
    ".appledouble",
    // Jupyter's copies.
    ".ipynb_checkpoints",
    // Thumbnails: desktops', Synology's, QNAP's.
    ".thumbnails",
    ".thumbs",
    "@eadir",
    ".@__thumb",
    // Deleted: Windows's, QNAP's, Synology's, digiKam's. Those of Macs and Linux begin with `.trash`.
    "$recycle.bin",
    "recycler",
    "@recycle",
    "#recycle",
    ".dtrash",
];

/// What other names begin with, in lower case: what AppleDouble keeps of another file, and what was
/// deleted (`.Trash`, `.Trashes`, `.Trash-1000`, `.trashed-1700000000-photo.jpg`).
const LITTER_PREFIXES: &[&str] = &["._", ".trash"];

/// Which of the files in folders are taken.
///
/// By default it is all pictures, but for what programs leave in folders beside them: AppleDouble
/// files (`._photo.jpg`), `__MACOSX`, `.ipynb_checkpoints`, `@eaDir`, `.thumbnails`, and folders of deleted files.
/// Nothing of this holds for what is named itself, be it a file or the folder that is walked.
///
/// # Example
/// ```
/// use mobilenet::dataset::{Pattern, Selection};
///
/// let selection = Selection::default().with_exclude(["raw/".parse::<Pattern>()?]);
/// for input in selection.folder("album".as_ref()) {
///     println!("{}", input.name.display());
/// }
/// # Ok::<(), mobilenet::dataset::ParsePatternError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Selection {
    hidden: bool,
    include: Vec<Pattern>,
    exclude: Vec<Pattern>,
    min_age: Option<Duration>,
    /// Pictures that were younger; of all copies of a selection together.
    young: Arc<AtomicU64>,
}

impl Selection {
    /// The same, where what programs leave in folders is taken, too, or not.
    pub fn with_hidden(self, hidden: bool) -> Self {
        Self { hidden, ..self }
    }

    /// The same, where only files are taken that match one of these patterns, or lie in a folder that does.
    /// Without patterns all are.
    pub fn with_include(self, patterns: impl IntoIterator<Item = Pattern>) -> Self {
        Self {
            include: patterns.into_iter().collect(),
            ..self
        }
    }

    /// The same, where no file is taken that matches one of these patterns, or lies in a folder that does.
    pub fn with_exclude(self, patterns: impl IntoIterator<Item = Pattern>) -> Self {
        Self {
            exclude: patterns.into_iter().collect(),
            ..self
        }
    }

    /// The same, where no file is taken that was written to within this time: it may be on its way, and is left
    /// for a later look at the folder. A time far in the future is a clock that was wrong, and old.
    pub fn with_min_age(self, age: Duration) -> Self {
        Self {
            min_age: Some(age),
            ..self
        }
    }

    /// How many files this selection and its copies have left for a later look.
    pub fn left_for_later(&self) -> u64 {
        self.young.load(Ordering::Relaxed)
    }

    /// Whether a picture is old enough, which is counted if not.
    pub(super) fn is_old_enough(&self, path: &Path) -> bool {
        let Some(least) = self.min_age else {
            return true;
        };
        // What can't be looked at is answered as what can't be read.
        let written = path.metadata().and_then(|metadata| metadata.modified());
        let age = written.map_or(least, |written| {
            match SystemTime::now().duration_since(written) {
                Ok(age) => age,
                Err(ahead) => ahead.duration(),
            }
        });
        let is_young = age < least;
        self.young.fetch_add(is_young.into(), Ordering::Relaxed);
        !is_young
    }

    /// Whether folders that begin with a dot are classes.
    pub(super) fn takes_hidden(&self) -> bool {
        self.hidden
    }

    /// Whether a file or a folder is looked at, whose path below the walked folder this is.
    pub(super) fn enters(&self, path: &Path, is_folder: bool) -> bool {
        let is_litter = !self.hidden && path.file_name().is_some_and(is_litter);
        let is_excluded = || self.exclude.iter().any(|p| p.matches(path, is_folder));
        !is_litter && !is_excluded()
    }

    /// Whether a file that is looked at is one of those that are asked for.
    pub(super) fn includes(&self, path: &Path) -> bool {
        let with_parents = || path.ancestors().filter(|path| *path != Path::new(""));
        let matches = |pattern: &Pattern| {
            let mut paths = with_parents().enumerate();
            paths.any(|(depth, path)| pattern.matches(path, depth > 0))
        };
        self.include.is_empty() || self.include.iter().any(matches)
    }
}

fn is_litter(name: &OsStr) -> bool {
    let name = name.to_string_lossy().to_lowercase();
    let begins = |prefix: &&str| name.starts_with(prefix);
    LITTER.contains(&name.as_str()) || LITTER_PREFIXES.iter().any(begins)
}

/// A pattern of paths, as `.gitignore` has them: `*`, `?`, `[a-z]`, and `**` for any folders.
///
/// One without a `/` is the name of a file or a folder, wherever it is. One with a `/` is a path below the
/// folder that is walked; with a `/` at its end it is a folder.
#[derive(Debug, Clone)]
pub struct Pattern {
    glob: glob::Pattern,
    /// It is compared with the name alone.
    is_name: bool,
    folders_only: bool,
}

/// `*` does not reach into folders; a dot at the beginning of a name is like any other.
const MATCHING: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: false,
};

impl Pattern {
    fn matches(&self, path: &Path, is_folder: bool) -> bool {
        let path = if self.is_name {
            path.file_name().map_or(path, Path::new)
        } else {
            path
        };
        (is_folder || !self.folders_only) && self.glob.matches_path_with(path, MATCHING)
    }
}

/// A text that is no [`Pattern`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParsePatternError(String);

impl std::str::FromStr for Pattern {
    type Err = ParsePatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bare = text.strip_suffix('/').unwrap_or(text);
        // Paths have none of these.
        let bare = bare.strip_prefix("./").unwrap_or(bare);
        let path = bare.strip_prefix('/').unwrap_or(bare);
        if path.is_empty() {
            return Err(ParsePatternError("an empty pattern matches nothing".into()));
        }
        if path.contains(['{', '}']) {
            let message = "there are no {a,b} in patterns: give the option once for each";
            return Err(ParsePatternError(message.into()));
        }
        let glob = glob::Pattern::new(path).map_err(|error| {
            let message = format!("{} (at character {})", error.msg, error.pos + 1);
            ParsePatternError(message)
        })?;
        Ok(Self {
            glob,
            is_name: !bare.contains('/'),
            folders_only: text.ends_with('/'),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        text.parse().expect(text)
    }

    #[test]
    fn patterns_are_names_or_paths() {
        for (text, path, is_folder, matches) in [
            ("*.jpg", "a.jpg", false, true),
            ("*.jpg", "x/y/a.jpg", false, true),
            ("*.jpg", "a.JPG", false, false),
            ("*.[jJ][pP][gG]", "x/a.JPG", false, true),
            ("raw", "x/raw", true, true),
            ("raw", "x/raw.jpg", false, false),
            ("raw/", "x/raw", true, true),
            ("raw/", "x/raw", false, false),
            ("x/*.jpg", "x/a.jpg", false, true),
            ("./x/*.jpg", "x/a.jpg", false, true),
            ("x/*.jpg", "x/y/a.jpg", false, false),
            ("x/**/*.jpg", "x/y/z/a.jpg", false, true),
            ("**/raw", "raw", true, true),
            ("/a.jpg", "a.jpg", false, true),
            ("/a.jpg", "x/a.jpg", false, false),
        ] {
            let found = pattern(text).matches(Path::new(path), is_folder);
            assert_eq!(found, matches, "{text} {path}");
        }
        for text in ["", "/", "a[", "a**", "*.{jpg,png}"] {
            assert!(text.parse::<Pattern>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_folder_that_matches_takes_its_files_along() {
        let selection = Selection::default().with_include([pattern("2025"), pattern("*.png")]);
        let includes = |path: &str| selection.includes(Path::new(path));
        assert!(includes("x/2025/a.jpg") && includes("x/a.png"));
        assert!(!includes("x/a.jpg") && !includes("2025.jpg"));
    }

    #[test]
    fn what_programs_leave_is_none_of_anybodys_pictures() {
        let selection = Selection::default();
        for name in [
            "._0.jpg",
            "x/__MACOSX",
            "@eaDir",
            ".Trash-1000",
            ".Trashes",
            ".trashed-1700000000-a.jpg",
            "$RECYCLE.BIN",
            ".ipynb_checkpoints",
        ] {
            let path = Path::new(name);
            assert!(!selection.enters(path, true), "{name}");
            assert!(selection.clone().with_hidden(true).enters(path, true));
        }
        for name in [".hidden.jpg", "_.jpg", "trash", "x/.a", "macosx"] {
            assert!(selection.enters(Path::new(name), true), "{name}");
        }
    }
}
