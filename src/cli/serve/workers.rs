//! The threads that decode pictures and run the network, and the queue before them.
//!
//! A request takes a place for each of its pictures before it is answered. There are so many places
//! that the threads are busy and a short queue is full; beyond that a client is told to come again,
//! which is better than an answer that comes too late.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::{io, thread};

use crossbeam_channel::{Sender, unbounded};
use tokio::sync::oneshot;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::fault::Fault;

/// Threads with a queue.
pub struct Workers {
    /// Bounded by the places.
    jobs: Sender<Job>,
    places: Arc<Semaphore>,
    capacity: usize,
}

type Job = Box<dyn FnOnce() + Send>;

/// Room for some pictures, from when their request is taken to when the last of them is answered.
#[derive(Clone)]
pub struct Places {
    _permit: Arc<OwnedSemaphorePermit>,
}

/// What becomes of a job.
pub type Outcome<T> = oneshot::Receiver<Result<T, Fault>>;

impl Workers {
    /// Starts so many threads, before which so many pictures may wait.
    ///
    /// # Errors
    /// A thread that the system does not start.
    pub fn start(threads: usize, queue: usize) -> io::Result<Self> {
        let (jobs, receiver) = unbounded::<Job>();
        for _ in 0..threads {
            let receiver = receiver.clone();
            let work = move || receiver.into_iter().for_each(|job| job());
            let builder = thread::Builder::new().name("mobilenet-worker".into());
            builder.spawn(work)?;
        }
        let capacity = threads + queue;
        Ok(Self {
            jobs,
            places: Arc::new(Semaphore::new(capacity)),
            capacity,
        })
    }

    /// How many pictures there is room for.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// How many pictures are waiting or being answered.
    pub fn taken(&self) -> usize {
        self.capacity - self.places.available_permits()
    }

    /// Takes places for a request's pictures, all of them or none.
    ///
    /// # Errors
    /// More than there are, or than are free.
    pub fn reserve(&self, pictures: usize) -> Result<Places, Fault> {
        if pictures > self.capacity {
            return Err(Fault::too_large(format!(
                "{pictures} pictures in a request, and there is room for {}: send them in several requests",
                self.capacity
            )));
        }
        let wanted = u32::try_from(pictures).unwrap_or(u32::MAX);
        let permit = self.places.clone().try_acquire_many_owned(wanted);
        let permit =
            permit.map_err(|_| Fault::busy("every place in the queue is taken: try again"))?;
        Ok(Places {
            _permit: Arc::new(permit),
        })
    }

    /// Does this on one of the threads, unless whoever waits for it has gone by then. A panic is an
    /// error of this job alone.
    pub fn run<T: Send + 'static>(
        &self,
        places: Places,
        work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
    ) -> Outcome<T> {
        let (sender, outcome) = oneshot::channel();
        let job = move || {
            if sender.is_closed() {
                return;
            }
            let answer = guarded(work).flatten();
            // Whoever has the answer may ask again at once.
            drop(places);
            // Nobody may be there any more.
            let _ = sender.send(answer);
        };
        // The threads are there for as long as this is.
        let _ = self.jobs.send(Box::new(job));
        outcome
    }
}

/// Does this; a panic is a fault of the service.
pub fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(work))
        .map_err(|_| Fault::internal("a defect in the program: this request made it panic"))
}

/// Waits for what becomes of a job.
///
/// # Errors
/// The job's, or its thread has gone.
pub async fn outcome<T>(outcome: Outcome<T>) -> Result<T, Fault> {
    let gone = |_| {
        Err(Fault::internal(
            "a defect in the program: an answer was lost",
        ))
    };
    outcome.await.unwrap_or_else(gone)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait<T>(waiting: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .build()
            .expect("a runtime");
        runtime.block_on(waiting)
    }

    #[test]
    fn a_panic_is_one_jobs_own() {
        let workers = Workers::start(1, 4).expect("a thread");
        let panic = || -> Result<i32, Fault> { std::panic::resume_unwind(Box::new("defect")) };
        let first = workers.run(workers.reserve(1).expect("a place"), panic);
        let second = workers.run(workers.reserve(1).expect("a place"), || Ok(2));
        assert_eq!(
            wait(outcome(first)).map_err(|fault| fault.status.as_u16()),
            Err(500)
        );
        assert_eq!(wait(outcome(second)).ok(), Some(2));
        assert_eq!(workers.taken(), 0);
    }

    #[test]
    fn places_are_all_or_none_and_come_back() {
        let workers = Workers::start(1, 3).expect("a thread");
        let status = |pictures| {
            workers
                .reserve(pictures)
                .err()
                .map(|fault| fault.status.as_u16())
        };
        let three = workers.reserve(3).expect("places");
        assert_eq!(
            (workers.taken(), status(2), status(5)),
            (3, Some(503), Some(413))
        );
        assert_eq!(status(1), None);
        drop(three);
        assert_eq!((workers.taken(), status(4)), (0, None));
    }

    /// Work for somebody who has gone is not done.
    #[test]
    fn what_nobody_waits_for_is_passed_over() {
        let workers = Workers::start(1, 4).expect("a thread");
        let (go, gate) = crossbeam_channel::bounded::<()>(0);
        let blocking = workers.run(workers.reserve(1).expect("a place"), move || {
            Ok(gate.recv().is_ok())
        });
        let (done, seen) = crossbeam_channel::unbounded();
        drop(workers.run(workers.reserve(1).expect("a place"), move || {
            let _ = done.send(());
            Ok(())
        }));
        go.send(()).expect("a thread that waits");
        assert_eq!(wait(outcome(blocking)).ok(), Some(true));
        let last = workers.run(workers.reserve(1).expect("a place"), || Ok(()));
        assert!(wait(outcome(last)).is_ok() && seen.try_recv().is_err());
    }
}
