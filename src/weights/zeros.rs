//! Where a network's zeros go, told from how many each of its layers has.

use crate::model::{Config, Convolution, MIN_SIZE, Padding};
use crate::ops::Span;

/// The padding under which every convolution has the zeros that a file gives it. Converters write SAME
/// wherever a layer's own zeros come to the same at the file's size, so what counts is how many there are at
/// that size. `fits` is asked of each convolution by its number, the side of its input, and the span that it
/// would have; of those that are in no file, it is not.
///
/// # Errors
/// None of those that are known.
pub(super) fn padding(
    config: &Config,
    size: Option<usize>,
    fits: impl Fn(usize, &Convolution, usize, Span) -> bool,
) -> Result<Padding, String> {
    let all_fit = |padding: &Padding, size: usize| {
        let config = Config {
            padding: *padding,
            ..config.clone()
        };
        let mut convolutions = config.convolutions();
        convolutions.retain(|convolution| !convolution.identity);
        let mut side = size;
        convolutions
            .iter()
            .enumerate()
            .all(|(number, convolution)| {
                let (kernel, stride) = (convolution.kernel(), convolution.stride);
                let expected = convolution.padding.span(side, kernel, stride);
                let before = std::mem::replace(&mut side, expected.output);
                fits(number, convolution, before, expected)
            })
    };
    // Where the size is open, at any: between two multiples of 32 lies everything that can differ.
    let sizes = match size {
        Some(size) => size..=size,
        None => MIN_SIZE..=2 * MIN_SIZE,
    };
    [Padding::Same, Padding::Keras, Padding::Symmetric]
        .into_iter()
        .find(|padding| sizes.clone().all(|size| all_fit(padding, size)))
        .ok_or_else(|| {
            "its layers put zeros around their input in a way that is not known: neither SAME, nor as \
             Keras, nor one on every side"
                .into()
        })
}
