//! How a kernel is launched: which kernel, on how many threads, with which sizes.

use candle_core::{DType, Result, bail};

use super::kernel::{Kernel, KernelOp, Sizes};
use crate::pixels::COLOURS;

/// Output columns that a thread computes; as in `kernels.h`.
const STRIP: usize = 4;

/// The same as the kernels take them: `Sizes` in `kernels.h`.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C)]
pub(super) struct RawSizes {
    images: u32,
    height: u32,
    width: u32,
    channels: u32,
    out_height: u32,
    out_width: u32,
    before_rows: i32,
    before_columns: i32,
    highest: f32,
    zero: [f32; COLOURS],
    scale: [f32; COLOURS],
}

impl RawSizes {
    /// As they lie in memory.
    #[cfg(test)]
    pub fn bytes(&self) -> Vec<u8> {
        let unsigned = [self.images, self.height, self.width, self.channels];
        let unsigned = unsigned
            .into_iter()
            .chain([self.out_height, self.out_width]);
        let mut bytes: Vec<u8> = unsigned.flat_map(u32::to_le_bytes).collect();
        bytes.extend(self.before_rows.to_le_bytes());
        bytes.extend(self.before_columns.to_le_bytes());
        bytes.extend(self.highest.to_le_bytes());
        let colours = self.zero.into_iter().chain(self.scale);
        bytes.extend(colours.flat_map(f32::to_le_bytes));
        bytes
    }
}

/// How a kernel is launched on a GPU.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Launch {
    /// The kernel's name.
    pub name: String,
    /// Threads that there is work for.
    pub threads: usize,
    pub sizes: RawSizes,
}

/// What a thread reads and writes at once, where channels are a multiple of it.
const PACK_BYTES: usize = 16;

impl KernelOp {
    /// The kernel for an input of this type that begins so many elements into its memory.
    ///
    /// # Errors
    /// Types that there is no kernel for, or more work than a launch can have.
    pub fn launch(&self, sizes: &Sizes, input: DType, offset: usize) -> Result<Launch> {
        let (from, to) = (input.as_str(), self.dtype.as_str());
        let float = |dtype| matches!(dtype, DType::F32 | DType::F16 | DType::BF16);
        let known = match self.kernel {
            Kernel::Stem => matches!(input, DType::U8 | DType::F32),
            Kernel::Depthwise { .. } => input == self.dtype,
            Kernel::Average => float(input) && self.dtype == DType::F32,
        };
        if !known || !float(self.dtype) {
            bail!("{}: from {from} to {to}", self.kernel.name());
        }
        let most = PACK_BYTES / self.dtype.size_in_bytes();
        // The stem reads its pixels one by one.
        let aligned = self.kernel == Kernel::Stem || offset.is_multiple_of(most);
        let lanes = if aligned && sizes.channels.is_multiple_of(most) {
            most
        } else {
            1
        };
        let (name, threads) = match self.kernel {
            Kernel::Stem => (format!("stem_{from}_{to}_{lanes}"), sizes.strips() / lanes),
            Kernel::Depthwise { stride, input_bias } => {
                let biased = if input_bias { "_biased" } else { "" };
                let name = format!("depthwise{biased}_{to}_{lanes}_s{stride}");
                (name, sizes.strips() / lanes)
            }
            Kernel::Average => (format!("average_{from}"), sizes.images * sizes.channels),
        };
        // Of what the kernels count in 32 bits, each is less than the threads or than this.
        let most_pixels = sizes.height.max(1) * sizes.width.max(1) * sizes.images;
        if threads.max(most_pixels) > i32::MAX as usize {
            bail!(
                "{}: {threads} threads are too many: use a smaller batch",
                self.kernel.name()
            );
        }
        Ok(Launch {
            name,
            threads,
            sizes: RawSizes {
                images: sizes.images as u32,
                height: sizes.height as u32,
                width: sizes.width as u32,
                channels: sizes.channels as u32,
                out_height: sizes.out_height as u32,
                out_width: sizes.out_width as u32,
                before_rows: sizes.before_rows as i32,
                before_columns: sizes.before_columns as i32,
                highest: self.highest(),
                zero: self.scale.zero,
                scale: self.scale.scale,
            },
        })
    }
}

impl Sizes {
    /// Strips of an output row, one a channel.
    fn strips(&self) -> usize {
        self.images * self.channels * self.out_height * self.out_width.div_ceil(STRIP)
    }
}
