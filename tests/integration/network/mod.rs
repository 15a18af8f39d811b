//! Downloads, from a server on loopback that does what a test tells it to.
//!
//! - `release`: Keras's release, and what is kept of it
//! - `hub`: repositories on the Hub, and the cache shared with other tools
//! - `shared_blobs`: that cache as huggingface_hub 2.4 has it
//! - `faults`: servers and networks that misbehave
//! - `damage`: files in the caches that are not what was put there
//! - `together`: many processes at once, and killed ones

mod damage;
mod faults;
mod forms;
mod hub;
mod release;
mod server;
mod shared_blobs;
mod together;

use std::path::{Path, PathBuf};

use mobilenet::weights::{Checkpoint, LoadOptions};

use crate::support::{Program, Ran, arg, release_file, repository};
use server::{Answer, Reply, Request, Server, status};

/// The release's file of alpha 0.25, and our conversion of it.
const RELEASE_FILE: &str = "mobilenet_2_5_224_tf.h5";
const CONVERSION: &str = "mobilenet_v1_0.25_224.safetensors";

fn cat() -> String {
    arg(&repository("samples/cat.jpg")).to_owned()
}

/// Arguments that need the published weights of alpha 0.25.
fn published() -> [String; 5] {
    ["classify", "--jsonl", "--alpha", "0.25", &cat()].map(str::to_owned)
}

/// Runs `classify` with a mirror of the release and these variables.
fn with_mirror(program: &Program, address: &str, variables: &[(&str, &str)]) -> Ran {
    let mut command = program.command(&published());
    command.env("MOBILENET_RELEASE_URL", address);
    command.envs(variables.iter().copied());
    Ran::of(command.output().expect("the program"))
}

const TOKEN: &str = "hf_loopback";

/// Runs `classify` with a Hub, its token, and further arguments.
fn with_hub(program: &Program, server: &Server, arguments: &[&str]) -> Ran {
    with_hub_and(program, server, arguments, &[])
}

fn with_hub_and(
    program: &Program,
    server: &Server,
    arguments: &[&str],
    variables: &[(&str, &str)],
) -> Ran {
    let mut command = program.command(&["classify", "--jsonl", "--verbose", &cat()]);
    command
        .args(arguments)
        .env("HF_ENDPOINT", &server.address)
        .env("HF_TOKEN", TOKEN)
        .env(
            "MOBILENET_RELEASE_URL",
            format!("{}/release", server.address),
        )
        .envs(variables.iter().copied());
    let ran = Ran::of(command.output().expect("the program"));
    assert!(!ran.stderr.contains(TOKEN), "{}", ran.stderr);
    ran
}

const REPO: &[&str] = &["--repo", "owner/name"];

/// A Hub whose repositories have this `model.safetensors`, or conversion, and nothing else.
fn hub_file(request: &Request, bytes: &[u8]) -> Answer {
    match request.path.ends_with(".safetensors") {
        true => server::file(request, bytes),
        false => status(404),
    }
}

fn hub(bytes: Vec<u8>) -> Server {
    Server::new(move |request| hub_file(request, &bytes))
}

/// Where the cache has a repository.
fn hub_folder(program: &Program) -> PathBuf {
    program.path("hf/hub/models--owner--name")
}

/// The answer that `release_file` gives to any picture.
#[track_caller]
fn answered(ran: &Ran) {
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let predictions = &ran.rows()[0]["predictions"];
    // softmax of 3, 2, 1 and 997 zeros
    let sum = [3f64, 2.0, 1.0].map(f64::exp).iter().sum::<f64>() + 997.0;
    for (i, (index, logit)) in [(281, 3f64), (282, 2.0), (285, 1.0)]
        .into_iter()
        .enumerate()
    {
        assert_eq!(predictions[i]["index"], index);
        let score = predictions[i]["score"].as_f64().expect("a score");
        assert!((score - logit.exp() / sum).abs() < 1e-6, "{score}");
    }
}

/// Our conversion of the release file.
fn conversion(program: &Program) -> Vec<u8> {
    let path = program.path("conversion.safetensors");
    let source = program.file("release.h5", release_file());
    let checkpoint = Checkpoint::open(source, &LoadOptions::default()).expect("a checkpoint");
    checkpoint.save(&path).expect("saved");
    std::fs::read(path).expect("saved")
}

/// The names of the files in a folder, but for locks.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name != ".locks")
        .collect();
    names.sort();
    names
}

/// The file of the release, but for its first requests.
fn mirror(first: impl IntoIterator<Item = Answer>) -> Server {
    let bytes = release_file();
    Server::script(first, move |request| server::file(request, &bytes))
}

/// The release's file as a reply to a request for all of it.
fn whole() -> Reply {
    let bytes = release_file();
    let etag = format!("\"{}\"", server::sha256(&bytes));
    Reply::new(200, bytes)
        .header("etag", &etag)
        .header("x-repo-commit", server::COMMIT)
}
