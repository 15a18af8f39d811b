//! Work on several threads whose results come in order.

use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow};
use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded, select};

use crate::cli::interrupt::Interrupt;

/// How long a stopping program waits for what is being worked on.
const GRACE: Duration = Duration::from_secs(1);

/// The results of work on items, in the order of the items.
///
/// Once the program was asked to stop they end with what has been begun. Threads that are
/// blocked, in their work or in waiting for an item, are left behind.
pub struct Ordered<T> {
    /// A ticket for each item that was begun or is about to be, exchanged for its result.
    tickets: Receiver<Receiver<T>>,
    /// A ticket that was taken before its result was there.
    pending: Option<Receiver<T>>,
    interrupt: Interrupt,
}

/// Does `work` on `items` on `threads` threads. At most `window` items are ahead of the result
/// that is asked for, however many there are and however long one takes.
///
/// `prepare` is run on each thread before its first item.
pub fn ordered<I: Send + 'static, T: Send + 'static>(
    items: impl Iterator<Item = I> + Send + 'static,
    (threads, window): (usize, usize),
    interrupt: &Interrupt,
    prepare: fn(),
    work: impl Fn(I) -> T + Clone + Send + 'static,
) -> Ordered<T> {
    let (issue, tickets) = bounded::<Receiver<T>>(window);
    let (assign, jobs) = bounded::<(I, Sender<T>)>(window);
    let stop = interrupt.clone();
    thread::spawn(move || {
        for item in items {
            let (result, ticket) = bounded(1);
            let closed = || issue.send(ticket).is_err() || assign.send((item, result)).is_err();
            if stop.happened() || closed() {
                break;
            }
        }
    });
    for _ in 0..threads {
        let (jobs, work) = (jobs.clone(), work.clone());
        thread::spawn(move || {
            prepare();
            for (item, result) in jobs {
                if result.send(work(item)).is_err() {
                    // Nobody waits for it any more.
                    break;
                }
            }
        });
    }
    Ordered {
        tickets,
        pending: None,
        interrupt: interrupt.clone(),
    }
}

impl<T> Ordered<T> {
    /// The next result, if it is there already.
    pub fn next_if_ready(&mut self) -> Option<Result<T>> {
        let ticket = match self.pending.take() {
            Some(ticket) => ticket,
            None => self.tickets.try_recv().ok()?,
        };
        match ticket.try_recv() {
            Ok(result) => Some(Ok(result)),
            Err(TryRecvError::Disconnected) => Some(Err(lost())),
            Err(TryRecvError::Empty) => {
                self.pending = Some(ticket);
                None
            }
        }
    }
}

impl<T> Iterator for Ordered<T> {
    /// An error is a result that was lost with its thread: it must not look like the end.
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        let stop = self.interrupt.receiver();
        let ticket = match self.pending.take() {
            Some(ticket) => ticket,
            None => select! {
                recv(self.tickets) -> ticket => ticket.ok()?,
                recv(stop) -> _ => self.tickets.try_recv().ok()?,
            },
        };
        select! {
            recv(ticket) -> result => Some(result.map_err(|_| lost())),
            recv(stop) -> _ => ticket.recv_timeout(GRACE).ok().map(Ok),
        }
    }
}

fn lost() -> anyhow::Error {
    anyhow!("a thread ended in the middle of its work, which is a defect of this program")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn results_come_in_order_whatever_takes_long() {
        for threads in [1, 2, 5] {
            let interrupt = Interrupt::watch();
            let results = ordered(
                0..100u64,
                (threads, 7),
                &interrupt,
                || {},
                |i| {
                    thread::sleep(Duration::from_micros((i * 7919) % 500));
                    i * i
                },
            );
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
        let interrupt = Interrupt::watch();
        let results = ordered(
            0..1000,
            (4, 8),
            &interrupt,
            || {},
            move |i| {
                counter.fetch_add(1, Ordering::SeqCst);
                if i == 0 {
                    thread::sleep(Duration::from_millis(200));
                }
                i
            },
        );
        thread::sleep(Duration::from_millis(100));
        // One is on its way into the full channel.
        assert!(begun.load(Ordering::SeqCst) <= 9);
        assert_eq!(results.count(), 1000);
    }

    #[test]
    fn what_is_ready_is_had_without_waiting() {
        let interrupt = Interrupt::watch();
        let (go, wait) = bounded::<()>(0);
        let mut results = ordered(
            0..2,
            (2, 4),
            &interrupt,
            || {},
            move |i| {
                if i == 1 {
                    let _ = wait.recv();
                }
                i
            },
        );
        assert_eq!(results.next().transpose().expect("a result"), Some(0));
        assert!(results.next_if_ready().is_none());
        drop(go);
        assert_eq!(results.next().transpose().expect("a result"), Some(1));
        assert!(results.next_if_ready().is_none());
        assert!(results.next().is_none());
    }

    /// What a thread takes with it is an error in its place, never an early end.
    #[test]
    fn a_lost_result_is_an_error_in_its_place() {
        let interrupt = Interrupt::watch();
        let results = ordered(
            0..5,
            (2, 4),
            &interrupt,
            || {},
            |i| {
                if i == 2 {
                    // As a panic would, without its message.
                    std::panic::resume_unwind(Box::new("lost"));
                }
                i
            },
        );
        let results: Vec<Option<i32>> = results.map(Result::ok).collect();
        assert_eq!(results, [Some(0), Some(1), None, Some(3), Some(4)]);
    }
}
