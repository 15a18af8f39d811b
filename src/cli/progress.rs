//! A progress bar on stderr, where that is a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mobilenet::weights::Progress;

use super::Global;

/// The progress of downloads.
pub struct Bar {
    bar: ProgressBar,
}

impl Bar {
    /// A bar that shows nothing in a pipe, and with `--quiet`.
    pub fn new(global: Global) -> Self {
        let target = match global.quiet {
            true => ProgressDrawTarget::hidden(),
            // indicatif draws nothing where stderr is not a terminal.
            false => ProgressDrawTarget::stderr(),
        };
        Self {
            bar: ProgressBar::with_draw_target(None, target),
        }
    }
}

impl Progress for Bar {
    fn start(&self, name: &str, bytes: Option<u64>) {
        if let Some(bytes) = bytes {
            self.bar.set_length(bytes);
        }
        let template = match bytes {
            Some(_) => "{msg}  {bar:20} {bytes}/{total_bytes}  {binary_bytes_per_sec}",
            None => "{msg}  {spinner} {bytes}  {binary_bytes_per_sec}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style);
        }
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
