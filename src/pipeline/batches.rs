//! Pictures that go through the network together.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};

use super::Answer;
use super::error::{Error, Result, Stage};
use super::look::{Picture, Shared, Show, wants_another_look};
use super::ordered::{Next, Ordered, Ticket, join, start};
use crate::error::ImageError;

/// Answers to pictures that go through the network in batches, on a thread of its own, while the
/// next ones are decoded and the last answers taken.
pub struct Batches {
    answers: Receiver<Result<Answer>>,
    thread: Option<JoinHandle<()>>,
}

impl Batches {
    /// Starts the thread. A batch is of what is ready, at most `size` pictures; at most `window`
    /// answers wait for one before them, whose picture is decoded again.
    pub fn start(
        shared: Arc<Shared>,
        pictures: Ordered<Show, Picture>,
        size: usize,
        window: usize,
    ) -> Result<Self> {
        let (sender, answers) = bounded(2 * size);
        let batching = Batching {
            shared,
            pictures,
            size,
            window: window.max(2 * size),
            slots: VecDeque::new(),
            at_end: false,
            failed: None,
            sender,
        };
        let thread = start("mobilenet-batches", move || batching.run())?;
        Ok(Self {
            answers,
            thread: Some(thread),
        })
    }
}

impl Iterator for Batches {
    type Item = Result<Answer>;

    fn next(&mut self) -> Option<Result<Answer>> {
        if let Ok(answer) = self.answers.recv() {
            return Some(answer);
        }
        // The thread has ended, and that must not look like the end of the pictures if it was not.
        let ended = self
            .thread
            .take()
            .map(|thread| join(thread, Stage::Batching));
        ended.and_then(Result::err).map(Err)
    }
}

/// What the thread works with.
struct Batching {
    shared: Arc<Shared>,
    pictures: Ordered<Show, Picture>,
    size: usize,
    window: usize,
    /// The answers that are not yet given, in the order of the pictures.
    slots: VecDeque<Slot>,
    /// There are no more pictures but those that are decoded again.
    at_end: bool,
    /// Why that is before their end.
    failed: Option<Error>,
    sender: Sender<Result<Answer>>,
}

/// What is known of an answer.
enum Slot {
    Answered(Answer),
    /// Its picture is in the batch.
    Asked,
    /// Its picture is decoded again.
    Awaited(Ticket<Picture>),
}

/// Pictures with their slots' numbers.
type Batch = Vec<(usize, Picture)>;

impl Batching {
    fn run(mut self) {
        let ended = self.answer_all();
        if let Err(error) = ended {
            // Nobody may be waiting for it any more.
            let _ = self.sender.send(Err(error));
        }
    }

    /// Answers all pictures. It ends early where nobody wants the answers, or where the run was
    /// cancelled.
    fn answer_all(&mut self) -> Result<()> {
        loop {
            let batch = self.gather()?;
            if !batch.is_empty() {
                self.answer(batch)?;
                if self.give().is_err() {
                    return Ok(());
                }
            } else if !self.wait() {
                let failed = self.failed.take().or_else(|| self.pictures.end());
                return failed.map_or(Ok(()), Err);
            }
        }
    }

    /// What is ready: of the pictures that were decoded again, for which others wait, and then of
    /// the others.
    fn gather(&mut self) -> Result<Batch> {
        let mut batch = Batch::new();
        let mut answerable = self.slots.len();
        for (number, slot) in self.slots.iter_mut().enumerate() {
            if batch.len() == self.size {
                return Ok(batch);
            }
            let Slot::Awaited(ticket) = slot else {
                continue;
            };
            match ticket.try_recv() {
                Ok(picture) => {
                    batch.push((number, picture?));
                    *slot = Slot::Asked;
                }
                Err(TryRecvError::Empty) => {}
                // A worker that finds the run cancelled gives nothing for the ticket.
                Err(TryRecvError::Disconnected) if self.pictures.is_cancelled() => {
                    answerable = number;
                    self.at_end = true;
                    break;
                }
                Err(TryRecvError::Disconnected) => return Err(Error::Lost),
            }
        }
        self.slots.truncate(answerable);
        // No picture is taken before there is room for its answer.
        while !self.at_end && batch.len() < self.size && self.slots.len() < self.window {
            match self.pictures.poll() {
                Next::Ready(Ok(picture)) => {
                    batch.push((self.slots.len(), picture));
                    self.slots.push_back(Slot::Asked);
                }
                // Those before it are answered first.
                Next::Ready(Err(error)) => {
                    self.failed = Some(error);
                    self.at_end = true;
                }
                Next::Pending => break,
                Next::End => self.at_end = true,
            }
        }
        Ok(batch)
    }

    /// Waits until there may be something to gather; false where there will be nothing.
    fn wait(&mut self) -> bool {
        let over = self.pictures.is_over();
        let oldest = self.slots.iter().find_map(|slot| match slot {
            // A cancelled run may never get it.
            Slot::Awaited(ticket) if !over => Some(ticket),
            _ => None,
        });
        match oldest {
            None if self.at_end || over => return false,
            Some(ticket) if self.at_end || self.slots.len() >= self.window => {
                self.pictures.wait_for(ticket);
            }
            oldest => self.pictures.wait(oldest),
        }
        true
    }

    /// Answers a batch, or has its pictures decoded again.
    fn answer(&mut self, batch: Batch) -> Result<()> {
        let mut inputs = Vec::with_capacity(batch.len());
        let mut shown = Vec::with_capacity(batch.len());
        for (number, Picture { input, prepared }) in batch {
            match prepared {
                Ok(prepared) => {
                    inputs.push(prepared.pixels);
                    shown.push((number, input, prepared.reduced, prepared.preview));
                }
                Err(error) => self.slots[number] = answered(input.name, Err(error)),
            }
        }
        let replies = self.shared.ask(&*self.shared.together, &inputs)?;
        for ((number, input, reduced, preview), reply) in shown.into_iter().zip(replies) {
            self.slots[number] = if wants_another_look(reduced, &reply) {
                Slot::Awaited(self.pictures.again(Show::again(input)))
            } else {
                answered(input.name, Ok((reply.values, reply.order, preview)))
            };
        }
        Ok(())
    }

    /// Gives the answers that wait for none before them; an error where nobody wants them.
    fn give(&mut self) -> Result<(), Unwanted> {
        loop {
            match self.slots.pop_front() {
                Some(Slot::Answered(answer)) => {
                    self.sender.send(Ok(answer)).map_err(|_| Unwanted)?;
                }
                Some(other) => {
                    self.slots.push_front(other);
                    return Ok(());
                }
                None => return Ok(()),
            }
        }
    }
}

/// Nobody waits for the answers any more.
struct Unwanted;

fn answered(name: OsString, found: Result<(Vec<f32>, Vec<f32>, bool), ImageError>) -> Slot {
    Slot::Answered(Answer::new(name, found))
}
