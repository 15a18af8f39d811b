//! A described model held against the architecture.

use serde_json::Value;

use super::describe::{Described, numbered_name};
use super::layout::{Arithmetic, Kind, Role};
use super::names::wrong_depth;
use super::settings::{self, Activates, Scaling};
use super::stored::{Layer, Stored};
use super::translate::Found;
use crate::model::{Config, Convolution, ConvolutionKind, Padding};
use crate::ops::{self, Activation};
use crate::weights::recognise::list;

/// A description that is a MobileNet's.
pub(super) struct Network<'a> {
    pub size: Option<usize>,
    pub activation: Activation,
    pub padding: Padding,
    pub batch_norm_epsilon: f64,
    shallow: bool,
    units: Vec<Unit<'a>>,
    classifier: Option<&'a Described<'a>>,
}

/// A convolution with what comes around it.
struct Unit<'a> {
    layer: &'a Described<'a>,
    kind: Kind,
    zeros: Option<&'a Value>,
    batch_norm: Option<&'a Described<'a>>,
    activation: Option<Activation>,
}

/// The way through the layers.
#[derive(Default)]
struct Walk<'a> {
    wrong: Vec<String>,
    size: Option<usize>,
    scaling: Scaling,
    zeros: Option<&'a Value>,
    units: Vec<Unit<'a>>,
    pooled: bool,
    classifiers: Vec<&'a Described<'a>>,
}

impl<'a> Network<'a> {
    /// Goes through a model's layers and names all that a MobileNet V1 doesn't have.
    pub fn of(layers: &'a [Described<'a>]) -> Result<Self, String> {
        let mut walk = Walk::default();
        for layer in layers {
            walk.layer(layer);
        }
        let size = walk.size;
        let units = std::mem::take(&mut walk.units);
        walk.head();
        let depthwise = units.iter().filter(|u| u.kind == Kind::Depthwise).count();
        let shallow = depthwise == 8;
        if depthwise != 13 && !shallow {
            walk.wrong.push(wrong_depth(depthwise));
            return Err(refusal(&walk.wrong));
        }
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
        let padding = padding(&units, size, &mut walk.wrong);
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
    pub fn find(&self, stored: &mut Stored) -> Vec<Found> {
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
            Found {
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

/// Takes the variables of a described layer out of a file.
fn take(stored: &mut Stored, described: &Described<'_>, kind: Kind) -> Option<Layer> {
    if stored.numbered {
        let name = numbered_name(kind.layout().name, described.number);
        return stored.take(|l| l.name == name && *l.within == *described.container);
    }
    let within = described.within.unwrap_or_default();
    stored.take(|l| l.name == described.name && l.within == within)
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

impl<'a> Walk<'a> {
    fn layer(&mut self, layer: &'a Described<'a>) {
        let at_start = self.units.is_empty() && self.zeros.is_none();
        let in_head = self.pooled;
        match layer.role {
            Some(Role::Input) => self.size = self.size.or(settings::input_side(layer.config)),
            Some(Role::Resizing) if at_start => {
                self.size = settings::resized_side(layer.config).or(self.size);
            }
            Some(Role::Training) => {}
            Some(Role::Rescaling) if at_start => match settings::rescaling(layer.config) {
                Some(scaling) => self.scaling = self.scaling.then(scaling),
                None => self.refuse(layer, "has a scaling for each channel"),
            },
            Some(Role::Arithmetic(arithmetic)) if at_start => match layer.constant {
                Some(constant) => self.arithmetic(arithmetic, constant),
                None => self.refuse(layer, "joins two layers"),
            },
            Some(Role::ZeroPadding) if !in_head && self.zeros.is_none() => {
                self.zeros = Some(&layer.config["padding"]);
            }
            Some(Role::Weighted(kind @ (Kind::Convolution | Kind::Depthwise))) if !in_head => {
                let zeros = self.zeros.take();
                self.units.push(Unit {
                    layer,
                    kind,
                    zeros,
                    batch_norm: None,
                    activation: None,
                });
            }
            Some(Role::Weighted(Kind::BatchNorm)) if !in_head => self.batch_norm(layer),
            Some(Role::Weighted(Kind::Dense | Kind::Convolution)) if in_head => {
                self.classifiers.push(layer);
            }
            Some(Role::Weighted(Kind::Dense)) => {
                self.refuse(layer, "comes before a global average pool");
            }
            Some(Role::Relu | Role::Relu6 | Role::Activation | Role::Softmax) => {
                self.activation(layer);
            }
            Some(Role::Pool) if !in_head => self.pooled = true,
            Some(Role::WindowPool) if !in_head && self.pools_all(layer) => self.pooled = true,
            Some(Role::Reshape) if in_head => {}
            _ => self.refuse(layer, "is not part of one there"),
        }
    }

    fn refuse(&mut self, layer: &Described<'_>, why: &str) {
        self.wrong.push(format!("{} {why}", title(layer)));
    }

    fn arithmetic(&mut self, arithmetic: Arithmetic, constant: f64) {
        let (scale, offset) = match arithmetic {
            Arithmetic::Add => (1.0, constant),
            Arithmetic::Subtract => (1.0, -constant),
            Arithmetic::Multiply => (constant, 0.0),
            Arithmetic::Divide => (1.0 / constant, 0.0),
        };
        self.scaling = self.scaling.then(Scaling { scale, offset });
    }

    fn batch_norm(&mut self, layer: &'a Described<'a>) {
        match self.units.last_mut() {
            Some(unit) if unit.batch_norm.is_none() && unit.activation.is_none() => {
                unit.batch_norm = Some(layer);
            }
            _ => self.refuse(layer, "does not come after a convolution"),
        }
    }

    fn activation(&mut self, layer: &'a Described<'a>) {
        let activates = match layer.role {
            Some(Role::Relu) => Ok(Activates::With(Activation::Relu)),
            Some(Role::Relu6) => Ok(Activates::With(Activation::Relu6)),
            Some(Role::Softmax) => Ok(Activates::Softmax),
            _ => settings::activation(layer.class, layer.config),
        };
        match (activates, self.units.last_mut()) {
            (Ok(Activates::Not), _) => {}
            (Ok(Activates::Softmax), _) if !self.classifiers.is_empty() => {}
            (Ok(Activates::With(activation)), Some(unit))
                if !self.pooled && unit.batch_norm.is_some() && unit.activation.is_none() =>
            {
                unit.activation = Some(activation);
            }
            (Ok(_), _) => self.refuse(layer, "is not part of one there"),
            (Err(why), _) => self.refuse(layer, &why),
        }
    }

    /// Whether a pool's window is all that is left of the picture.
    fn pools_all(&self, layer: &Described<'_>) -> bool {
        let side = self.size.map(|size| size.div_ceil(32));
        let window = &layer.config["pool_size"];
        let is_side = |n: &Value| n.as_u64().map(|n| n as usize) == side && side.is_some();
        is_side(&window[0]) && is_side(&window[1])
    }

    /// What there is to say of scaling and classifier.
    fn head(&mut self) {
        if !self.scaling.is_ours() {
            let Scaling { scale, offset } = self.scaling;
            self.wrong.push(format!(
                "its pixels are scaled by {scale} and moved by {offset}, where a MobileNet takes \
                 them from -1 to 1: scale=1/127.5, offset=-1"
            ));
        }
        if let [hidden @ .., last] = self.classifiers.as_slice() {
            for layer in hidden {
                self.wrong.push(format!(
                    "{} is a hidden layer before {}, where one layer follows the pool",
                    title(layer),
                    title(last)
                ));
            }
            if let Err(why) = settings::classifies(last.config) {
                self.wrong.push(format!("{} {why}", title(last)));
            }
        }
    }
}

fn title(layer: &Described<'_>) -> String {
    format!("{} {}", layer.class, layer.name)
}

impl Unit<'_> {
    /// Names what differs from a convolution of ours.
    fn check(&self, convolution: &Convolution, wrong: &mut Vec<String>) {
        let title = title(self.layer);
        let config = self.layer.config;
        let kind = match convolution.kind {
            ConvolutionKind::Depthwise => Kind::Depthwise,
            _ => Kind::Convolution,
        };
        if self.kind != kind {
            wrong.push(format!("{title} is where {} should be", convolution.name));
            return;
        }
        let (kernel, stride) = (convolution.kernel(), convolution.stride);
        for (setting, ours) in [("kernel_size", kernel), ("strides", stride)] {
            let stated = &config[setting];
            if [&stated[0], &stated[1]].map(Value::as_u64) != [Some(ours as u64); 2] {
                wrong.push(format!(
                    "{title} has {setting} {stated}, not [{ours},{ours}]"
                ));
            }
        }
        for why in settings::unusual(config) {
            wrong.push(format!("{title} has {why}"));
        }
        match self.batch_norm {
            None => wrong.push(format!("{title} has no batch norm after it")),
            Some(norm) => {
                let axis = &norm.config["axis"];
                let axis = if axis.is_array() { &axis[0] } else { axis };
                if !axis.is_null() && axis != 3 && axis != -1 {
                    wrong.push(format!("{} is over axis {axis}, not 3", norm.name));
                }
            }
        }
        if self.activation.is_none() {
            wrong.push(format!("{title} has no ReLU after its batch norm"));
        }
    }

    /// Where its zeros go, or `None` where that is not among what we know.
    fn padding(&self) -> Option<ops::Padding> {
        let same = self.layer.config["padding"] == "same";
        match self.zeros.map(Value::to_string).as_deref() {
            None if same => Some(ops::Padding::Same),
            Some("[[0,1],[0,1]]") if !same => Some(ops::Padding::After),
            Some("[[1,1],[1,1]]") if !same => Some(ops::Padding::Symmetric),
            _ => None,
        }
    }
}

/// The convention under which all convolutions pad as they do.
fn padding(units: &[Unit<'_>], size: Option<usize>, wrong: &mut Vec<String>) -> Option<Padding> {
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
            shallow: units.len() < 27,
            classes: None,
            padding,
            ..Config::default()
        };
        let convolutions = config.convolutions();
        units.iter().zip(&convolutions).all(|(u, c)| pads_as(u, c))
    });
    if fits.is_none() {
        let stated = units
            .iter()
            .filter(|unit| unit.kind == Kind::Depthwise || unit.zeros.is_some());
        let stated = stated.take(4).map(|unit| {
            let zeros = unit
                .zeros
                .map(|zeros| format!("zeros {zeros} before "))
                .unwrap_or_default();
            format!(
                "{zeros}{} {}",
                unit.layer.name, unit.layer.config["padding"]
            )
        });
        let stated: Vec<String> = stated.collect();
        wrong.push(format!(
            "its padding is not a known one: {}",
            stated.join(", ")
        ));
    }
    fits
}
