//! Whether a network's stored statistics are those of the pictures that it is trained on.

use candle_core::{DType, Device};

use crate::error::Result;
use crate::pixels::{Pixels, to_tensor};
use crate::train::layer::{Norms, Phase};
use crate::train::loss::correct;
use crate::train::{Dataset, TrainableNetwork};
use crate::weights::Checkpoint;

/// Pictures that are looked at, in one batch.
const PICTURES: usize = 32;

/// How many pictures of a batch a network tells right before it is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NormCheck {
    /// Pictures.
    pub pictures: usize,
    /// Right with the stored statistics.
    pub stored: usize,
    /// Right with those of the batch.
    pub batch: usize,
}

impl NormCheck {
    /// Whether the network with the statistics of a batch is another one than that of the checkpoint:
    /// it tells less than three quarters as many pictures right.
    pub fn disagrees(&self) -> bool {
        4 * self.batch < 3 * self.stored
    }

    pub(super) fn new(
        checkpoint: &Checkpoint,
        pictures: &Dataset<Pixels>,
        device: &Device,
    ) -> Result<Self> {
        let config = checkpoint.config();
        let tensors = checkpoint.tensors()?;
        let network = TrainableNetwork::new(config, &tensors, 0, Norms::Batch, device, DType::F32)?;
        // Of all classes, as they come in order.
        let step = pictures.len().div_ceil(PICTURES).max(1);
        let numbers: Vec<usize> = (0..pictures.len()).step_by(step).collect();
        let classes: Vec<usize> = numbers.iter().map(|&n| pictures.classes()[n]).collect();
        let scale = &checkpoint.preprocessing().pixel_scale;
        let pixels = to_tensor(&pictures.some(&numbers)?, scale, device)?;
        let right = |phase| -> Result<usize> {
            let passed = network.forward(&pixels, phase)?;
            Ok(correct(&passed.logits, &classes)?)
        };
        Ok(Self {
            pictures: numbers.len(),
            stored: right(Phase::Evaluation)?,
            batch: right(Phase::Training)?,
        })
    }
}
