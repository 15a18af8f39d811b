//! What to try after an error.

use std::borrow::Cow;
use std::path::Path;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use mobilenet::Error;
use mobilenet::error::{AttemptKind, FetchError, ImageError, ImageLimit};

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
        Some(Error::OutOfMemory { .. }) => vec![
            "a smaller --batch-size, or --dtype f16",
            "--device cpu, which needs little memory for any batch",
        ],
        Some(Error::Gpu { .. }) => {
            vec!["--device cpu (with -o FILE --resume, where that was used, for the rest)"]
        }
        Some(Error::Device { .. }) => {
            vec!["--device cpu with --dtype f32 or int8, or `mobilenet doctor`"]
        }
        _ => Vec::new(),
    }
}

/// The same for arguments that are wrong: a picture in the place of a command.
pub fn after_arguments(error: &clap::Error) -> Option<String> {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    // A type that `convert` does not write.
    let is_type = text(ContextKind::InvalidArg).is_some_and(|name| name.starts_with("--dtype"));
    if is_type && text(ContextKind::InvalidValue) == Some("int8") {
        return Some("mobilenet quantize, which writes int8".into());
    }
    let name = text(ContextKind::InvalidSubcommand)?;
    let is_path = error.kind() == ErrorKind::InvalidSubcommand && Path::new(name).exists();
    is_path.then(|| format!("mobilenet classify {}", printable(name)))
}

/// Why a picture has no answer, and the option that would let it have one.
pub fn picture_error(error: &ImageError) -> Cow<'_, str> {
    let option = match error.limit {
        Some(ImageLimit::Pixels) => "--max-pixels",
        Some(ImageLimit::FileSize) => "--max-file-size",
        _ => return Cow::Borrowed(&error.message),
    };
    Cow::Owned(format!("{}; {option} raises it", error.message))
}

/// Whether the last place could not be asked because there was nowhere to keep its answer.
fn cache_is_closed(fetch: &FetchError) -> bool {
    let last = fetch.attempts.last();
    last.is_some_and(|attempt| attempt.kind == AttemptKind::CacheNotWritable)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use mobilenet::device::{self, DeviceChoice};
    use mobilenet::weights::{Hub, NoProgress, Patience, Store, catalogue};

    use super::*;

    /// What is tried after an error that the library made.
    fn first_line(error: impl Into<Error>) -> &'static str {
        let lines = after(&anyhow::Error::from(error.into()));
        lines.first().copied().unwrap_or_default()
    }

    fn store(cache: &Path) -> Store {
        let hub = Hub {
            // A port that nobody listens at.
            endpoint: "http://127.0.0.1:9".into(),
            cache: cache.join("hub"),
            checksums: cache.join("checksums"),
            token: None,
            patience: Patience {
                tries: 1,
                ..Patience::default()
            },
        };
        let mut store = Store::new(catalogue(), cache.join("cache"), hub);
        store.release_url = "http://127.0.0.1:9".into();
        store
    }

    #[test]
    fn weights_that_cant_be_fetched() {
        let folder = tempfile::tempdir().expect("a folder");
        let variant = &catalogue().variants[0];
        let mut store = store(folder.path());
        let fetched = |store: &Store| {
            store
                .fetch(variant, &NoProgress)
                .expect_err("nothing there")
        };
        assert!(first_line(fetched(&store)).starts_with("--weights FILE"));
        store.offline = true;
        assert!(first_line(fetched(&store)).starts_with("the same without --offline"));
        store.offline = false;
        // Not even root can make a folder in the place of a file.
        store.cache = folder.path().join("file/cache");
        fs::write(folder.path().join("file"), "").expect("written");
        assert!(first_line(fetched(&store)).starts_with("MOBILENET_CACHE"));
    }

    #[test]
    fn devices_that_fail() {
        let driver = |text: &str| candle_core::Error::Msg(text.into());
        let full = driver("DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")");
        assert!(first_line(full).starts_with("a smaller --batch-size"));
        let broken = driver("DriverError(CUDA_ERROR_LAUNCH_FAILED, \"launch failure\")");
        assert!(first_line(broken).starts_with("--device cpu (with"));
        assert_eq!(first_line(driver("a shape")), "");
        let on_cpu = device::open(DeviceChoice::Cpu).expect("a CPU");
        let error =
            device::check_precision(&on_cpu, mobilenet::DType::F16.into()).expect_err("f32 only");
        assert!(first_line(error).starts_with("--device cpu with --dtype f32 or int8"));
        // Also behind what a command says of it.
        let error = Error::from(driver("CUDA_ERROR_LAUNCH_FAILED"));
        let error = anyhow::Error::from(error).context("a picture");
        assert_eq!(after(&error).len(), 1);
    }
}
