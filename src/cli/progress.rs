//! Progress bars on stderr, where that is a terminal.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mobilenet::weights::Progress;

use super::Global;

/// A bar that shows nothing in a pipe, and with `--quiet`.
fn bar(global: Global) -> ProgressBar {
    let target = match global.quiet {
        true => ProgressDrawTarget::hidden(),
        // indicatif draws nothing where stderr is not a terminal.
        false => ProgressDrawTarget::stderr(),
    };
    ProgressBar::with_draw_target(None, target)
}

fn show(bar: &ProgressBar, template: &str) {
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
}

/// The progress of a download.
pub struct Download {
    bar: ProgressBar,
}

impl Download {
    /// A bar for it.
    pub fn new(global: Global) -> Self {
        Self { bar: bar(global) }
    }
}

impl Progress for Download {
    fn start(&self, name: &str, bytes: Option<u64>) {
        if let Some(bytes) = bytes {
            self.bar.set_length(bytes);
        }
        let template = match bytes {
            Some(_) => "{msg}  {bar:20} {bytes}/{total_bytes}  {binary_bytes_per_sec}",
            None => "{msg}  {spinner} {bytes}  {binary_bytes_per_sec}",
        };
        show(&self.bar, template);
        self.bar.set_message(name.to_owned());
        self.bar.reset();
    }

    fn advance(&self, bytes: u64) {
        self.bar.inc(bytes);
    }

    fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// The progress of a run over pictures.
pub struct Pictures {
    bar: ProgressBar,
    found: Arc<Found>,
}

/// The pictures that were found so far.
#[derive(Default)]
struct Found {
    pictures: AtomicU64,
    /// `pictures` once there are no more of them, else 0.
    all: AtomicU64,
}

impl Pictures {
    /// A bar for a run.
    pub fn new(global: Global) -> Self {
        let bar = bar(global);
        show(&bar, "{spinner} {human_pos} pictures  {per_sec}");
        Self {
            bar,
            found: Arc::default(),
        }
    }

    /// Whether anybody sees it.
    pub fn is_visible(&self) -> bool {
        !self.bar.is_hidden()
    }

    /// Counts what passes by, so that the bar knows how many there are.
    pub fn count<I: Iterator>(&self, mut items: I) -> impl Iterator<Item = I::Item> + use<I> {
        let found = self.found.clone();
        std::iter::from_fn(move || {
            let item = items.next();
            match item {
                Some(_) => found.pictures.fetch_add(1, Ordering::Relaxed),
                None => {
                    let all = found.pictures.load(Ordering::Relaxed);
                    found.all.swap(all, Ordering::Relaxed)
                }
            };
            item
        })
    }

    /// One more was answered.
    pub fn advance(&self) {
        let all = self.found.all.load(Ordering::Relaxed);
        if all > 0 && self.bar.length().is_none() {
            self.bar.set_length(all);
            let template = "{bar:20} {human_pos}/{human_len}  {per_sec}  {eta} left";
            show(&self.bar, template);
        }
        self.bar.inc(1);
    }

    /// Writes something to the terminal above the bar.
    pub fn above<T>(&self, write: impl FnOnce() -> T) -> T {
        match self.is_visible() {
            true => self.bar.suspend(write),
            false => write(),
        }
    }
}

impl Drop for Pictures {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
