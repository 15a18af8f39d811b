//! A described convolution, its batch norm and its activation.

use serde_json::Value;

use super::describe::{Described, title};
use super::layout::Kind;
use super::settings;
use crate::model::{Convolution, ConvolutionKind};
use crate::ops::{self, Activation};

/// A convolution with what comes around it.
pub(super) struct Unit<'a> {
    pub layer: &'a Described<'a>,
    pub kind: Kind,
    pub zeros: Option<&'a Value>,
    pub batch_norm: Option<&'a Described<'a>>,
    pub activation: Option<Activation>,
}

impl Unit<'_> {
    /// Names what differs from a convolution of ours.
    pub fn check(&self, convolution: &Convolution, wrong: &mut Vec<String>) {
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
    pub fn padding(&self) -> Option<ops::Padding> {
        let same = self.layer.config["padding"] == "same";
        match self.zeros.map(Value::to_string).as_deref() {
            None if same => Some(ops::Padding::Same),
            Some("[[0,1],[0,1]]") if !same => Some(ops::Padding::After),
            Some("[[1,1],[1,1]]") if !same => Some(ops::Padding::Symmetric),
            _ => None,
        }
    }
}
