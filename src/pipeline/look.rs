//! Looking at a picture, twice where it has to be.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Answer;
use super::budget::Budget;
use super::error::{Error, Result, Stage};
use super::model::{Model, Reply};
use crate::dataset::Input;
use crate::error::ImageError;
use crate::pixels::{DecodeOptions, Pixels, Prepared, dimensions};

/// Pixels of a large photograph, for as many of which as there are threads there is always room.
const PHOTOGRAPH: u64 = 24_000_000;

/// What a model said of a picture, and what it was shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// The pixels that it was shown, at the network's size.
    pub pixels: Pixels,
    /// Its numbers.
    pub values: Vec<f32>,
    /// By which classes of equal scores go.
    pub order: Vec<f32>,
    /// Whether the pixels are those of the preview in a raw photograph.
    pub preview: bool,
}

/// What all runs of a pipeline share.
pub struct Shared {
    /// The model on one thread, for those that have a picture each.
    pub alone: Arc<dyn Model>,
    /// The model on all threads.
    pub together: Arc<dyn Model>,
    decode: DecodeOptions,
    /// The largest batch that the device's memory holds, as far as has been seen.
    fits: AtomicUsize,
    /// Pixels that may be decoded at once.
    pixels: Budget,
    /// Threads that may be at work at once.
    turns: Budget,
}

/// A picture that is to be shown to the model.
pub struct Show {
    input: Input,
    /// Decode it at its full size, whatever the options say.
    in_full: bool,
}

/// A picture at the network's size, or why there is none.
pub struct Picture {
    pub input: Input,
    pub prepared: Result<Prepared, ImageError>,
}

impl Show {
    pub fn first(input: Input) -> Self {
        Self {
            input,
            in_full: false,
        }
    }

    pub fn again(input: Input) -> Self {
        Self {
            input,
            in_full: true,
        }
    }
}

impl Shared {
    pub fn new(model: &dyn Model, decode: DecodeOptions, threads: usize) -> Self {
        let pixels = (threads as u64 * PHOTOGRAPH).max(decode.max_pixels);
        Self {
            alone: model.on_threads(1),
            together: model.on_threads(threads),
            decode,
            fits: AtomicUsize::new(usize::MAX),
            pixels: Budget::new(pixels),
            turns: Budget::new(threads as u64),
        }
    }

    /// The model for a picture that is answered now: on all threads, unless they are at work.
    pub fn model(&self) -> &dyn Model {
        if self.turns.is_whole() {
            &*self.together
        } else {
            &*self.alone
        }
    }

    pub fn answer(&self, input: Input, model: &dyn Model) -> Result<Answer> {
        let look = self.look(&input, model)?;
        let look = look.map(|look| (look.values, look.order, look.preview));
        Ok(Answer::new(input.name, look))
    }

    /// Shows a picture to the model, twice where it has to be.
    pub fn look(&self, input: &Input, model: &dyn Model) -> Result<Result<Look, ImageError>> {
        let mut in_full = false;
        loop {
            let prepared = match self.prepare(input, in_full) {
                Ok(prepared) => prepared,
                Err(error) => return Ok(Err(error)),
            };
            let Prepared {
                pixels,
                reduced,
                preview,
            } = prepared;
            let pixels = [pixels];
            let turn = self.turns.take(1);
            let mut replies = self.ask(model, &pixels)?;
            drop(turn);
            let (Some(reply), [pixels]) = (replies.pop(), pixels) else {
                return Err(Error::Lost);
            };
            if !wants_another_look(reduced, &reply) {
                let Reply { values, order, .. } = reply;
                return Ok(Ok(Look {
                    pixels,
                    values,
                    order,
                    preview,
                }));
            }
            in_full = true;
        }
    }

    /// What the network will see of a picture.
    pub fn picture(&self, Show { input, in_full }: Show) -> Picture {
        let prepared = self.prepare(&input, in_full);
        Picture { input, prepared }
    }

    fn prepare(&self, input: &Input, in_full: bool) -> Result<Prepared, ImageError> {
        let options = DecodeOptions {
            reduced: self.decode.reduced && !in_full,
            ..self.decode.clone()
        };
        let recipe = self.together.preprocessing();
        input.decode(&options, |bytes| {
            // Always in this order, so that nobody who has one waits for who has the other.
            let _turn = self.turns.take(1);
            let _share = self.pixels.take(pixels_of(bytes));
            recipe.read(bytes, &options)
        })
    }

    /// The model's replies to some pictures, in smaller batches where the device's memory does not
    /// hold all of them.
    pub fn ask(&self, model: &dyn Model, inputs: &[Pixels]) -> Result<Vec<Reply>> {
        let mut replies = Vec::with_capacity(inputs.len());
        while replies.len() < inputs.len() {
            let rest = &inputs[replies.len()..];
            let part = rest.len().min(self.fits.load(Ordering::Relaxed));
            let answer = || model.answer(&rest[..part]);
            let answered = catch_unwind(AssertUnwindSafe(answer));
            match answered.map_err(|payload| Error::panicked(Stage::Model, &*payload))? {
                Ok(more) if more.len() == part => replies.extend(more),
                Ok(_) => return Err(Error::Lost),
                Err(error) if part > 1 && error.is_out_of_memory() => {
                    self.fits.fetch_min(part / 2, Ordering::Relaxed);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(replies)
    }
}

/// Whether a picture has to be decoded in full and answered anew.
pub fn wants_another_look(reduced: bool, reply: &Reply) -> bool {
    reduced && reply.is_unsure
}

/// Width times height, as far as the header tells.
fn pixels_of(bytes: &[u8]) -> u64 {
    let (width, height) = dimensions(bytes).unwrap_or((0, 0));
    u64::from(width) * u64::from(height)
}
