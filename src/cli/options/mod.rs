//! Arguments that several subcommands share, and what they come to.

mod model;
mod pictures;
mod report;
mod run;

pub use model::{ActivationName, ModelOptions};
pub use pictures::{PictureOptions, Provenance, parse_probability};
pub use report::ReportOptions;
pub use run::{RunOptions, Running, default_threads};
