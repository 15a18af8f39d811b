//! Files of Keras's release, over HTTPS.

use std::io::Read;
use std::sync::mpsc::Sender;
use std::time::Duration;

use super::download::{Event, Progress, describe_request, watched};

/// The largest file that is taken: the release's are 17 MB and less.
const MAX_BYTES: u64 = 256 << 20;

/// Downloads a file into memory.
///
/// # Errors
/// What the server or the system answered, in words.
pub(super) fn download(
    address: &str,
    patience: Duration,
    progress: &dyn Progress,
) -> Result<Vec<u8>, String> {
    let address = address.to_owned();
    watched(patience, progress, move |events| fetch(&address, events))
}

fn fetch(address: &str, events: &Sender<Event<Vec<u8>>>) -> Result<Vec<u8>, String> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .user_agent(concat!("mobilenet/", env!("CARGO_PKG_VERSION")))
        .build()
        .into();
    let response = agent
        .get(address)
        .call()
        .map_err(|e| describe_request(&e))?;
    let body = response.into_body();
    let length = body.content_length();
    let name = address.rsplit('/').next().unwrap_or(address);
    let _ = events.send(Event::Start(name.into(), length));

    let mut reader = body.into_reader().take(MAX_BYTES + 1);
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = reader
            .read(&mut buffer)
            .map_err(|e| format!("broke off after {} bytes ({e})", bytes.len()))?;
        if read == 0 {
            break;
        }
        bytes.extend_from_slice(&buffer[..read]);
        let _ = events.send(Event::Advance(read as u64));
    }
    match length {
        _ if bytes.len() as u64 > MAX_BYTES => Err("larger than any MobileNet V1".into()),
        Some(length) if length != bytes.len() as u64 => {
            Err(format!("broke off after {} of {length} bytes", bytes.len()))
        }
        _ => Ok(bytes),
    }
}
