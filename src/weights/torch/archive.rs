//! Files of PyTorch since 1.6: a zip of a pickle, and of a file for each storage.

use std::collections::HashMap;
use std::io::{self, Cursor, Read};
use std::ops::Range;

use zip::{CompressionMethod, ZipArchive};

use super::pickle::Pickle;
use super::tensors::state_dict;
use super::{MAX_PICKLE_BYTES, to_safetensors};

/// The pickle in the zip.
const PICKLE: &str = "data.pkl";

type Archive<'a> = ZipArchive<Cursor<&'a [u8]>>;

/// Whether a zip is one of PyTorch's, with weights and no program.
pub(in crate::weights) fn is_torch(bytes: &[u8]) -> bool {
    ZipArchive::new(Cursor::new(bytes)).is_ok_and(|archive| {
        let has = |part: &str| {
            archive
                .file_names()
                .flatten()
                .any(|name| name.contains(part))
        };
        has(PICKLE) && !has("/code/") && !has("archive_format")
    })
}

/// The tensors of such a zip, as safetensors hold them.
pub(in crate::weights) fn read_zip(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let damaged = |e: zip::result::ZipError| format!("truncated or damaged zip ({e})");
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(damaged)?;
    let pickle = archive.file_names().flatten().find_map(|name| {
        let folder = name.strip_suffix(PICKLE)?;
        Some(folder.to_owned())
    });
    let folder = pickle.ok_or("a zip without a pickle")?;
    let order = member(&mut archive, &format!("{folder}byteorder"), 16);
    if order.is_ok_and(|order| order == b"big") {
        return Err("its numbers are big-endian, which is not supported".into());
    }
    let program = member(&mut archive, &format!("{folder}{PICKLE}"), MAX_PICKLE_BYTES)?;
    let described = state_dict(&Pickle::read(&program)?)?;
    // Each is looked at once, however many tensors are of it.
    let mut known: HashMap<String, Range<usize>> = HashMap::new();
    to_safetensors(described, bytes.len(), |name| {
        let place = match known.get(name) {
            Some(place) => place.clone(),
            None => {
                let place = stored(&mut archive, &format!("{folder}data/{name}"))?;
                known.insert(name.into(), place.clone());
                place
            }
        };
        bytes
            .get(place)
            .ok_or_else(|| "its numbers are cut off".into())
    })
}

/// A file of the zip of at most so many bytes.
fn member(archive: &mut Archive, name: &str, most: u64) -> Result<Vec<u8>, String> {
    let error = |e: &dyn std::fmt::Display| format!("{name} in it: {e}");
    let file = archive.by_name(name).map_err(|e| error(&e))?;
    if file.size() > most {
        return Err(error(&format_args!("it has {} bytes", file.size())));
    }
    let mut bytes = Vec::new();
    let read = file.take(most + 1).read_to_end(&mut bytes);
    read.map_err(|e| error(&e))?;
    if bytes.len() as u64 > most {
        return Err(error(&"longer than it says"));
    }
    Ok(bytes)
}

/// Where the bytes of a file of the zip lie, whose checksum is right.
fn stored(archive: &mut Archive, name: &str) -> Result<Range<usize>, String> {
    let error = |e: &dyn std::fmt::Display| format!("{name} in it: {e}");
    let mut file = archive.by_name(name).map_err(|e| error(&e))?;
    // Anything packed could be of any length.
    if file.compression() != CompressionMethod::Stored {
        return Err("its numbers are packed, which is not supported".into());
    }
    let length = io::copy(&mut file, &mut io::sink()).map_err(|e| error(&e))?;
    let start = file.data_start().ok_or_else(|| error(&"it is nowhere"))?;
    let place = usize::try_from(start)
        .ok()
        .zip(usize::try_from(length).ok());
    let place = place.and_then(|(start, length)| Some(start..start.checked_add(length)?));
    place.ok_or_else(|| error(&"it is too long"))
}
