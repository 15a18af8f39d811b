//! Memory for activations and weights.

use std::ops::Range;
use std::sync::Arc;

use bytemuck::{Pod, Zeroable};
use memmap2::MmapMut;
use rayon::prelude::*;

/// A cache line, which is also the widest vector.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// Floats that begin on a cache line.
#[derive(Debug)]
pub(super) struct Buffer(Memory);

#[derive(Debug)]
enum Memory {
    Lines(Vec<Line>),
    /// Much memory, in huge pages where the system has them: as small ones, alpha 1.0's weights
    /// and images would take as long to be handed out as the network takes for a picture.
    Pages(MmapMut),
}

/// A huge page.
const PAGE_BYTES: usize = 2 << 20;

impl Default for Buffer {
    fn default() -> Self {
        Self(Memory::Lines(Vec::new()))
    }
}

impl Buffer {
    /// At least `len` zeros.
    pub fn zeros(len: usize) -> Self {
        let bytes = len * size_of::<f32>();
        // Of a page that is at least half needed, the rest isn't missed.
        if cfg!(target_os = "linux")
            && bytes > PAGE_BYTES / 2
            && let Ok(pages) = MmapMut::map_anon(bytes.next_multiple_of(PAGE_BYTES))
        {
            // Where this fails the pages are small ones.
            #[cfg(target_os = "linux")]
            let _ = pages.advise(memmap2::Advice::HugePage);
            return Self(Memory::Pages(pages));
        }
        Self(Memory::Lines(vec![Line([0.0; 16]); len.div_ceil(16)]))
    }

    /// Parts one after the other, one of `len` zeros for each item, that `fill` writes to on all
    /// threads.
    ///
    /// # Errors
    /// Of several, the first item's.
    pub fn of_parts<T: Sync, E: Send>(
        items: &[T],
        len: impl Fn(&T) -> usize,
        fill: impl Fn(&T, &mut [f32]) -> Result<(), E> + Sync,
    ) -> Result<Self, E> {
        let mut buffer = Self::zeros(items.iter().map(&len).sum());
        let mut rest = buffer.floats_mut();
        let mut jobs = Vec::with_capacity(items.len());
        for item in items {
            let (part, others) = rest.split_at_mut(len(item));
            rest = others;
            jobs.push((item, part));
        }
        let jobs = jobs.into_par_iter();
        let filled: Vec<Result<(), E>> = jobs.map(|(item, part)| fill(item, part)).collect();
        filled.into_iter().collect::<Result<(), E>>()?;
        Ok(buffer)
    }

    /// Makes room for `len` floats where there is less; what was there is then lost.
    pub fn reserve(&mut self, len: usize) {
        if self.floats().len() < len {
            *self = Self::zeros(len);
        }
    }

    pub fn floats(&self) -> &[f32] {
        match &self.0 {
            Memory::Lines(lines) => bytemuck::cast_slice(lines),
            Memory::Pages(pages) => bytemuck::cast_slice(pages),
        }
    }

    pub fn floats_mut(&mut self) -> &mut [f32] {
        match &mut self.0 {
            Memory::Lines(lines) => bytemuck::cast_slice_mut(lines),
            Memory::Pages(pages) => bytemuck::cast_slice_mut(pages),
        }
    }
}

/// Floats that so many elements take.
pub(super) fn floats_of<E>(elements: usize) -> usize {
    (elements * size_of::<E>()).div_ceil(size_of::<f32>())
}

/// A part of a buffer that is no longer written to.
#[derive(Debug, Clone)]
pub(super) struct Part {
    buffer: Arc<Buffer>,
    range: Range<usize>,
}

impl Part {
    /// Some of a buffer's floats.
    pub fn new(buffer: &Arc<Buffer>, range: Range<usize>) -> Self {
        Self {
            buffer: Arc::clone(buffer),
            range,
        }
    }

    pub fn floats(&self) -> &[f32] {
        &self.buffer.floats()[self.range.clone()]
    }
}
