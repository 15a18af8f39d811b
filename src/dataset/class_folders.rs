//! Pictures whose classes are known: a folder for each class.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Error, Input, Result, Selection, walk};

/// Pictures with the classes that they are of.
#[derive(Debug)]
pub struct Labelled {
    /// The classes' names, in bytewise order.
    pub classes: Vec<String>,
    /// Class by class, and in bytewise order of the paths in each; with the number of its class.
    pub pictures: Vec<(Input, usize)>,
}

/// The folders of a folder, one for each class.
#[derive(Debug)]
pub struct ClassFolders {
    root: PathBuf,
    folders: Vec<(String, PathBuf)>,
    selection: Selection,
}

impl ClassFolders {
    /// The folders in a folder, in bytewise order of their names.
    ///
    /// What lies beside them belongs to no class and is not looked at, nor is what the selection leaves
    /// out, and unless it takes what is hidden, folders that begin with a dot.
    ///
    /// # Errors
    /// A folder that can't be read, or a name that is not UTF-8.
    pub fn open(root: &Path, selection: &Selection) -> Result<Self> {
        let path = || root.to_owned();
        if !root.exists() {
            return Err(Error::NoSuchFolder { path: path() });
        }
        if !root.is_dir() {
            return Err(Error::NotAFolder { path: path() });
        }
        let mut folders: Vec<PathBuf> = Vec::new();
        for entry in fs::read_dir(root).map_err(Error::unreadable(root))? {
            let entry = entry.map_err(Error::unreadable(root))?;
            let name = entry.file_name();
            let is_hidden = name.as_encoded_bytes().starts_with(b".");
            let is_taken = selection.enters(Path::new(&name), true)
                && (selection.takes_hidden() || !is_hidden);
            if is_taken && entry.path().is_dir() {
                folders.push(entry.path());
            }
        }
        folders.sort_unstable_by(|a, b| a.as_os_str().cmp(b.as_os_str()));
        let with_name = |folder: PathBuf| {
            let name = folder.file_name().and_then(|name| name.to_str());
            match name.map(str::to_owned) {
                Some(name) => Ok((name, folder)),
                None => Err(Error::NameNotUtf8 { path: folder }),
            }
        };
        let folders: Result<Vec<_>> = folders.into_iter().map(with_name).collect();
        Ok(Self {
            root: root.to_owned(),
            folders: folders?,
            selection: selection.clone(),
        })
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.folders.iter().map(|(name, _)| name.as_str())
    }

    /// The pictures in them and their folders, class by class, and in bytewise order of the paths
    /// in each; with the number of the class. They are looked for as they are asked for.
    pub fn into_pictures(self) -> impl Iterator<Item = (Input, usize)> + Send {
        let folders = self.folders.into_iter().enumerate();
        folders.flat_map(move |(class, (_, folder))| {
            let pictures = walk::below(self.root.clone(), &folder, self.selection.clone());
            pictures.map(move |input| (input, class))
        })
    }
}

impl Labelled {
    /// The pictures of a folder that has a folder for each class, with pictures and folders of
    /// them in it.
    ///
    /// # Errors
    /// As [`ClassFolders::open`], or no folder.
    pub fn open(root: &Path, selection: &Selection) -> Result<Self> {
        let folders = ClassFolders::open(root, selection)?;
        if folders.names().next().is_none() {
            let path = root.to_owned();
            return Err(Error::NoClasses { path });
        }
        Ok(Self {
            classes: folders.names().map(str::to_owned).collect(),
            pictures: folders.into_pictures().collect(),
        })
    }

    /// The same to learn from: of at least two classes, with at least one picture each.
    ///
    /// # Errors
    /// As [`open`](Self::open), a single class, or classes without pictures.
    pub fn open_to_learn(root: &Path, selection: &Selection) -> Result<Self> {
        let labelled = Self::open(root, selection)?;
        let path = root.to_owned();
        if let [class] = labelled.classes.as_slice() {
            let class = class.clone();
            return Err(Error::OneClass { path, class });
        }
        let counts = labelled.counts();
        let counts = labelled.classes.iter().zip(&counts);
        let empty = counts.filter(|(_, count)| **count == 0);
        let classes: Vec<String> = empty.map(|(class, _)| class.clone()).collect();
        if !classes.is_empty() {
            return Err(Error::EmptyClasses { path, classes });
        }
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
    fn a_folder_is_a_class() -> Result<(), Box<dyn std::error::Error>> {
        let root = tempfile::tempdir()?;
        for path in [
            "b/2.png",
            "b/1.png",
            "a/x/1.png",
            ".git/1.png",
            "__MACOSX/b/._1.png",
            "b/._1.png",
            "b/.ipynb_checkpoints/1-checkpoint.png",
            "empty/note.txt",
            "0.png",
        ] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().ok_or("no folder")?)?;
            fs::write(path, b"")?;
        }
        let all = Selection::default();
        let found = Labelled::open(root.path(), &all)?;
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
        assert!(Labelled::open(&root.path().join("b"), &all).is_err());
        assert!(Labelled::open(&root.path().join("0.png"), &all).is_err());

        // Patterns see paths from the root on.
        let some = all.clone().with_exclude(["a".parse()?, "b/2.png".parse()?]);
        let found = Labelled::open(root.path(), &some)?;
        assert_eq!(found.classes, ["b", "empty"]);
        assert_eq!(found.counts(), [1, 0]);
        let found = Labelled::open(root.path(), &all.with_hidden(true))?;
        assert_eq!(found.classes, [".git", "__MACOSX", "a", "b", "empty"]);
        assert_eq!(found.counts(), [1, 1, 1, 4, 0]);
        Ok(())
    }
}
