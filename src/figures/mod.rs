//! Pictures of numbers: how a training went, which classes are mistaken for which.
//!
//! They are drawn in memory, the same bytes each time, without a screen and without the system's
//! fonts. Text is set in DejaVu Sans Condensed, which the program carries (see
//! `LICENSE-DejaVu`), a character after the other: no ligatures, no bidirectional text, and a box
//! for what the font lacks.

mod axis;
mod canvas;
mod colours;
mod curves;
mod matrix;
mod text;

pub use colours::colour;
pub use curves::{Curve, Panel, curves};
pub use matrix::confusion_matrix;
