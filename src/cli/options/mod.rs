//! Arguments that several subcommands share, and what they come to.

mod labels;
mod model;
mod network;
mod pictures;
mod report;
mod run;
mod view;

pub use labels::LabelOptions;
pub use model::{ActivationName, ModelOptions};
pub use network::{Network, NetworkOptions, Provenance, refuse_among, refuse_same};
pub use pictures::{PictureOptions, parse_probability};
pub use report::ReportOptions;
pub use run::{DTypeName, RunOptions, Running, default_threads};
pub use view::ViewOptions;
