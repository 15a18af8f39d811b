//! What fine-tuning begins with: the classifier of [`learn`](crate::learn) on the network as it is.

use candle_core::{DType, Device, Tensor};

use crate::error::Result;
use crate::learn::{Example, LearnOptions, Learned, learn_until};
use crate::pixels::{Pixels, to_input};
use crate::train::Dataset;
use crate::weights::Checkpoint;

/// Pictures that are embedded together.
const BATCH: usize = 32;

/// Asked often whether to give up.
pub(super) type Stop<'a> = &'a (dyn Fn() -> bool + Sync);

/// The embedding of each picture and, where that is wanted, of its mirror image; `None` where it was
/// given up.
pub(super) fn examples(
    checkpoint: &Checkpoint,
    pictures: &Dataset<Pixels>,
    mirror: bool,
    device: &Device,
    stop: Stop,
) -> Result<Option<Vec<Example>>> {
    let network = checkpoint.network(device, DType::F32)?;
    let embed = |images: &[Pixels]| -> Result<Vec<Vec<f32>>> {
        let pixels = to_input(images, network.pixel_scale(), device)?;
        Ok(network.embed(&pixels)?.to_vec2()?)
    };
    let mut examples = Vec::with_capacity(pictures.len());
    let all: Vec<usize> = (0..pictures.len()).collect();
    for batch in all.chunks(BATCH) {
        if stop() {
            return Ok(None);
        }
        let mut images = pictures.some(batch)?;
        let mut views: Vec<Vec<Vec<f32>>> =
            embed(&images)?.into_iter().map(|view| vec![view]).collect();
        if mirror {
            images.iter_mut().for_each(Pixels::mirror);
            for (views, mirrored) in views.iter_mut().zip(embed(&images)?) {
                views.push(mirrored);
            }
        }
        let classes = batch.iter().map(|&number| pictures.classes()[number]);
        let batch = classes.zip(views);
        examples.extend(batch.map(|(class, views)| Example { class, views }));
    }
    Ok(Some(examples))
}

/// A linear classifier on embeddings.
#[derive(Debug)]
pub(super) struct Linear {
    classes: usize,
    seed: u64,
    /// On all pictures.
    pub learned: Learned,
}

impl Linear {
    /// Fits it to all pictures; `None` where it was given up.
    pub fn new(
        examples: &[Example],
        classes: usize,
        seed: u64,
        stop: Stop,
    ) -> Result<Option<Self>> {
        let options = options(seed);
        let learned = learn_until(examples, classes, &options, stop)?;
        Ok(learned.map(|learned| Self {
            classes,
            seed,
            learned,
        }))
    }

    /// Weight and bias of the same on some of the pictures, as strongly held back.
    pub fn on(
        &self,
        examples: &[Example],
        numbers: &[usize],
        stop: Stop,
    ) -> Result<Option<(Tensor, Tensor)>> {
        if numbers.len() == examples.len() {
            let Learned { weight, bias, .. } = &self.learned;
            return Ok(Some((weight.clone(), bias.clone())));
        }
        let some: Vec<Example> = numbers.iter().map(|&n| examples[n].clone()).collect();
        let options = options(self.seed).with_regularisation(self.learned.report.regularisation);
        let learned = learn_until(&some, self.classes, &options, stop)?;
        Ok(learned.map(|learned| (learned.weight, learned.bias)))
    }
}

/// Nothing is rejected: what the threshold would be of a network that goes on learning is not known.
fn options(seed: u64) -> LearnOptions {
    LearnOptions::default().with_seed(seed).with_reject(0.0)
}
