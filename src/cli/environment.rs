//! The environment variables, read here and nowhere else.
//!
//! Those of Hugging Face mean what they mean to every Hugging Face tool.

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use mobilenet::weights::{DEFAULT_ENDPOINT, Hub, Patience, Store, catalogue};

/// Every variable that matters and what it does, for `doctor` and the man page.
pub const VARIABLES: [(&str, &str); 14] = [
    (
        "MOBILENET_CACHE",
        "Where weights are kept [default: mobilenet in the platform's cache folder]",
    ),
    (
        "MOBILENET_HUB_REPO",
        "OWNER/NAME[@REVISION] of a Hugging Face repository with the published weights as \
         safetensors, asked before the release",
    ),
    (
        "MOBILENET_RELEASE_URL",
        "A mirror of the folder with Keras's release",
    ),
    (
        "MOBILENET_RETRIES",
        "How often a download that failed is tried again [default: 4]",
    ),
    (
        "MOBILENET_RETRY_DELAY",
        "Seconds before the second try, doubled before each further one [default: 0.5]",
    ),
    ("HF_ENDPOINT", "A mirror of the Hugging Face Hub"),
    ("HF_HOME", "Hugging Face's folder, with its cache and token"),
    (
        "HF_HUB_CACHE",
        "Hugging Face's cache [default: hub in HF_HOME]",
    ),
    (
        "HF_HUB_DOWNLOAD_TIMEOUT",
        "Seconds that a server may be silent [default: 15]",
    ),
    ("HF_HUB_OFFLINE", "1 is the same as --offline"),
    ("HF_TOKEN", "The token for private repositories"),
    (
        "HF_TOKEN_PATH",
        "A file with that token [default: token in HF_HOME]",
    ),
    ("NO_COLOR", "No colours"),
    (
        "COLORTERM",
        "truecolor or 24bit: explain may use any colour",
    ),
];

/// A variable's value; one that is set to nothing counts as not set.
pub fn text(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn path(name: &str) -> Option<PathBuf> {
    let value = env::var_os(name).filter(|value| !value.is_empty());
    value.map(PathBuf::from)
}

fn is_set(name: &str) -> bool {
    let value = text(name).unwrap_or_default().to_ascii_uppercase();
    ["1", "ON", "YES", "TRUE"].contains(&value.as_str())
}

/// Whether the terminal shows any colour, as far as it says so.
pub fn is_true_colour() -> bool {
    let value = text("COLORTERM").unwrap_or_default();
    ["truecolor", "24bit"].contains(&value.as_str())
}

/// Where weights are looked for and kept.
pub fn store(offline: bool) -> Result<Store> {
    let cache = match path("MOBILENET_CACHE") {
        Some(cache) => cache,
        None => dirs::cache_dir()
            .ok_or_else(|| anyhow!("this system has no cache folder: set MOBILENET_CACHE"))?
            .join("mobilenet"),
    };
    let home = hugging_face_home();
    let hub = Hub {
        endpoint: text("HF_ENDPOINT").unwrap_or_else(|| DEFAULT_ENDPOINT.into()),
        cache: path("HF_HUB_CACHE")
            .or_else(|| home.clone().map(|home| home.join("hub")))
            .unwrap_or_else(|| cache.join("huggingface")),
        checksums: cache.join("seals"),
        token: token(home),
        patience: patience()?,
    };
    let mut store = Store::new(catalogue(), cache, hub);
    if let Some(repo) = text("MOBILENET_HUB_REPO") {
        let repo = repo.parse().map_err(anyhow::Error::msg);
        store.hub_repo = Some(repo.context("MOBILENET_HUB_REPO")?);
    }
    if let Some(url) = text("MOBILENET_RELEASE_URL") {
        store.release_url = url;
    }
    store.offline = offline || is_set("HF_HUB_OFFLINE");
    Ok(store)
}

/// How long servers are waited for, and how often they are asked.
fn patience() -> Result<Patience> {
    let mut patience = Patience::default();
    if let Some(silence) = seconds("HF_HUB_DOWNLOAD_TIMEOUT")? {
        patience.silence = silence;
        patience.standstill = patience.standstill.max(silence * 4);
    }
    if let Some(delay) = seconds("MOBILENET_RETRY_DELAY")? {
        patience.delay = delay;
    }
    if let Some(retries) = text("MOBILENET_RETRIES") {
        let number = retries.parse::<u16>();
        let retries = number
            .map_err(|_| anyhow!("MOBILENET_RETRIES: {retries:?} is no number from 0 to 65535"))?;
        patience.tries = u32::from(retries) + 1;
    }
    Ok(patience)
}

fn seconds(name: &str) -> Result<Option<Duration>> {
    let Some(text) = text(name) else {
        return Ok(None);
    };
    let seconds = text.parse().ok().filter(|&s| (0.0..=86_400.0).contains(&s));
    let seconds = seconds.ok_or_else(|| anyhow!("{name}: {text:?} is no number of seconds"))?;
    Ok(Some(Duration::from_secs_f64(seconds)))
}

/// `HF_HOME`, else `huggingface` in the XDG cache folder, on every platform.
fn hugging_face_home() -> Option<PathBuf> {
    path("HF_HOME").or_else(|| {
        let cache = path("XDG_CACHE_HOME");
        let cache = cache.or_else(|| dirs::home_dir().map(|home| home.join(".cache")));
        cache.map(|cache| cache.join("huggingface"))
    })
}

fn token(home: Option<PathBuf>) -> Option<String> {
    let from_file = || {
        let file = path("HF_TOKEN_PATH").or_else(|| home.map(|home| home.join("token")))?;
        std::fs::read_to_string(file).ok()
    };
    let token = text("HF_TOKEN").or_else(from_file)?;
    Some(token.trim().to_owned()).filter(|token| !token.is_empty())
}
