//! A run over pictures: answers in order, failures told, progress shown.

use std::cell::Cell;
use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::panic::resume_unwind;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::Result;
use crossbeam_channel::bounded;
use mobilenet::dataset::{Input, Inputs};
use mobilenet::pipeline::{self, Answer, Pipeline};

use super::advice::picture_error;
use super::interrupt::Interrupt;
use super::progress::PictureProgress;
use super::terminal::{printable, printable_name};
use super::{Global, Outcome, note};

/// Names that are looked up ahead of the pictures, for a progress bar that knows how many there
/// are: a few megabytes at most.
const NAMES_AHEAD: usize = 1 << 16;

/// A run over the pictures of a command line.
pub struct Session {
    pipeline: Pipeline,
    inputs: Inputs,
    /// One picture, and there can't be more.
    single: bool,
    /// Tell each failure on stderr.
    tell_failures: bool,
    /// The answers share the terminal with the progress.
    on_terminal: bool,
    /// What an earlier run left, if this one goes on with it.
    earlier: Option<Left>,
    /// Whether there were pictures that were left out.
    left_out: Arc<AtomicBool>,
    global: Global,
}

/// The rows that an earlier run left.
#[derive(Debug, Clone, Default)]
pub struct Left {
    pub answered: u64,
    /// Fewer, as they are tried again.
    pub failed: Rc<Cell<u64>>,
    /// What to do about those.
    pub advice: &'static str,
}

/// How a run went.
#[derive(Debug, Default, Clone, Copy)]
pub struct Tally {
    pub answered: u64,
    pub failed: u64,
    /// Those of the answered that are raw photographs, answered from the preview in them.
    pub previews: u64,
    /// Failures that an earlier run left in the output.
    pub failed_earlier: u64,
    /// The program was asked to stop before the end.
    pub interrupted: bool,
}

impl Session {
    /// A run of these pictures through a pipeline. `single` says that it is one picture, and can't
    /// be more: then all threads share its work, and nothing is summed up.
    pub fn new(inputs: Inputs, single: bool, pipeline: Pipeline, global: Global) -> Self {
        Self {
            pipeline,
            inputs,
            single,
            tell_failures: true,
            on_terminal: std::io::stdout().is_terminal(),
            earlier: None,
            left_out: Arc::default(),
            global,
        }
    }

    /// Tells of failures only where nobody asked for quiet: they are in the output.
    pub fn with_failures_in_output(mut self) -> Self {
        self.tell_failures = !self.global.quiet;
        self
    }

    /// The answers go to a file.
    pub fn with_answers_elsewhere(mut self) -> Self {
        self.on_terminal = false;
        self
    }

    /// It goes on with an earlier run.
    pub fn after(mut self, earlier: Left) -> Self {
        self.earlier = Some(earlier);
        // So that it is summed up, whatever is left to do.
        self.single = false;
        self
    }

    /// Leaves out some of the pictures.
    pub fn filter(mut self, mut wanted: impl FnMut(&Input) -> bool + Send + 'static) -> Self {
        let left_out = self.left_out.clone();
        self.inputs = Box::new(self.inputs.filter(move |input| {
            let is_wanted = wanted(input);
            left_out.fetch_or(!is_wanted, Ordering::Relaxed);
            is_wanted
        }));
        self
    }

    /// Gives each answer to `take`, in the order of the pictures, until it breaks off.
    ///
    /// # Errors
    /// Those of `take`, and a failure of the network.
    pub fn run(self, mut take: impl FnMut(&Answer) -> Result<ControlFlow<()>>) -> Result<Tally> {
        let begin = Instant::now();
        let mut tally = Tally::default();
        if self.single {
            for input in self.inputs {
                let answer = self.pipeline.answer(input).map_err(pipeline_error)?;
                tally.add(&answer);
                if self.tell_failures {
                    tell_failure(&answer);
                }
                tally.tell_previews(self.global);
                if take(&answer)?.is_break() {
                    break;
                }
            }
            return Ok(tally);
        }
        let progress = PictureProgress::new(self.global);
        let inputs: Inputs = match progress.is_visible() {
            true => look_ahead(progress.count(self.inputs)),
            false => self.inputs,
        };
        let interrupt = Interrupt::watch();
        for answer in self.pipeline.run_until(inputs, interrupt.token()) {
            let answer = answer.map_err(pipeline_error)?;
            tally.add(&answer);
            if self.tell_failures && answer.values.is_err() {
                progress.above(|| tell_failure(&answer));
            }
            let taken = match self.on_terminal {
                true => progress.above(|| take(&answer)),
                false => take(&answer),
            };
            progress.advance();
            if taken?.is_break() {
                return Ok(tally);
            }
        }
        drop(progress);
        tally.interrupted = interrupt.happened();
        tally.failed_earlier = self.earlier.as_ref().map_or(0, |left| left.failed.get());
        tally.tell_previews(self.global);
        if !self.global.quiet {
            // Where all were left out, there is nothing to tell.
            let is_empty = tally.is_empty() && !self.left_out.load(Ordering::Relaxed);
            if is_empty && self.earlier.is_none() {
                note("no pictures found");
            } else if !tally.is_empty() || self.earlier.is_some() {
                tally.tell(begin, self.earlier.as_ref(), self.global);
            }
        }
        Ok(tally)
    }
}

impl Tally {
    /// Whether there was nothing to do.
    fn is_empty(self) -> bool {
        self.answered + self.failed == 0 && !self.interrupted
    }

    /// How a command that answered these pictures, and did nothing else, ended.
    pub fn outcome(&self) -> Outcome {
        if self.interrupted {
            Outcome::Interrupted
        } else if self.failed + self.failed_earlier > 0 {
            Outcome::Incomplete
        } else {
            Outcome::Complete
        }
    }

    /// Says of raw photographs what was looked at.
    fn tell_previews(self, global: Global) {
        if self.previews > 0 && !global.quiet {
            tell_previews(self.previews);
        }
    }

    fn add(&mut self, answer: &Answer) {
        self.previews += u64::from(answer.preview);
        match answer.values {
            Ok(_) => self.answered += 1,
            Err(_) => self.failed += 1,
        }
    }

    /// Sums up on a terminal, and wherever it did not go well.
    fn tell(self, begin: Instant, earlier: Option<&Left>, global: Global) {
        let Self {
            answered,
            failed,
            interrupted,
            ..
        } = self;
        let failed_earlier = earlier.map_or(0, |earlier| earlier.failed.get());
        if failed + failed_earlier > 0
            || interrupted
            || global.verbose
            || std::io::stderr().is_terminal()
        {
            // Failures are quick, and say nothing of the network.
            let speed = match answered {
                0 => String::new(),
                _ => {
                    let speed = (answered + failed) as f64 / begin.elapsed().as_secs_f64();
                    format!(", {speed:.1} images per second")
                }
            };
            let stopped = if interrupted { "stopped: " } else { "" };
            let before = earlier.map_or_else(String::new, |earlier| {
                let advice = if failed_earlier > 0 {
                    earlier.advice
                } else {
                    ""
                };
                let answered = earlier.answered;
                format!("; earlier: {answered} answered, {failed_earlier} failed{advice}")
            });
            note(&format!(
                "{stopped}{answered} answered, {failed} failed{speed}{before}"
            ));
        }
    }
}

/// The library's error itself, where a model failed, so that advice can be found for it.
pub fn pipeline_error(error: pipeline::Error) -> anyhow::Error {
    match error {
        pipeline::Error::Model(error) => error.into(),
        other => other.into(),
    }
}

/// Says that so many raw photographs were answered from the previews in them.
pub fn tell_previews(photographs: u64) {
    note(&match photographs {
        1 => {
            "a raw photograph: its answer is that of the preview that the camera put into it".into()
        }
        many => format!(
            "{many} raw photographs: their answers are those of the previews that cameras put into them"
        ),
    });
}

fn tell_failure(answer: &Answer) {
    if let Err(error) = &answer.values {
        let name = printable_name(&answer.name);
        let message = printable(&picture_error(error));
        note(&format!("{name}: {message}"));
    }
}

/// The same items, looked for ahead of time on a thread of their own. If it panics, so does who asks
/// for the next item.
fn look_ahead(items: impl Iterator<Item = Input> + Send + 'static) -> Inputs {
    let (sender, receiver) = bounded(NAMES_AHEAD);
    let thread = std::thread::spawn(move || {
        for item in items {
            if sender.send(item).is_err() {
                break;
            }
        }
    });
    let end = std::iter::once_with(move || thread.join());
    let end = end.filter_map(|ended| ended.err().map(|payload| resume_unwind(payload)));
    Box::new(receiver.into_iter().chain(end))
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    /// It must not look like the end.
    #[test]
    fn a_panic_ahead_is_seen() {
        let items = (0..3).map(|i| match i {
            2 => resume_unwind(Box::new("defect")),
            _ => Input::file(i.to_string()),
        });
        let mut ahead = look_ahead(items);
        assert!(ahead.next().is_some() && ahead.next().is_some());
        let third = catch_unwind(std::panic::AssertUnwindSafe(|| ahead.next()));
        let payload = third.expect_err("a panic");
        assert_eq!(payload.downcast_ref(), Some(&"defect"));
    }
}
