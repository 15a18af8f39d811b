//! Pictures to ImageNet labels with Google's MobileNet V1, on candle.
//!
//! Data flows one way: pictures come from files, folders, lists and memory ([`dataset`]); the bytes
//! of one become upright RGB and then the square that a network takes ([`pixels`]); a file of
//! weights becomes a checkpoint ([`weights`]) and that a network ([`model`]), which runs on kernels
//! of its own on a CPU or a GPU, else on any [`device`] through three operations ([`ops`]); a
//! [`Classifier`] holds it all and answers with [`Prediction`]s whose names come from [`labels`]. A
//! [`pipeline`] takes many pictures through all of it, in order and on all cores. [`explain`] has
//! the sums that an answer is made of, place by place, and [`figures`] draws them, and other
//! numbers.
//!
//! # Example
//! ```no_run
//! use mobilenet::Classifier;
//! use mobilenet::pixels::{self, DecodeOptions};
//!
//! let classifier = Classifier::open("mobilenet_1_0_224_tf.h5")?;
//! let image = pixels::open("samples/cat.jpg", &DecodeOptions::default())?;
//! for prediction in &classifier.classify(&[image], 5, None)?[0] {
//!     println!("{:.4}  {}", prediction.score, prediction.label);
//! }
//! # Ok::<(), mobilenet::Error>(())
//! ```
//! `examples/label_folder.rs` labels a folder on all cores with a [`pipeline`];
//! `examples/compare.rs` chooses the device itself, and says how alike two pictures are.
//!
//! # Threads
//! A call returns when its work is done, and may be made from many threads at once: a
//! [`Classifier`], an [`Embedder`], a [`model::MobileNet`] and a [`pipeline::Pipeline`] can be
//! shared, and clones of the first three share the weights. Answers are the same, to the bit,
//! whatever the number of threads.
//!
//! On the CPU one pass of a network can run on several threads: the caller's own and others that the
//! library keeps, which sleep in between. [`Classifier::with_threads`] says how many; without it
//! they are as many as there are cores, unless the call comes from a rayon pool's thread or while
//! another pass is under way. Then it runs on the caller's thread alone, so that
//! `paths.par_iter().map(|path| classifier.classify(..))`, or a server's threads, keep each core
//! busy with a picture of its own and never wait for each other. Only one pass in a process has
//! several threads at a time, and one that finds them taken does without them.
//!
//! For many pictures a [`pipeline::Pipeline`] is the fastest, and decodes in parallel too.
//! Building a network, [`train`], [`learn`] and [`similarity`] run on rayon's pool, the current or
//! the global one.
//!
//! # Surroundings
//! The library prints nothing, handles no signals and reads no environment variables itself. Crates
//! below it read some: the HTTP client those of proxies (`HTTPS_PROXY` and its kin, `NO_PROXY`),
//! rayon's global pool and candle's operations `RAYON_NUM_THREADS` (candle others that begin with
//! `CANDLE_`), temporary files `TMPDIR`, panics and errors `RUST_BACKTRACE`, CUDA its own
//! (`CUDA_VISIBLE_DEVICES` and its kin).
//!
//! # Features
//! `cli`, on by default, is the program and its crates: a program of yours that needs the library
//! alone says `default-features = false`. `cuda` and `metal` are for GPUs.
#![warn(missing_docs)]
// The library prints nothing and ends no program.
#![cfg_attr(
    not(test),
    deny(clippy::print_stdout, clippy::print_stderr, clippy::exit)
)]

pub mod atomic_file;
mod classifier;
mod cpu;
pub mod dataset;
pub mod device;
pub mod digest;
mod embedder;
pub mod error;
pub mod explain;
mod familiarity;
pub mod figures;
pub mod file_lock;
mod gpu;
mod head;
pub mod labels;
pub mod learn;
pub mod metrics;
pub mod model;
pub mod ops;
pub mod pipeline;
pub mod pixels;
mod processor;
pub mod quantise;
mod random;
mod rejection;
pub mod rows;
pub mod similarity;
#[cfg(test)]
#[path = "../tests/integration/skipped.rs"]
mod skipped;
pub mod train;
pub mod weights;

/// The types that a network computes in, so that a program needs no candle of its own.
pub use candle_core::DType;
pub use classifier::{Classifier, Prediction, UNKNOWN, top_outputs, top_outputs_in_order};
#[doc(hidden)]
pub use cpu::Piece;
pub use cpu::{Isa, PassedOver};
pub use embedder::Embedder;
pub use error::{Error, Result};
pub use familiarity::{Decay, Familiarity, FamiliarityRange};
pub use head::Head;
pub use processor::processor_features;
pub use rejection::Rejection;
