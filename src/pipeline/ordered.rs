//! Work on several threads whose results come in order.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{
    Receiver, Select, Sender, TryRecvError, bounded, never, select, unbounded,
};

use super::CancelToken;
use super::error::{Error, Result, Stage};

/// How long a run that was cancelled waits for what is being worked on.
const GRACE: Duration = Duration::from_secs(1);

/// The results of work on items, in the order of the items.
///
/// Once the run is cancelled they end with what has been begun. Threads that are blocked, in their
/// work or in waiting for an item, are then left behind, as they are where nobody wants the results
/// any more; else they have ended when the results have, and what they panicked with is an error:
/// it must not look like the end.
pub struct Ordered<I, T> {
    /// A ticket for each item that was begun or is about to be.
    tickets: Receiver<Ticket<T>>,
    /// A ticket that was taken before its result was there.
    pending: Option<Ticket<T>>,
    /// Items that are worked on before the others.
    urgent: Sender<Job<I, T>>,
    /// The thread that takes items from their source.
    feeder: Option<JoinHandle<()>>,
    workers: VecDeque<JoinHandle<()>>,
    cancel: CancelToken,
    /// When a cancelled run stops waiting.
    deadline: Option<Instant>,
}

/// Exchanged for an item's result.
pub type Ticket<T> = Receiver<Result<T>>;

/// An item that is to be worked on, and where its result goes.
struct Job<I, T> {
    item: I,
    result: Sender<Result<T>>,
}

/// What is known of the next result.
pub enum Next<T> {
    /// It is there.
    Ready(Result<T>),
    /// It will be.
    Pending,
    /// There is none.
    End,
}

/// Does `work` on `items` on `threads` threads. At most `window` items are ahead of the result
/// that is asked for, however many there are and however long one takes.
///
/// # Errors
/// The system has no threads left.
pub fn ordered<I: Send + 'static, T: Send + 'static>(
    items: impl Iterator<Item = I> + Send + 'static,
    threads: usize,
    window: usize,
    cancel: &CancelToken,
    work: impl Fn(I) -> Result<T> + Clone + Send + 'static,
) -> Result<Ordered<I, T>> {
    let (issue, tickets) = bounded::<Ticket<T>>(window);
    let (assign, jobs) = bounded::<Job<I, T>>(window);
    let (urgent, urgent_jobs) = unbounded::<Job<I, T>>();
    let mut workers = VecDeque::with_capacity(threads);
    for _ in 0..threads {
        let worker = Worker {
            jobs: jobs.clone(),
            urgent: urgent_jobs.clone(),
            cancel: cancel.clone(),
            work: work.clone(),
        };
        match start("mobilenet-worker", move || worker.run()) {
            Ok(handle) => workers.push_back(handle),
            // Fewer are slower, and no other difference.
            Err(_) if !workers.is_empty() => break,
            Err(error) => return Err(error),
        }
    }
    let stop = cancel.clone();
    let feeder = start("mobilenet-source", move || {
        for item in items {
            let (result, ticket) = bounded(1);
            let job = Job { item, result };
            let closed = || issue.send(ticket).is_err() || assign.send(job).is_err();
            if stop.is_cancelled() || closed() {
                break;
            }
        }
    })?;
    Ok(Ordered {
        tickets,
        pending: None,
        urgent,
        feeder: Some(feeder),
        workers,
        cancel: cancel.clone(),
        deadline: None,
    })
}

/// Starts a thread.
pub fn start(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    let builder = thread::Builder::new().name(name.into());
    builder.spawn(body).map_err(Error::Thread)
}

/// Waits for a thread's end, and tells what it panicked with.
pub fn join(thread: JoinHandle<()>, stage: Stage) -> Result<()> {
    let ended = thread.join();
    ended.map_err(|payload| Error::panicked(stage, &*payload))
}

/// One of the threads that work.
struct Worker<I, T, W> {
    jobs: Receiver<Job<I, T>>,
    urgent: Receiver<Job<I, T>>,
    cancel: CancelToken,
    work: W,
}

impl<I, T, W: Fn(I) -> Result<T>> Worker<I, T, W> {
    fn run(mut self) {
        while let Some(Job { item, result }) = self.next() {
            // What was queued and is not begun ends with its ticket.
            if self.cancel.is_cancelled() {
                continue;
            }
            let done = catch_unwind(AssertUnwindSafe(|| (self.work)(item)));
            let done =
                done.unwrap_or_else(|payload| Err(Error::panicked(Stage::Decoding, &*payload)));
            // Nobody may be waiting for it any more.
            let _ = result.send(done);
        }
    }

    /// The next job: one that is urgent, if there is any. `None` where there will be no more of
    /// either kind.
    fn next(&mut self) -> Option<Job<I, T>> {
        loop {
            if let Ok(job) = self.urgent.try_recv() {
                return Some(job);
            }
            select! {
                recv(self.urgent) -> job => match job {
                    Ok(job) => return Some(job),
                    // Whoever could send one is gone, and so is whoever waits for the others.
                    Err(_) => return None,
                },
                recv(self.jobs) -> job => match job {
                    Ok(job) => return Some(job),
                    Err(_) => self.jobs = never(),
                },
            }
        }
    }
}

impl<I, T> Ordered<I, T> {
    /// Has an item worked on before all that are still to be begun.
    pub fn again(&self, item: I) -> Ticket<T> {
        let (result, ticket) = bounded(1);
        // Where no worker is left, the ticket is without a result.
        let _ = self.urgent.send(Job { item, result });
        ticket
    }

    /// The next result, if it is there already.
    pub fn poll(&mut self) -> Next<T> {
        let cancelled = self.is_over();
        let ticket = match self.pending.take() {
            Some(ticket) => ticket,
            None => match self.tickets.try_recv() {
                Ok(ticket) => ticket,
                Err(TryRecvError::Disconnected) => return Next::End,
                Err(TryRecvError::Empty) if self.deadline.is_some() => return Next::End,
                Err(TryRecvError::Empty) => return Next::Pending,
            },
        };
        match ticket.try_recv() {
            Ok(result) => Next::Ready(result),
            Err(TryRecvError::Disconnected) if self.cancel.is_cancelled() => Next::End,
            Err(TryRecvError::Disconnected) => Next::Ready(Err(Error::Lost)),
            Err(TryRecvError::Empty) if cancelled => Next::End,
            Err(TryRecvError::Empty) => {
                self.pending = Some(ticket);
                Next::Pending
            }
        }
    }

    /// Waits until [`poll`](Self::poll) may say something else, or until there is what another ticket
    /// is for.
    pub fn wait(&self, other: Option<&Ticket<T>>) {
        let mut select = Select::new();
        match &self.pending {
            Some(ticket) => select.recv(ticket),
            None => select.recv(&self.tickets),
        };
        if let Some(ticket) = other {
            select.recv(ticket);
        }
        self.wait_until(select);
    }

    /// Waits until there is, or will never be, what a ticket is for.
    pub fn wait_for(&self, ticket: &Ticket<T>) {
        let mut select = Select::new();
        select.recv(ticket);
        self.wait_until(select);
    }

    /// Whether the run was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// Waits for what is selected, or for being cancelled, or for the end of the grace after that.
    fn wait_until<'a>(&'a self, mut select: Select<'a>) {
        if let Some(deadline) = self.deadline {
            // What comes of it is seen by looking.
            let _ = select.ready_deadline(deadline);
        } else {
            select.recv(self.cancel.receiver());
            select.ready();
        }
    }

    /// Whether the run was cancelled so long ago that nothing is waited for.
    pub fn is_over(&mut self) -> bool {
        if self.cancel.is_cancelled() {
            let now = Instant::now();
            return *self.deadline.get_or_insert(now + GRACE) <= now;
        }
        false
    }

    /// What came of the threads, once there are no more results: nothing if all went well.
    pub fn end(&mut self) -> Option<Error> {
        // Then threads may be blocked, and are left behind.
        if self.cancel.is_cancelled() {
            return None;
        }
        if let Some(feeder) = self.feeder.take()
            && let Err(error) = join(feeder, Stage::Source)
        {
            return Some(error);
        }
        // Disconnects the urgent jobs, so that the workers end.
        self.urgent = unbounded().0;
        while let Some(worker) = self.workers.pop_front() {
            if let Err(error) = join(worker, Stage::Decoding) {
                return Some(error);
            }
        }
        None
    }
}

impl<I, T> Iterator for Ordered<I, T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        loop {
            match self.poll() {
                Next::Ready(result) => return Some(result),
                Next::Pending => self.wait(None),
                Next::End => return self.end().map(Err),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn run<I: Send + 'static, T: Send + 'static>(
        items: impl Iterator<Item = I> + Send + 'static,
        threads: usize,
        window: usize,
        work: impl Fn(I) -> T + Clone + Send + 'static,
    ) -> Ordered<I, T> {
        let cancel = CancelToken::new();
        let work = move |item| Ok(work(item));
        ordered(items, threads, window, &cancel, work).expect("threads")
    }

    /// As a panic does, without its message on stderr.
    fn panic(message: &'static str) -> ! {
        std::panic::resume_unwind(Box::new(message))
    }

    #[test]
    fn results_come_in_order_whatever_takes_long() {
        for threads in [1, 2, 5] {
            let results = run(0..100u64, threads, 7, |i| {
                thread::sleep(Duration::from_micros((i * 7919) % 500));
                i * i
            });
            let squares: Vec<u64> = (0..100).map(|i| i * i).collect();
            let results: Result<Vec<u64>> = results.collect();
            assert_eq!(results.expect("all"), squares);
        }
    }

    /// The first item takes as long as it takes for the others to run into the window.
    #[test]
    fn no_more_than_the_window_is_ahead() {
        let begun = Arc::new(AtomicUsize::new(0));
        let counter = begun.clone();
        let results = run(0..1000, 4, 8, move |i| {
            counter.fetch_add(1, Ordering::SeqCst);
            if i == 0 {
                thread::sleep(Duration::from_millis(200));
            }
            i
        });
        thread::sleep(Duration::from_millis(100));
        // One is on its way into the full channel.
        assert!(begun.load(Ordering::SeqCst) <= 9);
        assert_eq!(results.count(), 1000);
    }

    #[test]
    fn what_is_ready_is_had_without_waiting() {
        let (go, wait) = bounded::<()>(0);
        let mut results = run(0..2, 2, 4, move |i| {
            if i == 1 {
                let _ = wait.recv();
            }
            i
        });
        assert_eq!(results.next().transpose().expect("a result"), Some(0));
        assert!(matches!(results.poll(), Next::Pending));
        drop(go);
        assert_eq!(results.next().transpose().expect("a result"), Some(1));
        assert!(results.next().is_none());
        assert!(matches!(results.poll(), Next::End));
    }

    /// What is asked for again is begun before all that waits.
    #[test]
    fn urgent_items_come_first() {
        let (begin, begun) = unbounded();
        let (go, wait) = bounded::<()>(0);
        let results = run(0..20, 1, 20, move |i| {
            let _ = begin.send(i);
            if i == 0 {
                let _ = wait.recv();
            }
            i
        });
        assert_eq!(begun.recv(), Ok(0));
        let ticket = results.again(100);
        drop(go);
        let result = ticket.recv().expect("a result");
        assert_eq!(result.expect("its result"), 100);
        assert_eq!(begun.recv(), Ok(100));
        let results: Result<Vec<i32>> = results.collect();
        assert_eq!(results.expect("all"), (0..20).collect::<Vec<_>>());
    }

    /// What a thread can't do is an error in its place, never an early end.
    #[test]
    fn a_panic_at_work_is_an_error_in_its_place() {
        let results = run(0..5, 2, 4, |i| if i == 2 { panic("lost") } else { i });
        let results: Vec<Result<i32>> = results.collect();
        assert_eq!(results.len(), 5);
        for (i, result) in results.into_iter().enumerate() {
            match result {
                Ok(result) => assert_eq!(result as usize, i),
                Err(error) => {
                    assert_eq!(i, 2);
                    assert!(error.to_string().contains("lost"), "{error}");
                }
            }
        }
    }

    #[test]
    fn a_panic_of_the_source_is_an_error_at_the_end() {
        let items = (0..5).map(|i| if i == 3 { panic("no more") } else { i });
        let mut results = run(items, 2, 4, |i| i);
        for i in 0..3 {
            let result = results.next().transpose().expect("a result");
            assert_eq!(result, Some(i));
        }
        let error = results.next().expect("an error").expect_err("an error");
        let stage = Stage::Source;
        assert!(
            matches!(&error, Error::Panicked { stage: s, message } if *s == stage && message == "no more"),
            "{error:?}"
        );
        assert!(results.next().is_none());
    }

    /// Items that are queued when the run is cancelled are not begun.
    #[test]
    fn what_is_queued_is_not_begun_once_it_is_cancelled() {
        let cancel = CancelToken::new();
        let begun = Arc::new(AtomicUsize::new(0));
        let (counter, stop) = (begun.clone(), cancel.clone());
        let work = move |i: u64| {
            counter.fetch_add(1, Ordering::SeqCst);
            while !stop.is_cancelled() {
                thread::sleep(Duration::from_millis(1));
            }
            thread::sleep(Duration::from_millis(20));
            Ok(i)
        };
        let mut results = ordered(0..1000, 2, 64, &cancel, work).expect("threads");
        while begun.load(Ordering::SeqCst) < 2 {
            thread::sleep(Duration::from_millis(1));
        }
        cancel.cancel();
        let found: Result<Vec<u64>> = results.by_ref().collect();
        // What was begun is answered.
        assert_eq!(found.expect("answers"), [0, 1]);
        thread::sleep(Duration::from_millis(100));
        assert_eq!(begun.load(Ordering::SeqCst), 2);
    }

    /// Work that does not end is not waited for.
    #[test]
    fn a_cancelled_run_ends_whatever_is_blocked() {
        let cancel = CancelToken::new();
        let (_never, wait) = bounded::<()>(0);
        let work = move |_: u64| {
            let _ = wait.recv();
            Ok(())
        };
        let mut results = ordered(0..10, 2, 4, &cancel, work).expect("threads");
        let stop = cancel.clone();
        let cancelling = thread::spawn(move || {
            thread::sleep(Duration::from_millis(20));
            stop.cancel();
        });
        let begin = Instant::now();
        assert!(results.next().is_none());
        assert!(begin.elapsed() < 3 * GRACE);
        cancelling.join().expect("an end");
    }
}
