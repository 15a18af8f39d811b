//! Arguments that several subcommands share, and what they come to.

mod assumed;
mod folders;
mod labels;
mod model;
mod network;
mod pictures;
mod recipe;
mod report;
mod run;
mod sources;
mod unstated;
mod view;

pub use assumed::Assumed;
pub use folders::FolderOptions;
pub use labels::LabelOptions;
pub use model::ModelOptions;
pub use network::{NetworkOptions, OpenedNetwork, Provenance, check_shares};
pub use pictures::{PictureOptions, parse_probability};
pub use recipe::RecipeOptions;
pub use report::ReportOptions;
pub use run::{DTypeName, RunOptions, Running, computes_in, default_threads};
pub use sources::{OptionalSources, STDIN, Sources, named};
pub use unstated::UnstatedOptions;
pub use view::ViewOptions;
