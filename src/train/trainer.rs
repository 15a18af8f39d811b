//! A run of training, epoch by epoch.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::thread;
use std::time::Instant;

use candle_core::{DType, Device, Tensor};
use crossbeam_channel::bounded;
use rayon::prelude::*;

use super::dataset::Dataset;
use super::layer::Phase;
use super::loss::{Answer, correct, cross_entropy, mean};
use super::network::TrainableNetwork;
use super::optimiser::{AdamW, learning_rate};
use super::settings::{Epoch, Settings, Shown};
use crate::error::{Error, ImageError, Result};
use crate::model::Config;
use crate::pixels::{Pixels, to_input, to_tensor};
use crate::random::{Purpose, Random};
use crate::weights::Checkpoint;

/// Keras's momentum of the running statistics, in the long run.
const MOMENTUM: f64 = 0.99;

/// Pictures that are tested together.
const TEST_BATCH: usize = 32;

/// A network in training.
pub struct Trainer {
    /// What it began with: settings, recipe, labels.
    beginning: Checkpoint,
    settings: Settings,
    network: TrainableNetwork,
    optimiser: AdamW,
    device: Device,
    epochs: Vec<Epoch>,
    /// How the pictures to test with were answered after the last epoch.
    answers: Vec<Answer>,
}

fn network(
    config: &Config,
    tensors: &HashMap<String, Tensor>,
    settings: &Settings,
    device: &Device,
) -> Result<TrainableNetwork> {
    let Settings { frozen, norms, .. } = *settings;
    TrainableNetwork::new(config, tensors, frozen, norms, device, DType::F32)
}

fn optimiser(network: &TrainableNetwork, settings: &Settings) -> Result<AdamW> {
    let parameters = network.parameters_by_depth(settings.block_decay);
    AdamW::new(parameters, settings.weight_decay)
}

impl Trainer {
    /// Training that begins with a checkpoint.
    ///
    /// # Errors
    /// Settings out of range, or a checkpoint that can't be trained: without a classifier, or with
    /// its batch norm folded.
    pub fn new(beginning: Checkpoint, settings: Settings, device: &Device) -> Result<Self> {
        settings.validate()?;
        let tensors = beginning.tensors()?;
        let config = beginning.config();
        let network = network(config, &tensors, &settings, device);
        let network = network.map_err(|error| error.in_checkpoint(beginning.path()))?;
        Ok(Self {
            optimiser: optimiser(&network, &settings)?,
            network,
            beginning,
            settings,
            device: device.clone(),
            epochs: Vec::new(),
            answers: Vec::new(),
        })
    }

    /// The epochs that are done.
    pub fn epochs(&self) -> &[Epoch] {
        &self.epochs
    }

    /// Whether all epochs are done.
    pub fn is_done(&self) -> bool {
        self.epochs.len() >= self.settings.epochs
    }

    /// Shows each picture once, tests the network, and says how it went. `watch` is called after
    /// every batch and may break off; then the answer is `None`, and there is no going on but from a
    /// [`State`](super::State).
    ///
    /// Pictures to learn from are as they were taken; those to test with are the network's input
    /// already ([`Preprocessing::apply`](crate::pixels::Preprocessing::apply)).
    ///
    /// # Errors
    /// Fewer than two pictures, one that can't be read, a loss that is not a number, a failure of
    /// the device.
    pub fn epoch(
        &mut self,
        pictures: &Dataset,
        validation: Option<&Dataset<Pixels>>,
        mut watch: impl FnMut(Shown) -> ControlFlow<()>,
    ) -> Result<Option<Epoch>> {
        let begin = Instant::now();
        let number = self.epochs.len() + 1;
        let batches = self.batches(pictures.len(), number)?;
        let steps = batches.len() * self.settings.epochs;
        let recipe = self.beginning.preprocessing().clone();
        let Settings {
            augmentation, seed, ..
        } = self.settings;
        let show = |&picture: &usize| -> Result<Pixels, ImageError> {
            let mut random = Random::new(seed, Purpose::Augmentation, number, picture);
            Ok(augmentation.apply(&*pictures.get(picture)?, &recipe, &mut random))
        };
        let (sender, ready) = bounded(1);
        let (mut loss, mut hits, mut shown, mut rate) = (0.0, 0, 0, 0.0);
        let broken_off = thread::scope(|scope| {
            let batches = &batches;
            // The next batch is made while this one is learned from.
            scope.spawn(move || {
                for batch in batches {
                    let images: Result<Vec<_>, _> = batch.par_iter().map(show).collect();
                    if sender.send((batch, images)).is_err() {
                        break;
                    }
                }
            });
            // Moved in, so that the other side ends when this one does.
            let ready = ready;
            for (batch, images) in ready {
                let classes: Vec<usize> = batch.iter().map(|&i| pictures.classes()[i]).collect();
                rate = learning_rate(self.settings.learning_rate, self.optimiser.steps(), steps);
                let (batch_loss, batch_hits) = self.step(&images?, &classes, rate)?;
                loss += batch_loss * batch.len() as f64;
                hits += batch_hits;
                shown += batch.len();
                let so_far = Shown {
                    epoch: number,
                    pictures: shown,
                    of: pictures.len(),
                    loss: loss / shown as f64,
                    accuracy: hits as f64 / shown as f64,
                };
                if watch(so_far).is_break() {
                    return Ok(true);
                }
            }
            Ok::<_, Error>(false)
        })?;
        if broken_off {
            return Ok(None);
        }
        let validation = validation.filter(|pictures| !pictures.is_empty());
        self.answers = match validation {
            Some(pictures) => self.test(pictures)?,
            None => Vec::new(),
        };
        let tested = (!self.answers.is_empty()).then(|| mean(&self.answers));
        let (validation_loss, validation_accuracy) = tested.unzip();
        let epoch = Epoch {
            epoch: number,
            learning_rate: rate,
            train_loss: loss / shown as f64,
            train_accuracy: hits as f64 / shown as f64,
            validation_loss,
            validation_accuracy,
            seconds: begin.elapsed().as_secs_f64(),
            trial: None,
        };
        self.epochs.push(epoch);
        Ok(Some(epoch))
    }

    /// The numbers of the pictures in a new order, in batches of nearly the same size.
    fn batches(&self, pictures: usize, epoch: usize) -> Result<Vec<Vec<usize>>> {
        if pictures < 2 {
            let message = "batch norm takes its statistics from at least 2 pictures";
            return Err(Error::input(message));
        }
        let mut order: Vec<usize> = (0..pictures).collect();
        Random::new(self.settings.seed, Purpose::Order, epoch, 0).shuffle(&mut order);
        let count = pictures
            .div_ceil(self.settings.batch_size)
            .min(pictures / 2);
        let start = |batch: usize| batch * pictures / count;
        let batch = |number| order[start(number)..start(number + 1)].to_vec();
        Ok((0..count).map(batch).collect())
    }

    /// Learns from a batch; its mean loss, and how many answers were right.
    fn step(&mut self, images: &[Pixels], classes: &[usize], rate: f64) -> Result<(f64, usize)> {
        let scale = &self.beginning.preprocessing().pixel_scale;
        let pixels = to_tensor(images, scale, &self.device)?;
        let passed = self.network.forward(&pixels, Phase::Training)?;
        let loss = cross_entropy(&passed.logits, classes, self.settings.label_smoothing)?;
        let value = f64::from(loss.to_scalar::<f32>()?);
        if !value.is_finite() {
            let message = "the loss is not a number any more: try a lower learning rate";
            return Err(Error::not_a_number(message));
        }
        self.optimiser.step(&loss.backward()?, rate)?;
        // As TensorFlow's moving averages do where they are given the number of steps: as long as
        // there were few, older ones count less.
        let steps = self.optimiser.steps() as f64;
        self.network
            .follow(&passed, MOMENTUM.min(steps / (steps + 9.0)))?;
        Ok((value, correct(&passed.logits, classes)?))
    }

    /// How the pictures to test with were answered after the last epoch.
    pub(super) fn answers(&self) -> &[Answer] {
        &self.answers
    }

    /// Tests the network, built as from a file.
    pub(super) fn test(&self, pictures: &Dataset<Pixels>) -> Result<Vec<Answer>> {
        let network = self.checkpoint()?.network(&self.device, DType::F32)?;
        let mut answers = Vec::with_capacity(pictures.len());
        let all: Vec<usize> = (0..pictures.len()).collect();
        for batch in all.chunks(TEST_BATCH) {
            let images = pictures.some(batch)?;
            let classes: Vec<usize> = batch.iter().map(|&i| pictures.classes()[i]).collect();
            let pixels = to_input(&images, network.pixel_scale(), &self.device)?;
            let logits = network.forward(&pixels)?;
            answers.extend(super::loss::answers(&logits, &classes)?);
        }
        Ok(answers)
    }

    /// The network as it is now, with the recipe and the labels that it began with.
    ///
    /// # Errors
    /// Weights that are not numbers any more, or a failure of the device.
    pub fn checkpoint(&self) -> Result<Checkpoint> {
        self.beginning.with_tensors(self.network.tensors()?)
    }

    /// Writes all that is needed to go on, with a description of the run, to a file that appears
    /// whole or not at all.
    ///
    /// # Errors
    /// [`Error::Io`] where it can't be written.
    pub fn save(&self, path: &Path, run: &serde_json::Value) -> Result<()> {
        let (epochs, steps) = (&self.epochs, self.steps());
        super::state::write(path, &self.state()?, run, epochs, steps, None)
    }

    /// The network's tensors as they are now.
    pub(super) fn tensors(&self) -> Result<HashMap<String, Tensor>> {
        self.network.tensors()
    }

    /// Steps that were made.
    pub(super) fn steps(&self) -> usize {
        self.optimiser.steps()
    }

    /// All that it needs to go on, as tensors.
    pub(super) fn state(&self) -> Result<HashMap<String, Tensor>> {
        let mut tensors = self.optimiser.state()?;
        for (name, tensor) in self.network.tensors()? {
            tensors.insert(format!("network.{name}"), tensor);
        }
        Ok(tensors)
    }

    /// Goes on from a state that was saved.
    ///
    /// # Errors
    /// A state of another network.
    pub fn restore(&mut self, state: super::State) -> Result<()> {
        let of_network = |(name, tensor): (&String, &Tensor)| {
            Some((name.strip_prefix("network.")?.to_owned(), tensor.clone()))
        };
        let tensors: HashMap<String, Tensor> =
            state.tensors.iter().filter_map(of_network).collect();
        let config = self.beginning.config();
        self.network = network(config, &tensors, &self.settings, &self.device)?;
        self.optimiser = optimiser(&self.network, &self.settings)?;
        self.optimiser.restore(&state.tensors, state.steps)?;
        self.epochs = state.epochs;
        Ok(())
    }
}
