//! Where the threads of a pass wait for each other.

use std::hint::spin_loop;
use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// Turns of a waiting loop before the processor is left to somebody else: some ten microseconds,
/// longer than most waits within a pass.
const SPINS: usize = 4000;

/// How long a thread sleeps between looks after that. Then other work has the processor that the
/// thread which is waited for needs, and a scheduler gives one sooner to a thread that has slept
/// than to one that keeps yielding: passes on a busy machine take less time.
const NAP: Duration = Duration::from_micros(20);

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

    /// Waits until every thread is here. Where another one panicked, which will never come, this
    /// one's part of the pass ends.
    pub fn wait(self) {
        self.barrier.wait();
    }
}

/// A barrier that spins: a pass has fifteen of them in a few hundred microseconds, and waking a
/// thread takes ten.
pub(super) struct Barrier {
    threads: usize,
    arrived: AtomicUsize,
    passed: AtomicUsize,
    broken: AtomicBool,
}

impl Barrier {
    pub fn new(threads: usize) -> Self {
        Self {
            threads,
            arrived: AtomicUsize::new(0),
            passed: AtomicUsize::new(0),
            broken: AtomicBool::new(false),
        }
    }

    /// One of its threads, by its number.
    pub fn member(&self, number: usize) -> Member<'_> {
        Member {
            number,
            barrier: self,
        }
    }

    /// Lets nobody wait any more, as one of the threads will never come.
    pub fn give_up(&self) {
        self.broken.store(true, Ordering::Relaxed);
    }

    fn wait(&self) {
        let round = self.passed.load(Ordering::Acquire);
        // The last to arrive lets everybody go, and what each wrote before is seen by all.
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.threads {
            self.arrived.store(0, Ordering::Relaxed);
            self.passed.store(round.wrapping_add(1), Ordering::Release);
            return;
        }
        let mut wait = Wait::default();
        while self.passed.load(Ordering::Acquire) == round {
            if self.broken.load(Ordering::Relaxed) {
                // Without a message: the panic that it comes of had one.
                resume_unwind(Box::new(Abandoned));
            }
            wait.turn();
        }
    }
}

/// What a thread unwinds with that would wait for another one, which panicked.
pub(super) struct Abandoned;

/// A waiting loop's turns.
#[derive(Default)]
pub(super) struct Wait(usize);

impl Wait {
    /// Spins, and after a while sleeps.
    pub fn turn(&mut self) {
        self.turn_or(|| thread::sleep(NAP));
    }

    /// Spins, and after a while waits in another way.
    pub fn turn_or(&mut self, wait: impl FnOnce()) {
        if self.0 < SPINS {
            self.0 += 1;
            spin_loop();
        } else {
            wait();
        }
    }
}
