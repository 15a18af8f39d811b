//! Which pictures, and which class each of them is of.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ffi::OsStr;
use std::io::{self, BufReader};
use std::path::Path;

use anyhow::{Error, Result, anyhow, bail, ensure};
use crossbeam_channel::{Receiver, unbounded};
use mobilenet::UNKNOWN;
use mobilenet::dataset::{ClassFolders, Input, Inputs, LabelledTable, Selection};
use mobilenet::labels::{Lookup, LookupError};

use super::folders::{FolderOrder, classes_by_order};
use crate::cli::file_id::is_same_file;

use crate::cli::options::STDIN;
use crate::cli::terminal::{printable, printable_name};
use crate::cli::{Global, note};

/// More wrong names than anybody reads.
const MAX_TOLD: usize = 50;

/// A class, or none of them.
pub type Truth = Option<usize>;

/// Pictures whose classes are known. An error is the last one.
pub struct LabelledPictures(Box<dyn Iterator<Item = Result<(Input, Truth)>> + Send>);

impl LabelledPictures {
    /// Those of a folder with a folder for each class.
    ///
    /// # Errors
    /// What [`ClassFolders::open`] refuses; no folders; all folders that are named after no class
    /// or after several; what [`classes_by_order`] refuses.
    pub fn in_folders(
        root: &Path,
        selection: &Selection,
        lookup: &Lookup,
        classes: usize,
        order: Option<FolderOrder>,
    ) -> Result<Self> {
        let folders = ClassFolders::open(root, selection)?;
        ensure!(
            folders.names().next().is_some(),
            "{}: it has no folders; each class needs one, named after it, with its pictures in it, \
             unless a --list says which picture is of which class",
            root.display()
        );
        let names: Vec<&str> = folders.names().collect();
        let ordered = classes_by_order(root, &names, lookup, classes, order)?;
        let is_ordered = ordered.is_some();
        let mut truths: Vec<Truth> = ordered.into_iter().flatten().map(Some).collect();
        let mut wrong = Wrong::default();
        for name in folders.names().filter(|_| !is_ordered) {
            match truth(lookup, name) {
                Ok(truth) => truths.push(truth),
                Err(error) => wrong.add(|| format!("{}: {error}", printable(name))),
            }
        }
        let what = "a folder has to be named after a class";
        wrong.refuse(root, what)?;
        let pictures = folders.into_pictures();
        let pictures = pictures.map(move |(input, folder)| Ok((input, truths[folder])));
        Ok(Self(Box::new(pictures)))
    }

    /// Those of a list. A file is read through once before the first picture, so that a wrong
    /// name does not end a long run; a pipe is read as it comes.
    ///
    /// # Errors
    /// A list that can't be read, all names in a file that are those of no class or of several,
    /// or an output that is one of the pictures.
    pub fn in_list(
        list: &OsStr,
        root: Option<&Path>,
        lookup: Lookup,
        outputs: &[&Path],
        global: Global,
    ) -> Result<Self> {
        let mut known = Known::new(lookup);
        if list != STDIN && Path::new(list).is_file() {
            check(list, root, &mut known, outputs, global)?;
        }
        let shown = printable_name(list);
        let rows = open(list, root)?.map(move |row| {
            let row = row?;
            match known.truth(&row.label) {
                Ok(truth) => Ok((row.input, *truth)),
                Err(error) => {
                    let label = printable(&row.label);
                    Err(anyhow!("{shown}: line {}: {label}: {error}", row.line))
                }
            }
        });
        Ok(Self(Box::new(rows)))
    }

    /// The pictures for a run, and what each of them is in the same order. `source` is for
    /// messages.
    ///
    /// # Errors
    /// There is none.
    pub fn split(self, source: &str) -> Result<(Inputs, Truths)> {
        let mut pictures = self.0.peekable();
        match pictures.peek() {
            None => bail!("{source}: no pictures found"),
            Some(Ok(_)) => {}
            Some(Err(_)) => {
                pictures.next().transpose()?;
            }
        }
        let (sender, truths) = unbounded();
        let inputs = pictures.map_while(move |picture| {
            let (input, truth) = match picture {
                Ok((input, truth)) => (Some(input), Ok(truth)),
                Err(error) => (None, Err(error)),
            };
            // Nobody waits for it where the run has ended.
            let _ = sender.send(truth);
            input
        });
        Ok((Box::new(inputs), Truths(truths)))
    }
}

/// What the pictures of a run are.
pub struct Truths(Receiver<Result<Truth>>);

impl Truths {
    /// The next picture's, whose answer has come.
    ///
    /// # Errors
    /// What was wrong with the list.
    pub fn next(&self) -> Result<Truth> {
        self.0.recv()?
    }

    /// Makes sure that there are no more.
    ///
    /// # Errors
    /// What was wrong with the list.
    pub fn end(&self) -> Result<()> {
        self.0.try_recv().map_or(Ok(()), |truth| truth.map(drop))
    }
}

/// Opens a list; `-` is stdin, whose relative paths start from the working directory.
fn open(list: &OsStr, root: Option<&Path>) -> Result<LabelledTable> {
    let path = Path::new(list);
    if list == STDIN {
        let stdin = BufReader::new(io::stdin());
        return Ok(LabelledTable::from_reader(
            list,
            stdin,
            root.unwrap_or(Path::new("")),
        )?);
    }
    ensure!(
        !path.is_dir(),
        "{}: a folder, and --list names a file of paths and labels",
        path.display()
    );
    Ok(LabelledTable::open(path, root)?)
}

/// What is called so.
fn truth(lookup: &Lookup, name: &str) -> Result<Truth, LookupError> {
    match lookup.find(name) {
        Err(LookupError::Unknown { .. }) if name.eq_ignore_ascii_case(UNKNOWN) => Ok(None),
        found => found.map(Some),
    }
}

/// Names that were looked up.
struct Known {
    lookup: Lookup,
    names: HashMap<String, Result<Truth, LookupError>>,
}

impl Known {
    fn new(lookup: Lookup) -> Self {
        Self {
            lookup,
            names: HashMap::new(),
        }
    }

    fn truth(&mut self, name: &str) -> &Result<Truth, LookupError> {
        if !self.names.contains_key(name) {
            let found = truth(&self.lookup, name);
            self.names.insert(name.to_owned(), found);
        }
        &self.names[name]
    }
}

/// Reads a list for what is wrong with it.
fn check(
    list: &OsStr,
    root: Option<&Path>,
    known: &mut Known,
    outputs: &[&Path],
    global: Global,
) -> Result<()> {
    let mut wrong = Wrong::default();
    let mut lines: HashMap<String, u64> = HashMap::new();
    let rows = open(list, root)?;
    let start = match rows.root().as_os_str().is_empty() {
        true => "the working directory".into(),
        false => rows.root().display().to_string(),
    };
    for (i, row) in rows.enumerate() {
        let row = row?;
        let path = Path::new(&row.input.name);
        if let Some(relative) = row.relative.filter(|_| i == 0 && !path.exists()) {
            let list = list.to_string_lossy();
            if relative.exists() {
                let (path, relative) = (path.display(), relative.display());
                bail!(
                    "{path}: no such file, but {relative} is one: if the list's paths start from the \
                     working directory, say so with `mobilenet eval --list {list} .`"
                );
            }
            if !global.quiet {
                note(&printable(&format!(
                    "{}: no such file; the list's relative paths start from {start}, and with `mobilenet eval --list \
                     {list} DIR` from DIR",
                    path.display()
                )));
            }
        }
        for output in outputs {
            // Names first: looking at files takes time.
            let same = output.file_name() == path.file_name() && is_same_file(output, path);
            ensure!(!same, "{}: it is one of the pictures", output.display());
        }
        if let Err(error) = known.truth(&row.label) {
            let error = error.to_string();
            if let Entry::Vacant(entry) = lines.entry(row.label) {
                let label = printable(entry.key());
                wrong.add(|| format!("line {}: {label}: {error}", row.line));
                entry.insert(row.line);
            }
        }
    }
    let what = "a label has to be a class's (each wrong one is told where it comes first; a header \
                is `path,label`)";
    wrong.refuse(Path::new(list), what)
}

/// Names that are wrong.
#[derive(Default)]
struct Wrong {
    told: Vec<String>,
    more: usize,
}

impl Wrong {
    fn add(&mut self, what: impl FnOnce() -> String) {
        if self.told.len() < MAX_TOLD {
            self.told.push(what())
        } else {
            self.more += 1
        }
    }

    /// Ends with an error if there are any.
    fn refuse(self, source: &Path, what: &str) -> Result<(), Error> {
        if self.told.is_empty() {
            return Ok(());
        }
        let mut text = format!("{}: {what}", source.display());
        for told in &self.told {
            text.push_str("\n  ");
            text.push_str(told);
        }
        if self.more > 0 {
            text.push_str(&format!("\n  and {} more", self.more));
        }
        text.push_str(
            "\n  a class is named by its label, its WordNet id or its index; `unknown` is for \
             pictures of no class",
        );
        Err(anyhow!(text))
    }
}
