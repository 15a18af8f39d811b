//! What to try after an error.

use std::path::Path;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use mobilenet::Error;
use mobilenet::error::FetchError;

use super::terminal::printable;

/// Lines of advice; none where the error says it all.
pub fn after(error: &anyhow::Error) -> Vec<&'static str> {
    match error.downcast_ref::<Error>() {
        Some(Error::Fetch(fetch)) if fetch.offline => vec![
            "the same without --offline (or HF_HUB_OFFLINE), once, to fill the cache",
            "--weights FILE, with a checkpoint that is on this machine",
            "MOBILENET_CACHE (or HF_HUB_CACHE), with a cache that was filled elsewhere",
        ],
        Some(Error::Fetch(fetch)) if cache_is_closed(fetch) => vec![
            "MOBILENET_CACHE (or HF_HUB_CACHE), with a folder that can be written to",
            "--weights FILE, with a checkpoint that is on this machine",
        ],
        Some(Error::Fetch(_)) => vec![
            "--weights FILE, with a checkpoint that is on this machine",
            "MOBILENET_RELEASE_URL (or HF_ENDPOINT), with a mirror that this machine can reach",
            "MOBILENET_CACHE (or HF_HUB_CACHE), with a cache that was filled elsewhere",
        ],
        Some(error) if error.is_out_of_memory() => vec![
            "a smaller --batch-size, or --dtype f16",
            "--device cpu, which needs little memory for any batch",
        ],
        Some(Error::Candle(reason)) if is_of_a_gpu(reason) => {
            vec!["--device cpu (with -o FILE --resume, where that was used, for the rest)"]
        }
        Some(Error::Device(_)) => vec!["--device cpu --dtype f32, or `mobilenet doctor`"],
        _ => Vec::new(),
    }
}

/// The same for arguments that are wrong: a picture in the place of a command.
pub fn after_arguments(error: &clap::Error) -> Option<String> {
    let Some(ContextValue::String(name)) = error.get(ContextKind::InvalidSubcommand) else {
        return None;
    };
    let is_path = error.kind() == ErrorKind::InvalidSubcommand && Path::new(name).exists();
    is_path.then(|| format!("mobilenet classify {}", printable(name)))
}

/// Whether the last place could not be asked because there was nowhere to keep its answer.
fn cache_is_closed(fetch: &FetchError) -> bool {
    let last = fetch.attempts.last();
    last.is_some_and(|attempt| attempt.outcome.starts_with("the cache can't be written to"))
}

/// Errors of CUDA's have its names in them, whatever else they say.
fn is_of_a_gpu(reason: &str) -> bool {
    ["CUDA_ERROR", "CUBLAS"]
        .iter()
        .any(|name| reason.contains(name))
}
