//! Connections: taken, kept within limits, and ended in good order.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tower::ServiceExt;

use super::patient::Patient;
use super::service::Service;
use crate::cli::note;

/// So long a client may take over a request's head, or think before the next request.
const HEAD: Duration = Duration::from_secs(15);

/// So long a client may take no byte of its answer.
const STALLED: Duration = Duration::from_secs(30);

/// The largest head of a request, in bytes.
const LARGEST_HEAD: usize = 64 << 10;

/// Lines of a head.
const MOST_HEADERS: usize = 64;

/// After a connection could not be taken, because the system has no more of what it needs.
const BREATH: Duration = Duration::from_millis(100);

/// Takes connections until `stop` says so, and then ends them: requests that have begun are answered,
/// within `grace`.
pub async fn serve(
    listeners: Vec<TcpListener>,
    routes: Router,
    service: Arc<Service>,
    most: usize,
    grace: Duration,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let graceful = Arc::new(GracefulShutdown::new());
    let room = Arc::new(Semaphore::new(most));
    let accepting: Vec<_> = listeners
        .into_iter()
        .map(|listener| {
            let (routes, service) = (routes.clone(), service.clone());
            let taking = accept(listener, routes, service, room.clone(), graceful.clone());
            tokio::spawn(taking)
        })
        .collect();
    stop.await;
    service.stop();
    for taking in accepting {
        taking.abort();
        // It ends where it waits, and lets go of the listener: others are refused at once.
        let _ = taking.await;
    }
    let Some(graceful) = Arc::into_inner(graceful) else {
        return Ok(());
    };
    if timeout(grace, graceful.shutdown()).await.is_err() {
        note("requests that were not answered in time were given up");
    }
    Ok(())
}

async fn accept(
    listener: TcpListener,
    routes: Router,
    service: Arc<Service>,
    room: Arc<Semaphore>,
    graceful: Arc<GracefulShutdown>,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(LARGEST_HEAD)
        .max_headers(MOST_HEADERS)
        // Clients that shut down their side once they have asked are answered.
        .half_close(true);
    loop {
        // It is never closed.
        let Ok(place) = room.clone().acquire_owned().await else {
            return;
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                if !is_one_connections(&error) {
                    sleep(BREATH).await;
                }
                continue;
            }
        };
        // An answer is one write, which is not to wait for another.
        let _ = stream.set_nodelay(true);
        let routes = routes
            .clone()
            .map_request(|request: Request<Incoming>| request.map(Body::new));
        let io = TokioIo::new(pin_boxed(Patient::new(stream, STALLED)));
        let connection = http.serve_connection(io, TowerToHyperService::new(routes));
        let connection = graceful.watch(connection);
        let open = service.metrics.connections.clone();
        open.inc();
        tokio::spawn(async move {
            // What a client did wrong with its connection, it knows.
            let _ = pin!(connection).await;
            open.dec();
            drop(place);
        });
    }
}

fn pin_boxed<T>(value: T) -> std::pin::Pin<Box<T>> {
    Box::pin(value)
}

/// Whether it is the connection that failed, and not the machine.
fn is_one_connections(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}
