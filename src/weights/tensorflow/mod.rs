//! TensorFlow's own files: frozen graphs (`.pb`), and the checkpoints of TF-Slim, the form in which Google first
//! released MobileNet.
//!
//! A frozen graph is a message (`message`) of nodes (`frozen`), whose meaning is told in `operations`; the room for
//! graphs reads the network off it. A checkpoint is a sorted table of names (`table`) and numbers in files beside it
//! (`bundle`), or, before 2016, in the table itself (`saved_slices`); TF-Slim's names are translated by `slim`.

mod bundle;
mod frozen;
mod message;
mod operations;
mod saved_slices;
mod slim;
mod table;

pub(super) use bundle::{located, read as read_checkpoint};
pub(super) use frozen::read as read_frozen;
