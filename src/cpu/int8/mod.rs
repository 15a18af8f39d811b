//! The network on the CPU in eight bits.
//!
//! Activations are u8 from the stem's output to the last block's, weights are integers
//! ([`quantise`]), sums are exact in 32 bits, and the same integers come of every instruction
//! set, thread count and batch. The classifier runs in f32, or in integers where a file has them.

mod head;
pub(super) mod kernels;
mod layer;
mod network;
mod pieces;
mod quantise;
mod stem;
#[cfg(test)]
mod tests;
mod weights;

pub(super) use head::IntegerHead;
pub(super) use network::Int8Network;
pub(super) use quantise::network as quantised;
