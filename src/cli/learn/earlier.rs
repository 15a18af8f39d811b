//! What is kept of a checkpoint whose classes were learned: to learn others besides, or all but some.

use std::collections::HashSet;

use anyhow::{Context, Result, bail, ensure};
use mobilenet::learn::{Example, Lesson};

use super::Picture;
use crate::cli::options::OpenedNetwork;
use crate::cli::terminal::printable;

/// The classes that are there already, with the embeddings of their pictures.
pub struct Earlier {
    pub lesson: Lesson,
    classes: Vec<String>,
    examples: Vec<Example>,
}

impl Earlier {
    /// Those of a network.
    ///
    /// # Errors
    /// It does not have them, or is to see or compute otherwise now.
    pub fn of(network: &OpenedNetwork) -> Result<Self> {
        let checkpoint = &network.checkpoint;
        let path = checkpoint.path().display();
        let lesson = checkpoint.lesson().with_context(|| {
            format!(
                "{path}: its classes were not made by this version of `mobilenet learn`, so none can be added or \
                 removed: learn all of them from their pictures"
            )
        })?;
        let same_view = network.preprocessing == *checkpoint.preprocessing();
        ensure!(
            same_view || !lesson.has_examples,
            "{path}: its classes were learned from pictures that were seen otherwise: leave out the options that say \
             how, or learn all classes from their pictures"
        );
        let dtype = network.precision.name();
        ensure!(
            lesson.dtype == dtype,
            "{path}: its classes were learned from embeddings in {}, not {dtype}: --dtype {}, or learn all classes \
             from their pictures",
            lesson.dtype,
            lesson.dtype
        );
        let examples = checkpoint.lesson_examples()?;
        let Some(examples) = examples else {
            bail!(
                "{path}: it has no embeddings of the {} pictures that its classes were learned from, so none can be \
                 added or removed without them: learn all classes from their pictures. (`learn --examples` says of how \
                 many it keeps them; they are lost in f16, in eight bits and at another size)",
                lesson.count()
            );
        };
        let labels = checkpoint.labels().context("it has no classes")?;
        let classes = labels.classes().iter();
        Ok(Self {
            lesson: lesson.clone(),
            classes: classes.map(|class| class.label.clone()).collect(),
            examples,
        })
    }

    /// Forgets classes.
    ///
    /// # Errors
    /// One that is not there.
    pub fn remove(&mut self, labels: &[String]) -> Result<()> {
        for label in labels {
            let place = self.classes.iter().position(|class| class == label);
            let place = place.with_context(|| {
                let classes: Vec<String> = self.classes.iter().map(|c| printable(c)).collect();
                format!(
                    "--remove {}: no class is called so; there are {}",
                    printable(label),
                    classes.join(", ")
                )
            })?;
            self.classes.remove(place);
            self.examples.retain(|example| example.class != place);
            for example in &mut self.examples {
                example.class -= usize::from(example.class > place);
            }
        }
        Ok(())
    }

    /// Refuses to learn without mirror images beside pictures that were learned from with them.
    pub fn refuse_mirror(&self, no_mirror: bool) -> Result<()> {
        ensure!(
            !no_mirror || self.lesson.views == 1,
            "--no-mirror: the classes of the checkpoint were learned from mirror images, too: leave it out, or learn \
             all classes from their pictures"
        );
        Ok(())
    }

    /// All classes and pictures, the earlier ones of a class first, and how many of the new ones were there already. Classes
    /// whose names are in order stay so.
    pub fn with(
        self,
        classes: Vec<String>,
        pictures: Vec<Picture>,
    ) -> (Vec<String>, Vec<Picture>, usize) {
        let Self {
            classes: earlier,
            examples,
            ..
        } = self;
        let mut all = earlier.clone();
        all.extend(
            classes
                .iter()
                .filter(|class| !earlier.contains(class))
                .cloned(),
        );
        if earlier.is_sorted() {
            all.sort();
        }
        let place = |label: &String| all.iter().position(|class| class == label).unwrap_or(0);
        let [from_earlier, from_new] =
            [&earlier, &classes].map(|labels| labels.iter().map(place).collect::<Vec<_>>());
        let bits = |example: &Example| -> (usize, Vec<u32>) {
            let first = example.views.first().into_iter().flatten();
            (example.class, first.map(|value| value.to_bits()).collect())
        };
        let mut merged: Vec<Picture> = Vec::with_capacity(examples.len() + pictures.len());
        for mut example in examples {
            example.class = from_earlier[example.class];
            merged.push(Picture {
                name: None,
                example,
            });
        }
        let known: HashSet<_> = merged
            .iter()
            .map(|picture| bits(&picture.example))
            .collect();
        let mut again = 0;
        for mut picture in pictures {
            picture.example.class = from_new[picture.example.class];
            if known.contains(&bits(&picture.example)) {
                again += 1;
            } else {
                merged.push(picture);
            }
        }
        // It is stable.
        merged.sort_by_key(|picture| picture.example.class);
        (all, merged, again)
    }
}
