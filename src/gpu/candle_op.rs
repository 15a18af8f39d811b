//! The kernels as operations of candle's, which run where their tensors are.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};

use super::kernel::{Kernel, KernelOp};
use super::plain;

impl KernelOp {
    /// Runs it on an input and parameters that are where the kernel runs.
    ///
    /// # Errors
    /// Shapes that don't fit, or a failure of the device.
    pub fn run(&self, input: &Tensor, parameters: &Tensor) -> Result<Tensor> {
        input.apply_op2_no_bwd(parameters, self)
    }
}

impl CustomOp2 for KernelOp {
    fn name(&self) -> &'static str {
        self.kernel.name()
    }

    fn cpu_fwd(
        &self,
        input: &CpuStorage,
        input_layout: &Layout,
        parameters: &CpuStorage,
        parameters_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let sizes = self.sizes(input_layout, parameters_layout)?;
        let scale = (self.kernel == Kernel::Stem).then_some(self.scale);
        let input = plain::floats(input, input_layout, scale)?;
        let parameters = plain::floats(parameters, parameters_layout, None)?;
        let values = plain::run(self, &sizes, &input, &parameters);
        let storage = plain::storage(values, self.output_dtype())?;
        Ok((storage, self.output(&sizes)))
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
