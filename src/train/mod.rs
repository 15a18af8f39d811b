//! Training a network on pictures of one's own.
//!
//! [`TrainableNetwork`] is the network with its batch norms by themselves and gradients of all its
//! weights; a [`Trainer`] shows it [`Dataset`], varied by an [`Augmentation`], and moves the
//! weights by [`AdamW`]. [`FineTuning`] begins with a checkpoint and a linear classifier, and keeps
//! those where training makes nothing better. What comes out is a
//! [`Checkpoint`](crate::weights::Checkpoint) like any other.
//!
//! On a CPU the same settings, pictures and seed give the same weights to the bit, however often a
//! run is stopped and gone on with from a [`State`].
//!
//! # Example
//! ```no_run
//! use std::ops::ControlFlow;
//! use std::path::Path;
//!
//! use candle_core::Device;
//! use mobilenet::model::Config;
//! use mobilenet::pixels::{DecodeOptions, Preprocessing};
//! use mobilenet::train::{Augmentation, Dataset, Norms, Settings, Trainer, initial_tensors};
//! use mobilenet::weights::Checkpoint;
//!
//! let names = ["cat", "dog"];
//! let files = ["cat/1.jpg", "cat/2.jpg", "dog/1.jpg"];
//! let read = move |i: usize| mobilenet::pixels::open(files[i], &DecodeOptions::default());
//! let pictures = Dataset::new(vec![0, 0, 1], 1 << 30, read);
//!
//! let config = Config { classes: Some(2), ..Config::with_alpha(0.25) };
//! let tensors = initial_tensors(&config, 0)?;
//! let labels = Some(names.map(String::from).to_vec());
//! let path = Path::new("pets.safetensors");
//! let beginning = Checkpoint::from_tensors(path, config, tensors, Preprocessing::center(128), labels)?;
//! let settings = Settings {
//!     epochs: 30,
//!     batch_size: 32,
//!     learning_rate: 1e-3,
//!     weight_decay: 0.05,
//!     label_smoothing: 0.1,
//!     augmentation: Augmentation::default(),
//!     frozen: 0,
//!     norms: Norms::Batch,
//!     block_decay: 1.0,
//!     seed: 0,
//! };
//! let mut trainer = Trainer::new(beginning, settings, &Device::Cpu)?;
//! while !trainer.is_done() {
//!     trainer.epoch(&pictures, None, |_| ControlFlow::Continue(()))?;
//! }
//! trainer.checkpoint()?.save(path)?;
//! # Ok::<(), mobilenet::Error>(())
//! ```

mod augment;
mod batch_norm;
mod convolution;
mod dataset;
mod initial;
mod layer;
mod loss;
mod network;
mod optimiser;
mod settings;
mod state;
mod trainer;
mod tuning;
mod values;

#[cfg(test)]
mod gradients;

pub use augment::Augmentation;
pub use dataset::{Dataset, split};
pub use initial::initial_tensors;
pub use layer::{Norms, Parameter, Phase};
pub use loss::{correct, cross_entropy};
pub use network::{Passed, TrainableNetwork};
pub use optimiser::{AdamW, learning_rate};
pub use settings::{Epoch, Settings, Shown};
pub use state::State;
pub use trainer::Trainer;
pub use tuning::{FineTuning, Kept, NormCheck, Standing, TuningPictures, Validation};
