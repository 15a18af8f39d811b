//! Progress bars on stderr, where that is a terminal.

use std::cell::Cell;
use std::fmt;
use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use mobilenet::train::Shown;
use mobilenet::weights::Progress;

use super::terminal::printable;
use super::{Global, note};

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
        bar.set_style(style.with_key("speed", speed));
    }
}

fn speed(state: &ProgressState, out: &mut dyn fmt::Write) {
    let speed = state.per_sec();
    let decimals = usize::from(speed < 10.0);
    let _ = write!(out, "{speed:.decimals$}/s");
}

/// The progress of a download.
pub struct Download {
    bar: ProgressBar,
    global: Global,
}

impl Download {
    /// A bar for it.
    pub fn new(global: Global) -> Self {
        let bar = bar(global);
        Self { bar, global }
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

    fn note(&self, text: &str) {
        let watched = io::stderr().is_terminal() && !self.global.quiet;
        if watched || self.global.verbose {
            self.bar.suspend(|| note(&printable(text)));
        }
    }
}

/// Something that takes a while and can't tell how long.
pub struct Waiting(ProgressBar);

impl Waiting {
    /// Shows what is being done until it is dropped.
    pub fn new(global: Global, what: &'static str) -> Self {
        let bar = bar(global);
        show(&bar, "{spinner} {msg}  {elapsed}");
        bar.set_message(what);
        bar.enable_steady_tick(PATIENCE / 2);
        Self(bar)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// How long a run takes before a bar is worth showing.
const PATIENCE: Duration = Duration::from_millis(300);

/// The progress of a run over pictures.
pub struct PictureProgress {
    bar: ProgressBar,
    found: Arc<FoundCount>,
    begin: Instant,
    /// Somebody may see it, once it is shown.
    visible: bool,
    shown: Cell<bool>,
}

/// The pictures that were found so far.
#[derive(Default)]
struct FoundCount {
    pictures: AtomicU64,
    /// `pictures` once there are no more of them, else 0.
    all: AtomicU64,
}

impl PictureProgress {
    /// A bar for a run, which shows nothing in a pipe, and with `--quiet`.
    pub fn new(global: Global) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        show(&bar, "{spinner} {human_pos} pictures  {speed}");
        Self {
            bar,
            found: Arc::default(),
            begin: Instant::now(),
            visible: io::stderr().is_terminal() && !global.quiet,
            shown: Cell::new(false),
        }
    }

    /// Whether anybody sees it.
    pub fn is_visible(&self) -> bool {
        self.visible
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
        if !self.visible {
            return;
        }
        let all = self.found.all.load(Ordering::Relaxed);
        if all > 0 && self.bar.length().is_none() {
            self.bar.set_length(all);
            let template = "{bar:20} {human_pos}/{human_len}  {speed}  {eta} left";
            show(&self.bar, template);
        }
        self.bar.inc(1);
        if !self.shown.get() && self.begin.elapsed() > PATIENCE {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
            self.shown.set(true);
        }
    }

    /// Writes something to the terminal above the bar.
    pub fn above<T>(&self, write: impl FnOnce() -> T) -> T {
        match self.shown.get() {
            true => self.bar.suspend(write),
            false => write(),
        }
    }
}

impl Drop for PictureProgress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// The progress of comparing all with all, of which only the share that is done is known.
pub struct Comparing {
    bar: ProgressBar,
    begin: Instant,
    global: Global,
}

impl Comparing {
    /// A bar for it, which shows nothing in a pipe, and with `--quiet`.
    pub fn new(global: Global) -> Self {
        let hidden = ProgressDrawTarget::hidden();
        let bar = ProgressBar::with_draw_target(Some(100), hidden);
        show(&bar, "{bar:20} {percent} % compared  {eta} left");
        let begin = Instant::now();
        Self { bar, begin, global }
    }

    /// So much is done, of 1.
    pub fn done(&self, share: f64) {
        self.bar.set_position((share * 100.0) as u64);
        if self.bar.is_hidden() && !self.global.quiet && self.begin.elapsed() > PATIENCE {
            // indicatif draws nothing where stderr is not a terminal.
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }
}

impl Drop for Comparing {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// The progress of training, over all epochs.
pub struct Training {
    bar: ProgressBar,
    /// Of a run.
    epochs: usize,
    /// Epochs that are left to do in all, at the beginning.
    left: usize,
    done: Cell<usize>,
}

impl Training {
    /// A bar for `left` epochs, of runs of `epochs` each, which shows nothing in a pipe, and with
    /// `--quiet`.
    pub fn new(epochs: usize, left: usize, global: Global) -> Self {
        let bar = bar(global);
        show(&bar, "{msg}  {wide_bar} {percent} %  {eta} left");
        Self {
            bar,
            epochs,
            left,
            done: Cell::new(0),
        }
    }

    /// So far an epoch is.
    pub fn show(&self, shown: Shown) {
        let Shown {
            epoch,
            pictures,
            of,
            loss,
            accuracy,
        } = shown;
        self.bar.set_length(self.left.saturating_mul(of) as u64);
        let percent = 100.0 * accuracy;
        let epochs = self.epochs;
        self.bar.set_message(format!(
            "epoch {epoch}/{epochs}  loss {loss:.3}  {percent:.1} %"
        ));
        self.bar
            .set_position((self.done.get() * of + pictures) as u64);
    }

    /// An epoch is over.
    pub fn next(&self) {
        self.done.set(self.done.get() + 1);
    }

    /// Writes something to the terminal above the bar.
    pub fn above<T>(&self, write: impl FnOnce() -> T) -> T {
        self.bar.suspend(write)
    }

    /// Clears it away.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}
