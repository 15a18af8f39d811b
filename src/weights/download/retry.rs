//! Trying again what may pass.

use std::time::{Duration, Instant};

use super::Progress;
use super::failure::{Failure, Kind};
use super::http::Client;

/// Tries in all, whatever they bring: a server that gives a byte at a time is left.
const MAX_TRIES: u32 = 100;

impl Client {
    /// Tries until it works, until it can't, or until patience ends. `received` tells how far a
    /// download is: one that gets on is not given up.
    pub fn patiently<T>(
        &self,
        progress: &dyn Progress,
        received: impl Fn() -> u64,
        mut attempt: impl FnMut() -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let first = received();
        let (mut most, mut since) = (first, Instant::now());
        let (mut tries, mut fruitless, mut damaged) = (0, 0, 0);
        loop {
            let failure = match attempt() {
                Ok(value) => return Ok(value),
                Err(failure) => failure,
            };
            tries += 1;
            let now = received();
            if now > most {
                (most, since, fruitless) = (now, Instant::now(), 0);
            }
            fruitless += 1;
            let asked = match failure.kind {
                Kind::Passing(asked) => asked,
                Kind::Unreachable if most > first => None,
                Kind::Damaged if damaged == 0 => {
                    damaged += 1;
                    None
                }
                _ => return Err(tell(failure, tries)),
            };
            let wait = self.wait(fruitless).max(asked.unwrap_or_default());
            let patience = &self.patience;
            if fruitless >= patience.tries
                || tries >= MAX_TRIES
                || since.elapsed().saturating_add(wait) > patience.standstill
            {
                return Err(tell(failure, tries));
            }
            let (reason, seconds) = (&failure.reason, wait.as_secs_f32());
            progress.note(&format!("{reason}; trying again in {seconds:.1} seconds"));
            std::thread::sleep(wait);
        }
    }

    /// Longer and longer, and not for all that wait at once the same.
    fn wait(&self, fruitless: u32) -> Duration {
        let doubled = 1 << fruitless.saturating_sub(1).min(16);
        let jitter = rand::random_range(0.5..1.0);
        self.patience.delay.saturating_mul(doubled).mul_f32(jitter)
    }
}

fn tell(failure: Failure, tries: u32) -> Failure {
    match tries {
        1 => failure,
        _ => Failure {
            reason: format!("{} (tried {tries} times)", failure.reason),
            ..failure
        },
    }
}
