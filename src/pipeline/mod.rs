//! From pictures to answers: in order, on all threads, in bounded memory.
//!
//! A [`Pipeline`] decodes pictures and shows them to a [`Model`], such as a
//! [`Classifier`](crate::Classifier) or an [`Embedder`](crate::Embedder), and gives one [`Answer`]
//! for each, in the order of the pictures. It is what the program `mobilenet` runs on:
//!
//! * On the CPU each thread takes a picture all the way from its bytes to its answer. For a GPU
//!   the threads decode, and what is ready goes through the network together.
//! * A large JPEG is decoded at a reduced scale, in a fraction of the time. Where the model
//!   [is unsure](Reply::is_unsure) of what it sees, the picture is decoded again in full, by the
//!   same threads, and answered anew.
//! * A few pictures for each thread are on their way at a time, and no more pixels are decoded at
//!   once than there is a budget for, however many pictures there are and however large they are.
//! * A picture that can't be read, or that makes its decoder panic, is an answer that says so. A
//!   batch that a GPU's memory does not hold goes through it in parts. What else fails ends the run
//!   with an [`Error`], whichever thread it was on: the end of the answers is the end of the
//!   pictures.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use mobilenet::dataset;
//! use mobilenet::pipeline::Pipeline;
//! use mobilenet::Classifier;
//!
//! let classifier = Arc::new(Classifier::open("mobilenet_1_0_224_tf.h5")?);
//! let pipeline = Pipeline::new(classifier.clone());
//! for answer in pipeline.run(dataset::path("album")) {
//!     let answer = answer?;
//!     let name = answer.name.display();
//!     match &answer.values {
//!         Ok(scores) => println!("{name}: {}", classifier.top(scores, 1, None)[0].label),
//!         Err(error) => println!("{name}: {error}"),
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A pipeline can be kept and shared: its calls take `&self`, and may be made from many threads at
//! once. Each run has threads of its own, which takes less time than a picture; all runs of a
//! pipeline together decode and compute on no more threads at once than it has.

mod batches;
mod budget;
mod cancel;
mod error;
mod look;
mod model;
mod ordered;

use std::ffi::OsString;
use std::sync::{Arc, OnceLock};
use std::{fmt, thread};

pub use cancel::CancelToken;
pub use error::{Error, Result, Stage};
pub use look::Look;
pub use model::{Model, Reply};

use self::batches::Batches;
use self::look::{Shared, Show};
use self::ordered::{Ordered, ordered};
use crate::dataset::Input;
use crate::error::ImageError;
use crate::pixels::DecodeOptions;

/// Pictures that share a batch on a GPU unless another number is asked for.
const GPU_BATCH: usize = 32;

/// Pictures on their way for each thread: enough that a slow one holds nobody up, and few
/// enough that their memory does not show.
const AHEAD: usize = 4;

/// What turns pictures into answers.
pub struct Pipeline {
    model: Arc<dyn Model>,
    decode: DecodeOptions,
    threads: usize,
    batch_size: Option<usize>,
    /// What its runs share, from the first one on.
    shared: OnceLock<Arc<Shared>>,
}

/// What came of one picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Its name as it was given.
    pub name: OsString,
    /// The model's numbers, such as the probabilities of all classes, or why there are none.
    pub values: Result<Vec<f32>, ImageError>,
    /// By which classes of equal scores go, see [`Reply::order`].
    pub order: Vec<f32>,
    /// Whether the model was shown the preview in a raw photograph.
    pub preview: bool,
}

impl Answer {
    /// Of values, their order and whether they are a preview's, or of none of it.
    fn new(name: OsString, found: Result<(Vec<f32>, Vec<f32>, bool), ImageError>) -> Self {
        let (values, order, preview) = match found {
            Ok((values, order, preview)) => (Ok(values), order, preview),
            Err(error) => (Err(error), Vec::new(), false),
        };
        Self {
            name,
            values,
            order,
            preview,
        }
    }
}

impl Pipeline {
    /// A pipeline for this model, on as many threads as there are cores. Large JPEGs are decoded at
    /// a reduced scale, as the program decodes them unless it is told not to.
    pub fn new(model: Arc<dyn Model>) -> Self {
        Self {
            model,
            decode: DecodeOptions {
                reduced: true,
                ..DecodeOptions::default()
            },
            threads: thread::available_parallelism().map_or(1, Into::into),
            batch_size: None,
            shared: OnceLock::new(),
        }
    }

    /// The same on so many threads, at least one: they decode, and run the network on the CPU.
    pub fn threads(self, threads: usize) -> Self {
        Self {
            threads: threads.max(1),
            shared: OnceLock::new(),
            ..self
        }
    }

    /// The same with at most so many pictures, at least one, that go through the network together.
    /// Without it that is 1 on the CPU, where more are no faster, and 32 elsewhere.
    pub fn batch_size(self, pictures: usize) -> Self {
        Self {
            batch_size: Some(pictures.max(1)),
            shared: OnceLock::new(),
            ..self
        }
    }

    /// The same with other options for decoding.
    pub fn decode_options(self, options: DecodeOptions) -> Self {
        Self {
            decode: options,
            shared: OnceLock::new(),
            ..self
        }
    }

    /// Answers pictures, which are taken from their iterator on a thread of its own as far as they
    /// are wanted. Answers that nobody waits for are not made: the run ends with its iterator.
    pub fn run<I>(&self, inputs: I) -> Answers
    where
        I: IntoIterator<Item = Input, IntoIter: Send + 'static>,
    {
        self.run_until(inputs, &CancelToken::new())
    }

    /// The same until it is cancelled: then the answers end with those that have been begun, of
    /// which those that take long, or wait for ever, are given up after a second.
    pub fn run_until<I>(&self, inputs: I, cancel: &CancelToken) -> Answers
    where
        I: IntoIterator<Item = Input, IntoIter: Send + 'static>,
    {
        let stream = self.stream(inputs.into_iter(), cancel);
        Answers(stream.unwrap_or_else(|error| Stream::Failed(Some(error))))
    }

    fn stream(
        &self,
        inputs: impl Iterator<Item = Input> + Send + 'static,
        cancel: &CancelToken,
    ) -> Result<Stream> {
        let shared = self.shared().clone();
        let on_cpu = shared.together.is_on_cpu();
        let default = if on_cpu { 1 } else { GPU_BATCH };
        let batch = self.batch_size.unwrap_or(default);
        let window = (AHEAD * self.threads).max(2 * batch);
        if on_cpu && batch == 1 {
            let work = move |input| shared.answer(input, &*shared.alone);
            let answers = ordered(inputs, self.threads, window, cancel, work)?;
            return Ok(Stream::EachAlone(answers));
        }
        let decoding = shared.clone();
        let work = move |show: Show| Ok(decoding.picture(show));
        let first = inputs.map(Show::first);
        let pictures = ordered(first, self.threads, window, cancel, work)?;
        Ok(Stream::Batches(Batches::start(
            shared, pictures, batch, window,
        )?))
    }

    /// Answers one picture on this thread, whose work the others share where no other picture is
    /// being answered.
    ///
    /// # Errors
    /// A failure of the model.
    pub fn answer(&self, input: Input) -> Result<Answer> {
        let shared = self.shared();
        shared.answer(input, shared.model())
    }

    /// The same with the pixels that the model was shown.
    ///
    /// # Errors
    /// A failure of the model; within, what is wrong with the picture.
    pub fn look(&self, input: &Input) -> Result<Result<Look, ImageError>> {
        let shared = self.shared();
        shared.look(input, shared.model())
    }

    fn share(&self) -> Shared {
        Shared::new(&*self.model, self.decode.clone(), self.threads)
    }

    fn shared(&self) -> &Arc<Shared> {
        self.shared.get_or_init(|| Arc::new(self.share()))
    }
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline")
            .field("decode", &self.decode)
            .field("threads", &self.threads)
            .field("batch_size", &self.batch_size)
            .finish_non_exhaustive()
    }
}

/// Answers in the order of the pictures. An error is the last item.
pub struct Answers(Stream);

enum Stream {
    EachAlone(Ordered<Input, Answer>),
    Batches(Batches),
    /// It ended, perhaps with an error that nobody has seen yet.
    Failed(Option<Error>),
}

impl Iterator for Answers {
    type Item = Result<Answer>;

    fn next(&mut self) -> Option<Result<Answer>> {
        let next = match &mut self.0 {
            Stream::EachAlone(answers) => answers.next(),
            Stream::Batches(answers) => answers.next(),
            Stream::Failed(error) => error.take().map(Err),
        };
        if !matches!(next, Some(Ok(_))) {
            self.0 = Stream::Failed(None);
        }
        next
    }
}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers").finish_non_exhaustive()
    }
}
