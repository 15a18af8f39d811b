//! Which layer is which in a file that doesn't describe its model.

use std::cmp::Reverse;

use super::layout::{Kind, automatic};
use super::stored::{Stored, StoredLayer};
use super::translate::Placed;
use crate::model::{Config, Convolution, ConvolutionKind, Padding, block_count};
use crate::weights::recognise::wrong_depth;

/// Depthwise layers of the network, and of the shallow one.
const DEPTHWISE: [usize; 2] = [block_count(false), block_count(true)];

/// Groups that a `.weights.h5` has besides those of layers with variables.
const WEIGHTLESS: [&str; 4] = ["re_lu", "activation", "input_layer", "pooling"];

/// Finds the network's layers by their names, or else by their numbers or order, and how such
/// a network pads.
pub(super) fn identify(stored: &mut Stored) -> Result<(Vec<Placed>, Padding), String> {
    if let Some(layer) = stored
        .layers
        .iter()
        .find(|layer| !layer.integers.is_empty())
    {
        return Err(format!(
            "{} is quantised, and only a whole model, as model.save writes it, tells how",
            layer.name
        ));
    }
    let mut dense = stored.layers.iter().filter(|layer| is_dense(layer));
    if let (Some(first), Some(second)) = (dense.next(), dense.next()) {
        return Err(format!(
            "it has the Dense layers {} and {}, and only a functional or Sequential model, as model.save \
             writes it, tells what comes between them",
            first.name, second.name
        ));
    }
    let published = (!stored.numbered || stored.subclassed) && has_published_names(stored);
    let padding = padding(stored, published);
    let automatic = |layer: &StoredLayer| automatic(&layer.name).map(|(kind, _)| kind);
    let mut found = if stored.layers.is_empty() {
        Vec::new()
    } else if published {
        by_name(stored)
    } else if stored.numbered
        || stored
            .layers
            .iter()
            .any(|l| automatic(l) == Some(Kind::Depthwise))
    {
        by_number(stored)?
    } else {
        by_order(stored)?
    };
    let without = without(&found, stored.numbered)?;
    for found in &mut found {
        found.without.clone_from(&without);
    }
    Ok((found, padding))
}

/// keras-applications pads with layers of their own, other people's code within the
/// convolutions. A file has a group for each layer, unless somebody left only the weights.
fn padding(stored: &Stored, published: bool) -> Padding {
    let any = |part: &str| stored.groups.iter().any(|name| name.contains(part));
    let unknown = stored.numbered && !WEIGHTLESS.iter().any(|part| any(part));
    match published || unknown || any("pad") {
        true => Padding::Keras,
        false => Padding::Same,
    }
}

fn is_dense(layer: &StoredLayer) -> bool {
    let kernel = layer.variables.get("kernel").or(layer.variables.get("0"));
    kernel.is_some_and(|kernel| kernel.shape.len() == 2)
}

/// The settings that tell which layers there are and in which order; widths don't matter.
fn network(shallow: bool, classifier: bool) -> Config {
    Config {
        shallow,
        classes: classifier.then_some(1),
        ..Config::default()
    }
}

/// A convolution made of a file's layers.
fn found(
    convolution: Convolution,
    layer: Option<StoredLayer>,
    batch_norm: impl FnOnce() -> Option<StoredLayer>,
) -> Placed {
    let kind = match convolution.kind {
        ConvolutionKind::Depthwise => Kind::Depthwise,
        _ if layer.as_ref().is_some_and(is_dense) => Kind::Dense,
        _ => Kind::Convolution,
    };
    Placed {
        batch_norm: convolution.batch_norm.then(batch_norm),
        name: convolution.name,
        kind,
        convolution: layer,
        without: Vec::new(),
    }
}

/// Whether layers have the names that keras-applications gives them. A shallow network that
/// numbers its blocks from 1 to 8 means others by them.
fn has_published_names(stored: &Stored) -> bool {
    let has = |name: &str| stored.layers.iter().any(|layer| layer.name == name);
    (has("conv1") || has("conv_pw_1")) && (has("conv_pw_9") || !has("conv_pw_8"))
}

fn by_name(stored: &mut Stored) -> Vec<Placed> {
    let has = |name: &str| stored.layers.iter().any(|layer| layer.name == name);
    let classifier = has("conv_preds") || stored.layers.iter().any(is_dense);
    let layers = network(!has("conv_dw_7"), classifier).convolutions();
    let layers = layers.into_iter().map(|convolution| {
        let name = convolution.name.clone();
        let classifies = convolution.kind == ConvolutionKind::Classifier;
        let layer = stored.take(|l| l.name == name || classifies && is_dense(l));
        found(convolution, layer, || {
            stored.take(|l| l.name == format!("{name}_bn"))
        })
    });
    layers.collect()
}

/// The numbers of automatic names say the order within a class, and the order of a MobileNet's
/// layers is known: so the n-th depthwise layer is the n-th depthwise layer.
fn by_number(stored: &mut Stored) -> Result<Vec<Placed>, String> {
    let mut depthwise = Queue::take(stored, Kind::Depthwise);
    let blocks = DEPTHWISE.into_iter().find(|&n| depthwise.fits(n));
    let Some(blocks) = blocks else {
        return Err(wrong_depth(depthwise.layers.len()));
    };
    let mut convolutions = Queue::take(stored, Kind::Convolution);
    let mut batch_norms = Queue::take(stored, Kind::BatchNorm);
    let mut dense = Queue::take(stored, Kind::Dense);
    let convolves = 1 + blocks;
    let classifier = !dense.layers.is_empty() || convolutions.layers.len() > convolves;
    convolutions.spread(convolves + usize::from(classifier && dense.layers.is_empty()));
    depthwise.spread(blocks);
    batch_norms.spread(convolves + blocks);

    let layers = network(blocks == DEPTHWISE[1], classifier).convolutions();
    let layers = layers.into_iter().map(|convolution| {
        let layer = match convolution.kind {
            ConvolutionKind::Depthwise => depthwise.next(),
            ConvolutionKind::Classifier if !dense.layers.is_empty() => dense.next(),
            _ => convolutions.next(),
        };
        found(convolution, layer, || batch_norms.next())
    });
    let layers = layers.collect();
    for rest in [convolutions, depthwise, batch_norms, dense] {
        stored.layers.extend(rest.layers.into_iter().flatten());
    }
    Ok(layers)
}

/// A file's layers of one kind, by number.
struct Queue {
    /// In reverse, so that the next one is the last. None where a number is missing.
    layers: Vec<Option<StoredLayer>>,
    /// How many numbers there are from the first to the last of them.
    span: usize,
    numbers: Vec<usize>,
}

impl Queue {
    fn take(stored: &mut Stored, kind: Kind) -> Self {
        let number = |layer: &StoredLayer| match automatic(&layer.name) {
            Some((named, number)) if named == kind => Some(number),
            _ if kind == Kind::Dense && is_dense(layer) => Some(0),
            _ => None,
        };
        let mut taken = Vec::new();
        while let Some(layer) = stored.take(|layer| number(layer).is_some()) {
            taken.push((number(&layer).unwrap_or_default(), layer));
        }
        // A model's head comes after the model that it is the head of.
        let depth = |layer: &StoredLayer| layer.within.split('/').filter(|s| !s.is_empty()).count();
        taken.sort_by(|(a, x), (b, y)| {
            (Reverse(depth(x)), &x.within, a).cmp(&(Reverse(depth(y)), &y.within, b))
        });
        let span = match (taken.first(), taken.last()) {
            (Some((a, x)), Some((b, y))) if x.within == y.within => (b - a).saturating_add(1),
            _ => taken.len(),
        };
        let (numbers, layers) = taken.into_iter().rev().map(|(n, l)| (n, Some(l))).unzip();
        Self {
            layers,
            span,
            numbers,
        }
    }

    fn fits(&self, expected: usize) -> bool {
        self.span == expected || self.layers.len() == expected
    }

    /// Leaves a gap for each number that is missing, where there should be so many layers.
    fn spread(&mut self, expected: usize) {
        let Some(last) = self.numbers.first().filter(|_| self.span == expected) else {
            return;
        };
        let mut spread: Vec<Option<StoredLayer>> = (0..expected).map(|_| None).collect();
        for (number, layer) in self.numbers.iter().zip(self.layers.drain(..)) {
            if let Some(place) = spread.get_mut(last - number) {
                *place = layer;
            }
        }
        self.layers = spread;
    }

    fn next(&mut self) -> Option<StoredLayer> {
        self.layers.pop().flatten()
    }
}

/// Names that somebody made up: the order that the file states has to be a MobileNet's.
fn by_order(stored: &mut Stored) -> Result<Vec<Placed>, String> {
    let kinds: Vec<Kind> = (0..)
        .zip(&stored.layers)
        .map(|(place, layer)| {
            let kernel = layer.variables.get("kernel");
            match kernel.map(|kernel| kernel.shape.as_slice()) {
                None if layer.variables.contains_key("moving_mean") => Kind::BatchNorm,
                Some([_, _]) => Kind::Dense,
                // The stem's kernel could be of this shape too.
                Some([3, 3, _, 1]) if place > 0 => Kind::Depthwise,
                _ => Kind::Convolution,
            }
        })
        .collect();
    let classifies = match kinds.last() {
        Some(Kind::Dense) => Some(Kind::Dense),
        Some(Kind::Convolution) => Some(Kind::Convolution),
        _ => None,
    };
    for shallow in [false, true] {
        let layers = network(shallow, classifies.is_some()).convolutions();
        let expected = layers.iter().flat_map(|convolution| {
            let kind = match convolution.kind {
                ConvolutionKind::Depthwise => Some(Kind::Depthwise),
                ConvolutionKind::Classifier => classifies,
                _ => Some(Kind::Convolution),
            };
            let batch_norm = convolution.batch_norm.then_some(Kind::BatchNorm);
            kind.into_iter().chain(batch_norm)
        });
        if stored.ordered && expected.eq(kinds.iter().copied()) {
            let mut taken = std::mem::take(&mut stored.layers).into_iter();
            let layers = layers.into_iter().map(|convolution| {
                let layer = taken.next();
                found(convolution, layer, || taken.next())
            });
            return Ok(layers.collect());
        }
    }
    let depthwise = kinds.iter().filter(|k| **k == Kind::Depthwise).count();
    Err(match DEPTHWISE.contains(&depthwise) {
        false => wrong_depth(depthwise),
        true => "neither the names of its layers nor their order tell which is which; a whole \
                 model, as model.save writes it, does"
            .into(),
    })
}

/// Which of gamma and beta the batch norms were made without.
fn without(found: &[Placed], numbered: bool) -> Result<Vec<&'static str>, String> {
    let norms = || found.iter().filter_map(|f| f.batch_norm.as_ref()?.as_ref());
    if !numbered {
        let absent = |part: &&str| norms().all(|norm| !norm.variables.contains_key(*part));
        return Ok(["gamma", "beta"].into_iter().filter(absent).collect());
    }
    match norms().map(|norm| norm.variables.len()).max() {
        Some(2) => Ok(vec!["gamma", "beta"]),
        Some(3) => Err(
            "its batch norms have no gamma or no beta, and only a whole model, as model.save \
             writes it, tells which"
                .into(),
        ),
        _ => Ok(Vec::new()),
    }
}
