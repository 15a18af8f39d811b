//! `mobilenet serve`: HTTP for other programs, and a page.
//!
//! `listen` and `connections` have the sockets, `gate` says whom it answers, `routes` by what.
//! `bodies` and `uploads` make pictures of a request's body; `workers` are the threads that answer
//! them, `asking` how pictures get there; `pictures` and `explain` answer in our own words, `inference`
//! in those of the Open Inference Protocol. `service` is what all of them share.

mod asking;
mod bodies;
mod connections;
mod explain;
mod fault;
mod gate;
mod inference;
mod listen;
mod metrics;
mod openapi;
mod options;
mod page;
mod parameters;
mod patient;
mod pictures;
mod routes;
mod rows;
mod service;
mod uploads;
mod workers;

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;

use self::gate::Gate;
use self::options::ServiceOptions;
use self::service::Service;
use super::interrupt::Interrupt;
use super::options::{LabelOptions, NetworkOptions};
use super::{Global, Outcome, note};

/// Threads that read requests and write answers. What takes time has threads of its own.
const IO_THREADS: usize = 1;

/// How often it is looked whether it should stop.
const GLANCE: Duration = Duration::from_millis(50);

/// Answer over HTTP: labels, embeddings and maps for other programs, and a page to drop pictures on
#[derive(Debug, Args)]
#[command(after_help = "\
curl --data-binary @cat.jpg http://127.0.0.1:8080/v1/classify gives a picture's row, as classify --jsonl \
does. /openapi.json lists what there is; /v2 is the Open Inference Protocol (KServe, Triton); /metrics is \
for Prometheus. The address is printed on stdout once it is listened at. Ctrl-C and TERM let requests that \
have begun finish.")]
pub struct Arguments {
    #[command(flatten)]
    service: ServiceOptions,

    #[command(flatten)]
    labels: LabelOptions,

    #[command(flatten)]
    network: NetworkOptions,
}

pub fn run(arguments: &Arguments, global: Global) -> Result<Outcome> {
    let options = &arguments.service;
    // First, because it is quick to fail.
    let listeners = listen::listeners(&options.listen)?;
    let addresses = listen::addresses(&listeners)?;
    let gate = Gate::new(options, &addresses)?;
    let network = arguments.network.open(&[], global)?;
    let service = Service::start(options, gate, &network, &arguments.labels, global)?;
    let threads = network.running.threads;
    // The tensors that were read are in the network now.
    drop(network);
    let service = Arc::new(service);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(IO_THREADS)
        .thread_name("mobilenet-http")
        .enable_all()
        .build()
        .context("the threads for connections")?;
    let interrupt = Interrupt::watch();
    runtime.block_on(async {
        let listeners = listeners.into_iter().map(|listener| {
            listener.set_nonblocking(true)?;
            tokio::net::TcpListener::from_std(listener)
        });
        let listeners = listeners.collect::<io::Result<Vec<_>>>()?;
        tell(&addresses, &service, threads, options, global);
        connections::serve(
            listeners,
            routes::routes(service.clone()),
            service,
            options.max_connections.into(),
            Duration::from_secs(options.grace.into()),
            asked_to_stop(&interrupt),
        )
        .await
    })?;
    Ok(Outcome::Complete)
}

/// Tells where it is: on stdout for programs that started it, with more on stderr for people.
fn tell(
    addresses: &[std::net::SocketAddr],
    service: &Service,
    threads: usize,
    options: &ServiceOptions,
    global: Global,
) {
    let urls = addresses.iter().map(|address| listen::url(*address));
    let urls: Vec<String> = urls.collect();
    // Whoever started it may not want to know.
    let _ = writeln!(io::stdout(), "{}", urls.join("\n"));
    if !global.quiet {
        let token = match service.gate.asks_for_a_token() {
            true => "with the token",
            false => "without a token",
        };
        note(&format!(
            "answering {token} on {threads} threads; Ctrl-C ends it"
        ));
    }
    if let (true, Some(url)) = (options.open, urls.into_iter().next()) {
        std::thread::spawn(move || {
            if let Err(error) = open::that(&url) {
                note(&format!("no browser could be opened for {url}: {error}"));
            }
        });
    }
}

async fn asked_to_stop(interrupt: &Interrupt) {
    while !interrupt.happened() {
        tokio::time::sleep(GLANCE).await;
    }
}
