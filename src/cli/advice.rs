//! What to try after an error.

use mobilenet::Error;

/// Lines of advice; none where the error says it all.
pub fn after(error: &anyhow::Error) -> Vec<&'static str> {
    match error.downcast_ref::<Error>() {
        Some(Error::Fetch(fetch)) if fetch.offline => vec![
            "the same without --offline (or HF_HUB_OFFLINE), once, to fill the cache",
            "--weights FILE, with a checkpoint that is on this machine",
            "MOBILENET_CACHE (or HF_HUB_CACHE), with a cache that was filled elsewhere",
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
        Some(Error::Candle(reason)) if reason.contains("CUDA_ERROR") => {
            vec!["--device cpu (with -o FILE --resume, where that was used, for the rest)"]
        }
        Some(Error::Device(_)) => vec!["--device cpu --dtype f32, or `mobilenet doctor`"],
        _ => Vec::new(),
    }
}
