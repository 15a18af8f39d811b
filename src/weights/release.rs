//! Files of Keras's release, over HTTPS.

use std::path::Path;

use super::download::{Client, Failure, Patience, Progress, Wanted, remove_part};
use super::lock::Lock;

/// The largest file that is taken: the release's are 17 MB and less.
const MAX_BYTES: u64 = 256 << 20;

/// Downloads a file into memory. What arrives of it is kept in `folder` until all of it is there;
/// `lock` keeps other processes from the same file.
///
/// # Errors
/// What the server or the system answered.
pub(super) fn fetch(
    address: &str,
    folder: &Path,
    patience: Patience,
    lock: &Lock,
    progress: &dyn Progress,
) -> Result<Vec<u8>, Failure> {
    let name = address.rsplit('/').next().unwrap_or(address);
    let part = match lock.is_held() {
        true => folder.join(format!("{name}.part")),
        false => folder.join(format!("{name}.{}.part", std::process::id())),
    };
    let wanted = Wanted {
        name,
        part: &part,
        named: false,
        max: MAX_BYTES,
        size: None,
        sha256: None,
    };
    let client = Client::new(patience);
    let attempt = || client.receive(&wanted, address, None, progress);
    let result = client.patiently(progress, || wanted.received(), attempt);
    if let Err(failure) = result {
        if !lock.is_held() {
            remove_part(&part);
        }
        return Err(failure);
    }
    let bytes = std::fs::read(&part).map_err(|e| Failure::of_cache(folder, &e));
    // Right or wrong, the next download is another one.
    remove_part(&part);
    bytes
}
