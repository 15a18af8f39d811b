//! Fine-tuning that ends no worse than it began, as far as held-out pictures can tell.
//!
//! A network that was trained on millions of pictures tells most classes by a linear classifier alone
//! ([`learn`](crate::learn)); training all of it on a few hundred pictures can make it worse. So a run
//! begins with that classifier (Kumar et al. 2022, arXiv:2202.10054), and its first part are trials:
//! part of the pictures is held out, the others are learned from, and the held-out ones are answered
//! after every epoch and before the first. Small folders have several trials in turn with other parts
//! held out, so that there are enough answers to judge by. An epoch counts as better where it told as
//! many held-out pictures right as the beginning, and its loss is lower by more than the comparison's
//! standard error. Then the run whose network is kept learns from all pictures, as many epochs as were
//! best. Where none was better, what it began with is kept.

mod linear;
mod norms;
mod standing;

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use self::linear::Linear;
use self::standing::{best, together};
use super::loss::{Answer, mean};
use super::settings::{Epoch, Settings, Shown};
use super::{Dataset, State, Trainer, split, state};
use crate::error::{Error, Result};
use crate::learn::{CrossValidationReport, Example, folds};
use crate::pixels::Pixels;
use crate::weights::Checkpoint;

pub use self::norms::NormCheck;
pub use self::standing::Standing;

/// Parts that pictures are divided into for trials.
const PARTS: usize = 5;

/// Held-out pictures that are enough to judge by: no more trials are made.
const ENOUGH: usize = 200;

/// What a network in training is tested with.
pub enum Validation {
    /// A fifth of the pictures, or as many fifths in turn as make 200 pictures.
    Parts,
    /// This share of each class, once.
    Share(f64),
    /// These pictures, by which nothing is held out: there are no trials, and the best epoch is kept.
    Others(Dataset<Pixels>),
    /// None: all epochs are done, and what comes of them is kept.
    Nothing,
}

/// The pictures of a run.
pub struct TuningPictures {
    /// As they were taken.
    pub pictures: Dataset,
    /// The same ones as the network sees them.
    pub inputs: Dataset<Pixels>,
    /// What to test with.
    pub validation: Validation,
}

/// What was kept of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// What it began with: every picture that was held out had been told right.
    NothingToGain,
    /// What it began with: no epoch was better.
    Beginning,
    /// The network after so many epochs.
    Epoch(usize),
}

/// How far a run is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Progress {
    /// Trials that are over.
    stage: usize,
    /// Of each trial, and of the run to keep where there are pictures to test it with: number 0 is its
    /// beginning.
    standings: Vec<Vec<Standing>>,
}

/// Training that begins with a checkpoint, and is measured against the classifier that `learn` fits.
pub struct FineTuning {
    checkpoint: Checkpoint,
    settings: Settings,
    device: Device,
    pictures: Arc<Dataset>,
    inputs: Arc<Dataset<Pixels>>,
    others: Option<Arc<Dataset<Pixels>>>,
    examples: Vec<Example>,
    /// `None` where the checkpoint's own classifier is gone on with.
    linear: Option<Linear>,
    /// The numbers of the pictures that each trial holds out.
    trials: Vec<Vec<usize>>,
    progress: Progress,
    current: Option<Stage>,
    /// Tensors of the best epoch so far, where that is not the last one's.
    best: Option<HashMap<String, Tensor>>,
    log: Vec<Epoch>,
}

/// A trial, or the run to keep.
struct Stage {
    trainer: Trainer,
    pictures: Dataset,
    test: Option<Arc<Dataset<Pixels>>>,
    /// How it answered at the beginning.
    start: Vec<Answer>,
}

impl FineTuning {
    /// Looks at the pictures and fits the classifier to begin with; `None` soon after `stop` is true. With
    /// `own_classifier` that of the checkpoint is gone on with, which is for as many classes.
    ///
    /// # Errors
    /// Settings out of range, a checkpoint that can't be trained, pictures that can't be read, fewer
    /// than two classes or a class without pictures.
    pub fn new(
        checkpoint: Checkpoint,
        own_classifier: bool,
        data: TuningPictures,
        settings: Settings,
        device: &Device,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Option<Self>> {
        settings.validate()?;
        let TuningPictures {
            pictures,
            inputs,
            validation,
        } = data;
        let classes = checkpoint.config().classes.unwrap_or(0);
        let mirror = settings.augmentation.flip;
        let found = linear::examples(&checkpoint, &inputs, mirror, device, stop)?;
        let Some(examples) = found else {
            return Ok(None);
        };
        let linear = match own_classifier {
            true => None,
            false => match Linear::new(&examples, classes, settings.seed, stop)? {
                Some(linear) => Some(linear),
                None => return Ok(None),
            },
        };
        let (trials, others) = match validation {
            Validation::Parts => (parts(&examples, classes, settings.seed), None),
            Validation::Share(share) => {
                let (_, held_out) = split(pictures.classes(), share, settings.seed);
                (vec![held_out], None)
            }
            Validation::Others(others) => (Vec::new(), Some(Arc::new(others))),
            Validation::Nothing => (Vec::new(), None),
        };
        Ok(Some(Self {
            checkpoint,
            settings,
            device: device.clone(),
            pictures: Arc::new(pictures),
            inputs: Arc::new(inputs),
            others,
            examples,
            linear,
            trials: trials.into_iter().filter(|t| !t.is_empty()).collect(),
            progress: Progress::default(),
            current: None,
            best: None,
            log: Vec::new(),
        }))
    }

    /// How the classifier was fitted that the run begins with, and what it reaches by itself; `None` where
    /// the checkpoint's own is gone on with.
    pub fn linear(&self) -> Option<&CrossValidationReport> {
        self.linear.as_ref().map(|linear| &linear.learned.report)
    }

    /// Whether batch norm's stored statistics are those of these pictures.
    ///
    /// # Errors
    /// Pictures that can't be read, or a failure of the device.
    pub fn check_norms(&self) -> Result<NormCheck> {
        let all: Vec<usize> = (0..self.pictures.len()).collect();
        let beginning = self.beginning(&all, &|| false)?;
        let beginning = beginning.ok_or(Error::Stopped { work: "learning" })?;
        NormCheck::new(&beginning, &self.inputs, &self.device)
    }

    /// How many trials there are before the run that is kept, and how many pictures they hold out in
    /// all.
    pub fn trials(&self) -> (usize, usize) {
        (self.trials.len(), self.trials.iter().map(Vec::len).sum())
    }

    /// All epochs that are done, those of the trials first. Number 0 is the beginning of each.
    pub fn epochs(&self) -> &[Epoch] {
        &self.log
    }

    /// How often each epoch of the trials answered right, and how far its loss fell; number 0 is the
    /// beginning.
    pub fn standings(&self) -> Vec<Standing> {
        together(&self.progress.standings)
    }

    /// What is kept, once that is known.
    pub fn kept(&self) -> Option<Kept> {
        if self.has_nothing_to_gain() {
            return Some(Kept::NothingToGain);
        }
        let trials = self.trials.len();
        if self.progress.stage < trials {
            return None;
        }
        let chosen = if trials > 0 {
            best(&self.standings())
        } else if self.others.is_some() {
            if self.done_of_last() < self.settings.epochs {
                return None;
            }
            best(&self.standings())
        } else {
            self.settings.epochs
        };
        Some(match chosen {
            0 => Kept::Beginning,
            epoch => Kept::Epoch(epoch),
        })
    }

    /// Whether everything is done.
    pub fn is_done(&self) -> bool {
        match self.kept() {
            None => false,
            Some(Kept::NothingToGain | Kept::Beginning) => true,
            Some(Kept::Epoch(_)) if self.others.is_some() => true,
            Some(Kept::Epoch(epochs)) => self.done_of_last() >= epochs,
        }
    }

    /// Epochs of the run to keep that are done.
    fn done_of_last(&self) -> usize {
        let of_last = |epoch: &&Epoch| epoch.trial.is_none() && epoch.epoch > 0;
        self.log.iter().filter(of_last).count()
    }

    /// Whether trials could show no gain in what is told right.
    fn has_nothing_to_gain(&self) -> bool {
        let held_out = self.linear().and_then(|report| report.held_out.as_ref());
        !self.trials.is_empty() && held_out.is_some_and(|held_out| held_out.accuracy >= 1.0)
    }

    /// The next epoch, of a trial or of the run to keep; number 0 of each is what it begins with. `watch`
    /// is called after every batch and may break off; then the answer is `None`, and there is no going
    /// on but from a [`State`].
    ///
    /// # Errors
    /// As [`Trainer::epoch`].
    pub fn epoch(
        &mut self,
        stop: &(dyn Fn() -> bool + Sync),
        watch: impl FnMut(Shown) -> ControlFlow<()>,
    ) -> Result<Option<Epoch>> {
        let trial = (self.progress.stage < self.trials.len()).then_some(self.progress.stage + 1);
        let Some(stage) = &mut self.current else {
            return self.first(trial, stop);
        };
        let test = stage.test.as_deref();
        let Some(epoch) = stage.trainer.epoch(&stage.pictures, test, watch)? else {
            return Ok(None);
        };
        let epoch = Epoch { trial, ..epoch };
        self.log.push(epoch);
        if stage.test.is_some() {
            let standing = Standing::new(&stage.start, stage.trainer.answers());
            if let Some(standings) = self.progress.standings.last_mut() {
                standings.push(standing);
                if trial.is_none() && best(standings) == epoch.epoch {
                    self.best = Some(stage.trainer.tensors()?);
                }
            }
        }
        if trial.is_some() && stage.trainer.is_done() {
            self.current = None;
            self.progress.stage += 1;
        }
        Ok(Some(epoch))
    }

    /// Begins a trial or the run to keep, and tests what it begins with.
    fn first(
        &mut self,
        trial: Option<usize>,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Option<Epoch>> {
        let begin = Instant::now();
        let Some(stage) = self.stage(stop)? else {
            return Ok(None);
        };
        let kept = Arc::new(self.inputs.part(self.numbers()));
        let (train_loss, train_accuracy) = mean(&stage.trainer.test(&kept)?);
        let tested = stage.test.as_ref().map(|_| mean(&stage.start));
        let (validation_loss, validation_accuracy) = tested.unzip();
        if stage.test.is_some() {
            let standing = Standing::new(&stage.start, &stage.start);
            self.progress.standings.push(vec![standing]);
        }
        self.current = Some(stage);
        let epoch = Epoch {
            epoch: 0,
            learning_rate: 0.0,
            train_loss,
            train_accuracy,
            validation_loss,
            validation_accuracy,
            seconds: begin.elapsed().as_secs_f64(),
            trial,
        };
        self.log.push(epoch);
        Ok(Some(epoch))
    }

    /// The pictures that are learned from now.
    fn numbers(&self) -> Vec<usize> {
        let mut is_kept = vec![true; self.pictures.len()];
        for &number in self.trials.get(self.progress.stage).into_iter().flatten() {
            is_kept[number] = false;
        }
        (0..is_kept.len())
            .filter(|&number| is_kept[number])
            .collect()
    }

    /// A trial or the run to keep, at its beginning.
    fn stage(&self, stop: &(dyn Fn() -> bool + Sync)) -> Result<Option<Stage>> {
        let numbers = self.numbers();
        let Some(checkpoint) = self.beginning(&numbers, stop)? else {
            return Ok(None);
        };
        let trainer = Trainer::new(checkpoint, self.settings.clone(), &self.device)?;
        let test = match self.trials.get(self.progress.stage) {
            Some(held_out) => Some(Arc::new(self.inputs.part(held_out.clone()))),
            None => self.others.clone(),
        };
        let start = match &test {
            Some(test) => trainer.test(test)?,
            None => Vec::new(),
        };
        Ok(Some(Stage {
            trainer,
            pictures: self.pictures.part(numbers),
            test,
            start,
        }))
    }

    /// What a run that learns from these pictures begins with.
    fn beginning(
        &self,
        numbers: &[usize],
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Option<Checkpoint>> {
        let Some(linear) = &self.linear else {
            return Ok(Some(self.checkpoint.clone()));
        };
        let Some((weight, bias)) = linear.on(&self.examples, numbers, stop)? else {
            return Ok(None);
        };
        let labels = self.checkpoint.labels();
        let labels = labels.iter().flat_map(|labels| labels.classes());
        let labels = labels.map(|class| class.label.clone()).collect();
        let checkpoint = self.checkpoint.clone();
        checkpoint.with_classifier(&weight, &bias, labels).map(Some)
    }

    /// The network that is kept, once everything is done; before that, the one that would be.
    ///
    /// # Errors
    /// Weights that are not numbers any more, or a failure of the device.
    pub fn checkpoint(&self) -> Result<Checkpoint> {
        if let (Some(Kept::Epoch(_)) | None, Some(best)) = (self.kept(), &self.best) {
            return self.checkpoint.with_tensors(best.clone());
        }
        match (self.kept(), &self.current) {
            (Some(Kept::Epoch(_)), Some(stage)) => stage.trainer.checkpoint(),
            _ => {
                let all: Vec<usize> = (0..self.pictures.len()).collect();
                let beginning = self.beginning(&all, &|| false)?;
                let beginning = beginning.ok_or(Error::Stopped { work: "learning" })?;
                // A network of other weights than its source's.
                beginning.with_tensors(beginning.tensors()?)
            }
        }
    }

    /// Writes all that is needed to go on, with a description of the run, to a file that appears
    /// whole or not at all.
    ///
    /// # Errors
    /// [`Error::Io`] where it can't be written.
    pub fn save(&self, path: &Path, run: &serde_json::Value) -> Result<()> {
        let (mut tensors, steps) = match &self.current {
            Some(stage) => (stage.trainer.state()?, stage.trainer.steps()),
            None => (HashMap::new(), 0),
        };
        for (name, tensor) in self.best.iter().flatten() {
            tensors.insert(format!("best.{name}"), tensor.clone());
        }
        state::write(path, &tensors, run, &self.log, steps, Some(&self.progress))
    }

    /// Goes on from a state that was saved; false where it was given up.
    ///
    /// # Errors
    /// A state of another network, or of training without [`FineTuning`].
    pub fn restore(&mut self, state: State, stop: &(dyn Fn() -> bool + Sync)) -> Result<bool> {
        let Some(progress) = state.tuning.clone() else {
            return Err(Error::input("a state of another kind of training"));
        };
        self.progress = progress;
        self.log.clone_from(&state.epochs);
        let of_best = state.tensors.iter().filter_map(|(name, tensor)| {
            Some((name.strip_prefix("best.")?.to_owned(), tensor.clone()))
        });
        let of_best: HashMap<String, Tensor> = of_best.collect();
        self.best = (!of_best.is_empty()).then_some(of_best);
        if state
            .tensors
            .keys()
            .any(|name| name.starts_with("network."))
        {
            let Some(mut stage) = self.stage(stop)? else {
                return Ok(false);
            };
            let trial = self.log.last().and_then(|epoch| epoch.trial);
            let epochs = state.epochs.into_iter();
            let epochs = epochs.filter(|epoch| epoch.trial == trial && epoch.epoch > 0);
            let epochs = epochs.collect();
            stage.trainer.restore(State {
                epochs,
                tuning: None,
                ..state
            })?;
            self.current = Some(stage);
        }
        Ok(true)
    }
}

/// The numbers of the pictures that each trial holds out: parts as cross-validation has them, as many
/// as are enough.
fn parts(examples: &[Example], classes: usize, seed: u64) -> Vec<Vec<usize>> {
    let Some(folds) = folds::assign(examples, classes, PARTS, seed) else {
        return Vec::new();
    };
    let mut parts = vec![Vec::new(); folds.count];
    for (number, part) in folds.of.iter().enumerate() {
        if let Some(part) = part {
            parts[*part].push(number);
        }
    }
    let mut held_out = 0;
    let needed = parts.iter().take_while(|part| {
        let is_needed = held_out < ENOUGH;
        held_out += part.len();
        is_needed
    });
    let needed = needed.count();
    parts.truncate(needed);
    parts
}
