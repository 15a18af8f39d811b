//! Pictures whose classes are known: a folder for each class.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use super::{Input, walk};

/// Classes without pictures that are named.
const MAX_TOLD: usize = 10;

/// Pictures with the classes that they are of.
pub struct Labelled {
    /// The classes' names, in bytewise order.
    pub classes: Vec<String>,
    /// Class by class, and in bytewise order of the paths in each; with the number of its class.
    pub pictures: Vec<(Input, usize)>,
}

/// The folders of a folder, one for each class.
pub struct ClassFolders(Vec<(String, PathBuf)>);

impl ClassFolders {
    /// The folders in a folder, in bytewise order of their names.
    ///
    /// What lies beside them belongs to no class and is not looked at, nor are folders that begin
    /// with a dot.
    ///
    /// # Errors
    /// A folder that can't be read, or a name that is not UTF-8.
    pub fn open(root: &Path) -> Result<Self> {
        let named = |path: &Path| path.display().to_string();
        ensure!(root.exists(), "{}: no such folder", named(root));
        ensure!(root.is_dir(), "{}: not a folder", named(root));
        let mut folders: Vec<PathBuf> = Vec::new();
        for entry in fs::read_dir(root).with_context(|| named(root))? {
            let entry = entry.with_context(|| named(root))?;
            let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
            if !hidden && entry.path().is_dir() {
                folders.push(entry.path());
            }
        }
        folders.sort_unstable_by(|a, b| a.as_os_str().cmp(b.as_os_str()));
        let with_name = |folder: PathBuf| {
            let name = folder.file_name().and_then(|name| name.to_str());
            let name = name.map(str::to_owned);
            let name =
                name.with_context(|| format!("{}: its name is not UTF-8", named(&folder)))?;
            Ok((name, folder))
        };
        let folders: Result<Vec<_>> = folders.into_iter().map(with_name).collect();
        Ok(Self(folders?))
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// The pictures in them and their folders, class by class, and in bytewise order of the paths
    /// in each; with the number of the class. They are looked for as they are asked for.
    pub fn into_pictures(self) -> impl Iterator<Item = (Input, usize)> + Send {
        let folders = self.0.into_iter().enumerate();
        folders.flat_map(|(class, (_, folder))| {
            walk::pictures(&folder).map(move |input| (input, class))
        })
    }
}

impl Labelled {
    /// The pictures of a folder that has a folder for each class, with pictures and folders of
    /// them in it.
    ///
    /// # Errors
    /// As [`ClassFolders::open`], or no folder.
    pub fn open(root: &Path) -> Result<Self> {
        let folders = ClassFolders::open(root)?;
        ensure!(
            folders.names().next().is_some(),
            "{}: it has no folders; each class needs one, with its pictures in it",
            root.display()
        );
        Ok(Self {
            classes: folders.names().map(str::to_owned).collect(),
            pictures: folders.into_pictures().collect(),
        })
    }

    /// The same to learn from: of at least two classes, with at least one picture each.
    ///
    /// # Errors
    /// As [`open`](Self::open), a single class, or classes without pictures.
    pub fn open_to_learn(root: &Path) -> Result<Self> {
        let labelled = Self::open(root)?;
        let folder = root.display();
        if let [class] = labelled.classes.as_slice() {
            bail!(
                "{folder}: {class} is its only folder, and one class alone can't be learned: at \
                 least two are needed; add a folder of pictures that show something else"
            );
        }
        let counts = labelled.counts();
        let counts = labelled.classes.iter().zip(&counts);
        let empty = counts.filter(|(_, count)| **count == 0);
        let empty: Vec<&str> = empty.map(|(class, _)| class.as_str()).collect();
        let more = match empty.len().saturating_sub(MAX_TOLD) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        ensure!(
            empty.is_empty(),
            "{folder}: no pictures in {}{more}; add some, or remove the folder",
            empty[..empty.len().min(MAX_TOLD)].join(", ")
        );
        Ok(labelled)
    }

    /// How many pictures each class has.
    fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes.len()];
        for (_, class) in &self.pictures {
            counts[*class] += 1;
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_a_class() -> Result<()> {
        let root = tempfile::tempdir()?;
        for path in [
            "b/2.png",
            "b/1.png",
            "a/x/1.png",
            ".git/1.png",
            "empty/note.txt",
            "0.png",
        ] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().context("a folder")?)?;
            fs::write(path, b"")?;
        }
        let found = Labelled::open(root.path())?;
        assert_eq!(found.classes, ["a", "b", "empty"]);
        assert_eq!(found.counts(), [1, 2, 0]);
        let names = found.pictures.iter().map(|(input, class)| {
            let path = Path::new(&input.name).strip_prefix(root.path());
            (path.ok().and_then(Path::to_str), *class)
        });
        let expected = [
            (Some("a/x/1.png"), 0),
            (Some("b/1.png"), 1),
            (Some("b/2.png"), 1),
        ];
        assert!(names.eq(expected));
        assert!(Labelled::open(&root.path().join("b")).is_err());
        assert!(Labelled::open(&root.path().join("0.png")).is_err());
        Ok(())
    }
}
