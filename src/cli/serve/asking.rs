//! A model that is asked by many requests at once.
//!
//! On a CPU each picture is decoded and answered by one of the worker threads. Where a batch pays, on a
//! GPU, the pictures of all requests are one endless run of the pipeline, which puts those together
//! that are ready.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use std::{io, thread};

use crossbeam_channel::{Receiver, Sender, unbounded};
use mobilenet::dataset::Input;
use mobilenet::pipeline::{Answer, Pipeline};
use tokio::sync::oneshot;

use super::fault::Fault;
use super::workers::{Outcome, Places, Workers, guarded};
use crate::cli::note;

/// A model's pipeline, and how pictures get to it.
pub struct Asking {
    pipeline: Arc<Pipeline>,
    batches: Option<Sender<Question>>,
}

/// A picture, and what is done with its answer.
struct Question {
    input: Input,
    then: Then,
}

type Then = Box<dyn FnOnce(Result<Answer, Fault>, Instant) + Send>;

impl Asking {
    /// A pipeline whose pictures are answered one by one, or together.
    ///
    /// # Errors
    /// A thread that the system does not start.
    pub fn new(pipeline: Pipeline, in_batches: bool) -> io::Result<Self> {
        let pipeline = Arc::new(pipeline);
        let batches = match in_batches {
            true => Some(start_batches(pipeline.clone())?),
            false => None,
        };
        Ok(Self { pipeline, batches })
    }

    /// The pipeline.
    pub fn pipeline(&self) -> &Arc<Pipeline> {
        &self.pipeline
    }

    /// Answers a picture, and makes something of the answer and of when it was begun with, all of it on
    /// other threads.
    pub fn answer<T: Send + 'static>(
        &self,
        workers: &Workers,
        places: Places,
        input: Input,
        then: impl FnOnce(Answer, Instant) -> T + Send + 'static,
    ) -> Outcome<T> {
        let Some(batches) = &self.batches else {
            let pipeline = self.pipeline.clone();
            let work = move || {
                let begun = Instant::now();
                let answer = pipeline.answer(input).map_err(failure)?;
                Ok(then(answer, begun))
            };
            return workers.run(places, work);
        };
        let (sender, outcome) = oneshot::channel();
        let then: Then = Box::new(move |answer, begun| {
            let answer = answer.and_then(|answer| guarded(|| then(answer, begun)));
            // Whoever has the answer may ask again at once.
            drop(places);
            // Nobody may be there any more.
            let _ = sender.send(answer);
        });
        // Where the thread has gone, so has the sender within, and that is seen.
        let _ = batches.send(Question { input, then });
        outcome
    }
}

/// Starts the thread that gives pictures to an endless run of the pipeline, and their answers to
/// whoever waits.
fn start_batches(pipeline: Arc<Pipeline>) -> io::Result<Sender<Question>> {
    let (sender, questions) = unbounded();
    let work = move || {
        // A run that failed has failed all that was in it; the next one may go well.
        while run_of_batches(&pipeline, &questions).is_err() {}
    };
    let builder = thread::Builder::new().name("mobilenet-answers".into());
    builder.spawn(work)?;
    Ok(sender)
}

/// One run, until there is nobody left to ask, or it fails.
fn run_of_batches(pipeline: &Pipeline, questions: &Receiver<Question>) -> Result<(), ()> {
    // Who waits for the answers, in the order of their pictures.
    let waiting: Arc<Mutex<VecDeque<(Then, Instant)>>> = Arc::default();
    let next = || {
        waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    };
    let (inputs, asking) = (questions.clone(), waiting.clone());
    let inputs = inputs.into_iter().map(move |Question { input, then }| {
        let mut asking = asking.lock().unwrap_or_else(PoisonError::into_inner);
        asking.push_back((then, Instant::now()));
        input
    });
    for answer in pipeline.run(inputs) {
        match answer {
            Ok(answer) => {
                if let Some((then, begun)) = next() {
                    then(Ok(answer), begun);
                }
            }
            Err(error) => {
                let fault = failure(error);
                while let Some((then, begun)) = next() {
                    then(Err(fault.clone()), begun);
                }
                return Err(());
            }
        }
    }
    Ok(())
}

/// What a client is told of a failure of the network, and the operator too.
pub fn failure(error: impl std::fmt::Display) -> Fault {
    note(&format!("the network failed: {error}"));
    Fault::internal(format!("the network failed: {error}"))
}
