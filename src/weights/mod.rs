//! Where weights come from and how they become a network's tensors.
//!
//! A file of any supported format is read into named tensors (`hdf5`, `safetensors`), its
//! layout is translated into ours (`keras`, `tflite`, `torch`, `onnx`, `tensorflow`), several parts
//! are put together (`shards`), and what comes out (`open`) is a
//! [`Checkpoint`]: the network's settings, its tensors, the recipe for its pixels. The
//! [`catalogue`] knows the published variants and a [`Store`] brings one here: from a cache, the
//! Hugging Face Hub, or Keras's release.

mod bundle;
mod catalogue;
mod checkpoint;
mod checksum;
mod classes;
mod contents;
mod dense_layers;
mod download;
mod file_beside;
mod format;
mod graph;
mod hdf5;
mod hub;
mod imported;
mod keras;
mod lesson;
mod lock;
mod naming;
mod onnx;
mod open;
mod other_networks;
mod protobuf;
mod provenance;
mod quantised;
mod recognise;
mod release;
mod safetensors;
mod save;
mod shards;
mod sidecar;
mod store;
mod stored_network;
mod stranger;
mod tensorflow;
mod tensorflow_js;
mod tflite;
mod torch;
mod zeros;

pub use bundle::{open_bundle, write_bundle};
pub use catalogue::{Catalogue, OtherTraining, Variant, catalogue};
pub use checkpoint::{Checkpoint, Integers};
pub use download::{NoProgress, Patience, Progress, without_credentials};
pub use hub::{DEFAULT_ENDPOINT, Hub, Repo, RepoFile};
pub use open::LoadOptions;
pub use provenance::Source;
pub use quantised::QuantisationSummary;
pub use save::SaveOptions;
pub use store::Store;
