//! Threads that go through a pass together.

use std::hint::spin_loop;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

/// Turns of a waiting loop before the processor is offered to somebody else: some ten
/// microseconds, longer than most waits within a pass.
const SPINS: usize = 4000;

/// Held by the one pass that may use several threads. Two of them, each with some of the
/// threads and waiting for the others, would wait for ever; and would be no faster.
static TEAM: Mutex<()> = Mutex::new(());

/// Runs `work` on `threads` threads of the current pool at once, or, where another pass is using
/// them, on this one alone: a [`Member`] tells each its number and how many there are.
pub(super) fn run(threads: usize, work: impl Fn(Member) + Sync) {
    let alone = || {
        let barrier = Barrier::new(1);
        work(Member {
            number: 0,
            barrier: &barrier,
        });
    };
    if threads == 1 {
        return alone();
    }
    let Ok(_team) = TEAM.try_lock() else {
        return alone();
    };
    let barrier = Barrier::new(threads);
    rayon::broadcast(|context| {
        if context.index() < threads {
            work(Member {
                number: context.index(),
                barrier: &barrier,
            });
        }
    });
}

/// One of the threads of a pass.
#[derive(Clone, Copy)]
pub(super) struct Member<'a> {
    /// From 0 on.
    pub number: usize,
    barrier: &'a Barrier,
}

impl Member<'_> {
    /// How many threads there are.
    pub fn threads(self) -> usize {
        self.barrier.threads
    }

    /// This thread's share of so many things.
    pub fn share(self, of: usize) -> Range<usize> {
        let at = |number| of * number / self.threads();
        at(self.number)..at(self.number + 1)
    }

    /// Waits until every thread is here.
    ///
    /// # Panics
    /// Where another thread panicked, which will never come.
    pub fn wait(self) {
        self.barrier.wait();
    }
}

/// A barrier that spins: a pass has fifteen of them in a few hundred microseconds, and waking a
/// thread takes ten.
struct Barrier {
    threads: usize,
    arrived: AtomicUsize,
    passed: AtomicUsize,
    broken: AtomicBool,
}

impl Barrier {
    fn new(threads: usize) -> Self {
        Self {
            threads,
            arrived: AtomicUsize::new(0),
            passed: AtomicUsize::new(0),
            broken: AtomicBool::new(false),
        }
    }

    fn wait(&self) {
        let round = self.passed.load(Ordering::Acquire);
        // The last to arrive lets everybody go, and what each wrote before is seen by all.
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.threads {
            self.arrived.store(0, Ordering::Relaxed);
            self.passed.store(round.wrapping_add(1), Ordering::Release);
            return;
        }
        let mut spins = 0;
        while self.passed.load(Ordering::Acquire) == round {
            assert!(
                !self.broken.load(Ordering::Relaxed),
                "another thread of the pass panicked"
            );
            spins += 1;
            match spins < SPINS {
                true => spin_loop(),
                false => thread::yield_now(),
            }
        }
    }
}

/// Tells the others when this thread panics, so that they don't wait for it.
pub(super) struct Sentinel<'a>(Member<'a>);

impl<'a> Sentinel<'a> {
    pub fn new(member: Member<'a>) -> Self {
        Self(member)
    }
}

impl Drop for Sentinel<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.barrier.broken.store(true, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU64;

    fn on(threads: usize, work: impl Fn(Member) + Sync + Send) {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.expect("a pool").install(|| run(threads, work));
    }

    /// Nobody is a round ahead of the others.
    #[test]
    fn rounds_do_not_overlap() {
        for threads in 1..=4 {
            let done: Vec<AtomicU64> = (0..threads).map(|_| AtomicU64::new(0)).collect();
            on(threads, |member| {
                let threads = member.threads();
                for round in 1..=500 {
                    done[member.number].store(round, Ordering::Release);
                    member.wait();
                    for other in &done[..threads] {
                        assert!(other.load(Ordering::Acquire) >= round);
                    }
                    member.wait();
                }
            });
        }
    }

    /// A panic ends the pass on every thread instead of leaving some to wait for ever.
    #[test]
    fn a_panic_is_not_waited_for() {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        let result = std::panic::catch_unwind(|| {
            on(3, |member| {
                let _sentinel = Sentinel::new(member);
                // On a single thread, when another test holds the team, nobody is left to wait.
                assert!(member.number != 1 && member.threads() > 1);
                member.wait();
            });
        });
        std::panic::set_hook(hook);
        assert!(result.is_err());
    }
}
