//! The way through a described model, from its pixels to its classifier.

use serde_json::Value;

use super::describe::{Described, title};
use super::front::Front;
use super::layout::{Kind, Role};
use super::settings;
use super::stored::{Stored, take};
use super::top::Top;
use super::unit::Unit;
use crate::model::Pool;
use crate::ops::Activation;
use crate::pixels::PixelScale;

/// The way through the layers.
#[derive(Default)]
pub(super) struct Walk<'a> {
    pub wrong: Vec<String>,
    /// What comes before the first convolution.
    pub front: Front,
    /// What comes of its scaling, once the way has ended.
    pub pixel_scale: Option<PixelScale>,
    zeros: Option<&'a Value>,
    pub units: Vec<Unit<'a>>,
    /// `None` until it has come.
    pub pool: Option<Pool>,
    /// What comes after it.
    pub top: Top<'a>,
}

impl<'a> Walk<'a> {
    pub fn layer(&mut self, layer: &'a Described<'a>, stored: &mut Stored) {
        let at_start = self.units.is_empty() && self.zeros.is_none();
        let in_head = self.pool.is_some();
        // Of a sequential model without a layer for it, the first layer states the input.
        let states_input = layer.config["batch_input_shape"].is_array();
        if self.units.is_empty() && (layer.role == Some(Role::Input) || states_input) {
            self.front.input(layer.config);
        }
        let convolves = matches!(
            layer.role,
            Some(Role::Weighted(Kind::Convolution | Kind::Depthwise))
        );
        match layer.role {
            Some(Role::Training) => {}
            Some(_) if self.zeros.is_some() && !convolves => {
                self.refuse(layer, "is between zeros and a convolution");
            }
            Some(Role::Input) => {}
            Some(Role::Resizing) if at_start => {
                let done = self.front.resizing(layer.config);
                self.unless_done(layer, done);
            }
            Some(Role::CenterCrop) if at_start => {
                let done = self.front.center_crop(layer.config);
                self.unless_done(layer, done);
            }
            Some(Role::Rescaling) if at_start => {
                let done = self.front.rescaling(layer.config);
                self.unless_done(layer, done);
            }
            Some(Role::Weighted(Kind::Normalization)) if at_start => {
                let statistics = take(stored, layer, Kind::Normalization);
                let done = self.front.normalization(layer.config, statistics);
                self.unless_done(layer, done);
            }
            Some(Role::Arithmetic(arithmetic)) if at_start => match layer.constant {
                Some(constant) => self.front.arithmetic(arithmetic, constant),
                None => self.refuse(layer, "joins two layers"),
            },
            Some(Role::ZeroPadding) if !in_head => {
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
            Some(Role::Weighted(kind @ (Kind::Convolution | Kind::Dense | Kind::BatchNorm)))
                if in_head =>
            {
                let added = self.top.weighted(layer, kind);
                self.unless_done(layer, added);
            }
            Some(Role::Weighted(Kind::Dense)) => {
                self.refuse(layer, "comes before a global average pool");
            }
            Some(Role::Relu | Role::Relu6 | Role::Activation | Role::Softmax) if in_head => {
                let added = self.top.activation(layer);
                self.unless_done(layer, added);
            }
            Some(Role::Relu | Role::Relu6 | Role::Activation) => self.activation(layer),
            Some(Role::Pool | Role::MaxPool)
                if !in_head && layer.config["data_format"] == "channels_first" =>
            {
                self.refuse(layer, "takes its channels first");
            }
            Some(Role::Pool) if !in_head => self.pool = Some(Pool::Average),
            Some(Role::MaxPool) if !in_head => self.pool = Some(Pool::Max),
            Some(Role::WindowPool) if !in_head && self.pools_all(layer) => {
                self.pool = Some(Pool::Average);
            }
            Some(Role::Reshape) if in_head => {}
            Some(Role::Reshape) => self.refuse(layer, "is where a global pool should be"),
            _ => self.refuse(layer, "is not part of one there"),
        }
    }

    fn refuse(&mut self, layer: &Described<'_>, why: &str) {
        self.wrong.push(format!("{} {why}", title(layer)));
    }

    fn unless_done(&mut self, layer: &Described<'_>, done: Result<(), String>) {
        if let Err(why) = done {
            self.refuse(layer, &why);
        }
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
            Some(Role::Relu) => Ok(Some(Activation::Relu)),
            Some(Role::Relu6) => Ok(Some(Activation::Relu6)),
            _ => settings::activation(layer.class, layer.config),
        };
        match (activates, self.units.last_mut()) {
            (Ok(None), _) => {}
            (Ok(Some(activation)), Some(unit))
                if unit.batch_norm.is_some() && unit.activation.is_none() =>
            {
                unit.activation = Some(activation);
            }
            (Ok(_), _) => self.refuse(layer, "is not part of one there"),
            (Err(why), _) => self.refuse(layer, &why),
        }
    }

    /// Whether a pool's window is all that is left of the picture.
    fn pools_all(&self, layer: &Described<'_>) -> bool {
        let side = self.front.size.map(|size| size.div_ceil(32));
        let window = &layer.config["pool_size"];
        let is_side = |n: &Value| n.as_u64().map(|n| n as usize) == side && side.is_some();
        is_side(&window[0]) && is_side(&window[1])
    }

    /// What there is to say when the way has ended.
    pub fn end(&mut self) {
        match self.front.pixel_scale() {
            Ok(scale) => self.pixel_scale = scale,
            Err(why) => self.wrong.push(why),
        }
        if self.zeros.is_some() {
            self.wrong.push("it ends with a layer of zeros".into());
        }
        self.top.end(&mut self.wrong);
    }
}
