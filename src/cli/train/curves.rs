//! Loss and accuracy over the epochs, as a picture.

use std::collections::BTreeMap;

use mobilenet::figures::{Curve, Panel, curves};
use mobilenet::pixels::RgbImage;
use mobilenet::train::Epoch;

/// Draws them; of several trials their mean.
pub fn draw(epochs: &[Epoch]) -> RgbImage {
    let panel =
        |title: &str, trained: &dyn Fn(&Epoch) -> f64, tested: &dyn Fn(&Epoch) -> Option<f64>| {
            let curve = |name: &str, points: Vec<(f64, f64)>| Curve {
                name: name.into(),
                points,
            };
            let trained = means(epochs, |epoch| Some(trained(epoch)));
            let tested = means(epochs, tested);
            let mut both = vec![curve("training", trained)];
            if !tested.is_empty() {
                both.push(curve("validation", tested));
            }
            Panel {
                title: title.into(),
                x_label: "epoch".into(),
                curves: both,
            }
        };
    let percent = |share: f64| 100.0 * share;
    curves(&[
        panel("loss", &|e| e.train_loss, &|e| e.validation_loss),
        panel("accuracy in %", &|e| percent(e.train_accuracy), &|e| {
            e.validation_accuracy.map(percent)
        }),
    ])
}

/// The mean of a value over the runs that have it, by the number of the epoch.
fn means(epochs: &[Epoch], value: impl Fn(&Epoch) -> Option<f64>) -> Vec<(f64, f64)> {
    let mut sums = BTreeMap::<usize, (f64, f64)>::new();
    for epoch in epochs {
        if let Some(value) = value(epoch) {
            let (sum, count) = sums.entry(epoch.epoch).or_default();
            *sum += value;
            *count += 1.0;
        }
    }
    let mean = |(number, (sum, count)): (usize, (f64, f64))| (number as f64, sum / count);
    sums.into_iter().map(mean).collect()
}
