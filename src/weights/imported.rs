//! What a reader hands over to a checkpoint.

use std::collections::HashMap;

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use crate::model::Padding;
use crate::ops::Activation;

/// Where a checkpoint was converted from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Address or file name.
    pub name: String,
    /// Sha256 of its bytes, in hexadecimal.
    pub sha256: String,
}

/// What a reader of a foreign format found, in our names and layouts.
pub(super) struct Imported {
    pub tensors: HashMap<String, Tensor>,
    pub size: Option<usize>,
    pub activation: Option<Activation>,
    pub padding: Padding,
    pub batch_norm_epsilon: f64,
}
