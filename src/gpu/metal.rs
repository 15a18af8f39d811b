//! Launching the kernels on an Apple GPU.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use candle_core::backend::BackendStorage;
use candle_core::{DType, Layout, MetalDevice, MetalError, MetalStorage, Result, Shape};
use candle_metal_kernels::MetalKernelError;
use candle_metal_kernels::metal::{ComputePipeline, Library};
use objc2_metal::{MTLCompileOptions, MTLSize};

use super::kernel::{KernelOp, Sizes};

/// `kernels.metal`, the kernels, and which of them there are.
const SOURCE: &str = concat!(
    include_str!("kernels.metal"),
    include_str!("kernels.h"),
    "\nKERNELS(float, f32, 4)",
    "\nKERNELS(half, f16, 8)",
    "\n#ifdef __HAVE_BFLOAT__",
    "\nKERNELS(bfloat, bf16, 8)",
    "\n#endif\n",
);

/// Threads of a group.
const GROUP: usize = 256;

/// The kernels of each device that were asked for, and all of them as compiled text.
#[derive(Default)]
struct Compiled {
    libraries: HashMap<u64, Library>,
    pipelines: HashMap<(u64, String), ComputePipeline>,
}

/// Runs a kernel.
pub(super) fn run(
    op: &KernelOp,
    sizes: &Sizes,
    (input, input_layout): (&MetalStorage, &Layout),
    (parameters, parameters_layout): (&MetalStorage, &Layout),
) -> Result<(MetalStorage, Shape)> {
    let offset = input_layout.start_offset();
    let launch = op.launch(sizes, input.dtype(), offset)?;
    let device = input.device();
    let pipeline = pipeline(device, &launch.name).map_err(MetalError::from)?;
    let shape = op.output(sizes);
    let dtype = op.output_dtype();
    let output = device
        .new_buffer_builder()
        .with_size_for(shape.elem_count(), dtype)
        .with_label("mobilenet")
        .build()?;
    let bytes = |layout: &Layout, dtype: DType| layout.start_offset() * dtype.size_in_bytes();
    let commands = device.command_encoder()?;
    let encoder = commands.as_ref();
    encoder.set_compute_pipeline_state(&pipeline);
    encoder.set_input_buffer(0, Some(input.buffer()), bytes(input_layout, input.dtype()));
    let at = bytes(parameters_layout, DType::F32);
    encoder.set_input_buffer(1, Some(parameters.buffer()), at);
    encoder.set_output_buffer(2, Some(&output), 0);
    encoder.set_bytes(3, &launch.sizes);
    let along = |width| MTLSize {
        width,
        height: 1,
        depth: 1,
    };
    let group = GROUP.min(pipeline.max_total_threads_per_threadgroup());
    encoder.dispatch_threads(along(launch.threads), along(group));
    drop(commands);
    let storage = MetalStorage::new(output, device.clone(), shape.elem_count(), dtype);
    Ok((storage, shape))
}

/// A kernel, compiled when it is first asked for.
fn pipeline(
    device: &MetalDevice,
    name: &str,
) -> std::result::Result<ComputePipeline, MetalKernelError> {
    static COMPILED: OnceLock<Mutex<Compiled>> = OnceLock::new();
    let compiled = COMPILED.get_or_init(Mutex::default);
    let mut compiled = compiled.lock().unwrap_or_else(PoisonError::into_inner);
    let device = device.metal_device();
    let key = (device.registry_id(), name.to_owned());
    if let Some(known) = compiled.pipelines.get(&key) {
        return Ok(known.clone());
    }
    let library = match compiled.libraries.get(&key.0) {
        Some(library) => library.clone(),
        None => {
            let library = {
                // Or what is not a number may become one.
                let options = MTLCompileOptions::new();
                #[allow(deprecated)]
                options.setFastMathEnabled(false);
                device.new_library_with_source(SOURCE, Some(&options))?
            };
            compiled.libraries.insert(key.0, library.clone());
            library
        }
    };
    let function = library.get_function(name, None)?;
    let pipeline = device.new_compute_pipeline_state_with_function(&function)?;
    compiled.pipelines.insert(key, pipeline.clone());
    Ok(pipeline)
}
