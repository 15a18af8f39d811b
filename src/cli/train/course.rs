//! A run from nothing, or from a checkpoint.

use std::ops::ControlFlow;
use std::path::Path;

use anyhow::{Context, Result};
use candle_core::Device;
use mobilenet::pixels::Pixels;
use mobilenet::train::{
    Dataset, Epoch, FineTuning, Kept, Norms, Settings, Shown, Standing, State, Trainer,
};
use mobilenet::weights::Checkpoint;
use serde_json::Value;

use super::begin::Beginning;
use super::dataset::Pictures;
use crate::cli::interrupt::Interrupt;
use crate::cli::{Global, note};

/// A run, and how far it is.
pub struct Course {
    kind: Kind,
    epochs: usize,
    norms: Norms,
}

enum Kind {
    FromNothing {
        trainer: Box<Trainer>,
        learn: Dataset,
        test: Dataset<Pixels>,
    },
    FromCheckpoint(Box<FineTuning>),
}

impl Course {
    /// A run at its beginning; `None` where it was asked to stop.
    ///
    /// # Errors
    /// A network that can't be trained, or pictures that nothing can be learned from.
    pub fn new(
        beginning: Beginning,
        pictures: Pictures,
        settings: Settings,
        device: &Device,
        interrupt: &Interrupt,
    ) -> Result<Option<Self>> {
        let (epochs, norms) = (settings.epochs, settings.norms);
        let Beginning {
            checkpoint,
            has_own_classifier,
            ..
        } = beginning;
        let kind = match pictures {
            Pictures::Divided { learn, test } => Kind::FromNothing {
                trainer: Box::new(Trainer::new(checkpoint, settings, device)?),
                learn,
                test,
            },
            Pictures::Tuning(pictures) => {
                let stop = || interrupt.happened();
                let (own, device) = (has_own_classifier, device);
                let tuning = FineTuning::new(checkpoint, own, pictures, settings, device, &stop)?;
                let Some(tuning) = tuning else {
                    return Ok(None);
                };
                Kind::FromCheckpoint(Box::new(tuning))
            }
        };
        Ok(Some(Self {
            kind,
            epochs,
            norms,
        }))
    }

    /// Goes on from a state that was saved in a file; false where it was asked to stop.
    ///
    /// # Errors
    /// A state of another network.
    pub fn restore(&mut self, state: State, path: &Path, interrupt: &Interrupt) -> Result<bool> {
        let named = || path.display().to_string();
        match &mut self.kind {
            Kind::FromNothing { trainer, .. } => {
                trainer.restore(state).with_context(named)?;
                Ok(true)
            }
            Kind::FromCheckpoint(tuning) => {
                let stop = || interrupt.happened();
                tuning.restore(state, &stop).with_context(named)
            }
        }
    }

    /// All epochs that are done. From a checkpoint number 0 is what a run begins with.
    pub fn epochs(&self) -> &[Epoch] {
        match &self.kind {
            Kind::FromNothing { trainer, .. } => trainer.epochs(),
            Kind::FromCheckpoint(tuning) => tuning.epochs(),
        }
    }

    /// How many epochs are done.
    pub fn done(&self) -> usize {
        self.epochs().iter().filter(|epoch| epoch.epoch > 0).count()
    }

    /// How many epochs a run has, if it comes to the most.
    pub fn epochs_of_a_run(&self) -> usize {
        self.epochs
    }

    /// How many epochs all runs have together, if it comes to the most.
    pub fn most_epochs(&self) -> usize {
        match &self.kind {
            Kind::FromNothing { .. } => self.epochs,
            Kind::FromCheckpoint(tuning) => (tuning.trials().0 + 1) * self.epochs,
        }
    }

    /// How many trials there are before the run that is kept.
    pub fn trials(&self) -> usize {
        match &self.kind {
            Kind::FromNothing { .. } => 0,
            Kind::FromCheckpoint(tuning) => tuning.trials().0,
        }
    }

    /// Whether everything is done.
    pub fn is_done(&self) -> bool {
        match &self.kind {
            Kind::FromNothing { trainer, .. } => trainer.is_done(),
            Kind::FromCheckpoint(tuning) => tuning.is_done(),
        }
    }

    /// The next epoch; `None` where it was asked to stop.
    ///
    /// # Errors
    /// A picture that can't be read any more, a loss that is not a number, a failure of the device.
    pub fn epoch(
        &mut self,
        interrupt: &Interrupt,
        watch: impl FnMut(Shown) -> ControlFlow<()>,
    ) -> Result<Option<Epoch>> {
        Ok(match &mut self.kind {
            Kind::FromNothing {
                trainer,
                learn,
                test,
            } => trainer.epoch(learn, Some(test), watch)?,
            Kind::FromCheckpoint(tuning) => tuning.epoch(&|| interrupt.happened(), watch)?,
        })
    }

    /// Keeps what is needed to go on.
    ///
    /// # Errors
    /// A file that can't be written.
    pub fn save(&self, path: &Path, description: &Value) -> Result<()> {
        match &self.kind {
            Kind::FromNothing { trainer, .. } => trainer.save(path, description)?,
            Kind::FromCheckpoint(tuning) => tuning.save(path, description)?,
        }
        Ok(())
    }

    /// What came of it.
    ///
    /// # Errors
    /// Weights that are not numbers any more.
    pub fn checkpoint(&self) -> Result<Checkpoint> {
        Ok(match &self.kind {
            Kind::FromNothing { trainer, .. } => trainer.checkpoint()?,
            Kind::FromCheckpoint(tuning) => tuning.checkpoint()?,
        })
    }

    /// Says what the run begins with, and what is doubtful about it.
    ///
    /// # Errors
    /// A failure to look at the pictures.
    pub fn tell_beginning(&self, global: Global) -> Result<()> {
        if global.quiet {
            return Ok(());
        }
        let done = self.done();
        if done > 0 {
            note(&format!("{done} epochs were done earlier"));
        }
        let tuning = match &self.kind {
            Kind::FromNothing { .. } => return Ok(()),
            Kind::FromCheckpoint(tuning) => tuning,
        };
        match tuning.linear().map(|report| report.held_out.as_ref()) {
            Some(Some(held_out)) => note(&format!(
                "the linear classifier alone tells {:.1} % of {} held-out pictures right, log loss {:.4} \
                 ({}-fold cross-validation); `learn` makes it in seconds",
                100.0 * held_out.accuracy,
                held_out.examples,
                held_out.log_loss,
                held_out.folds,
            )),
            Some(None) => note(
                "no class has two different pictures, so what the linear classifier alone reaches is not \
                 known",
            ),
            None => note(
                "the classes are the checkpoint's own, so the run begins with its classifier; where it has \
                 learned from these very pictures, held-out ones are none and flatter it",
            ),
        }
        let check = tuning.check_norms()?;
        if check.disagrees() {
            let what = format!(
                "its batch norms' stored statistics are not those of these pictures: with stored ones \
                 {} of {} are told right before any training, with the batch's own {}",
                check.stored, check.pictures, check.batch
            );
            match self.norms {
                Norms::Batch => note(&format!(
                    "{what}; with --norms batch the run begins with the latter, so prefer --norms stored"
                )),
                Norms::Stored if global.verbose => note(&what),
                Norms::Stored => {}
            }
        }
        Ok(())
    }

    /// Says what was kept, and why.
    pub fn tell_end(&self, global: Global) {
        let Kind::FromCheckpoint(tuning) = &self.kind else {
            return;
        };
        if global.quiet {
            return;
        }
        let standings = tuning.standings();
        let share = |epoch: usize| {
            let standing = standings.get(epoch).copied().unwrap_or_default();
            let Standing {
                right, pictures, ..
            } = standing;
            format!("{right} of {pictures}")
        };
        note(&match tuning.kept() {
            Some(Kept::NothingToGain) => {
                "kept what it began with: all held-out pictures are told right without training"
                    .into()
            }
            Some(Kept::Epoch(epoch)) if !standings.is_empty() => format!(
                "kept {epoch} of {} epochs, which told {} held-out pictures right; without training it \
                 was {}",
                self.epochs,
                share(epoch),
                share(0)
            ),
            Some(Kept::Epoch(epoch)) => format!(
                "kept all {epoch} epochs; nothing was held out, so whether they made it better is not \
                 known"
            ),
            _ => format!(
                "kept what it began with, which told {} held-out pictures right: no epoch was better beyond \
                 chance",
                share(0)
            ),
        });
    }
}
