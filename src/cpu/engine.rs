//! The CPU's kernels as an engine.

use std::sync::Arc;

use candle_core::{DType, Device, Storage, Tensor};

use super::bf16::Bf16;
use super::int8::{self, Int8Network};
use super::isa::Isa;
use super::network::CpuNetwork;
use super::passes::{Passes, Piece};
use crate::error::{Error, Result};
use crate::model::{Blueprint, Engine, Precision, QuantisedNetwork, Rounding, Softmax, image_size};

/// What runs a network in `precision` on the CPU with kernels of our own, if there are such.
///
/// Of several instruction sets it takes the fastest, where none is asked for.
///
/// # Errors
/// What is wrong with the weights or the settings; an instruction set without kernels for it, or a
/// processor that has none.
pub(crate) fn engine(
    blueprint: Blueprint,
    precision: Precision,
    isa: Option<Isa>,
) -> Result<Option<Arc<dyn Engine>>> {
    let isa = match isa {
        Some(isa) => isa,
        None => Isa::detect_for(precision)?,
    };
    let available = Isa::available_for(precision);
    if !available.contains(&isa) {
        let names: Vec<_> = available.into_iter().map(Isa::name).collect();
        let names = match names.as_slice() {
            [] => "none".to_owned(),
            names => names.join(", "),
        };
        let message = format!("{isa} has no kernels for {precision}; this machine has {names}");
        return Err(Error::config("isa", message));
    }
    Ok(match precision {
        Precision::Float(DType::F32) => Some(Arc::new(CpuEngine {
            network: CpuNetwork::<f32>::new(blueprint, isa)?,
        })),
        Precision::Float(DType::BF16) => Some(Arc::new(CpuEngine {
            network: CpuNetwork::<Bf16>::new(blueprint, isa)?,
        })),
        Precision::Int8 => Some(Arc::new(CpuEngine {
            network: Int8Network::new(blueprint, integers(blueprint, Rounding::Once)?, isa)?,
        })),
        Precision::Int8Reference => Some(Arc::new(CpuEngine {
            network: Int8Network::new(blueprint, integers(blueprint, Rounding::Reference)?, isa)?,
        })),
        Precision::Float(_) => None,
    })
}

/// A network in integers: the checkpoint's own, where it has such that are understood, else rounded
/// from floats.
fn integers(blueprint: Blueprint<'_>, rounding: Rounding) -> Result<QuantisedNetwork<'_>> {
    match (blueprint.tensors.integers(), rounding) {
        (Some(Ok(integers)), _) => integers.network(blueprint, rounding),
        (_, Rounding::Once) => int8::quantised(blueprint),
        (found, Rounding::Reference) => {
            let reason = match found {
                Some(Err(reason)) => reason,
                _ => "this checkpoint is no quantised TFLite file",
            };
            let message = format!("int8-reference needs the integers of such a file: {reason}");
            Err(Error::config("precision", message))
        }
    }
}

/// A network on the CPU, with kernels of our own.
#[derive(Debug)]
struct CpuEngine<N> {
    network: N,
}

impl<N: Passes> CpuEngine<N> {
    /// `[N, len]` of what comes of pixels, wherever they are: of bytes, or of scaled ones.
    fn on_pixels(
        pixels: &Tensor,
        len: usize,
        on_bytes: impl FnOnce(&[u8]) -> Vec<f32>,
        on_planes: impl FnOnce(&[f32]) -> Vec<f32>,
    ) -> Result<Tensor> {
        let pixels = pixels.to_device(&Device::Cpu)?;
        let pixels = match pixels.dtype() {
            DType::U8 => pixels.contiguous()?,
            _ => pixels.to_dtype(DType::F32)?.contiguous()?,
        };
        let (storage, layout) = pixels.storage_and_layout();
        let Storage::Cpu(storage) = &*storage else {
            return Err(Error::input("pixels that are not on the CPU"));
        };
        let start = layout.start_offset();
        let range = start..start + layout.shape().elem_count();
        let results = match pixels.dtype() {
            DType::U8 => on_bytes(&storage.as_slice::<u8>()?[range]),
            _ => {
                let planes = &storage.as_slice::<f32>()?[range];
                // In floats what is not a number stays so; integers have no such thing.
                if N::IS_INTEGER && !planes.iter().all(|pixel| pixel.is_finite()) {
                    let message = "pixels that are not finite numbers";
                    return Err(Error::not_a_number(message));
                }
                on_planes(planes)
            }
        };
        let shape = (pixels.dim(0)?, len);
        Ok(Tensor::from_vec(results, shape, &Device::Cpu)?)
    }
}

impl<N: Passes> Engine for CpuEngine<N> {
    fn device(&self) -> &Device {
        &Device::Cpu
    }

    fn precision(&self) -> Precision {
        self.network.precision()
    }

    fn softmax(&self) -> Softmax {
        self.network.softmax()
    }

    fn features(&self, pixels: &Tensor) -> Result<Tensor> {
        let (network, size) = (&self.network, image_size(pixels)?);
        let (rows, columns) = network.features_size(size);
        let channels = network.embedding_len();
        let maps = Self::on_pixels(
            pixels,
            channels * rows * columns,
            |bytes| network.features(bytes, size),
            |planes| network.features(planes, size),
        )?;
        Ok(maps.reshape(((), channels, rows, columns))?)
    }

    fn embed(&self, pixels: &Tensor) -> Result<Tensor> {
        let (network, size) = (&self.network, image_size(pixels)?);
        Self::on_pixels(
            pixels,
            network.embedding_len(),
            |bytes| network.embed(bytes, size),
            |planes| network.embed(planes, size),
        )
    }

    fn classify_embedding(&self, embedding: &Tensor) -> Result<Tensor> {
        let classes = self.network.classes();
        if classes == 0 {
            return Ok(embedding.clone());
        }
        let values: Vec<f32> = embedding.flatten_all()?.to_vec1()?;
        let logits = self.network.classify(&values);
        let shape = (embedding.dim(0)?, classes);
        Ok(Tensor::from_vec(logits, shape, &Device::Cpu)?)
    }

    /// At once, so that threads share the classifier too.
    fn forward(&self, pixels: &Tensor) -> Result<Tensor> {
        let (network, size) = (&self.network, image_size(pixels)?);
        if network.classes() == 0 {
            return self.embed(pixels);
        }
        Self::on_pixels(
            pixels,
            network.classes(),
            |bytes| network.forward(bytes, size),
            |planes| network.forward(planes, size),
        )
    }

    fn with_threads(&self, threads: usize) -> Option<Arc<dyn Engine>> {
        Some(Arc::new(Self {
            network: self.network.with_threads(threads),
        }))
    }

    fn isa(&self) -> Option<Isa> {
        Some(self.network.isa())
    }

    fn pieces(&self, size: (usize, usize)) -> Vec<Piece<'_>> {
        self.network.pieces(size)
    }
}
