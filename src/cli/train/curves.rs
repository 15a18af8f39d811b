//! Loss and accuracy over the epochs, as a picture.

use mobilenet::figures::{Curve, Panel, curves};
use mobilenet::pixels::RgbImage;
use mobilenet::train::Epoch;

/// Draws them.
pub fn draw(epochs: &[Epoch]) -> RgbImage {
    let panel =
        |title: &str, trained: &dyn Fn(&Epoch) -> f64, tested: &dyn Fn(&Epoch) -> Option<f64>| {
            let at = |epoch: &Epoch| epoch.epoch as f64;
            let curve = |name: &str, points: Vec<(f64, f64)>| Curve {
                name: name.into(),
                points,
            };
            let trained = epochs.iter().map(|e| (at(e), trained(e))).collect();
            let tested: Vec<_> = epochs
                .iter()
                .filter_map(|e| Some((at(e), tested(e)?)))
                .collect();
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
