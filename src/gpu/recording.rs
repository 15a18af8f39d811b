//! A recorded pass: a CUDA graph of all that a pass gives the GPU, and the memory that it works in.

use std::sync::Arc;

use candle_core::cuda_backend::cudarc::cublas::{self, CudaBlas};
use candle_core::cuda_backend::cudarc::driver::sys::{
    CUgraphInstantiate_flags, CUstreamCaptureMode,
};
use candle_core::cuda_backend::cudarc::driver::{
    CudaGraph, CudaSlice, CudaStream, DevicePtr, result,
};
use candle_core::cuda_backend::{CudaDType, WrapErr};
use candle_core::op::BackpropOp;
use candle_core::{CudaDevice, CudaStorage, DType, Layout, Result, Storage, Tensor, bail};

use super::cuda::{self, Arrays};
use super::kernel::Sizes;
use super::weights::{GpuWeights, PassOutput, Step};
use crate::device::cuda::keep_digits;
use crate::pixels::COLOURS;

/// Memory that cuBLAS may use on the side: what its manual recommends for Hopper, the largest.
const WORKSPACE: usize = 32 << 20;

/// Images, rows, columns.
pub(super) type Batch = (usize, usize, usize);

/// The largest part of the largest answer by which a recording may differ from its pass. It does the
/// same; but cuBLAS may choose other products, which round otherwise.
fn allowed(dtype: DType) -> f32 {
    match dtype {
        DType::F32 => 1e-3,
        _ => 0.02,
    }
}

/// What recordings are made with; they are replayed one at a time.
pub(super) struct RecordingStream {
    /// A stream of its own: what other threads give to the device's meanwhile is not recorded.
    stream: Arc<CudaStream>,
    blas: CudaBlas,
    _workspace: CudaSlice<u8>,
}

impl RecordingStream {
    pub fn new(device: &CudaDevice) -> Result<Self> {
        let stream = device.cuda_stream().context().new_stream().w()?;
        let blas = CudaBlas::new(stream.clone()).w()?;
        // SAFETY: nobody reads it but cuBLAS, which writes it before.
        let workspace = unsafe { device.alloc::<u8>(WORKSPACE)? };
        // Memory is handed out in the order of the device's stream.
        device.cuda_stream().synchronize().w()?;
        let address = workspace.device_ptr(&stream).0;
        // SAFETY: the memory is that large, and is kept as long as the handle. It takes the place of
        // some that cuBLAS would fetch for each recording.
        unsafe {
            let handle = *blas.handle();
            cublas::sys::cublasSetWorkspace_v2(handle, address as *mut _, WORKSPACE)
                .result()
                .w()?;
        }
        keep_digits(&blas);
        Ok(Self {
            stream,
            blas,
            _workspace: workspace,
        })
    }
}

/// A recorded pass, and the memory that it works in.
///
/// Besides these arrays its graph has the addresses of the network's weights and of the device's
/// functions: only its network launches it, and it goes first.
pub(super) struct Recording {
    graph: CudaGraph,
    batch: Batch,
    pixels: CudaSlice<u8>,
    embedding: CudaSlice<f32>,
    logits: Option<CudaSlice<f32>>,
    _arrays: [CudaSlice<u8>; 2],
    _biases: Option<Tensor>,
    device: CudaDevice,
}

// SAFETY: its graph, which is not synchronised by itself, is only used behind the lock of `replay::Replay`.
unsafe impl Send for Recording {}

impl Recording {
    /// Records a pass over batches of a shape.
    pub fn new(
        weights: &GpuWeights,
        device: &CudaDevice,
        recording_stream: &RecordingStream,
        batch: Batch,
    ) -> Result<Self> {
        let plan = Plan::new(weights, batch)?;
        let images = batch.0;
        // SAFETY: a pass writes all of these before it reads them, but for the pixels: any bytes are
        // pixels, and they are written before it is replayed.
        let (pixels, outer, inner, embedding, logits) = unsafe {
            let element = weights.dtype().size_in_bytes();
            (
                device.alloc::<u8>(images * batch.1 * batch.2 * COLOURS)?,
                device.alloc::<u8>(plan.outer * element)?,
                device.alloc::<u8>(plan.inner * element)?,
                device.alloc::<f32>(images * plan.average.channels)?,
                match &weights.classifier {
                    Some((_, bias)) => Some(device.alloc::<f32>(images * bias.elem_count())?),
                    None => None,
                },
            )
        };
        let biases = match &weights.classifier {
            Some((_, bias)) => {
                let shape = (images, bias.elem_count());
                Some(bias.broadcast_as(shape)?.contiguous()?)
            }
            None => None,
        };
        let RecordingStream { stream, blas, .. } = recording_stream;
        let recorder = Recorder {
            device,
            stream,
            blas,
        };
        let at = |slice: &CudaSlice<u8>| slice.device_ptr(stream).0;
        let floats = |slice: &CudaSlice<f32>| slice.device_ptr(stream).0;
        let places = Places {
            pixels: at(&pixels),
            outer: at(&outer),
            inner: at(&inner),
            embedding: floats(&embedding),
            logits: logits.as_ref().map(floats),
        };
        // What the device's stream still has to do, the memory's handing out among it.
        device.cuda_stream().synchronize().w()?;
        // Once for real: while it records, cuBLAS may not load what it needs for the first time.
        let tried = recorder.pass(weights, &plan, &places, biases.as_ref());
        // Also where it failed in the middle: the arrays are freed by way of the other stream.
        stream.synchronize().w()?;
        tried?;
        // Of this thread: what others do meanwhile is their own affair.
        let mode = CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        stream.begin_capture(mode).w()?;
        let recorded = recorder.pass(weights, &plan, &places, biases.as_ref());
        let graph = stream.end_capture(CUgraphInstantiate_flags(0)).w();
        recorded?;
        let Some(graph) = graph? else {
            bail!("nothing was recorded");
        };
        Ok(Self {
            graph,
            batch,
            pixels,
            embedding,
            logits,
            _arrays: [outer, inner],
            _biases: biases,
            device: device.clone(),
        })
    }

    /// Whether it answers as the pass does that it was made of.
    pub fn is_right(&mut self, weights: &GpuWeights, pixels: &Tensor) -> Result<bool> {
        for output in [PassOutput::Embedding, PassOutput::Logits] {
            let values = |tensor: Tensor| tensor.flatten_all()?.to_vec1::<f32>();
            let want = values(weights.pass(pixels, output)?)?;
            let got = values(self.run(pixels, output)?)?;
            let largest = want.iter().fold(f32::MIN_POSITIVE, |a, b| a.max(b.abs()));
            let allowed = allowed(weights.dtype()) * largest;
            let near = |(a, b): (&f32, &f32)| (a - b).abs() <= allowed;
            if got.len() != want.len() || !got.iter().zip(&want).all(near) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The shape of the batches that it is of.
    pub fn batch(&self) -> Batch {
        self.batch
    }

    /// Replays the pass over a batch.
    pub fn run(&mut self, pixels: &Tensor, output: PassOutput) -> Result<Tensor> {
        let pixels = pixels.contiguous()?;
        let (storage, layout) = pixels.storage_and_layout();
        let range = layout.start_offset()..layout.start_offset() + layout.shape().elem_count();
        match &*storage {
            Storage::Cpu(bytes) => {
                let bytes = &bytes.as_slice::<u8>()?[range];
                self.device.memcpy_htod(bytes, &mut self.pixels)?;
            }
            Storage::Cuda(bytes) => {
                let bytes = bytes.as_cuda_slice::<u8>()?.slice(range);
                self.device.memcpy_dtod(&bytes, &mut self.pixels)?;
            }
            Storage::Metal(_) => bail!("pixels on another device"),
        }
        let stream = self.device.cuda_stream();
        // SAFETY: the graph is whole, and what it works with is there: its arrays are this recording's,
        // the weights those of the network that asks.
        unsafe { result::graph::launch(self.graph.cu_graph_exec(), stream.cu_stream()) }.w()?;
        let answer = match (output, &self.logits) {
            (PassOutput::Logits, Some(logits)) => logits,
            _ => &self.embedding,
        };
        // SAFETY: all of it is written.
        let mut copy = unsafe { self.device.alloc::<f32>(answer.len())? };
        self.device.memcpy_dtod(answer, &mut copy)?;
        let shape = (self.batch.0, answer.len() / self.batch.0);
        let storage = f32::wrap_cuda_slice(copy, self.device.clone());
        let storage = Storage::Cuda(storage);
        Ok(Tensor::from_storage(
            storage,
            shape,
            BackpropOp::none(),
            false,
        ))
    }
}

/// The sizes of all that a pass goes through.
struct Plan {
    stem: Sizes,
    depthwise: Vec<Sizes>,
    average: Sizes,
    /// Elements of the largest array outside of a block: the stem's output, or a product.
    outer: usize,
    /// Elements of the largest output of a depthwise layer.
    inner: usize,
}

impl Plan {
    fn new(weights: &GpuWeights, (images, height, width): Batch) -> Result<Self> {
        let sizes = |step: &Step, shape: (usize, usize, usize, usize)| {
            let layout = Layout::contiguous(shape);
            step.op.sizes(&layout, step.parameters.layout())
        };
        let stem = sizes(&weights.stem, (images, height, width, COLOURS))?;
        let mut shape = (images, stem.out_height, stem.out_width, stem.channels);
        let count = |(n, h, w, c): (usize, usize, usize, usize)| n * h * w * c;
        let (mut outer, mut inner) = (count(shape), 0);
        let mut depthwise = Vec::new();
        for block in &weights.blocks {
            let within = sizes(&block.depthwise, shape)?;
            (shape.1, shape.2) = (within.out_height, within.out_width);
            inner = inner.max(count(shape));
            shape.3 = block.pointwise.dim(1)?;
            outer = outer.max(count(shape));
            depthwise.push(within);
        }
        Ok(Self {
            stem,
            depthwise,
            average: sizes(&weights.average, shape)?,
            outer,
            inner,
        })
    }
}

/// Where in the GPU's memory a pass has its arrays.
struct Places {
    pixels: u64,
    outer: u64,
    inner: u64,
    embedding: u64,
    logits: Option<u64>,
}

/// Gives a pass to a stream that is being captured.
struct Recorder<'a> {
    device: &'a CudaDevice,
    stream: &'a Arc<CudaStream>,
    blas: &'a CudaBlas,
}

impl Recorder<'_> {
    fn pass(
        &self,
        weights: &GpuWeights,
        plan: &Plan,
        places: &Places,
        biases: Option<&Tensor>,
    ) -> Result<()> {
        self.step(
            &weights.stem,
            &plan.stem,
            DType::U8,
            (places.pixels, places.outer),
        )?;
        let dtype = weights.dtype();
        for (block, sizes) in weights.blocks.iter().zip(&plan.depthwise) {
            let (outer, inner) = (places.outer, places.inner);
            self.step(&block.depthwise, sizes, dtype, (outer, inner))?;
            let rows = sizes.images * sizes.out_height * sizes.out_width;
            self.product(rows, &block.pointwise, (inner, outer), 0.0)?;
        }
        let (outer, embedding) = (places.outer, places.embedding);
        self.step(&weights.average, &plan.average, dtype, (outer, embedding))?;
        let (Some((weight, _)), Some(logits)) = (&weights.classifier, places.logits) else {
            return Ok(());
        };
        if let Some(biases) = biases {
            self.copy(biases, logits)?;
        }
        // Added to the biases.
        self.product(plan.average.images, weight, (embedding, logits), 1.0)
    }

    fn step(
        &self,
        step: &Step,
        sizes: &Sizes,
        from: DType,
        (input, output): (u64, u64),
    ) -> Result<()> {
        let launch = step.op.launch(sizes, from, 0)?;
        self.with(&step.parameters, |parameters| {
            let arrays = Arrays {
                input,
                parameters,
                output,
            };
            // SAFETY: the places are as large as the largest of the plan's sizes, the types those of
            // the network, and all of it lives as long as the recording.
            unsafe { cuda::give(self.device, self.stream, &launch, &arrays) }
        })
    }

    /// `[rows, in]` times a weight `[in, out]`, and so much of what is in its place already.
    fn product(
        &self,
        rows: usize,
        weight: &Tensor,
        (input, output): (u64, u64),
        beta: f32,
    ) -> Result<()> {
        use cublas::sys::cublasOperation_t::CUBLAS_OP_N;
        use cublas::sys::cudaDataType_t::{CUDA_R_16BF, CUDA_R_16F, CUDA_R_32F};
        let (inputs, outputs) = weight.dims2()?;
        let (m, n, k) = (outputs as i32, rows as i32, inputs as i32);
        let kind = match weight.dtype() {
            DType::F16 => CUDA_R_16F,
            DType::BF16 => CUDA_R_16BF,
            _ => CUDA_R_32F,
        };
        let alpha = 1f32;
        self.with(weight, |weight| {
            // SAFETY: as in `step`. cuBLAS takes columns for rows, so that the weight comes first.
            unsafe {
                cublas::result::gemm_strided_batched_ex(
                    *self.blas.handle(),
                    CUBLAS_OP_N,
                    CUBLAS_OP_N,
                    m,
                    n,
                    k,
                    (&raw const alpha).cast(),
                    weight as *const _,
                    kind,
                    m,
                    0,
                    input as *const _,
                    kind,
                    k,
                    0,
                    (&raw const beta).cast(),
                    output as *mut _,
                    kind,
                    m,
                    0,
                    1,
                    cublas::sys::cublasComputeType_t::CUBLAS_COMPUTE_32F,
                    cublas::sys::cublasGemmAlgo_t::CUBLAS_GEMM_DEFAULT,
                )
            }
            .w()
        })
    }

    fn copy(&self, from: &Tensor, to: u64) -> Result<()> {
        let bytes = from.elem_count() * from.dtype().size_in_bytes();
        self.with(from, |from| {
            // SAFETY: the place of the logits is as large as their biases.
            unsafe { result::memcpy_dtod_async(to, from, bytes, self.stream.cu_stream()) }.w()
        })
    }

    /// Calls `give` with the address of a tensor of the network's.
    fn with(&self, tensor: &Tensor, give: impl FnOnce(u64) -> Result<()>) -> Result<()> {
        let (storage, layout) = tensor.storage_and_layout();
        let Storage::Cuda(storage) = &*storage else {
            bail!("a tensor that is not on the GPU");
        };
        let storage: &CudaStorage = storage;
        let (address, _in_use) = cuda::address(storage, layout.start_offset(), self.stream)?;
        give(address)
    }
}
