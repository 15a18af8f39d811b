//! Low-rank adapters (LoRA, Hu et al. 2021, arXiv:2106.09685), which only a whole model's `.h5` has: the
//! other forms have them in the kernel already.

use serde_json::Value;

use super::stored::StoredLayer;
use crate::weights::hdf5::Dataset;

/// Far more multiplications than an adapter of a MobileNet takes.
const MOST_OPERATIONS: usize = 1 << 31;

const PARTS: [&str; 2] = ["lora_kernel_a", "lora_kernel_b"];

/// Adds a layer's adapter to its kernel, `[..., in, out]`: `a` of `[..., in, rank]` times `b` of `[rank,
/// out]`, times the alpha that the description states by the rank. (Keras 3.15 forgets a dense layer's
/// alpha when it reads such a file, and takes the rank for it. The answers are those of the model that
/// was saved.)
///
/// # Errors
/// An adapter that doesn't fit.
pub(super) fn merge(
    layer: &mut StoredLayer,
    kernel: &mut Dataset,
    config: &Value,
) -> Result<(), String> {
    let [a, b] = PARTS.map(|part| layer.variables.remove(part));
    let (a, b) = match (a, b) {
        (None, None) => return Ok(()),
        (Some(a), Some(b)) => (a, b),
        _ => return Err("has one half of a LoRA adapter".into()),
    };
    let (Some(rank), Some(alpha)) = (config["lora_rank"].as_u64(), config["lora_alpha"].as_f64())
    else {
        return Err(
            "has a LoRA adapter, whose rank and alpha its description does not state".into(),
        );
    };
    let wrong = || {
        let shapes = (&a.shape, &b.shape, &kernel.shape);
        let (a, b, kernel) = shapes;
        format!("has a LoRA adapter of {a:?} and {b:?} of rank {rank}, for a kernel of {kernel:?}")
    };
    let (Some((units, before)), Some((width, same))) =
        (kernel.shape.split_last(), a.shape.split_last())
    else {
        return Err(wrong());
    };
    let (units, width) = (*units, *width);
    let fits = before == same && b.shape == [width, units] && rank == width as u64;
    if !fits || units == 0 || width == 0 {
        return Err(wrong());
    }
    let operations = kernel.values.len().saturating_mul(width);
    if operations > MOST_OPERATIONS {
        return Err(format!(
            "has a LoRA adapter of rank {rank}, larger than any"
        ));
    }
    let factor = alpha / rank as f64;
    let rows = kernel.values.chunks_exact_mut(units);
    let mut delta = vec![0f64; units];
    for (row, a) in rows.zip(a.values.chunks_exact(width)) {
        delta.fill(0.0);
        for (&a, b) in a.iter().zip(b.values.chunks_exact(units)) {
            for (delta, &b) in delta.iter_mut().zip(b) {
                *delta += f64::from(a) * f64::from(b);
            }
        }
        for (value, delta) in row.iter_mut().zip(&delta) {
            *value = (f64::from(*value) + factor * delta) as f32;
        }
    }
    Ok(())
}
