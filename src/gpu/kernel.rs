//! Which kernels there are, what each works on and what comes of it.

use candle_core::{DType, Layout, Result, Shape, bail};

use crate::ops::{Activation, Padding};
use crate::pixels::{ByteScale, COLOURS};

/// Side of a convolution's window.
pub(super) const TAPS: usize = 3;
/// The stem's stride.
const STEM_STRIDE: usize = 2;

/// Which of the kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kernel {
    /// The full 3x3 convolution of `[N, H, W, 3]` pixels with stride 2, bias and activation.
    /// Bytes are scaled on the way ([`KernelOp::scale`]). Parameters: 27 weights (row, column,
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
    pub fn name(self) -> &'static str {
        match self {
            Self::Stem => "mobilenet-stem",
            Self::Depthwise { .. } => "mobilenet-depthwise",
            Self::Average => "mobilenet-average",
        }
    }

    pub fn stride(self) -> usize {
        match self {
            Self::Stem => STEM_STRIDE,
            Self::Depthwise { stride, .. } => stride,
            Self::Average => 1,
        }
    }

    /// Parameters a channel.
    pub fn parameters(self) -> usize {
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
pub(super) struct KernelOp {
    pub kernel: Kernel,
    /// Channels of the output.
    pub channels: usize,
    pub padding: Padding,
    pub activation: Activation,
    /// The type of the output, but for the average.
    pub dtype: DType,
    /// What bytes become, for the stem.
    pub scale: ByteScale,
}

/// The sizes of a kernel's arrays.
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

impl KernelOp {
    /// The activation's upper end.
    pub fn highest(&self) -> f32 {
        match self.activation {
            Activation::Relu => f32::INFINITY,
            Activation::Relu6 => 6.0,
        }
    }

    /// Checks the shapes of what it is to run on.
    pub fn sizes(&self, input: &Layout, parameters: &Layout) -> Result<Sizes> {
        let (name, channels) = (self.kernel.name(), self.channels);
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
        // Kernels read several at a time, at addresses that are multiples of that.
        if parameters.start_offset() != 0 {
            bail!("{name}: parameters within a larger tensor");
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

    /// The type of what comes of it.
    pub fn output_dtype(&self) -> DType {
        match self.kernel {
            Kernel::Average => DType::F32,
            _ => self.dtype,
        }
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
