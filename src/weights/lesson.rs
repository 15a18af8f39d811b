//! What a checkpoint's classes were learned from, in the checkpoint.

use std::sync::Arc;

use super::checkpoint::Checkpoint;
use super::imported::Tensors;
use super::recognise::Stated;
use super::safetensors::{Header, LEARNED, SafetensorsFile};
use crate::error::{Error, Result};
use crate::learn::{Example, Lesson};
use crate::model::TensorSource;

/// A lesson with the embeddings of its pictures.
#[derive(Debug, Clone)]
pub(super) struct StoredLesson {
    pub lesson: Lesson,
    pub examples: Examples,
}

/// Where the embeddings are.
#[derive(Debug, Clone)]
pub(super) enum Examples {
    Nowhere,
    /// In the file that was read, which is not looked at before they are asked for.
    InFile,
    InMemory(Arc<Vec<f32>>),
}

impl StoredLesson {
    /// What a header says, where a file has it. The embeddings are none of the network's tensors then.
    pub fn of(header: &mut Header, stated: &mut Vec<Stated>) -> Result<Option<Self>> {
        let Some(mut lesson) = header.learned.take() else {
            return Ok(None);
        };
        lesson
            .validate(header.config.classes)
            .map_err(Error::input)?;
        let mut examples = Examples::Nowhere;
        if lesson.has_examples {
            let shape = [lesson.count(), lesson.views, header.config.embedding_len()];
            let is_it = |tensor: &Stated| tensor.name == LEARNED;
            let found = stated.iter().position(is_it);
            let found = found.map(|at| stated.swap_remove(at));
            if found.is_none_or(|it| it.shape != shape || !it.is_numeric) {
                return Err(Error::tensor(
                    LEARNED,
                    format!("of shape {shape:?} is missing"),
                ));
            }
            examples = Examples::InFile;
        }
        lesson.has_examples = !matches!(examples, Examples::Nowhere);
        Ok(Some(Self { lesson, examples }))
    }

    /// The same without the embeddings.
    pub fn without_examples(&self) -> Self {
        let lesson = Lesson {
            has_examples: false,
            ..self.lesson.clone()
        };
        Self {
            lesson,
            examples: Examples::Nowhere,
        }
    }

    /// The values of the embeddings of each picture's first view.
    pub fn first_views(&self, file: &SafetensorsFile, len: usize) -> Result<Option<Vec<f32>>> {
        if !self.lesson.has_examples {
            return Ok(None);
        }
        let shape = [self.lesson.count(), self.lesson.views, len];
        let values = file.tensor(LEARNED, &shape)?.numbers()?.into_owned();
        let pictures = values.chunks_exact(self.lesson.views * len);
        Ok(Some(
            pictures.flat_map(|views| &views[..len]).copied().collect(),
        ))
    }
}

impl Checkpoint {
    /// How its classes were learned, if it says so.
    pub fn lesson(&self) -> Option<&Lesson> {
        self.lesson.as_ref().map(|stored| &stored.lesson)
    }

    /// The embeddings of all pictures that its classes were learned from, class by class, if it has them: what is
    /// [learned](crate::learn::learn) from them and others is what is learned from all at once.
    ///
    /// # Errors
    /// A file that can't be read.
    pub fn lesson_examples(&self) -> Result<Option<Vec<Example>>> {
        let Some(stored) = &self.lesson else {
            return Ok(None);
        };
        let values = self.lesson_values()?;
        let len = self.config.embedding_len();
        Ok(values.map(|values| stored.lesson.examples(&values, len)))
    }

    /// The same with a record of how its classes were learned, and the examples that they were learned from, class by
    /// class, if those are to be kept.
    ///
    /// # Errors
    /// A record of other classes, or of other examples.
    pub fn with_lesson(mut self, lesson: Lesson, examples: Option<&[Example]>) -> Result<Self> {
        let error = |reason| Error::checkpoint(&self.path, reason);
        lesson.validate(self.config.classes).map_err(error)?;
        let kept = match examples {
            Some(examples) => Examples::InMemory(Arc::new(lesson.values(examples)?)),
            None => Examples::Nowhere,
        };
        let lesson = Lesson {
            has_examples: examples.is_some(),
            ..lesson
        };
        self.lesson = Some(StoredLesson {
            lesson,
            examples: kept,
        });
        Ok(self)
    }

    /// The same without the embeddings of the pictures that its classes were learned from, but for those that tell a
    /// familiar picture.
    pub fn without_lesson_examples(self) -> Self {
        let lesson = self.lesson.as_ref().map(StoredLesson::without_examples);
        Self { lesson, ..self }
    }

    /// `[pictures, views, len]`.
    pub(super) fn lesson_values(&self) -> Result<Option<Vec<f32>>> {
        let Some(StoredLesson { lesson, examples }) = &self.lesson else {
            return Ok(None);
        };
        match (examples, &self.tensors) {
            (Examples::InMemory(values), _) => Ok(Some(values.to_vec())),
            (Examples::InFile, Tensors::File(file)) => {
                let shape = [lesson.count(), lesson.views, self.config.embedding_len()];
                Ok(Some(file.tensor(LEARNED, &shape)?.numbers()?.into_owned()))
            }
            _ => Ok(None),
        }
    }
}
