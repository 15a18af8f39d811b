//! What a checkpoint leaves open, and what is taken for it.

use std::collections::BTreeMap;

use mobilenet::weights::Checkpoint;

use super::RecipeOptions;
use crate::cli::note;

/// The settings that neither a checkpoint nor the command line states, each with what is taken for it, by the
/// option that states it.
#[derive(Debug, Clone)]
pub struct Assumed {
    settings: Vec<(&'static str, String)>,
    of: String,
    /// Whether the classes are ImageNet's, whose published checkpoints all have the same.
    is_imagenets: bool,
}

impl Assumed {
    /// Of a checkpoint whose recipe some options change.
    pub fn of(checkpoint: &Checkpoint, recipe: &RecipeOptions) -> Self {
        let value = |setting: &str| match setting {
            "size" => checkpoint.preprocessing().size.to_string(),
            "activation" => checkpoint.config().activation.to_string(),
            "head" => checkpoint.head().to_string(),
            "pixels" => "-1..1".into(),
            "crop" => "center".into(),
            _ => "bilinear".into(),
        };
        let settings = checkpoint.assumed().iter().copied();
        let settings = settings.filter(|setting| !recipe.states(setting));
        let labels = checkpoint.labels();
        let is_imagenets = labels.is_none_or(|labels| {
            let mut classes = labels.classes().iter();
            classes.any(|class| class.wnid.is_some())
        });
        Self {
            settings: settings.map(|name| (name, value(name))).collect(),
            of: checkpoint.path().display().to_string(),
            is_imagenets,
        }
    }

    /// Says it, as options to say it otherwise: to who asks, and before another checkpoint is made that states
    /// it.
    pub fn tell(&self) {
        if self.settings.is_empty() {
            return;
        }
        let settings = self.settings.iter();
        let settings = settings.map(|(name, value)| format!("--{name} {value}"));
        let settings: Vec<String> = settings.collect();
        note(&format!(
            "{}: does not state all, so this is assumed: {}",
            self.of,
            settings.join(" ")
        ));
    }

    /// Whether it is said without being asked: of classes that others than the publishers have chosen, who may
    /// have chosen all of it.
    pub fn is_worth_telling(&self) -> bool {
        !self.is_imagenets
    }

    /// By setting.
    pub fn settings(&self) -> BTreeMap<&'static str, String> {
        self.settings.iter().cloned().collect()
    }
}
