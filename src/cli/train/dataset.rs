//! The pictures of a command line: read, told what can't be, divided.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use mobilenet::dataset::{Input, Labelled, Selection};
use mobilenet::digest::Sha256Hex;
use mobilenet::error::ImageError;
use mobilenet::pixels::{AsPixels, DecodeOptions, Pixels, Preprocessing, decode, decode_shrunk};
use mobilenet::train::{Dataset, TuningPictures, Validation, split};
use rayon::prelude::*;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::Arguments;
use crate::cli::advice::picture_error;
use crate::cli::interrupt::Interrupt;
use crate::cli::progress::PictureProgress as Bar;
use crate::cli::terminal::{printable, printable_name};
use crate::cli::{Global, note};

/// Bytes of pictures that are kept in memory. More are read again in each epoch.
const ROOM: u64 = 1 << 30;

/// How many times as long as the network's input the shorter side of a picture may stay: enough
/// that a part of it seldom has to be enlarged.
const SPARE: usize = 2;

/// The share of each class that is held out from a network that begins with nothing.
const USUAL_SHARE: f64 = 0.1;

/// Pictures that are read before it is looked whether to stop.
const RUN: usize = 64;

/// The pictures by their names.
pub struct FoundPictures {
    pub classes: Vec<String>,
    learn: Vec<(Input, usize)>,
    /// Those of `--validation-dir`.
    test: Option<Vec<(Input, usize)>>,
}

/// The pictures of a run.
pub struct TrainingData {
    pub pictures: Pictures,
    /// What they are, class by class, for runs that go on.
    pub contents: BTreeMap<String, Content>,
    /// How many could not be read.
    pub failed: usize,
}

/// What is learned from, and tested with.
pub enum Pictures {
    /// By a network that begins with nothing.
    Divided {
        learn: Dataset,
        test: Dataset<Pixels>,
    },
    /// By one that begins with a checkpoint.
    Tuning(TuningPictures),
}

/// What a class has.
#[derive(Debug, Default, Serialize)]
pub struct Content {
    pictures: usize,
    /// Of the names and the bytes of all of them.
    sha256: String,
}

impl FoundPictures {
    /// Looks for the pictures.
    ///
    /// # Errors
    /// As [`Labelled::open_to_learn`], or a class in `--validation-dir` that there is none of.
    pub fn open(arguments: &Arguments) -> Result<Self> {
        let selection = arguments.folders.selection();
        let found = Labelled::open_to_learn(&arguments.pictures, &selection)?;
        let Labelled { classes, pictures } = found;
        let test = match &arguments.learning.validation_dir {
            Some(folder) => Some(of_classes(folder, &classes, &selection)?),
            None => None,
        };
        Ok(Self {
            classes,
            learn: pictures,
            test,
        })
    }

    /// The pictures' files.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let all = self.learn.iter().chain(self.test.iter().flatten());
        all.map(|(input, _)| Path::new(&input.name))
    }
}

/// The pictures of another folder with the numbers of these classes.
fn of_classes(
    folder: &Path,
    classes: &[String],
    selection: &Selection,
) -> Result<Vec<(Input, usize)>> {
    let found = Labelled::open(folder, selection)?;
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

impl TrainingData {
    /// Reads every picture once, tells of those that can't be read, and divides the others; `None`
    /// where it was asked to stop.
    ///
    /// # Errors
    /// A class without pictures.
    pub fn read(
        arguments: &Arguments,
        found: FoundPictures,
        recipe: &Preprocessing,
        interrupt: &Interrupt,
        global: Global,
    ) -> Result<Option<Self>> {
        let options = arguments.view.decode().with_dct(recipe.dct);
        let mut reading = Reading {
            contents: BTreeMap::new(),
            failed: 0,
            interrupt,
            global,
            classes: &found.classes,
        };
        let side = SPARE * recipe.size;
        let averages = recipe.averages();
        let shrunk = move |bytes: &[u8]| {
            if averages {
                decode_shrunk(bytes, &options, side)
            } else {
                // Shrunk first, it would be smoother than what the recipe makes of it later on.
                decode(bytes, &options)
            }
        };
        let (decode, limits) = (Arc::new(shrunk), arguments.view.decode());
        let Some(learn) =
            reading.all("class", &arguments.pictures, found.learn, &limits, decode)?
        else {
            return Ok(None);
        };
        for (name, content) in &reading.contents {
            let root = arguments.pictures.display();
            let any = content.pictures > 0;
            ensure!(any, "{root}: {name} has no pictures that can be read");
        }
        // At their full size, so that the log has the accuracy that `eval` will find: that looks
        // again, at the full size, where a reduced one might change the answer.
        let full = arguments.view.decode().with_reduced(false);
        let (recipe, options) = (recipe.clone(), full);
        let prepared = move |bytes: &[u8]| Ok(recipe.read(bytes, &options)?.pixels);
        let prepared = Arc::new(prepared);
        let others = match (&arguments.learning.validation_dir, found.test) {
            (Some(root), Some(test)) => {
                let decode = Arc::clone(&prepared);
                match reading.all("validation class", root, test, &limits, decode)? {
                    Some(test) => Some(test.pictures),
                    None => return Ok(None),
                }
            }
            _ => None,
        };
        let Readable {
            pictures: learn,
            inputs,
            numbers,
        } = learn;
        let as_seen = |numbers| pictures(inputs, numbers, &limits, prepared);
        let share = arguments.learning.validation;
        let pictures = if arguments.network.is_from_checkpoint() {
            let validation = match (others, share) {
                (Some(others), _) => Validation::Others(others),
                (None, Some(0.0)) => Validation::Nothing,
                (None, Some(share)) => Validation::Share(share),
                (None, None) => Validation::Parts,
            };
            Pictures::Tuning(TuningPictures {
                inputs: as_seen(numbers),
                pictures: learn,
                validation,
            })
        } else if let Some(test) = others {
            Pictures::Divided { learn, test }
        } else {
            let (kept, held_out) = match share.unwrap_or(USUAL_SHARE) {
                0.0 => ((0..learn.len()).collect(), Vec::new()),
                share => split(learn.classes(), share, arguments.learning.seed()),
            };
            let held_out = held_out.iter().map(|&number| numbers[number]).collect();
            Pictures::Divided {
                learn: learn.only(kept),
                test: as_seen(held_out),
            }
        };
        Ok(Some(Self {
            pictures,
            contents: reading.contents,
            failed: reading.failed,
        }))
    }
}

type Decoded<T> = Result<T, ImageError>;

/// Makes a picture of the bytes of a file.
type Decode<P> = Arc<dyn Fn(&[u8]) -> Decoded<P> + Send + Sync>;

/// Some of the pictures, with their classes, to be read when they are wanted.
fn pictures<P: AsPixels + Send + Sync + 'static>(
    inputs: Arc<Vec<(Input, usize)>>,
    numbers: Vec<usize>,
    limits: &DecodeOptions,
    decode: Decode<P>,
) -> Dataset<P> {
    let limits = limits.clone();
    let classes = numbers.iter().map(|&number| inputs[number].1).collect();
    Dataset::new(classes, ROOM, move |number| {
        read(&inputs[numbers[number]].0, &limits, &decode).map(|(_, picture)| picture)
    })
}

/// Reads a picture, and takes the digest of its bytes.
fn read<P>(input: &Input, limits: &DecodeOptions, decode: &Decode<P>) -> Decoded<([u8; 32], P)> {
    input.decode(limits, |bytes| {
        Ok((Sha256::digest(bytes).into(), decode(bytes)?))
    })
}

/// Pictures that can be read, by their places among all.
struct Readable<P> {
    pictures: Dataset<P>,
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

impl Reading<'_> {
    /// The pictures that can be read. Those that can't are told; `None` where it was asked to stop.
    fn all<P: AsPixels + Send + Sync + 'static>(
        &mut self,
        kind: &str,
        root: &Path,
        inputs: Vec<(Input, usize)>,
        limits: &DecodeOptions,
        decode: Decode<P>,
    ) -> Result<Option<Readable<P>>> {
        let inputs = Arc::new(inputs);
        let every: Vec<usize> = (0..inputs.len()).collect();
        let all = pictures(inputs.clone(), every.clone(), limits, decode.clone());
        let bar = Bar::new(self.global);
        bar.count(0..inputs.len()).for_each(drop);
        let mut digests = vec![(0, Sha256Hex::new()); self.classes.len()];
        let mut numbers = Vec::with_capacity(inputs.len());
        for run in every.chunks(RUN) {
            if self.interrupt.happened() {
                return Ok(None);
            }
            let first = |&number: &usize| {
                let (digest, picture) = read(&inputs[number].0, limits, &decode)?;
                all.keep(number, &Arc::new(picture));
                Ok(digest)
            };
            let read: Vec<Decoded<[u8; 32]>> = run.par_iter().map(first).collect();
            for (&number, digest) in run.iter().zip(read) {
                let (Input { name, .. }, class) = &inputs[number];
                bar.advance();
                match digest {
                    Ok(digest) => {
                        let (count, sum) = &mut digests[*class];
                        let name = Path::new(name);
                        let name = name.strip_prefix(root).unwrap_or(name);
                        sum.update(name.as_os_str().as_encoded_bytes());
                        sum.update(digest);
                        *count += 1;
                        numbers.push(number);
                    }
                    Err(error) => {
                        self.failed += 1;
                        let name = printable_name(name);
                        let message = printable(&picture_error(&error));
                        bar.above(|| note(&format!("{name}: {message}; left out")));
                    }
                }
            }
        }
        for (name, (pictures, digest)) in self.classes.iter().zip(digests) {
            let sha256 = digest.finish();
            let content = Content { pictures, sha256 };
            self.contents.insert(format!("{kind} {name:?}"), content);
        }
        Ok(Some(Readable {
            pictures: all.only(numbers.clone()),
            inputs,
            numbers,
        }))
    }
}
