//! A run over pictures: names come from a Python iterable, answers from the library's pipeline.
//!
//! Names are taken on the thread that wants an answer, as Python's iterables expect it. The pipeline has threads
//! of its own, and one here hands its answers on; none of them ever takes the interpreter's lock.

use std::iter::once_with;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use mobilenet::dataset::{self, Input};
use mobilenet::pipeline::{self, Answer, CancelToken, Pipeline};
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::PyIterator;

use crate::errors::{Error, ended};
use crate::fork;

/// Names that are taken ahead of the pictures, and answers that wait to be taken.
const AHEAD: usize = 64;

/// How long Ctrl-C may wait for a picture that takes long.
const BETWEEN_SIGNALS: Duration = Duration::from_millis(50);

/// Answers on their way.
pub struct Run<T> {
    names: Mutex<Names>,
    answers: Receiver<pipeline::Result<T>>,
    /// Whether the end of the answers is that of the pictures.
    complete: Arc<AtomicBool>,
    cancel: CancelToken,
}

/// Answers as the library gives them.
type Found = Box<dyn Iterator<Item = pipeline::Result<Answer>> + Send>;

/// Where the names come from, and where they go.
struct Names {
    /// Both, until one of them ends.
    open: Option<(Py<PyIterator>, Sender<PathBuf>)>,
    /// What went wrong with the iterable, told after the answers to what came before.
    failed: Option<PyErr>,
}

impl<T: Send + 'static> Run<T> {
    /// Begins a run over one path or an iterable of them; of an answer `make` makes what is handed out.
    pub fn start(
        pipeline: Arc<Pipeline>,
        paths: &Bound<'_, PyAny>,
        make: impl Fn(Answer) -> T + Send + 'static,
    ) -> PyResult<Self> {
        fork::check()?;
        let cancel = CancelToken::new();
        let mut open = None;
        // A text is iterable too, and never meant as such.
        let found: Found = match paths.extract::<PathBuf>() {
            Ok(path) if path.is_dir() => Box::new(pipeline.run_until(dataset::path(path), &cancel)),
            // All threads share the work of a single picture.
            Ok(path) => Box::new(once_with(move || pipeline.answer(Input::file(path)))),
            Err(_) => {
                let (sender, names) = bounded::<PathBuf>(AHEAD);
                open = Some((paths.try_iter()?.unbind(), sender));
                let inputs = names.into_iter().flat_map(dataset::path);
                Box::new(pipeline.run_until(inputs, &cancel))
            }
        };
        let complete = Arc::new(AtomicBool::new(false));
        let (hand_out, answers) = bounded(AHEAD);
        let finished = complete.clone();
        let hand_on = move || {
            let mut made = found.map(|answer| answer.map(&make));
            let all = made.try_for_each(|answer| hand_out.send(answer));
            finished.store(all.is_ok(), Ordering::Release);
        };
        let thread = thread::Builder::new().name("mobilenet-answers".into());
        thread.spawn(hand_on)?;
        let failed = None;
        Ok(Self {
            names: Mutex::new(Names { open, failed }),
            answers,
            complete,
            cancel,
        })
    }

    /// The next answer; none at the end. Other Python threads go on meanwhile.
    pub fn next(&self, py: Python<'_>) -> PyResult<Option<T>> {
        fork::check()?;
        loop {
            if self.cancel.is_cancelled() {
                return Ok(None);
            }
            self.name_more(py)?;
            match py.detach(|| self.answers.recv_timeout(BETWEEN_SIGNALS)) {
                Ok(Ok(answer)) => return Ok(Some(answer)),
                Ok(Err(error)) => return Err(ended(&error)),
                Err(RecvTimeoutError::Timeout) => {
                    py.check_signals().inspect_err(|_| self.cancel())?;
                }
                Err(RecvTimeoutError::Disconnected) => return self.end(),
            }
        }
    }

    /// Ends it: what is under way is not waited for.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }

    /// Takes names until there are enough, or an answer is there. A thread that finds another one at it leaves
    /// it to that.
    fn name_more(&self, py: Python<'_>) -> PyResult<()> {
        let Ok(mut names) = self.names.try_lock() else {
            return Ok(());
        };
        while let Some((paths, sender)) = &names.open
            && !sender.is_full()
        {
            let path = paths.bind(py).clone().next().map(|path| path?.extract());
            // The run may have ended before its names.
            let sent = path.map(|path| Ok(sender.send(path?).is_ok()));
            if !matches!(sent, Some(Ok(true))) {
                names.failed = sent.and_then(Result::err);
                names.open = None;
            }
            // Ctrl-C, and what else is no `Exception`, waits for no rows.
            if let Some(error) = names
                .failed
                .take_if(|error| !error.is_instance_of::<PyException>(py))
            {
                self.cancel();
                return Err(error);
            }
            if !self.answers.is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// What comes after the last answer.
    fn end(&self) -> PyResult<Option<T>> {
        if let Ok(mut names) = self.names.try_lock()
            && let Some(error) = names.failed.take()
        {
            return Err(error);
        }
        match self.complete.load(Ordering::Acquire) || self.cancel.is_cancelled() {
            true => Ok(None),
            false => Err(Error::new_err(
                "the thread that hands out answers ended in the middle of its work, which is a defect",
            )),
        }
    }
}

/// Nobody wants the rest.
impl<T> Drop for Run<T> {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}
