//! One of the kernels as an operation of candle's.

use candle_core::{CpuStorage, CustomOp2, DType, Layout, Result, Shape, Tensor, bail};

use super::plain;
use crate::ops::{Activation, Padding};

/// Side of a convolution's window.
pub(super) const TAPS: usize = 3;
/// Colours of a pixel.
pub(super) const COLOURS: usize = 3;
/// The stem's stride.
const STEM_STRIDE: usize = 2;

/// Which of the kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kernel {
    /// The full 3x3 convolution of `[N, H, W, 3]` pixels with stride 2, bias and activation.
    /// Bytes are scaled to `x / 127.5 - 1` on the way. Parameters: 27 weights (row, column,
    /// colour) and a bias, each for all channels.
    Stem,
    /// The depthwise 3x3 convolution with bias and activation. Parameters: 9 taps (row, column), a
    /// bias and, with `input_bias`, the bias of the layer before, each for all channels.
    Depthwise {
        /// 1 or 2.
        stride: usize,
        /// The input is a product that still wants its bias and activation.
        input_bias: bool,
    },
    /// The mean of a product's pixels, with its bias and activation, `[N, C]` in f32. Parameters: a
    /// bias for all channels.
    Average,
}

impl Kernel {
    pub fn stride(self) -> usize {
        match self {
            Self::Stem => STEM_STRIDE,
            Self::Depthwise { stride, .. } => stride,
            Self::Average => 1,
        }
    }

    /// Parameters a channel.
    fn parameters(self) -> usize {
        match self {
            Self::Stem => TAPS * TAPS * COLOURS + 1,
            Self::Depthwise { input_bias, .. } => TAPS * TAPS + 1 + usize::from(input_bias),
            Self::Average => 1,
        }
    }
}

/// One of the kernels with all that it needs besides its two tensors: an input `[N, H, W, C]` and
/// parameters in f32.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Layer {
    pub kernel: Kernel,
    /// Channels of the output.
    pub channels: usize,
    pub padding: Padding,
    pub activation: Activation,
    /// The type of the output; the average's is f32.
    pub dtype: DType,
}

/// Output columns that a thread computes; as in `kernels.h`.
const STRIP: usize = 4;

/// The sizes of a layer's arrays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sizes {
    pub images: usize,
    pub height: usize,
    pub width: usize,
    pub channels: usize,
    pub out_height: usize,
    pub out_width: usize,
    pub before_rows: usize,
    pub before_columns: usize,
}

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
}

/// How a layer is launched on a GPU.
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

impl Layer {
    /// Runs it on an input and parameters that are where the kernel runs.
    ///
    /// # Errors
    /// Shapes that don't fit, or a failure of the device.
    pub fn run(&self, input: &Tensor, parameters: &Tensor) -> Result<Tensor> {
        input.apply_op2_no_bwd(parameters, self)
    }

    /// The activation's upper end.
    pub fn highest(&self) -> f32 {
        match self.activation {
            Activation::Relu => f32::INFINITY,
            Activation::Relu6 => 6.0,
        }
    }

    /// Checks the shapes of what it is to run on.
    pub fn sizes(&self, input: &Layout, parameters: &Layout) -> Result<Sizes> {
        let (name, channels) = (self.name(), self.channels);
        let (images, height, width, in_channels) = input.shape().dims4()?;
        let expected = match self.kernel {
            Kernel::Stem => COLOURS,
            _ => channels,
        };
        if in_channels != expected || images * height * width * channels == 0 {
            bail!("{name}: an input of {:?}", input.shape());
        }
        if parameters.shape().elem_count() != self.kernel.parameters() * channels {
            let shape = parameters.shape();
            bail!("{name}: parameters of {shape:?} for {channels} channels");
        }
        if !input.is_contiguous() || !parameters.is_contiguous() {
            bail!("{name}: its tensors have to be contiguous");
        }
        let stride = self.kernel.stride();
        let rows = self.padding.span(height, TAPS, stride);
        let columns = self.padding.span(width, TAPS, stride);
        let (out_height, out_width) = match self.kernel {
            Kernel::Average => (1, 1),
            _ => (rows.output, columns.output),
        };
        Ok(Sizes {
            images,
            height,
            width,
            channels,
            out_height,
            out_width,
            before_rows: rows.before,
            before_columns: columns.before,
        })
    }

    /// The kernel for an input of this type that begins so many elements into its memory.
    ///
    /// # Errors
    /// Types that there is no kernel for, or more work than a launch can have.
    pub fn launch(&self, sizes: &Sizes, input: DType, offset: usize) -> Result<Launch> {
        let (from, to) = (input.as_str(), self.dtype.as_str());
        let known = match self.kernel {
            Kernel::Stem => matches!(input, DType::U8 | DType::F32),
            Kernel::Depthwise { .. } => input == self.dtype,
            Kernel::Average => self.dtype == DType::F32,
        };
        let float = |dtype| matches!(dtype, DType::F32 | DType::F16 | DType::BF16);
        if !known || !float(self.dtype) || !(float(input) || input == DType::U8) {
            bail!("{}: from {from} to {to}", self.name());
        }
        let most = PACK_BYTES / self.dtype.size_in_bytes();
        // The stem reads its pixels one by one.
        let aligned = self.kernel == Kernel::Stem || offset.is_multiple_of(most);
        let lanes = match aligned && sizes.channels.is_multiple_of(most) {
            true => most,
            false => 1,
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
            bail!("{}: {threads} threads are too many: use a smaller batch", self.name());
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
            },
        })
    }

    /// The shape of what comes of it.
    pub fn output(&self, sizes: &Sizes) -> Shape {
        let Sizes {
            images, channels, ..
        } = *sizes;
        match self.kernel {
            Kernel::Average => (images, channels).into(),
            _ => (images, sizes.out_height, sizes.out_width, channels).into(),
        }
    }
}

impl Sizes {
    /// Strips of an output row, one a channel.
    fn strips(&self) -> usize {
        self.images * self.channels * self.out_height * self.out_width.div_ceil(STRIP)
    }
}

impl CustomOp2 for Layer {
    fn name(&self) -> &'static str {
        match self.kernel {
            Kernel::Stem => "mobilenet-stem",
            Kernel::Depthwise { .. } => "mobilenet-depthwise",
            Kernel::Average => "mobilenet-average",
        }
    }

    fn cpu_fwd(
        &self,
        input: &CpuStorage,
        input_layout: &Layout,
        parameters: &CpuStorage,
        parameters_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let sizes = self.sizes(input_layout, parameters_layout)?;
        let input = plain::floats(input, input_layout, self.kernel == Kernel::Stem)?;
        let parameters = plain::floats(parameters, parameters_layout, false)?;
        let values = plain::run(self, &sizes, &input, &parameters);
        let dtype = match self.kernel {
            Kernel::Average => DType::F32,
            _ => self.dtype,
        };
        Ok((plain::storage(values, dtype)?, self.output(&sizes)))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        input: &candle_core::CudaStorage,
        input_layout: &Layout,
        parameters: &candle_core::CudaStorage,
        parameters_layout: &Layout,
    ) -> Result<(candle_core::CudaStorage, Shape)> {
        let sizes = self.sizes(input_layout, parameters_layout)?;
        super::cuda::run(
            self,
            &sizes,
            (input, input_layout),
            (parameters, parameters_layout),
        )
    }

    #[cfg(feature = "metal")]
    fn metal_fwd(
        &self,
        input: &candle_core::MetalStorage,
        input_layout: &Layout,
        parameters: &candle_core::MetalStorage,
        parameters_layout: &Layout,
    ) -> Result<(candle_core::MetalStorage, Shape)> {
        let sizes = self.sizes(input_layout, parameters_layout)?;
        super::metal::run(
            self,
            &sizes,
            (input, input_layout),
            (parameters, parameters_layout),
        )
    }
}
