//! Threads that go through a pass together.
//!
//! They are the library's own, started when they are first wanted and kept for as long as the
//! program runs. The thread that asks for a pass is one of its members, so that nobody waits for a
//! thread that is doing something else. There is one team in a process: a pass that finds it
//! taken runs on its own thread alone, which is no slower where all cores are busy, and can't wait
//! for anybody.

use std::any::Any;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, TryLockError};
use std::thread::{self, Thread};

use super::barrier::{Abandoned, Barrier, Member, Wait};

/// How many threads a pass runs on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Threads {
    /// As many as there are cores, where nobody else is at work: a caller that is one of a rayon
    /// pool's threads, or that finds another pass under way, is one of several that work at the
    /// same time, and its passes run on its own thread.
    #[default]
    Automatic,
    /// As many as were asked for, the caller's own among them; that one alone where another pass
    /// has the others.
    Exactly(NonZeroUsize),
}

impl Threads {
    /// The caller's own.
    pub const ONE: Self = Self::Exactly(NonZeroUsize::MIN);

    /// So many, or one for 0.
    pub fn exactly(threads: usize) -> Self {
        Self::Exactly(NonZeroUsize::new(threads).unwrap_or(NonZeroUsize::MIN))
    }

    /// How many a pass of this thread may run on at most.
    pub fn count(self) -> usize {
        match self {
            Self::Automatic if rayon::current_thread_index().is_some() => 1,
            Self::Automatic => cores(),
            Self::Exactly(threads) => threads.get(),
        }
    }
}

/// Threads that the machine, or the container, lets run at once. Asking takes as long as a small
/// pass.
fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| thread::available_parallelism().map_or(1, Into::into))
}

/// The process's.
static TEAM: Team = Team::new();

/// Runs `work` on several threads at once, or on this one alone: a [`Member`] tells each its number
/// and how many there are.
///
/// # Panics
/// Where `work` panics on any of them, with its payload. The next pass is as any other.
pub(super) fn run(threads: Threads, work: impl Fn(Member) + Sync) {
    TEAM.run(threads, &work);
}

/// Does `work` on each of the items, each thread taking the next one as soon as it is free.
///
/// # Panics
/// As [`run`].
pub(crate) fn for_each<T>(
    threads: Threads,
    items: impl Iterator<Item = T> + Send,
    work: impl Fn(T) + Sync,
) {
    let items = Mutex::new(items);
    run(threads, |_| {
        loop {
            let item = items.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(item) = item else { break };
            work(item);
        }
    });
}

/// Does `work` on each of `count` items: where there are at least as many as threads, one a thread,
/// else one after the other on all threads. Nothing that comes of it depends on which.
pub(super) fn spread<T>(
    threads: Threads,
    count: usize,
    items: impl Iterator<Item = T> + Send,
    work: impl Fn(T, Threads) + Sync,
) {
    if count > 1 && count >= threads.count() {
        for_each(threads, items, |item| work(item, Threads::ONE));
    } else {
        items.for_each(|item| work(item, threads));
    }
}

/// Threads of which one pass at a time may use several.
struct Team {
    /// Held by that pass.
    workers: Mutex<Vec<Worker>>,
    /// Passes under way, whatever they run on.
    passes: AtomicUsize,
    /// The process that has the workers: one that was forked off has none of its own.
    process: AtomicU32,
}

/// A thread that waits for passes.
struct Worker {
    slot: Arc<Slot>,
    thread: Thread,
}

/// Where a worker finds its next pass.
#[derive(Default)]
struct Slot {
    /// Null until there is one.
    pass: AtomicPtr<Pass<'static>>,
    /// It has been taken part in.
    done: AtomicBool,
}

/// What several threads do together.
struct Pass<'a> {
    work: &'a (dyn Fn(Member<'_>) + Sync),
    barrier: Barrier,
    /// What the first thread that panicked panicked with.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

impl Team {
    const fn new() -> Self {
        Self {
            workers: Mutex::new(Vec::new()),
            passes: AtomicUsize::new(0),
            process: AtomicU32::new(0),
        }
    }

    fn run(&self, threads: Threads, work: &(dyn Fn(Member<'_>) + Sync)) {
        let others = self.passes.fetch_add(1, Ordering::Relaxed);
        let _counted = Counted(&self.passes);
        let count = threads.count();
        let waits = threads == Threads::Automatic && others > 0;
        if count > 1 && !waits {
            let workers = match self.workers.try_lock() {
                Ok(workers) => Some(workers),
                // No pass leaves them in a state that the next one could not use.
                Err(TryLockError::Poisoned(workers)) => Some(workers.into_inner()),
                Err(TryLockError::WouldBlock) => None,
            };
            if let Some(mut workers) = workers {
                let process = std::process::id();
                if self.process.swap(process, Ordering::Relaxed) != process {
                    workers.clear();
                }
                let members = count.min(hire(&mut workers, count - 1) + 1);
                let panic = together(&workers[..members - 1], work);
                drop(workers);
                if let Some(payload) = panic {
                    resume_unwind(payload);
                }
                return;
            }
        }
        work(Barrier::new(1).member(0));
    }
}

/// Makes sure that there are so many workers, as far as the system has threads for them; returns
/// how many there are.
fn hire(workers: &mut Vec<Worker>, count: usize) -> usize {
    while workers.len() < count {
        let slot = Arc::<Slot>::default();
        let (own, number) = (slot.clone(), workers.len() + 1);
        let name = format!("mobilenet-cpu-{number}");
        let Ok(handle) = thread::Builder::new()
            .name(name)
            .spawn(move || own.serve(number))
        else {
            break;
        };
        let thread = handle.thread().clone();
        workers.push(Worker { slot, thread });
    }
    workers.len()
}

/// Runs `work` on this thread and the workers; returns what one of them panicked with.
fn together(workers: &[Worker], work: &(dyn Fn(Member<'_>) + Sync)) -> Option<Box<dyn Any + Send>> {
    let pass = Pass {
        work,
        barrier: Barrier::new(workers.len() + 1),
        panic: Mutex::new(None),
    };
    let shared = ptr::from_ref(&pass).cast::<Pass<'static>>().cast_mut();
    for worker in workers {
        worker.slot.done.store(false, Ordering::Relaxed);
        worker.slot.pass.store(shared, Ordering::Release);
        // Also a thread that is about to park sees this.
        worker.thread.unpark();
    }
    pass.take_part(0);
    // Nothing between the two may unwind: the workers have a pointer to what is on this stack.
    for worker in workers {
        let mut wait = Wait::default();
        while !worker.slot.done.load(Ordering::Acquire) {
            wait.turn();
        }
    }
    pass.panic
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
}

impl Slot {
    /// Takes part in one pass after the other.
    fn serve(&self, number: usize) {
        loop {
            let mut wait = Wait::default();
            let pass = loop {
                let pass = self.pass.swap(ptr::null_mut(), Ordering::Acquire);
                if !pass.is_null() {
                    break pass;
                }
                // A pass that comes meanwhile has unparked it before.
                wait.turn_or(thread::park);
            };
            // SAFETY: `together` keeps the pass, and what its work borrows, until this slot says
            // that it is done, and nothing here uses it from then on.
            let pass = unsafe { &*pass };
            pass.take_part(number);
            self.done.store(true, Ordering::Release);
        }
    }
}

impl Pass<'_> {
    /// One thread's part. A panic ends the pass on every thread instead of leaving some to wait for
    /// ever.
    fn take_part(&self, number: usize) {
        let work = || (self.work)(self.barrier.member(number));
        let Err(payload) = catch_unwind(AssertUnwindSafe(work)) else {
            return;
        };
        if !payload.is::<Abandoned>() {
            let mut panic = self.panic.lock().unwrap_or_else(PoisonError::into_inner);
            panic.get_or_insert(payload);
        }
        self.barrier.give_up();
    }
}

/// Counts down.
struct Counted<'a>(&'a AtomicUsize);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::sync::atomic::AtomicU64;
    use std::thread::ThreadId;

    /// The threads that took part in a pass.
    fn members(team: &Team, threads: Threads) -> HashSet<ThreadId> {
        let ids = Mutex::new(HashSet::new());
        team.run(threads, &|member| {
            member.wait();
            let all = ids.lock().map(|mut ids| ids.insert(thread::current().id()));
            assert!(all.expect("ids"));
        });
        ids.into_inner().expect("ids")
    }

    /// Nobody is a round ahead of the others.
    #[test]
    fn rounds_do_not_overlap() {
        let team = Team::new();
        for threads in 1..=4 {
            let done: Vec<AtomicU64> = (0..threads).map(|_| AtomicU64::new(0)).collect();
            team.run(Threads::exactly(threads), &|member| {
                assert_eq!(member.threads(), threads);
                for round in 1..=500 {
                    done[member.number].store(round, Ordering::Release);
                    member.wait();
                    for other in &done {
                        assert!(other.load(Ordering::Acquire) >= round);
                    }
                    member.wait();
                }
            });
        }
    }

    /// Workers are kept, and the caller is one of the members.
    #[test]
    fn the_same_threads_do_pass_after_pass() {
        let team = Team::new();
        let first = members(&team, Threads::exactly(3));
        assert_eq!(first.len(), 3);
        assert!(first.contains(&thread::current().id()));
        for _ in 0..100 {
            assert_eq!(members(&team, Threads::exactly(3)), first);
        }
        // Longer than they spin.
        thread::sleep(std::time::Duration::from_millis(50));
        assert_eq!(members(&team, Threads::exactly(3)), first);
        assert!(members(&team, Threads::exactly(2)).is_subset(&first));
    }

    /// A panic on any thread ends the pass on every thread, reaches the caller as it was, and
    /// leaves a team that is as good as new.
    #[test]
    fn a_panic_costs_one_pass() {
        let team = Team::new();
        for culprit in [0, 1, 2, 1] {
            let result = catch_unwind(AssertUnwindSafe(|| {
                team.run(Threads::exactly(3), &|member| {
                    if member.number == culprit {
                        resume_unwind(Box::new(format!("{culprit} gave up")));
                    }
                    member.wait();
                });
            }));
            let payload = result.expect_err("a panic");
            let message = payload.downcast_ref::<String>().expect("its own payload");
            assert_eq!(*message, format!("{culprit} gave up"));
            assert_eq!(members(&team, Threads::exactly(3)).len(), 3);
        }
    }

    /// Neither a second pass nor a pass within one waits for the team.
    #[test]
    fn who_finds_the_team_taken_works_alone() {
        let team = Team::new();
        team.run(Threads::exactly(2), &|member| {
            assert_eq!(members(&team, Threads::exactly(4)).len(), 1);
            member.wait();
            assert_eq!(members(&team, Threads::Automatic).len(), 1);
        });
        assert_eq!(members(&team, Threads::exactly(2)).len(), 2);
    }

    #[test]
    fn without_a_number_one_of_many_works_alone() {
        let team = Team::new();
        assert_eq!(members(&team, Threads::Automatic).len(), cores());
        // Another pass is under way, if only on its own thread.
        team.run(Threads::ONE, &|_| {
            assert_eq!(members(&team, Threads::Automatic).len(), 1);
            assert_eq!(members(&team, Threads::exactly(2)).len(), 2);
        });
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build();
        pool.expect("a pool").install(|| {
            assert_eq!(members(&team, Threads::Automatic).len(), 1);
            assert_eq!(members(&team, Threads::exactly(2)).len(), 2);
        });
    }

    #[test]
    fn each_item_is_done_once() {
        for threads in [1, 3] {
            let done: Vec<AtomicU64> = (0..100).map(|_| AtomicU64::new(0)).collect();
            for_each(Threads::exactly(threads), done.iter(), |item| {
                item.fetch_add(1, Ordering::Relaxed);
            });
            assert!(done.iter().all(|item| item.load(Ordering::Relaxed) == 1));
        }
    }
}
