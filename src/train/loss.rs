//! How far a network's answers are from the truth.

use candle_core::{Device, Result, Tensor, bail};

/// The mean cross-entropy of logits `[N, classes]` with classes `[N]`, a share `smoothing` of each
/// truth being given to all classes alike (Szegedy et al. 2016, arXiv:1512.00567, section 7).
///
/// # Errors
/// Shapes that don't fit, or a class that there is none of.
pub fn cross_entropy(logits: &Tensor, classes: &[usize], smoothing: f64) -> Result<Tensor> {
    let (n, width) = logits.dims2()?;
    if classes.len() != n || classes.iter().any(|class| *class >= width) {
        bail!("cross_entropy: logits of {n} pictures and {width} classes for {classes:?}");
    }
    let mut truth = vec![smoothing / width as f64; n * width];
    for (row, class) in truth.chunks_exact_mut(width).zip(classes) {
        row[*class] += 1.0 - smoothing;
    }
    // Not every device knows f64.
    let truth = Tensor::from_vec(truth, (n, width), &Device::Cpu)?.to_dtype(logits.dtype())?;
    let log_probabilities = candle_nn::ops::log_softmax(logits, 1)?;
    let products = (log_probabilities * truth.to_device(logits.device())?)?;
    products.sum_all()? / -(n as f64)
}

/// How many of the logits `[N, classes]` are the highest for their class.
///
/// # Errors
/// A failure of the device.
pub fn correct(logits: &Tensor, classes: &[usize]) -> Result<usize> {
    let best: Vec<u32> = logits.argmax(1)?.to_vec1()?;
    let pairs = best.iter().zip(classes);
    Ok(pairs
        .filter(|(best, class)| **best as usize == **class)
        .count())
}
