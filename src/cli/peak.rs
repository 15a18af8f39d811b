//! The most that this machine can do in an instruction set, measured, and how much of it a network does.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use mobilenet::Isa;
use mobilenet::model::{MobileNet, Precision};
use serde::Serialize;

/// Steps of the loop between two looks at the clock: some microseconds.
const STEPS: usize = 2000;
/// How long all threads multiply and add at once: less than a scheduler gives other programs at a time.
const DURATION: Duration = Duration::from_millis(5);
/// The best of so many counts, as a machine with other work to do has worse ones.
const ROUNDS: usize = 20;

/// A network's median beside the most that the machine does with the same instructions.
#[derive(Debug, Serialize)]
pub struct PeakReport {
    isa: &'static str,
    /// Billions of multiplications and additions a second: of a loop in registers on as many threads.
    peak_gops: f64,
    /// Of the network.
    gops: f64,
    percent: f64,
}

impl PeakReport {
    /// `operations` and `median_ms` are a batch's. `None` where it has no kernels to compare with.
    pub fn of(
        network: &MobileNet,
        threads: usize,
        operations: u64,
        median_ms: f64,
    ) -> Option<Self> {
        let isa = network.isa()?;
        let peak_gops = peak(isa, network.precision(), threads)? / 1e9;
        let gops = operations as f64 / median_ms / 1e6;
        Some(Self {
            isa: isa.name(),
            peak_gops,
            gops,
            percent: 100.0 * gops / peak_gops,
        })
    }
}

impl fmt::Display for PeakReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            isa,
            peak_gops,
            gops,
            percent,
        } = self;
        write!(
            f,
            "{gops:.1} Gop/s, {percent:.0} % of the {peak_gops:.1} that {isa} does in registers"
        )
    }
}

/// Multiplications and additions a second of a loop in registers, on `threads` threads at once; `None`
/// where there are no kernels of this kind.
fn peak(isa: Isa, precision: Precision, threads: usize) -> Option<f64> {
    if isa.peak(precision, 1) == 0 {
        return None;
    }
    let rounds = (0..ROUNDS).map(|_| round(isa, precision, threads));
    Some(rounds.fold(0.0, f64::max))
}

/// What all threads do together in a while.
fn round(isa: Isa, precision: Precision, threads: usize) -> f64 {
    let one = || {
        let start = Instant::now();
        let mut operations = 0;
        loop {
            operations += isa.peak(precision, STEPS);
            let elapsed = start.elapsed();
            if elapsed >= DURATION {
                return operations as f64 / elapsed.as_secs_f64();
            }
        }
    };
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(one)).collect();
        let own = one();
        // A thread that died did nothing.
        let others = others
            .into_iter()
            .map(|thread| thread.join().unwrap_or(0.0));
        own + others.sum::<f64>()
    })
}
