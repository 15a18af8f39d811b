//! How a network's layers belong together: a stem, blocks of two, a classifier.

use super::architecture::{Convolution, ConvolutionKind};
use super::config::Config;
use crate::error::{Error, Result};

/// Something for each convolution of a network, put together as the network is.
#[derive(Debug, Clone)]
pub(crate) struct Assembly<T> {
    pub stem: T,
    pub blocks: Vec<SeparableBlock<T>>,
    pub classifier: Option<T>,
}

/// A depthwise-separable convolution.
#[derive(Debug, Clone)]
pub(crate) struct SeparableBlock<T> {
    pub depthwise: T,
    pub pointwise: T,
}

impl<T> Assembly<T> {
    /// Makes something of each of a network's convolutions, in their order.
    ///
    /// # Errors
    /// What `make` fails with.
    pub fn new(config: &Config, mut make: impl FnMut(Convolution) -> Result<T>) -> Result<Self> {
        let convolutions = config.convolutions().into_iter();
        Self::of(convolutions.map(|c| Ok((c.kind, make(c)?))))
    }

    /// Puts layers together that come in the order in which they run.
    ///
    /// # Errors
    /// A layer that fails, or one that doesn't belong where it is.
    fn of(layers: impl IntoIterator<Item = Result<(ConvolutionKind, T)>>) -> Result<Self> {
        use ConvolutionKind::{Classifier, Depthwise, Pointwise, Standard};
        let wrong = |reason: &str| Err(Error::network(format!("a network with {reason}")));
        let mut layers = layers.into_iter();
        let Some((Standard, stem)) = layers.next().transpose()? else {
            return wrong("no stem at its beginning");
        };
        let mut assembly = Self {
            stem,
            blocks: Vec::new(),
            classifier: None,
        };
        while let Some((kind, layer)) = layers.next().transpose()? {
            if assembly.classifier.is_some() {
                return wrong("layers after its classifier");
            }
            match kind {
                Standard => return wrong("a second stem"),
                Pointwise => return wrong("a pointwise layer without its depthwise one"),
                Classifier => assembly.classifier = Some(layer),
                Depthwise => {
                    let Some((Pointwise, pointwise)) = layers.next().transpose()? else {
                        return wrong("a depthwise layer without its pointwise one");
                    };
                    assembly.blocks.push(SeparableBlock {
                        depthwise: layer,
                        pointwise,
                    });
                }
            }
        }
        Ok(assembly)
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        let blocks = self.blocks.iter();
        let blocks = blocks.flat_map(|block| [&block.depthwise, &block.pointwise]);
        std::iter::once(&self.stem)
            .chain(blocks)
            .chain(&self.classifier)
    }

    /// The same to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        let blocks = self.blocks.iter_mut();
        let blocks = blocks.flat_map(|block| [&mut block.depthwise, &mut block.pointwise]);
        std::iter::once(&mut self.stem)
            .chain(blocks)
            .chain(&mut self.classifier)
    }

    /// All but the classifier, in order.
    pub fn features(&self) -> impl Iterator<Item = &T> {
        self.iter().take(1 + 2 * self.blocks.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ConvolutionKind::{Classifier, Depthwise, Pointwise, Standard};

    fn assemble(kinds: &[ConvolutionKind]) -> Result<Assembly<usize>> {
        Assembly::of(kinds.iter().enumerate().map(|(i, kind)| Ok((*kind, i))))
    }

    #[test]
    fn layers_that_belong_together_are_put_together() -> Result<()> {
        let whole = [
            Standard, Depthwise, Pointwise, Depthwise, Pointwise, Classifier,
        ];
        for (len, blocks, has_classifier) in [(6, 2, true), (5, 2, false), (1, 0, false)] {
            let mut assembly = assemble(&whole[..len])?;
            assert_eq!(assembly.blocks.len(), blocks);
            assert_eq!(assembly.classifier.is_some(), has_classifier);
            assert!(assembly.iter().copied().eq(0..len));
            assert!(assembly.features().copied().eq(0..1 + 2 * blocks));
            assembly.iter_mut().for_each(|i| *i += 1);
            assert!(assembly.iter().copied().eq(1..len + 1));
        }
        Ok(())
    }

    #[test]
    fn a_layer_that_does_not_belong_where_it_is_is_an_error() {
        for (kinds, reason) in [
            (&[][..], "no stem"),
            (&[Depthwise, Pointwise], "no stem"),
            (&[Standard, Standard], "a second stem"),
            (&[Standard, Pointwise], "without its depthwise"),
            (
                &[Standard, Depthwise, Pointwise, Pointwise],
                "without its depthwise",
            ),
            (&[Standard, Depthwise], "without its pointwise"),
            (&[Standard, Depthwise, Depthwise], "without its pointwise"),
            (&[Standard, Depthwise, Classifier], "without its pointwise"),
            (&[Standard, Classifier, Classifier], "after its classifier"),
            (
                &[Standard, Classifier, Depthwise, Pointwise],
                "after its classifier",
            ),
        ] {
            let error = assemble(kinds).expect_err("a network that can't be");
            assert!(error.to_string().contains(reason), "{kinds:?}: {error}");
        }
    }

    #[test]
    fn what_fails_on_the_way_is_the_error() {
        let make = |convolution: Convolution| match convolution.name.as_str() {
            "conv_pw_3" => Err(Error::network("it failed")),
            name => Ok(name.len()),
        };
        let error = Assembly::new(&Config::default(), make).expect_err("it failed");
        assert_eq!(error.to_string(), "it failed");
    }
}
