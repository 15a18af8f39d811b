//! A checkpoint's classes in another order.

use candle_core::{Device, Tensor};

use super::checkpoint::Checkpoint;
use super::imported::Tensors;
use super::lesson::StoredLesson;
use crate::error::{Error, Result};
use crate::model::Convolution;

impl Checkpoint {
    /// The same network with its classes in another order, each with its name: `order` has the number that a class has
    /// now, in the place that it is to have. What is in integers becomes the floats that they stand for.
    ///
    /// # Errors
    /// An order that is none of its classes.
    pub fn with_class_order(self, order: &[usize]) -> Result<Self> {
        let classes = self.config.classes.unwrap_or(0);
        let mut sorted = order.to_vec();
        sorted.sort_unstable();
        if !sorted.into_iter().eq(0..classes) {
            let reason = format!("an order that is none of its {classes} classes");
            return Err(Error::checkpoint(&self.path, reason));
        }
        let Some(labels) = self.labels() else {
            return Ok(self);
        };
        let labels = labels.classes();
        let names = order.iter().map(|&class| labels[class].label.clone());
        let names = names.collect();
        let rows: Vec<u32> = order.iter().map(|&class| class as u32).collect();
        let rows = Tensor::new(rows, &Device::Cpu)?;
        let mut tensors = self.copies()?;
        // Of any width: only the names matter.
        let classifier = Convolution::classifier(1, classes);
        for name in [classifier.weight_name(), classifier.bias_name()] {
            if let Some(tensor) = tensors.get_mut(&name) {
                *tensor = tensor.contiguous()?.index_select(&rows, 0)?;
            }
        }
        let lesson = match &self.lesson {
            Some(StoredLesson { lesson, .. }) => {
                let reordered = lesson.reordered(order);
                let examples = self.lesson_examples()?.map(|mut examples| {
                    let mut place = vec![0; classes];
                    for (new, &old) in order.iter().enumerate() {
                        place[old] = new;
                    }
                    for example in &mut examples {
                        example.class = place[example.class];
                    }
                    // It is stable.
                    examples.sort_by_key(|example| example.class);
                    examples
                });
                Some((reordered, examples))
            }
            None => None,
        };
        let ordered = Self {
            labels: Some(names),
            tensors: Tensors::Loaded(tensors),
            quantisation: None,
            lesson: None,
            ..self
        };
        match lesson {
            Some((lesson, examples)) => ordered.with_lesson(lesson, examples.as_deref()),
            None => Ok(ordered),
        }
    }
}
