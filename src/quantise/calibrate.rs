//! The network in floats and the one in integers, side by side, layer by layer, on pictures.

use half::f16;
use half::slice::HalfFloatSliceExt;
use rayon::prelude::*;

use super::fit::fit;
use super::moments::Moments;
use super::planes::{
    check_size, largest, means, output_size, pixels, product, to_floats, to_integers, windows,
};
use super::{FloatLayer, Floats, rounded};
use crate::error::{Error, Result};
use crate::model::{Config, ConvolutionKind, Levels, Steps, relu6_step, step_up_to};
use crate::ops::Activation;
use crate::pixels::{Pixels, Preprocessing};

/// Views of pictures that are looked at: more change nothing that could be measured.
const MOST_VIEWS: usize = 128;

/// Memory that the activations of all views may take, in bytes.
const MOST_MEMORY: usize = 512 << 20;

/// Bytes that an activation takes: in floats of 16 bits, and as an integer.
const BYTES: usize = 4;

/// How far a channel's range goes beyond what was seen, for pictures that were not: divided by how many
/// were.
const MARGIN: f32 = 16.0;

/// Pictures are added up in so many groups, at once, always in the same order.
const GROUPS: usize = 4;

/// What was found.
pub(super) struct Calibrated {
    /// The scales of all convolutions' outputs but the classifier's, in order.
    pub steps: Vec<Steps>,
    /// The pointwise convolutions and the classifier, in the places of all of them.
    pub pointwise: Vec<Option<Pointwise>>,
}

/// A convolution's integers `[out][in]`, what they stand for `[out]`, and the bias `[out]`.
pub(super) struct Pointwise {
    pub integers: Vec<i8>,
    pub steps: Vec<f32>,
    pub bias: Vec<f64>,
}

impl Pointwise {
    /// The weights that the integers stand for.
    fn weight(&self) -> Vec<f32> {
        let rows = self
            .integers
            .chunks_exact(self.integers.len() / self.steps.len());
        let rows = rows.zip(&self.steps);
        rows.flat_map(|(row, step)| row.iter().map(move |q| f32::from(*q) * step))
            .collect()
    }
}

/// How many pictures [`quantise`](super::quantise) looks at: 64, each with its mirror image, or up to 128
/// without; fewer where the activations of so many would take more than half a gigabyte.
pub fn pictures_wanted(config: &Config, size: usize) -> usize {
    // The largest activation is the first block's, on half of the side.
    let channels = config.convolutions().into_iter().take(3);
    let channels = channels.map(|convolution| convolution.out_channels).max();
    let view = size.div_ceil(2).pow(2) * channels.unwrap_or(1) * BYTES;
    (MOST_MEMORY / view).clamp(1, MOST_VIEWS)
}

/// What goes on in a view: the output of the last layer that was gone through.
struct View {
    /// `[channel][pixel]` in floats.
    floats: Vec<f16>,
    /// The same in integers.
    integers: Vec<u16>,
}

/// The network on its way through the layers.
struct Pass<'a> {
    views: Vec<View>,
    /// Of what the views hold.
    channels: usize,
    size: (usize, usize),
    steps: Steps,
    /// The integers that the views hold.
    levels: Levels,
    activation: Activation,
    /// By which the largest values that were seen are multiplied.
    margin: f32,
    found: &'a mut Calibrated,
}

/// Finds scales and integers by pictures.
pub(super) fn calibrate(
    network: &Floats,
    recipe: &Preprocessing,
    pictures: &[Pixels],
) -> Result<Calibrated> {
    let size = recipe.size;
    check_size(pictures, size)?;
    let mut found = Calibrated {
        steps: Vec::new(),
        pointwise: Vec::new(),
    };
    let mut layers = network.layers.iter();
    let missing = || Error::network("a network without layers");
    let stem = layers.next().ok_or_else(missing)?;
    let wanted = pictures_wanted(&network.config, size);
    let mirrors = if 2 * pictures.len() <= wanted {
        &[false, true][..]
    } else {
        &[false]
    };
    let views: Vec<(&Pixels, bool)> = pictures
        .iter()
        .flat_map(|picture| mirrors.iter().map(move |mirrored| (picture, *mirrored)))
        .collect();
    let activation = network.config.activation;
    let views = views
        .into_par_iter()
        .map(|(picture, mirrored)| {
            let pixels = pixels(picture, mirrored, &recipe.pixel_scale);
            halves(&windows(stem, &pixels, (size, size), activation))
        })
        .map(|floats| View {
            floats,
            integers: Vec::new(),
        })
        .collect();
    let mut pass = Pass {
        views,
        channels: stem.convolution.out_channels,
        size: output_size(stem, (size, size)),
        // Until it is known.
        steps: Steps::uniform(1.0),
        levels: Levels::of(&stem.convolution),
        activation,
        margin: 1.0 + MARGIN / pictures.len() as f32,
        found: &mut found,
    };
    pass.found.pointwise.push(None);
    pass.give_channels_scales();
    // The stem's weights are of 16 bits: but for its output it is the same in both.
    pass.set_integers(|view, _| Ok(singles(&view.floats)))?;
    while let Some(layer) = layers.next() {
        if layer.convolution.kind == ConvolutionKind::Classifier {
            let classifier = pass.classifier(layer);
            pass.found.pointwise.push(Some(classifier));
            continue;
        }
        let pointwise = layers.next().ok_or_else(missing)?;
        pass.block(layer, pointwise)?;
    }
    Ok(found)
}

impl Pass<'_> {
    /// Goes through a block.
    fn block(&mut self, depthwise: &FloatLayer, pointwise: &FloatLayer) -> Result<()> {
        let between = self.between(depthwise);
        let moments = self.moments(depthwise, &between)?;
        let quantised = fit(&pointwise.weight, &pointwise.bias, between.at(0), &moments)?;
        let weight = quantised.weight();
        let (channels, activation) = (self.channels, self.activation);
        // What the integers read is needed once more when the floats are gone.
        let read: Vec<Vec<u16>> = self
            .views
            .par_iter()
            .map(|view| self.depthwise_integers(depthwise, view, &between))
            .collect();
        let size = self.size;
        self.views.par_iter_mut().try_for_each(|view| {
            let floats = windows(depthwise, &singles(&view.floats), size, activation);
            let (weight, bias) = (&pointwise.weight, &pointwise.bias);
            let output = product(weight, bias, &floats, channels, activation)?;
            view.floats = halves(&output);
            Ok::<_, Error>(())
        })?;
        self.found.steps.push(between.clone());
        self.channels = pointwise.convolution.out_channels;
        self.levels = Levels::of(&pointwise.convolution);
        self.size = output_size(depthwise, size);
        self.give_channels_scales();
        self.set_integers(|_, i| {
            let floats = to_floats(&read[i], channels, &between);
            product(&weight, &quantised.bias, &floats, channels, activation)
        })?;
        self.found.pointwise.extend([None, Some(quantised)]);
        Ok(())
    }

    /// The scale of what a depthwise convolution gives.
    fn between(&self, depthwise: &FloatLayer) -> Steps {
        if self.activation == Activation::Relu6 {
            return Steps::uniform(relu6_step(Levels::ALL));
        }
        let of_view = |view: &View| {
            let floats = windows(
                depthwise,
                &singles(&view.floats),
                self.size,
                self.activation,
            );
            floats.into_iter().fold(0.0, f32::max)
        };
        let most = self.views.par_iter().map(of_view);
        let most = most.reduce(|| 0.0, f32::max) * self.margin;
        let most = most.max(f32::MIN_POSITIVE.sqrt());
        Steps::uniform(step_up_to(most, Levels::ALL))
    }

    /// What a depthwise convolution gives in integers.
    fn depthwise_integers(&self, depthwise: &FloatLayer, view: &View, between: &Steps) -> Vec<u16> {
        let read = to_floats(&view.integers, self.channels, &self.steps);
        let given = windows(depthwise, &read, self.size, self.activation);
        to_integers(&given, self.channels, between, Levels::ALL)
    }

    /// Means and products of what it gives, in floats and in integers.
    fn moments(&self, depthwise: &FloatLayer, between: &Steps) -> Result<Moments> {
        let groups = self.views.par_chunks(self.views.len().div_ceil(GROUPS));
        let groups = groups.map(|views| {
            let mut moments = Moments::new(self.channels);
            for view in views {
                let floats = singles(&view.floats);
                let floats = windows(depthwise, &floats, self.size, self.activation);
                let integers = self.depthwise_integers(depthwise, view, between);
                moments.add(&floats, &to_floats(&integers, self.channels, between))?;
            }
            Ok(moments)
        });
        let mut all = Moments::new(self.channels);
        for moments in groups.collect::<Result<Vec<_>>>()? {
            all.merge(&moments);
        }
        Ok(all)
    }

    /// Gives each channel of what the views hold in floats a scale.
    fn give_channels_scales(&mut self) {
        let channels = self.channels;
        let of_view = |view: &View| largest(&singles(&view.floats), channels);
        let most = self.views.par_iter().map(of_view).reduce(
            || vec![0.0; channels],
            |a, b| a.iter().zip(b).map(|(a, b)| a.max(b)).collect(),
        );
        let all = most.iter().copied().fold(0.0, f32::max);
        // What was hardly ever seen still has a range.
        let least = (all / 100.0).max(f32::MIN_POSITIVE.sqrt());
        let steps = most.iter().map(|most| {
            let step = step_up_to((most * self.margin).max(least), self.levels);
            match self.activation {
                Activation::Relu6 => step.min(relu6_step(self.levels)),
                Activation::Relu => step,
            }
        });
        self.steps = Steps::of_channels(steps.collect());
        self.found.steps.push(self.steps.clone());
    }

    /// Sets the integers of each view to those of the values that `values` gives for it.
    fn set_integers(
        &mut self,
        values: impl Fn(&View, usize) -> Result<Vec<f32>> + Sync,
    ) -> Result<()> {
        let (channels, steps) = (self.channels, &self.steps);
        let levels = self.levels;
        let views = self.views.par_iter_mut().enumerate();
        views.try_for_each(|(i, view)| {
            let values = values(view, i)?;
            view.integers = to_integers(&values, channels, steps, levels);
            Ok(())
        })
    }

    /// The classifier, whose bias takes up what the mean of the embedding has moved by.
    fn classifier(&self, layer: &FloatLayer) -> Pointwise {
        let channels = self.channels;
        let views = self.views.par_iter().map(|view| {
            let integers = to_floats(&view.integers, channels, &self.steps);
            (
                means(&singles(&view.floats), channels),
                means(&integers, channels),
            )
        });
        let (floats, integers): (Vec<Vec<f64>>, Vec<Vec<f64>>) = views.unzip();
        let mean = |views: &[Vec<f64>]| -> Vec<f64> {
            let sum = |c: usize| views.iter().map(|view| view[c]).sum::<f64>();
            (0..channels).map(|c| sum(c) / views.len() as f64).collect()
        };
        let (floats, integers) = (mean(&floats), mean(&integers));
        let mut classifier = rounded(&layer.weight, layer.bias.clone(), self.steps.at(0));
        let quantised = classifier.weight();
        let rows = layer
            .weight
            .chunks_exact(channels)
            .zip(quantised.chunks_exact(channels));
        for (bias, (exact, rounded)) in classifier.bias.iter_mut().zip(rows) {
            for c in 0..channels {
                *bias += f64::from(exact[c]) * floats[c] - f64::from(rounded[c]) * integers[c];
            }
        }
        classifier
    }
}

/// In 16 bits. What is beyond them is nothing that a network should have.
fn halves(values: &[f32]) -> Vec<f16> {
    let mut halves = vec![f16::ZERO; values.len()];
    halves.convert_from_f32_slice(values);
    for half in &mut halves {
        if half.is_infinite() {
            *half = f16::MAX;
        }
    }
    halves
}

fn singles(values: &[f16]) -> Vec<f32> {
    let mut singles = vec![0.0; values.len()];
    values.convert_to_f32_slice(&mut singles);
    singles
}
