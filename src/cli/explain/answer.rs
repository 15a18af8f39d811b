//! What speaks for classes in a picture, place by place.

use std::sync::Arc;

use anyhow::{Context, Result};
use mobilenet::dataset::Input;
use mobilenet::error::ImageError;
use mobilenet::explain::{ClassMap, Explainer};
use mobilenet::figures::{ClassPanel, class_maps};
use mobilenet::labels::{Class, Labels};
use mobilenet::pipeline::Pipeline;
use mobilenet::pixels::{DecodeOptions, Region, RgbImage, decode};
use mobilenet::{Classifier, UNKNOWN, top_outputs_in_order};

use crate::cli::options::OpenedNetwork;
use crate::cli::output::png;
use crate::cli::session::pipeline_error;

/// A network that explains its answers.
pub struct Explaining {
    classifier: Classifier,
    explainer: Explainer,
    pipeline: Pipeline,
    /// In full, whatever the network looks at.
    decode: DecodeOptions,
}

/// Which classes are explained.
pub enum Wanted {
    /// So many of the most probable ones.
    Top(usize),
    /// Those of these outputs.
    Outputs(Vec<usize>),
}

/// The answer to a picture.
pub struct Answer {
    /// Upright and whole.
    pub picture: RgbImage,
    /// The part of it that the network sees.
    pub region: Region,
    /// Each class that was asked for, with its map.
    pub classes: Vec<(Class, ClassMap)>,
    /// The highest score, where it is too low for the picture to be of any class.
    pub rejected: Option<f32>,
    /// Whether it is the preview in a raw photograph.
    pub preview: bool,
}

impl Explaining {
    /// A network with its classes.
    ///
    /// # Errors
    /// A checkpoint that can't be explained.
    pub fn new(network: &OpenedNetwork, classifier: Classifier) -> Result<Self> {
        Ok(Self {
            explainer: Explainer::new(&network.checkpoint, classifier.network())?,
            pipeline: network.pipeline(Arc::new(classifier.clone())),
            decode: network.decode.clone().with_reduced(false),
            classifier,
        })
    }

    /// The outputs of the classes with these names, each once. `what` goes before a name in an error.
    ///
    /// # Errors
    /// A name that no class has.
    pub fn outputs(&self, names: &[String], what: &str) -> Result<Vec<usize>> {
        outputs(self.classifier.labels(), names, what)
    }

    /// Shows a picture to the network, as `classify` does, and makes the maps.
    ///
    /// # Errors
    /// A failure of the network; within, what is wrong with the picture.
    pub fn answer(&self, input: &Input, wanted: &Wanted) -> Result<Result<Answer, ImageError>> {
        let look = match self.pipeline.look(input).map_err(pipeline_error)? {
            Ok(look) => look,
            Err(error) => return Ok(Err(error)),
        };
        let picture = match input.decode(&self.decode, |bytes| decode(bytes, &self.decode)) {
            Ok(picture) => picture,
            Err(error) => return Ok(Err(error)),
        };
        let explanation = self.explainer.explain(&look.pixels)?;
        let scores = explanation.scores();
        let rejected = self.classifier.rejects(scores, None);
        let outputs = match wanted {
            Wanted::Top(count) => top_outputs_in_order(scores, explanation.order(), *count, 0.0),
            Wanted::Outputs(outputs) => outputs.clone(),
        };
        let classes = self.classifier.labels().classes();
        let class = |output: usize| Some((classes.get(output)?.clone(), explanation.map(output)?));
        let size = (picture.width() as usize, picture.height() as usize);
        Ok(Ok(Answer {
            region: self.classifier.preprocessing().region(size),
            classes: outputs.into_iter().filter_map(class).collect(),
            rejected: rejected.then(|| scores.iter().copied().fold(0.0, f32::max)),
            picture,
            preview: look.preview,
        }))
    }
}

fn outputs(labels: &Labels, names: &[String], what: &str) -> Result<Vec<usize>> {
    let lookup = labels.lookup();
    let mut outputs = Vec::new();
    for name in names {
        let output = lookup.find(name);
        let output = output.with_context(|| format!("{what}{name:?}"))?;
        if !outputs.contains(&output) {
            outputs.push(output);
        }
    }
    Ok(outputs)
}

impl Answer {
    /// What is to be said of a picture of none of the classes.
    pub fn remark(&self) -> Option<String> {
        let score = self.rejected?;
        Some(format!(
            "{UNKNOWN}: no class is likely enough (highest score {score:.4})"
        ))
    }

    /// The picture with its maps as a PNG. The longer side of each is at most `max_side` pixels, or
    /// else what suits their number.
    ///
    /// # Errors
    /// A PNG that can't be made.
    pub fn draw(&self, max_side: Option<usize>) -> Result<Vec<u8>> {
        let usual = match self.classes.len() {
            0..=1 => 1280,
            2..=4 => 800,
            _ => 560,
        };
        let classes = self.classes.iter();
        let panels: Vec<ClassPanel> = classes
            .map(|(class, map)| ClassPanel {
                title: class.label.clone(),
                note: format!("score {:.4}, logit {:.2}", map.score, map.logit),
                map,
            })
            .collect();
        let side = max_side.unwrap_or(usual);
        let remark = self.remark();
        let drawn = class_maps(&self.picture, self.region, &panels, side, remark.as_deref());
        Ok(png(&drawn)?)
    }
}
