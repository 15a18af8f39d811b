//! How far a network's answers are from the truth.

use candle_core::{DType, Device, Result, Tensor, bail};

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

/// How a picture of a known class was answered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Answer {
    /// Cross-entropy, in nats.
    pub loss: f64,
    /// Whether its class had the highest logit.
    pub right: bool,
}

/// Mean loss, and share of the answers that are right; of some.
pub(super) fn mean(answers: &[Answer]) -> (f64, f64) {
    let all = answers.len() as f64;
    let right = answers.iter().filter(|answer| answer.right).count();
    let loss = answers.iter().map(|answer| answer.loss).sum::<f64>();
    (loss / all, right as f64 / all)
}

/// How pictures of these classes were answered by their logits `[N, classes]`.
pub(super) fn answers(logits: &Tensor, classes: &[usize]) -> Result<Vec<Answer>> {
    let log_probabilities = candle_nn::ops::log_softmax(&logits.to_dtype(DType::F32)?, 1)?;
    let rows: Vec<Vec<f32>> = log_probabilities.to_vec2()?;
    let best: Vec<u32> = logits.argmax(1)?.to_vec1()?;
    let rows = rows.iter().zip(best).zip(classes);
    let answer = |((row, best), class): ((&Vec<f32>, u32), &usize)| match row.get(*class) {
        Some(log_probability) => Ok(Answer {
            loss: -f64::from(*log_probability),
            right: best as usize == *class,
        }),
        None => bail!("answers: class {class} of {}", row.len()),
    };
    rows.map(answer).collect()
}
