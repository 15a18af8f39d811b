//! A described model held against the architecture.

use serde_json::Value;

use super::describe::Described;
use super::layout::{Kind, Role};
use super::stored::{Stored, take};
use super::translate::Placed;
use super::unit::Unit;
use super::walk::Walk;
use crate::head::Head;
use crate::model::{Config, Convolution, ConvolutionKind, Padding, is_shallow};
use crate::ops::{self, Activation};
use crate::pixels::{PixelScale, Preprocessing};
use crate::weights::recognise::{list, wrong_depth};

/// A description that is a MobileNet's.
pub(super) struct DescribedNetwork<'a> {
    pub size: Option<usize>,
    pub pixel_scale: Option<PixelScale>,
    pub view: Option<Preprocessing>,
    pub head: Option<Head>,
    pub activation: Activation,
    pub padding: Padding,
    pub batch_norm_epsilon: f64,
    shallow: bool,
    units: Vec<Unit<'a>>,
    classifier: Option<&'a Described<'a>>,
}

impl<'a> DescribedNetwork<'a> {
    /// Goes through a model's layers and names all that a MobileNet V1 doesn't have. What the layers before
    /// its first convolution have stored is taken out of the file.
    pub fn of(layers: &'a [Described<'a>], stored: &mut Stored) -> Result<Self, String> {
        let mut walk = Walk::default();
        for layer in layers {
            walk.layer(layer, stored);
        }
        let size = walk.front.size;
        let units = std::mem::take(&mut walk.units);
        walk.head();
        let depthwise = units.iter().filter(|u| u.kind == Kind::Depthwise).count();
        let Some(shallow) = is_shallow(depthwise) else {
            walk.wrong.push(wrong_depth(depthwise));
            return Err(refusal(&walk.wrong));
        };
        let config = Config {
            shallow,
            classes: None,
            ..Config::default()
        };
        let convolutions = config.convolutions();
        if units.len() != convolutions.len() {
            let (found, expected) = (units.len() - depthwise, convolutions.len() - depthwise);
            let wrong = format!("it has {found} other convolutions than those, not {expected}");
            walk.wrong.push(wrong);
            return Err(refusal(&walk.wrong));
        }
        for (unit, convolution) in units.iter().zip(&convolutions) {
            unit.check(convolution, &mut walk.wrong);
        }
        let padding = padding(&units, &config, size, &mut walk.wrong);
        let activations = units.iter().filter_map(|unit| unit.activation);
        let activation = the_same(activations, "activations", &mut walk.wrong);
        let epsilons = units.iter().filter_map(|unit| unit.batch_norm);
        let epsilons = epsilons.map(|norm| norm.config["epsilon"].as_f64().unwrap_or(1e-3));
        let epsilon = the_same(epsilons, "epsilons of batch norms", &mut walk.wrong);
        match (padding, activation, epsilon) {
            (Some(padding), Some(activation), Some(batch_norm_epsilon))
                if walk.wrong.is_empty() =>
            {
                Ok(Self {
                    size,
                    pixel_scale: walk.pixel_scale,
                    view: walk.front.view,
                    head: walk.head,
                    activation,
                    padding,
                    batch_norm_epsilon,
                    shallow,
                    units,
                    classifier: walk.classifiers.first().copied(),
                })
            }
            _ => Err(refusal(&walk.wrong)),
        }
    }

    /// Takes the network's layers out of a file.
    pub fn find(&self, stored: &mut Stored) -> Vec<Placed> {
        let config = Config {
            shallow: self.shallow,
            classes: self.classifier.map(|_| 1),
            ..Config::default()
        };
        let classifier = self.classifier.map(|layer| (layer, None));
        let units = self.units.iter().map(|unit| (unit.layer, unit.batch_norm));
        let pairs = units.chain(classifier).zip(config.convolutions());
        let found = pairs.map(|((layer, batch_norm), convolution)| {
            let kind = match layer.role {
                Some(Role::Weighted(kind)) => kind,
                _ => Kind::Convolution,
            };
            let mut without = absent(layer.config, &[("use_bias", "bias")]);
            if let Some(norm) = batch_norm {
                without.extend(absent(
                    norm.config,
                    &[("scale", "gamma"), ("center", "beta")],
                ));
            }
            Placed {
                name: convolution.name,
                kind,
                convolution: take(stored, layer, kind),
                batch_norm: batch_norm.map(|norm| take(stored, norm, Kind::BatchNorm)),
                without,
            }
        });
        found.collect()
    }
}

/// The variables that a layer's settings say it was made without.
fn absent(config: &Value, settings: &[(&str, &'static str)]) -> Vec<&'static str> {
    let without = settings
        .iter()
        .filter(|(setting, _)| config[*setting] == false);
    without.map(|(_, variable)| *variable).collect()
}

fn refusal(wrong: &[String]) -> String {
    format!(
        "its description is not that of a MobileNet V1:{}",
        list(wrong)
    )
}

/// The one value of a setting that all layers share.
fn the_same<T: PartialEq + Copy + std::fmt::Debug>(
    mut values: impl Iterator<Item = T>,
    what: &str,
    wrong: &mut Vec<String>,
) -> Option<T> {
    let first = values.next()?;
    if let Some(other) = values.find(|value| *value != first) {
        wrong.push(format!("it has several {what}: {first:?} and {other:?}"));
    }
    Some(first)
}

/// The convention under which all convolutions pad as they do.
fn padding(
    units: &[Unit<'_>],
    config: &Config,
    size: Option<usize>,
    wrong: &mut Vec<String>,
) -> Option<Padding> {
    let even = size.is_none_or(|size| size % 2 == 0);
    let pads_as = |unit: &Unit<'_>, convolution: &Convolution| {
        use ops::Padding::{After, Same, Symmetric};
        match (convolution.kernel(), unit.padding(), convolution.padding) {
            (1, _, _) => unit.zeros.is_none(),
            (_, Some(a), b) if a == b => true,
            // The same thing at stride 1, and for an even input.
            (_, Some(Same | Symmetric), Same | Symmetric) => convolution.stride == 1,
            (_, Some(After), Same) => even && convolution.kind == ConvolutionKind::Standard,
            _ => false,
        }
    };
    let conventions = [Padding::Keras, Padding::Same, Padding::Symmetric];
    let fits = conventions.into_iter().find(|&padding| {
        let config = Config {
            padding,
            ..config.clone()
        };
        let convolutions = config.convolutions();
        units.iter().zip(&convolutions).all(|(u, c)| pads_as(u, c))
    });
    if fits.is_none() {
        let stated = units
            .iter()
            .filter(|unit| unit.kind == Kind::Depthwise || unit.zeros.is_some());
        let stated = stated.take(4).map(|unit| {
            let (name, padding) = (unit.layer.name, &unit.layer.config["padding"]);
            match unit.zeros {
                Some(zeros) => format!("zeros {zeros} before {name} {padding}"),
                None => format!("{name} {padding}"),
            }
        });
        let stated: Vec<String> = stated.collect();
        wrong.push(format!(
            "its padding is not a known one: {}",
            stated.join(", ")
        ));
    }
    fits
}
