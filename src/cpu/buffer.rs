//! Memory for activations and weights.

use bytemuck::{Pod, Zeroable};

/// A cache line, which is also the widest vector.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// Floats that begin on a cache line.
#[derive(Debug, Clone, Default)]
pub(super) struct Buffer {
    lines: Vec<Line>,
}

impl Buffer {
    /// At least `len` zeros.
    pub fn zeros(len: usize) -> Self {
        Self {
            lines: vec![Line([0.0; 16]); len.div_ceil(16)],
        }
    }

    /// A copy of `values`.
    pub fn from_slice(values: &[f32]) -> Self {
        let mut buffer = Self::zeros(values.len());
        buffer.floats_mut()[..values.len()].copy_from_slice(values);
        buffer
    }

    /// Makes room for `len` floats where there is less; what was there is then lost.
    pub fn reserve(&mut self, len: usize) {
        if self.lines.len() * 16 < len {
            *self = Self::zeros(len);
        }
    }

    pub fn floats(&self) -> &[f32] {
        bytemuck::cast_slice(&self.lines)
    }

    pub fn floats_mut(&mut self) -> &mut [f32] {
        bytemuck::cast_slice_mut(&mut self.lines)
    }
}
