//! The bodies of requests, within limits: of each, of all together, and of patience.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use http_body_util::LengthLimitError;
use tokio::time::{Instant, timeout_at};

use super::fault::Fault;

/// A client has so long before anything is asked of its speed.
const FIRST: Duration = Duration::from_secs(20);

/// Bytes a second that it has to come to on average after that: a slow telephone line.
const SLOWEST: u64 = 4096;

/// What the bodies that are in memory may take together, for each byte of the largest one.
const BODIES: usize = 8;

/// How bodies are read.
#[derive(Clone)]
pub struct Bodies {
    /// Bytes of the largest one.
    pub largest: usize,
    memory: Arc<Memory>,
}

/// What they take together, in bytes.
#[derive(Debug)]
struct Memory {
    taken: AtomicUsize,
    total: usize,
}

/// A body in memory, which counts for as long as it is there.
pub struct Received {
    pub bytes: Vec<u8>,
    held: Held,
}

/// A part of the memory, given back when it is dropped.
pub struct Held {
    memory: Arc<Memory>,
    bytes: usize,
}

impl Bodies {
    /// Bodies of up to so many bytes.
    pub fn new(largest: usize) -> Self {
        Self {
            largest,
            memory: Arc::new(Memory {
                taken: AtomicUsize::new(0),
                total: largest.saturating_mul(BODIES),
            }),
        }
    }

    /// Reads the body of a request.
    ///
    /// # Errors
    /// A body that is too large, for now or for ever, that comes too slowly, or that breaks off.
    pub async fn read(&self, headers: &HeaderMap, mut body: Body) -> Result<Received, Fault> {
        let stated = headers.get(CONTENT_LENGTH);
        let stated = stated.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        // Before anything of it has come: a client that waits for a word may keep it.
        if stated.is_some_and(|length| length > self.largest as u64) {
            return Err(self.too_large());
        }
        let mut received = Received {
            bytes: Vec::new(),
            held: Held {
                memory: self.memory.clone(),
                bytes: 0,
            },
        };
        let begin = Instant::now();
        loop {
            let allowance = Duration::from_secs(received.bytes.len() as u64 / SLOWEST);
            let frame = timeout_at(begin + FIRST + allowance, body.frame());
            let Some(frame) = frame.await.map_err(|_| too_slow())? else {
                break;
            };
            let Ok(data) = frame.map_err(|error| broken(&error))?.into_data() else {
                continue;
            };
            if received.bytes.len() + data.len() > self.largest {
                return Err(self.too_large());
            }
            received.held.add(data.len())?;
            if received.bytes.is_empty() {
                // What is stated is not believed beyond this.
                let stated = stated.unwrap_or(0).min(1 << 20) as usize;
                received.bytes.reserve(stated.max(data.len()));
            }
            received.bytes.extend_from_slice(&data);
        }
        Ok(received)
    }

    fn too_large(&self) -> Fault {
        Fault::too_large(format!(
            "a body of more than {} bytes; --max-body raises that",
            self.largest
        ))
    }
}

impl Received {
    /// The bytes, and what they count for as long as it is kept.
    pub fn into_parts(self) -> (Vec<u8>, Held) {
        (self.bytes, self.held)
    }
}

impl Held {
    fn add(&mut self, more: usize) -> Result<(), Fault> {
        let memory = &self.memory;
        let before = memory.taken.fetch_add(more, Ordering::Relaxed);
        self.bytes += more;
        match before + more > memory.total {
            true => Err(Fault::busy("no memory is left for this body: try again")),
            false => Ok(()),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.memory.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

fn too_slow() -> Fault {
    let message = "the body came too slowly, or not at all";
    Fault::new(StatusCode::REQUEST_TIMEOUT, "timeout", message)
}

fn broken(error: &axum::Error) -> Fault {
    use std::error::Error;
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<LengthLimitError>() {
            return Fault::too_large("the body is too large");
        }
        cause = error.source();
    }
    Fault::request(format!("the body can't be read: {error}"))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn read(bodies: &Bodies, headers: &HeaderMap, body: Vec<u8>) -> Result<Received, u16> {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().build().expect("a runtime");
        let received = runtime.block_on(bodies.read(headers, body.into()));
        received.map_err(|fault| fault.status.as_u16())
    }

    #[test]
    fn a_body_counts_for_as_long_as_it_is_kept() {
        let (bodies, none) = (Bodies::new(100), HeaderMap::new());
        let whole = |length| read(&bodies, &none, vec![7; length]);
        assert_eq!(whole(101).err(), Some(413));
        let kept: Vec<Received> = (0..BODIES).filter_map(|_| whole(100).ok()).collect();
        assert_eq!(kept.len(), BODIES);
        assert_eq!(whole(1).err(), Some(503));
        drop(kept);
        assert_eq!(bodies.memory.taken.load(Ordering::Relaxed), 0);
        assert_eq!(whole(100).ok().map(|body| body.bytes), Some(vec![7; 100]));
    }

    #[test]
    fn a_length_that_is_too_large_is_refused_before_it_comes() {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("101"));
        assert_eq!(read(&Bodies::new(100), &headers, vec![1]).err(), Some(413));
    }
}
