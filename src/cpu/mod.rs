//! The network on the CPU, in f32, in bf16 ([`bf16`]) and in eight bits ([`int8`]).
//!
//! [`engine`](engine()) is built from the folded convolutions and runs all of them: activations lie
//! as `[row][column][channel]`, a depthwise layer's output goes tile by tile into a scratch
//! that stays in the cache and from there through the pointwise product. The inner loops are in
//! `kernels`, once for each instruction set; which one is an [`Isa`].

mod barrier;
mod bf16;
mod buffer;
mod element;
mod engine;
mod head;
mod int8;
mod isa;
mod kernels;
mod network;
mod parallel;
mod passes;
mod pieces;
mod pixels;
#[cfg(test)]
mod test_inputs;
#[cfg(test)]
mod tests;
mod tiled_layer;
mod tiles;
mod weights;
mod workspace;

pub(crate) use engine::engine;
pub use isa::{Isa, PassedOver};
pub(crate) use parallel::{Threads, for_each};
pub use passes::Piece;
