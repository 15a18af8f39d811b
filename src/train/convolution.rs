//! The 3x3 convolutions of a network that is trained, with their gradients.
//!
//! Activations are `[C, N, H, W]` here, the channel first: then all that belongs to one channel
//! lies together, which is what a depthwise convolution and a batch norm work on, and a pointwise
//! convolution is a single product of matrices.
//!
//! candle can take the gradient of the compositions in [`crate::ops`], and does where they run
//! on a device; on a CPU that is ten times as slow as these loops, as each of the nine taps becomes
//! several copies of the whole activation.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, WithDType, bail};
use rayon::prelude::*;

use super::values::{Operand, operand, with_values};
use crate::ops::Padding;
use crate::ops::planes::{Geometry, TAPS};

/// A depthwise convolution of `[C, N, H, W]` with `[C, 1, 3, 3]`.
pub(super) struct Depthwise {
    pub stride: usize,
    pub padding: Padding,
}

impl Depthwise {
    fn forward<T: WithDType>(
        &self,
        [x, weight]: [Operand; 2],
        g: Geometry,
        n: usize,
    ) -> Result<CpuStorage> {
        let (x, weight): (&[T], &[T]) = (operand(x)?, operand(weight)?);
        let mut output = vec![T::zero(); weight.len() / TAPS * n * g.output_len()];
        let channels = output.par_chunks_mut(n * g.output_len());
        let channels = channels.zip(x.par_chunks(n * g.input_len()));
        let channels = channels.zip(weight.par_chunks(TAPS));
        channels.for_each(|((output, x), filter)| {
            let mut padded = vec![T::zero(); g.padded_len()];
            let planes = output
                .chunks_mut(g.output_len())
                .zip(x.chunks(g.input_len()));
            for (output, plane) in planes {
                g.pad(plane, &mut padded);
                g.convolve(&padded, filter, output);
            }
        });
        Ok(T::to_cpu_storage_owned(output))
    }

    /// The gradients of the input and of the weight.
    fn backward<T: WithDType>(
        &self,
        x: &[T],
        weight: &[T],
        gradient: &[T],
        g: Geometry,
        n: usize,
    ) -> (Vec<T>, Vec<T>) {
        let mut dx = vec![T::zero(); x.len()];
        let mut dweight = vec![T::zero(); weight.len()];
        let channels = dx.par_chunks_mut(n * g.input_len());
        let channels = channels.zip(dweight.par_chunks_mut(TAPS));
        let channels = channels.zip(x.par_chunks(n * g.input_len()));
        let channels = channels.zip(gradient.par_chunks(n * g.output_len()));
        let channels = channels.zip(weight.par_chunks(TAPS));
        channels.for_each(|((((dx, dfilter), x), gradient), filter)| {
            let mut padded = vec![T::zero(); g.padded_len()];
            let mut sums = [0.0; TAPS];
            let planes = dx.chunks_mut(g.input_len()).zip(x.chunks(g.input_len()));
            for ((dx, x), gradient) in planes.zip(gradient.chunks(g.output_len())) {
                g.pad(x, &mut padded);
                g.filter_gradient(&padded, gradient, &mut sums);
                padded.fill(T::zero());
                g.input_gradient(gradient, filter, &mut padded);
                g.unpad(&padded, dx);
            }
            for (dfilter, sum) in dfilter.iter_mut().zip(sums) {
                *dfilter = T::from_f64(sum);
            }
        });
        (dx, dweight)
    }

    fn gradients<T: WithDType>(
        &self,
        x: &Tensor,
        weight: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (_, n, h, w) = x.dims4()?;
        let geometry = Geometry::new(h, w, self.stride, self.padding);
        let (dx, dweight) = with_values(x, |x: &[T]| {
            with_values(weight, |weight: &[T]| {
                with_values(gradient, |gradient: &[T]| {
                    Ok(self.backward(x, weight, gradient, geometry, n))
                })
            })
        })?;
        Ok((
            Some(Tensor::from_vec(dx, x.dims(), x.device())?),
            Some(Tensor::from_vec(dweight, weight.dims(), x.device())?),
        ))
    }
}

impl CustomOp2 for Depthwise {
    fn name(&self) -> &'static str {
        "depthwise-conv2d"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (channels, n, h, w) = x_layout.shape().dims4()?;
        let geometry = Geometry::new(h, w, self.stride, self.padding);
        let (height, width) = geometry.output();
        let operands = [(x, x_layout), (weight, weight_layout)];
        let output = match x {
            CpuStorage::F32(_) => self.forward::<f32>(operands, geometry, n)?,
            CpuStorage::F64(_) => self.forward::<f64>(operands, geometry, n)?,
            _ => bail!("{}: neither f32 nor f64", self.name()),
        };
        Ok((output, Shape::from((channels, n, height, width))))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _output: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        match x.dtype() {
            candle_core::DType::F64 => self.gradients::<f64>(x, weight, gradient),
            _ => self.gradients::<f32>(x, weight, gradient),
        }
    }
}

/// The stem's full convolution of `[3, N, H, W]` with `[out, 3, 3, 3]`. Its input are pixels, of
/// which nobody wants the gradient: it has none.
pub(super) struct Standard {
    pub stride: usize,
    pub padding: Padding,
}

impl Standard {
    fn padded<T: WithDType>(x: &[T], g: Geometry) -> Vec<T> {
        let mut padded = vec![T::zero(); x.len() / g.input_len() * g.padded_len()];
        let planes = padded.par_chunks_mut(g.padded_len());
        let planes = planes.zip(x.par_chunks(g.input_len()));
        planes.for_each(|(padded, plane)| g.pad(plane, padded));
        padded
    }

    fn forward<T: WithDType>(
        &self,
        [x, weight]: [Operand; 2],
        g: Geometry,
        (channels, n): (usize, usize),
    ) -> Result<CpuStorage> {
        let (x, weight): (&[T], &[T]) = (operand(x)?, operand(weight)?);
        let padded = Self::padded(x, g);
        let filters = weight.par_chunks(channels * TAPS);
        let mut output = vec![T::zero(); filters.len() * n * g.output_len()];
        let outputs = output.par_chunks_mut(n * g.output_len());
        outputs.zip(filters).for_each(|(output, filters)| {
            let inputs = padded.chunks(n * g.padded_len());
            for (planes, filter) in inputs.zip(filters.chunks(TAPS)) {
                let planes = planes.chunks(g.padded_len());
                for (output, plane) in output.chunks_mut(g.output_len()).zip(planes) {
                    g.convolve(plane, filter, output);
                }
            }
        });
        Ok(T::to_cpu_storage_owned(output))
    }

    /// The gradient of the weight.
    fn backward<T: WithDType>(
        x: &[T],
        gradient: &[T],
        g: Geometry,
        (channels, n): (usize, usize),
    ) -> Vec<T> {
        let padded = Self::padded(x, g);
        let gradients = gradient.par_chunks(n * g.output_len());
        let mut dweight = vec![T::zero(); gradients.len() * channels * TAPS];
        let filters = dweight.par_chunks_mut(channels * TAPS);
        filters.zip(gradients).for_each(|(dfilters, gradient)| {
            let inputs = padded.chunks(n * g.padded_len());
            for (planes, dfilter) in inputs.zip(dfilters.chunks_mut(TAPS)) {
                let mut sums = [0.0; TAPS];
                let planes = planes.chunks(g.padded_len());
                for (plane, gradient) in planes.zip(gradient.chunks(g.output_len())) {
                    g.filter_gradient(plane, gradient, &mut sums);
                }
                for (dfilter, sum) in dfilter.iter_mut().zip(sums) {
                    *dfilter = T::from_f64(sum);
                }
            }
        });
        dweight
    }

    fn gradient<T: WithDType>(
        &self,
        x: &Tensor,
        weight: &Tensor,
        gradient: &Tensor,
    ) -> Result<Tensor> {
        let (channels, n, h, w) = x.dims4()?;
        let geometry = Geometry::new(h, w, self.stride, self.padding);
        let dweight = with_values(x, |x: &[T]| {
            with_values(gradient, |gradient: &[T]| {
                Ok(Self::backward(x, gradient, geometry, (channels, n)))
            })
        })?;
        Tensor::from_vec(dweight, weight.dims(), x.device())
    }
}

impl CustomOp2 for Standard {
    fn name(&self) -> &'static str {
        "stem-conv2d"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (channels, n, h, w) = x_layout.shape().dims4()?;
        let (out, ..) = weight_layout.shape().dims4()?;
        let geometry = Geometry::new(h, w, self.stride, self.padding);
        let (height, width) = geometry.output();
        let sizes = (channels, n);
        let operands = [(x, x_layout), (weight, weight_layout)];
        let output = match x {
            CpuStorage::F32(_) => self.forward::<f32>(operands, geometry, sizes)?,
            CpuStorage::F64(_) => self.forward::<f64>(operands, geometry, sizes)?,
            _ => bail!("{}: neither f32 nor f64", self.name()),
        };
        Ok((output, Shape::from((out, n, height, width))))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _output: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let dweight = match x.dtype() {
            candle_core::DType::F64 => self.gradient::<f64>(x, weight, gradient)?,
            _ => self.gradient::<f32>(x, weight, gradient)?,
        };
        Ok((None, Some(dweight)))
    }
}
