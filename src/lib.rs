//! Pictures to ImageNet labels with Google's MobileNet V1, on candle.
//!
//! Data flows one way: the bytes of a file become upright RGB and then the square that a
//! network takes ([`pixels`]); a file of weights becomes a checkpoint ([`weights`]) and that a
//! network ([`model`]), which runs on kernels of its own on a CPU or a GPU, else on any [`device`]
//! through three operations ([`ops`]); a [`Classifier`] holds it all and answers with
//! [`Prediction`]s whose names come from [`labels`]. [`explain`] has the sums that an answer is
//! made of, place by place, and [`figures`] draws them, and other numbers.
//!
//! The library prints nothing and reads no environment variables, but for the proxy's
//! (`HTTPS_PROXY` and its kin), which its HTTP client reads.
//!
//! # Example
//! ```no_run
//! use mobilenet::device::{self, DeviceChoice};
//! use mobilenet::pixels::{self, DecodeOptions};
//! use mobilenet::weights::{Checkpoint, LoadOptions};
//! use mobilenet::{Classifier, DType};
//!
//! let device = device::open(DeviceChoice::Auto)?;
//! let checkpoint = Checkpoint::open("mobilenet_1_0_224_tf.h5", &LoadOptions::default())?;
//! let classifier = Classifier::new(&checkpoint, None, &device, DType::F32)?;
//!
//! let image = pixels::open("samples/cat.jpg", &DecodeOptions::default())?;
//! for prediction in &classifier.classify(&[image], 5, None)?[0] {
//!     println!("{:.4}  {}", prediction.score, prediction.label);
//! }
//! # Ok::<(), mobilenet::Error>(())
//! ```
//! `examples/compare.rs` is a whole program, which also says how alike two pictures are.
#![warn(missing_docs)]
// The library prints nothing and ends no program.
#![cfg_attr(
    not(test),
    deny(clippy::print_stdout, clippy::print_stderr, clippy::exit)
)]

mod classifier;
mod cpu;
pub mod device;
mod embedder;
pub mod error;
pub mod explain;
mod familiarity;
pub mod figures;
mod gpu;
pub mod labels;
pub mod learn;
pub mod metrics;
pub mod model;
pub mod ops;
pub mod pixels;
mod random;
mod rejection;
pub mod similarity;
#[cfg(test)]
#[path = "../tests/integration/skipped.rs"]
mod skipped;
pub mod train;
pub mod weights;

/// The types that a network computes in, so that a program needs no candle of its own.
pub use candle_core::DType;
pub use classifier::{Classifier, Prediction, UNKNOWN, top_outputs};
pub use cpu::Isa;
#[doc(hidden)]
pub use cpu::Piece;
pub use embedder::Embedder;
pub use error::{Error, Result};
pub use familiarity::{Familiarity, FamiliarityRange};
pub use rejection::Rejection;
