//! The pictures of a command line: read, told what can't be, divided.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use mobilenet::error::ImageError;
use mobilenet::pixels::{DecodeOptions, Preprocessing, RgbImage, decode_shrunk};
use mobilenet::train::{Pictures, split};
use rayon::prelude::*;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::Arguments;
use crate::cli::inputs::{Input, Labelled};
use crate::cli::interrupt::Interrupt;
use crate::cli::progress::Pictures as Bar;
use crate::cli::terminal::printable;
use crate::cli::{Global, note};

/// Bytes of pictures that are kept in memory. More are read again in each epoch.
const ROOM: u64 = 1 << 30;

/// How many times as long as the network's input the shorter side of a picture may stay: enough
/// that a part of it seldom has to be enlarged.
const SPARE: usize = 2;

/// Pictures that are read before it is looked whether to stop.
const RUN: usize = 64;

/// The pictures by their names.
pub struct Found {
    pub classes: Vec<String>,
    learn: Vec<(Input, usize)>,
    /// Those of `--validation-dir`.
    test: Option<Vec<(Input, usize)>>,
}

/// The pictures of a run.
pub struct Album {
    pub learn: Pictures,
    pub test: Pictures,
    /// What they are, for runs that go on.
    pub contents: BTreeMap<String, Content>,
    /// How many could not be read.
    pub failed: usize,
}

/// What a class has.
#[derive(Debug, Default, Serialize)]
pub struct Content {
    pictures: usize,
    /// Of the names and the bytes of all of them.
    sha256: String,
}

impl Found {
    /// Looks for the pictures.
    ///
    /// # Errors
    /// Folders that can't be read, fewer than two classes, or one in `--validation-dir` that there
    /// is none of.
    pub fn open(arguments: &Arguments) -> Result<Self> {
        let root = &arguments.pictures;
        let Labelled { classes, pictures } = Labelled::open(root)?;
        if let [class] = classes.as_slice() {
            let root = root.display();
            bail!("{root}: it has one class, {class:?}; at least two folders are needed");
        }
        let test = match &arguments.validation_dir {
            Some(folder) => Some(of_classes(folder, &classes)?),
            None => None,
        };
        Ok(Self {
            classes,
            learn: pictures,
            test,
        })
    }
}

/// The pictures of another folder with the numbers of these classes.
fn of_classes(folder: &Path, classes: &[String]) -> Result<Vec<(Input, usize)>> {
    let found = Labelled::open(folder)?;
    let number = |name: &String| {
        let number = classes.iter().position(|class| class == name);
        let folder = folder.display();
        number.with_context(|| format!("{folder}: {name:?} is none of the classes"))
    };
    let numbers: Vec<usize> = found.classes.iter().map(number).collect::<Result<_>>()?;
    let pictures = found.pictures.into_iter();
    Ok(pictures
        .map(|(input, class)| (input, numbers[class]))
        .collect())
}

impl Album {
    /// Reads every picture once, tells of those that can't be read, and divides the others; `None`
    /// where it was asked to stop.
    ///
    /// # Errors
    /// A class without pictures.
    pub fn read(
        arguments: &Arguments,
        found: Found,
        recipe: &Preprocessing,
        interrupt: &Interrupt,
        global: Global,
    ) -> Result<Option<Self>> {
        let options = arguments.view.decode();
        let mut album = Reading {
            contents: BTreeMap::new(),
            failed: 0,
            interrupt,
            global,
            classes: &found.classes,
        };
        let side = SPARE * recipe.size;
        let shrunk =
            move |bytes: &[u8], options: &DecodeOptions| decode_shrunk(bytes, options, side);
        let Some(mut learn) = album.all(&arguments.pictures, found.learn, &options, shrunk)? else {
            return Ok(None);
        };
        let recipe = recipe.clone();
        let prepared = move |bytes: &[u8], options: &DecodeOptions| {
            recipe.read(bytes, options).map(|prepared| prepared.pixels)
        };
        let test = match (&arguments.validation_dir, found.test) {
            (Some(folder), Some(test)) => match album.all(folder, test, &options, prepared)? {
                Some(test) => test.pictures,
                None => return Ok(None),
            },
            _ if arguments.validation == 0.0 => Pictures::new(Vec::new(), 0, |_| Err(missing())),
            _ => {
                let classes = learn.pictures.classes().to_vec();
                let (kept, held_out) = split(&classes, arguments.validation, arguments.seed);
                learn.pictures = learn.pictures.only(kept);
                let held_out_classes = held_out.iter().map(|&number| classes[number]).collect();
                let (inputs, numbers) = (learn.inputs, learn.numbers);
                Pictures::new(held_out_classes, ROOM, move |number| {
                    let input: &Input = &inputs[numbers[held_out[number]]].0;
                    decode(input, &options, &prepared).map(|(_, picture)| picture)
                })
            }
        };
        Ok(Some(Self {
            learn: learn.pictures,
            test,
            contents: album.contents,
            failed: album.failed,
        }))
    }
}

fn missing() -> ImageError {
    ImageError::new(
        mobilenet::error::ImageErrorKind::NotFound,
        "no such picture",
    )
}

/// Pictures that can be read, by their places among all.
struct Readable {
    pictures: Pictures,
    inputs: Arc<Vec<(Input, usize)>>,
    numbers: Vec<usize>,
}

/// Reading all pictures for the first time.
struct Reading<'a> {
    contents: BTreeMap<String, Content>,
    failed: usize,
    interrupt: &'a Interrupt,
    global: Global,
    classes: &'a [String],
}

type Decoded<T> = Result<T, ImageError>;

impl Reading<'_> {
    fn all(
        &mut self,
        root: &Path,
        inputs: Vec<(Input, usize)>,
        options: &DecodeOptions,
        make: impl Fn(&[u8], &DecodeOptions) -> Decoded<RgbImage> + Send + Sync + Clone + 'static,
    ) -> Result<Option<Readable>> {
        let inputs = Arc::new(inputs);
        let pictures = {
            let (inputs, options, make) = (inputs.clone(), options.clone(), make.clone());
            let classes = inputs.iter().map(|(_, class)| *class).collect();
            Pictures::new(classes, ROOM, move |number| {
                decode(&inputs[number].0, &options, &make).map(|(_, picture)| picture)
            })
        };
        let bar = Bar::new(self.global);
        bar.count(0..inputs.len()).for_each(drop);
        let mut digests = vec![(0, Sha256::new()); self.classes.len()];
        let mut numbers = Vec::with_capacity(inputs.len());
        let every: Vec<usize> = (0..inputs.len()).collect();
        for run in every.chunks(RUN) {
            if self.interrupt.happened() {
                return Ok(None);
            }
            let read = |&number: &usize| {
                let (digest, picture) = decode(&inputs[number].0, options, &make)?;
                pictures.keep(number, &Arc::new(picture));
                Ok(digest)
            };
            let read: Vec<Decoded<[u8; 32]>> = run.par_iter().map(read).collect();
            for (&number, digest) in run.iter().zip(read) {
                let (Input { name, .. }, class) = &inputs[number];
                bar.advance();
                match digest {
                    Ok(digest) => {
                        let (count, all) = &mut digests[*class];
                        let name = Path::new(name);
                        let name = name.strip_prefix(root).unwrap_or(name);
                        all.update(name.as_os_str().as_encoded_bytes());
                        all.update(digest);
                        *count += 1;
                        numbers.push(number);
                    }
                    Err(error) => {
                        self.failed += 1;
                        let name = printable(&name.to_string_lossy());
                        let message = printable(&error.message);
                        bar.above(|| note(&format!("{name}: {message}; left out")));
                    }
                }
            }
        }
        drop(bar);
        let root = root.display();
        for (name, (pictures, digest)) in self.classes.iter().zip(digests) {
            // `--validation-dir` need not have all classes.
            let needed = self.contents.len() < self.classes.len();
            ensure!(
                pictures > 0 || !needed,
                "{root}: class {name:?} has no pictures that can be read"
            );
            let sha256 = digest
                .finalize()
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect();
            self.contents
                .insert(format!("{root}/{name}"), Content { pictures, sha256 });
        }
        Ok(Some(Readable {
            pictures: pictures.only(numbers.clone()),
            inputs,
            numbers,
        }))
    }
}

/// Reads a picture, and takes the digest of its bytes.
fn decode(
    input: &Input,
    options: &DecodeOptions,
    make: &impl Fn(&[u8], &DecodeOptions) -> Decoded<RgbImage>,
) -> Decoded<([u8; 32], RgbImage)> {
    let bytes = input.read(options)?;
    // A defect of a decoder costs its picture, and no other.
    let made = catch_unwind(AssertUnwindSafe(|| make(&bytes, options)));
    let picture = made.unwrap_or_else(|_| Err(ImageError::decoder_failed()))?;
    Ok((Sha256::digest(&bytes).into(), picture))
}
