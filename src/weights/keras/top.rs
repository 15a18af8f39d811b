//! What a described model has after its pool: dense layers, batch norms between them, activations.

use super::dense;
use super::describe::{Described, title};
use super::layout::{Kind, Role};
use super::settings::{self, TopActivation};
use super::stored::Stored;
use super::translate;
use crate::head::Head;
use crate::model::HiddenActivation;
use crate::weights::dense_layers::{DenseLayers, HeadOperation, HeadStep};

/// The layers after the pool, in order.
#[derive(Default)]
pub(super) struct Top<'a> {
    steps: Vec<Step<'a>>,
    /// What makes scores of the outputs.
    pub head: Option<Head>,
}

struct Step<'a> {
    layer: &'a Described<'a>,
    does: Does,
}

#[derive(Clone, Copy, PartialEq)]
enum Does {
    Weighted(Kind),
    Activates(TopActivation),
}

impl<'a> Top<'a> {
    /// Takes a dense layer, a convolution or a batch norm.
    pub fn weighted(&mut self, layer: &'a Described<'a>, kind: Kind) -> Result<(), String> {
        let does = Does::Weighted(kind);
        self.steps.push(Step { layer, does });
        if kind == Kind::BatchNorm {
            return Ok(());
        }
        if kind == Kind::Dense {
            settings::quantisation(layer.config)?;
        }
        let activation = settings::named_activation(&layer.config["activation"])?;
        self.activates(layer, activation);
        Ok(())
    }

    /// Takes an activation.
    pub fn activation(&mut self, layer: &'a Described<'a>) -> Result<(), String> {
        let activation = match layer.role {
            Some(Role::Relu) => TopActivation::Hidden(HiddenActivation::Relu),
            Some(Role::Relu6) => TopActivation::Hidden(HiddenActivation::Relu6),
            Some(Role::Softmax) => settings::softmax(layer.config)?,
            _ => settings::top_activation(layer.class, layer.config)?,
        };
        self.activates(layer, activation);
        Ok(())
    }

    fn activates(&mut self, layer: &'a Described<'a>, activation: TopActivation) {
        if activation != TopActivation::Hidden(HiddenActivation::Linear) {
            let does = Does::Activates(activation);
            self.steps.push(Step { layer, does });
        }
    }

    /// Tells the activation of the outputs from those of hidden layers, now that the way has ended.
    pub fn end(&mut self, wrong: &mut Vec<String>) {
        let is_dense = |step: &Step| {
            let does = step.does;
            does == Does::Weighted(Kind::Dense) || does == Does::Weighted(Kind::Convolution)
        };
        let Some(last) = self.steps.iter().rposition(is_dense) else {
            for step in &self.steps {
                wrong.push(format!("{} is not part of one there", title(step.layer)));
            }
            return;
        };
        for (number, Step { layer, does }) in self.steps.iter_mut().enumerate() {
            let title = title(layer);
            let before = number < last;
            match *does {
                Does::Weighted(_) if self.head.is_some() => {
                    wrong.push(format!(
                        "{title} comes after what makes scores of the outputs"
                    ));
                }
                Does::Weighted(_) => {}
                Does::Activates(TopActivation::Head(Head::Sigmoid)) if before => {
                    let sigmoid = TopActivation::Hidden(HiddenActivation::Sigmoid);
                    *does = Does::Activates(sigmoid);
                }
                Does::Activates(TopActivation::Head(head)) if before => {
                    wrong.push(format!("{title} is a {head} before the last layer"));
                }
                Does::Activates(TopActivation::Head(head)) => match self.head {
                    None => self.head = Some(head),
                    Some(first) => wrong.push(format!("{title} is a {head} after a {first}")),
                },
                Does::Activates(TopActivation::Hidden(activation)) if !before => {
                    wrong.push(format!(
                        "{title} has the activation {activation}: of the last layer only a softmax over \
                         the classes and a sigmoid of each are supported"
                    ));
                }
                Does::Activates(TopActivation::Hidden(_)) => {}
            }
        }
    }

    /// Takes the layers' variables out of a file, and makes layers of ours of them, which read so many
    /// `inputs`, if that is known.
    pub fn layers(
        &self,
        stored: &mut Stored,
        inputs: Option<usize>,
    ) -> Result<DenseLayers, String> {
        let mut steps = Vec::new();
        let mut width = inputs;
        for Step { layer, does } in &self.steps {
            let name = title(layer);
            let does = match does {
                Does::Activates(TopActivation::Head(_)) => continue,
                Does::Activates(TopActivation::Hidden(hidden)) => {
                    HeadOperation::Activation(*hidden)
                }
                Does::Weighted(Kind::BatchNorm) => {
                    let norm = translate::batch_norm(stored, layer);
                    let (factor, offset) = norm.map_err(|why| format!("{name} {why}"))?;
                    HeadOperation::Scale { factor, offset }
                }
                Does::Weighted(kind) => {
                    let found = dense::read(stored, layer, *kind);
                    let found = found.map_err(|why| format!("{name} {why}"))?;
                    width = width.or(Some(found.inputs));
                    HeadOperation::Dense {
                        weight: found.weight,
                        bias: found.bias,
                    }
                }
            };
            steps.push(HeadStep { name, does });
        }
        DenseLayers::of(steps, width.unwrap_or_default())
    }
}
