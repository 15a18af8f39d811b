//! Where in a picture a class is seen: the class activation map (Zhou et al. 2016,
//! arXiv:1512.04150).
//!
//! The network ends in a global average pool and a linear layer, so a class's logit is the mean
//! of a map, plus a bias: `map(y, x) = sum over k of weight(k) * features(k, y, x)`. Nothing is
//! approximated, and nothing has to be computed that the answer does not need anyway.
//!
//! With hidden layers between the two, a class's weights are how its logit changes with each value of
//! the pool's output, at this picture's: its gradient, as in Grad-CAM (Selvaraju et al. 2017,
//! arXiv:1610.02391), but with what speaks against the class too. Where all activations are ReLUs, the head is
//! linear around each picture, and its weights there are meant: nothing is approximated either.
//!
//! The map has a value for each 32 by 32 pixels of the input, and is read as if each value came from
//! its square. It comes from a good part of the input, most of it from somewhat right of and below
//! the square's middle, because Keras pads at the right and the bottom: by about a quarter of a
//! square, as `tests/data/explain/place.py` measures.

mod spread;

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::familiarity::Familiarity;
use crate::head::Head;
use crate::model::{MobileNet, Pool, Softmax};
use crate::pixels::{AsPixels, to_input};
use crate::weights::Checkpoint;

/// A network with the weights of its last layer at hand, in f32. Where the network computes in fewer
/// digits, its logits have no more than those.
#[derive(Debug, Clone)]
pub struct Explainer {
    network: MobileNet,
    /// `None` where hidden layers come before it.
    last: Option<LastLayer>,
    head: Head,
    familiarity: Option<Arc<Familiarity>>,
}

/// A layer that is all that comes after the pool.
#[derive(Debug, Clone)]
struct LastLayer {
    /// `[classes][channels]`.
    weight: Vec<f32>,
    /// `[classes]`.
    bias: Vec<f32>,
}

/// What a network makes of a picture, before it is summed up.
#[derive(Debug, Clone)]
pub struct Explanation<'a> {
    explainer: &'a Explainer,
    /// `[channels][rows][columns]`.
    features: Vec<f32>,
    /// Their means.
    means: Vec<f32>,
    size: (usize, usize),
    logits: Vec<f32>,
    scores: Vec<f32>,
}

/// How much each part of a picture speaks for a class: `rows * columns` values.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassMap {
    /// Rows of the map.
    pub rows: usize,
    /// Columns of the map.
    pub columns: usize,
    /// Row after row; their mean and the bias make up the logit. Less than nothing speaks
    /// against the class.
    pub values: Vec<f32>,
    /// What the class has without any picture; of a network with hidden layers, what their biases and
    /// activations make of this one's map.
    pub bias: f32,
    /// The network's output for the class.
    pub logit: f32,
    /// Its score, as [`Classifier`](crate::Classifier) has it.
    pub score: f32,
}

impl Explainer {
    /// Takes the last layer of a checkpoint, and the network that was built of it.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] where it has no classifier, or takes the largest values in place of means.
    pub fn new(checkpoint: &Checkpoint, network: &MobileNet) -> Result<Self> {
        let refuse = |reason: &str| Err(Error::checkpoint(checkpoint.path(), reason));
        let config = checkpoint.config();
        if config.pool == Pool::Max {
            return refuse(
                "it takes the largest value of each feature map, of which no map of the picture makes \
                 up a class's logit: only networks with an average pool can be explained",
            );
        }
        if config.classes.is_none() {
            return refuse("it has no classifier, so there are no classes to explain");
        }
        let last = match checkpoint.classifier()? {
            Some((weight, bias)) if config.hidden.is_empty() => Some(LastLayer {
                weight: weight.flatten_all()?.to_vec1()?,
                bias: bias.to_vec1()?,
            }),
            _ => None,
        };
        Ok(Self {
            network: network.clone(),
            last,
            head: checkpoint.head(),
            familiarity: checkpoint.shared_familiarity(),
        })
    }

    /// Runs the network on a picture that
    /// [`Preprocessing::apply`](crate::pixels::Preprocessing::apply) has been applied to.
    ///
    /// # Errors
    /// A failure of the device, weights that lead to scores that are not numbers, or a network
    /// that is not the checkpoint's.
    pub fn explain<P: AsPixels>(&self, input: &P) -> Result<Explanation<'_>> {
        let input = std::slice::from_ref(input);
        let pixels = to_input(input, self.network.pixel_scale(), self.network.device())?;
        let features = self.network.features(&pixels)?;
        let (_, channels, rows, columns) = features.dims4()?;
        let fits = match (&self.last, self.network.head()) {
            (Some(last), None) => channels * last.bias.len() == last.weight.len(),
            (None, Some(_)) => channels == self.network.config().embedding_len(),
            _ => false,
        };
        if !fits {
            let message = "a network whose last layer is another checkpoint's";
            return Err(Error::network(message));
        }
        let embedding = features
            .flatten_from(2)?
            .to_device(&candle_core::Device::Cpu)?;
        let features: Vec<f32> = embedding.flatten_all()?.to_vec1()?;
        let means: Vec<f32> = match self.network.precision().is_integer() {
            // Integers are averaged before they are numbers.
            true => self.network.embed(&pixels)?.flatten_all()?.to_vec1()?,
            // On the CPU the same sums in the same order as without the detour, so the same scores.
            false => features.chunks_exact(rows * columns).map(mean).collect(),
        };
        let embedding = candle_core::Tensor::new(means.as_slice(), self.network.device())?;
        let logits = self
            .network
            .classify_embedding(&embedding.reshape((1, channels))?)?;
        let logits: Vec<f32> = logits.flatten_all()?.to_vec1()?;
        let mut scores = self.head.scores(&logits, self.network.softmax())?;
        if let Some(familiarity) = &self.familiarity {
            familiarity.discount(&mut scores, &means);
        }
        Ok(Explanation {
            explainer: self,
            features,
            means,
            size: (rows, columns),
            scores,
            logits,
        })
    }
}

impl Explanation<'_> {
    /// The probabilities of all classes, as [`Classifier`](crate::Classifier) has them.
    pub fn scores(&self) -> &[f32] {
        &self.scores
    }

    /// By which classes of equal scores go; empty where by their number.
    pub fn order(&self) -> &[f32] {
        match self.explainer.network.softmax() {
            Softmax::EightBits { .. } => &self.logits,
            Softmax::Exact => &[],
        }
    }

    /// The map of the class with this output; `None` where there is no such output.
    pub fn map(&self, output: usize) -> Option<ClassMap> {
        let (rows, columns) = self.size;
        let places = rows * columns;
        let channels = self.features.len() / places;
        let logit = *self.logits.get(output)?;
        let Explainer { last, network, .. } = self.explainer;
        let (weights, bias) = match last {
            Some(last) => {
                let weights = last.weight.chunks_exact(channels).nth(output)?;
                (weights.to_vec(), *last.bias.get(output)?)
            }
            None => {
                let weights = network.head()?.gradient(&self.means, output)?;
                let products = weights.iter().zip(&self.means);
                let products = products.map(|(&weight, &mean)| f64::from(weight) * f64::from(mean));
                let bias = f64::from(logit) - products.sum::<f64>();
                (weights, bias as f32)
            }
        };
        let mut sums = vec![0f64; places];
        for (map, &weight) in self.features.chunks_exact(places).zip(&weights) {
            for (sum, &value) in sums.iter_mut().zip(map) {
                *sum += f64::from(weight) * f64::from(value);
            }
        }
        Some(ClassMap {
            rows,
            columns,
            values: sums.into_iter().map(|sum| sum as f32).collect(),
            bias,
            logit,
            score: *self.scores.get(output)?,
        })
    }
}

impl ClassMap {
    /// The values of a row.
    pub fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.columns..][..self.columns]
    }

    /// The least and the largest value.
    pub fn range(&self) -> (f32, f32) {
        let empty = (f32::INFINITY, f32::NEG_INFINITY);
        let values = self.values.iter();
        values.fold(empty, |(low, high), &v| (low.min(v), high.max(v)))
    }
}

/// As the network's own kernels take it.
fn mean(values: &[f32]) -> f32 {
    let sum = values.iter().fold(0.0, |sum, value| sum + value);
    sum / values.len() as f32
}
