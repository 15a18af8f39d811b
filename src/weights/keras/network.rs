//! A described model held against the architecture.

use serde_json::Value;

use super::describe::{Described, title};
use super::layout::Kind;
use super::lora;
use super::stored::{Stored, take};
use super::top::Top;
use super::translate::Placed;
use super::unit::Unit;
use super::walk::Walk;
use crate::head::Head;
use crate::model::{Config, Convolution, ConvolutionKind, Padding, Pool, is_shallow};
use crate::ops::{self, Activation};
use crate::pixels::{PixelScale, Preprocessing};
use crate::weights::dense_layers::DenseLayers;
use crate::weights::recognise::{list, wrong_depth};

/// A description that is a MobileNet's.
pub(super) struct DescribedNetwork<'a> {
    pub size: Option<usize>,
    pub pixel_scale: Option<PixelScale>,
    pub view: Option<Preprocessing>,
    pub activation: Activation,
    pub padding: Padding,
    pub batch_norm_epsilon: f64,
    shallow: bool,
    units: Vec<Unit<'a>>,
    pub pool: Pool,
    top: Top<'a>,
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
        walk.end();
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
                    activation,
                    padding,
                    batch_norm_epsilon,
                    shallow,
                    units,
                    pool: walk.pool.unwrap_or_default(),
                    top: walk.top,
                })
            }
            _ => Err(refusal(&walk.wrong)),
        }
    }

    /// What makes scores of its outputs.
    pub fn head(&self) -> Option<Head> {
        self.top.head
    }

    /// Takes what comes after the pool out of a file, whose convolutions have been found.
    ///
    /// # Errors
    /// What is missing or doesn't fit.
    pub fn find_top(&self, stored: &mut Stored, found: &[Placed]) -> Result<DenseLayers, String> {
        let last = found.last().and_then(|last| last.convolution.as_ref());
        let kernel = last.and_then(|layer| layer.variables.values().find(|v| v.shape.len() == 4));
        let channels = kernel.and_then(|kernel| kernel.shape.last().copied());
        self.top.layers(stored, channels)
    }

    /// Takes the network's convolutions out of a file.
    ///
    /// # Errors
    /// Adapters that don't fit.
    pub fn find(&self, stored: &mut Stored) -> Result<Vec<Placed>, String> {
        let config = Config {
            shallow: self.shallow,
            classes: None,
            ..Config::default()
        };
        let pairs = self.units.iter().zip(config.convolutions());
        let found = pairs.map(|(unit, convolution)| {
            let (layer, batch_norm, kind) = (unit.layer, unit.batch_norm, unit.kind);
            let mut without = absent(layer.config, &[("use_bias", "bias")]);
            if let Some(norm) = batch_norm {
                without.extend(absent(
                    norm.config,
                    &[("scale", "gamma"), ("center", "beta")],
                ));
            }
            let mut found = take(stored, layer, kind);
            if let Some(stored) = &mut found
                && let Some(mut kernel) = stored.variables.remove("kernel")
            {
                let merged = lora::merge(stored, &mut kernel, layer.config);
                merged.map_err(|why| format!("{} {why}", title(layer)))?;
                stored.variables.insert("kernel".into(), kernel);
            }
            Ok(Placed {
                name: convolution.name,
                kind,
                convolution: found,
                batch_norm: batch_norm.map(|norm| take(stored, norm, Kind::BatchNorm)),
                without,
            })
        });
        found.collect()
    }
}

/// The variables that a layer's settings say it was made without.
pub(super) fn absent(config: &Value, settings: &[(&str, &'static str)]) -> Vec<&'static str> {
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
