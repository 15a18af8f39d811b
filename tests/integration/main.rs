//! The integration tests, one binary.
//!
//! - `keras`: every Keras file gives Keras's own answers
//! - `pixels`: every image gives Pillow's own bytes
//! - `ops`: the operations that devices run, against their plain definition
//! - `cpu`: the CPU's own kernels, in every instruction set, against those
//! - `shared`: real pretrained weights and photographs, skipped where they are absent
//! - `classify`, `commands`: the program, as a shell uses it
//! - `bad_input`: damaged, hostile and absent files
//! - `wordnet`: every group has the classes that WordNet's own program gives it
//! - `spark`: the program inside Apache Spark (`examples/spark`), skipped without pyspark
//! - `network`: downloads, against a server on loopback that can misbehave

mod bad_input;
mod classify;
mod commands;
mod cpu;
mod keras;
mod network;
mod ops;
mod pixels;
mod shared;
mod spark;
mod support;
mod wordnet;
