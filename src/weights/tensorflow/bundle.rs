//! Checkpoints of TensorFlow: `PREFIX.index`, a table of names, and `PREFIX.data-00000-of-00001`, their numbers.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::message::{kind, known_shape};
use super::table::{Entry, checksum, entries};
use super::{saved_slices, slim};
use crate::weights::contents::{Contents, append};
use crate::weights::graph::Constant;
use crate::weights::imported::Imported;
use crate::weights::protobuf::{Field, Result, fields};

/// More files than one network's variables are split into.
const MAX_SHARDS: usize = 64;

/// What a file of a folder is called that says which checkpoint is the latest.
const LATEST: &str = "checkpoint";

/// More than that file needs.
const MAX_LATEST_BYTES: u64 = 1 << 20;

/// The file with the names of a checkpoint that is named by its prefix, by another file of it, or by its folder.
pub(in crate::weights) fn located(path: &Path) -> Option<PathBuf> {
    if path.is_dir() {
        return latest(path);
    }
    let name = path.file_name()?.to_str()?;
    let prefix = name.strip_suffix(".meta").or_else(|| {
        let (prefix, shard) = name.split_once(".data-")?;
        shard.contains("-of-").then_some(prefix)
    });
    let prefix = prefix.or((!path.exists()).then_some(name))?;
    let index = path.with_file_name(format!("{prefix}.index"));
    index.is_file().then_some(index)
}

/// The checkpoint that a folder says is the latest, or the only one.
fn latest(folder: &Path) -> Option<PathBuf> {
    let mut text = String::new();
    let file = fs::File::open(folder.join(LATEST)).ok();
    let read = file.map(|file| file.take(MAX_LATEST_BYTES).read_to_string(&mut text));
    if read.is_some_and(|read| read.is_ok()) {
        let lines = text.lines();
        let mut lines = lines.filter_map(|line| line.strip_prefix("model_checkpoint_path:"));
        // It may be the path on another machine.
        let path = lines.next().map(|path| path.trim().trim_matches('"'));
        let name = path.and_then(|path| path.rsplit(['/', '\\']).next());
        let index = name.map(|name| folder.join(format!("{name}.index")));
        if let Some(index) = index
            && index.is_file()
        {
            return Some(index);
        }
    }
    let files = fs::read_dir(folder)
        .ok()?
        .flatten()
        .map(|entry| entry.path());
    let mut found = files.filter(|path| path.extension().is_some_and(|end| end == "index"));
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

/// Reads a checkpoint by its table and the files beside it. What comes back besides are the bytes of all of them,
/// one after the other.
pub(in crate::weights) fn read(
    contents: Arc<Contents>,
    path: &Path,
) -> Result<(Imported, Arc<Contents>)> {
    let mut table = entries(&contents)?;
    let first = table.first().filter(|entry| entry.key.is_empty());
    let header = first
        .ok_or("truncated or damaged (its table has no header)")?
        .value;
    if saved_slices::is_header(header) {
        let variables = saved_slices::variables(&table, contents.len())?;
        return Ok((slim::imported(variables)?, contents));
    }
    let (mut shards, mut is_big) = (0, false);
    for field in fields(header) {
        match field? {
            (1, value) => shards = usize::try_from(value.integer()?).unwrap_or(0),
            (2, value) => is_big = value.integer()? != 0,
            _ => {}
        }
    }
    if is_big {
        return Err("its numbers are big-endian, which is not supported".into());
    }
    if !(1..=MAX_SHARDS).contains(&shards) {
        return Err(format!("its numbers are in {shards} files"));
    }
    let variables = table.split_off(1);
    let mut places = Vec::new();
    let mut bytes = contents.to_vec();
    for shard in 0..shards {
        let name = path.with_extension(format!("data-{shard:05}-of-{shards:05}"));
        let start = bytes.len();
        append(&mut bytes, &name).map_err(|e| {
            let name = name.file_name().unwrap_or_default();
            format!("its numbers are in {name:?}, which has to lie beside it: {e}")
        })?;
        places.push(start..bytes.len());
    }
    let shards = places.into_iter().filter_map(|place| bytes.get(place));
    let shards: Vec<&[u8]> = shards.collect();
    let mut read = BTreeMap::new();
    for Entry { key, value } in variables {
        let name = String::from_utf8(key).map_err(|_| "a name in it is no text")?;
        read.insert(name, Variable::parse(value, &shards)?);
    }
    let imported = slim::imported(read)?;
    Ok((imported, Arc::new(Contents::read(bytes))))
}

/// A variable, whose numbers are only looked at when they are wanted.
pub(super) enum Variable<'a> {
    Placed {
        kind: i64,
        shape: Vec<usize>,
        bytes: Option<&'a [u8]>,
        checksum: u32,
        is_sliced: bool,
    },
    Read(Constant<'a>),
}

impl<'a> Variable<'a> {
    fn parse(message: &[u8], shards: &[&'a [u8]]) -> Result<Self> {
        let (mut number, mut shape, mut is_sliced) = (0, Vec::new(), false);
        let (mut shard, mut offset, mut size, mut sum) = (0, 0, 0, 0);
        for field in fields(message) {
            match field? {
                (1, value) => number = value.integer()?,
                (2, value) => shape = known_shape(value.bytes()?)?,
                (3, value) => shard = value.integer()?,
                (4, value) => offset = value.integer()?,
                (5, value) => size = value.integer()?,
                (6, Field::Fixed32(bytes)) => sum = u32::from_le_bytes(bytes),
                (7, _) => is_sliced = true,
                _ => {}
            }
        }
        let place = || {
            let shard = shards.get(usize::try_from(shard).ok()?)?;
            let rest = shard.get(usize::try_from(offset).ok()?..)?;
            rest.get(..usize::try_from(size).ok()?)
        };
        Ok(Self::Placed {
            kind: number,
            shape,
            bytes: place(),
            checksum: sum,
            is_sliced,
        })
    }

    pub fn shape(&self) -> &[usize] {
        match self {
            Self::Placed { shape, .. } => shape,
            Self::Read(constant) => &constant.shape,
        }
    }

    /// Its numbers.
    ///
    /// # Errors
    /// They are damaged, or not there.
    pub fn constant(self) -> Result<Constant<'a>> {
        match self {
            Self::Read(constant) => Ok(constant),
            Self::Placed {
                is_sliced: true, ..
            } => Err("it is saved in slices, which is not supported".into()),
            Self::Placed {
                kind: number,
                shape,
                bytes,
                checksum: sum,
                ..
            } => {
                let bytes = bytes.ok_or("truncated or damaged (it lies outside of its file)")?;
                if checksum(bytes) != sum {
                    return Err("truncated or damaged (its checksum is wrong)".into());
                }
                Constant::new(shape, kind(number)?, bytes.into())
            }
        }
    }
}
