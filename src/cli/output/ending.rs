//! What the ending of an output's name says, and whether that is what is written.

use std::ffi::OsStr;
use std::path::Path;

use anyhow::{Result, bail, ensure};
use mobilenet::pixels::PictureFormat;

use super::format::{Format, Offered};
use super::packing::Packing;
use crate::cli::files;

/// Endings that mean what no command writes: tables, numbers and pages of other programs, and archives.
const OTHERS: &[&str] = &[
    "7z", "arrow", "avro", "br", "bz2", "db", "doc", "docx", "dta", "duckdb", "feather", "htm",
    "html", "ipc", "lz4", "mat", "npz", "numbers", "ods", "orc", "parquet", "pdf", "pickle", "pkl",
    "rar", "rda", "rdata", "rds", "sav", "sqlite", "sqlite3", "tar", "tgz", "toml", "xls", "xlsb",
    "xlsm", "xlsx", "xml", "xz", "yaml", "yml", "zip",
];

/// Endings of other programs' checkpoints.
const CHECKPOINTS: &[&str] = &[
    "ckpt", "gguf", "h5", "hdf5", "keras", "mlmodel", "onnx", "pb", "pt", "pth", "tflite",
];

/// A name's ending in lower case.
fn ending(path: &Path) -> Option<String> {
    let ending = path.extension().and_then(OsStr::to_str)?;
    Some(ending.to_ascii_lowercase())
}

/// Whether an ending means a format that this program does not write as rows.
fn is_other(ending: &str) -> bool {
    let is_picture = || PictureFormat::of_extension(ending).is_some();
    OTHERS.contains(&ending) || CHECKPOINTS.contains(&ending) || is_picture()
}

/// Refuses the name of a file for rows that would be in another format than its ending says. With `asked`, the
/// format has been asked for in so many words.
///
/// # Errors
/// What it says.
pub fn check_rows(path: &Path, asked: Option<Format>, offered: &[Offered]) -> Result<()> {
    // That is the better reason, where there is one.
    files::refuse_picture(path)?;
    let named = path.display();
    let inner = Packing::inner_name(path);
    let is_packed = Packing::of_name(path).is_some();
    let by_name = Format::by_ending(&inner);
    if is_packed && let Some(format) = asked.or(by_name) {
        ensure!(
            format.is_text(),
            "{named}: {} is not packed: leave out the last ending",
            format.name()
        );
    }
    let Some(ending) = ending(&inner).filter(|_| asked.is_none()) else {
        return Ok(());
    };
    let is_offered = |format| offered.iter().any(|(offered, _)| *offered == format);
    let is_wrong = match by_name {
        Some(format) => !is_offered(format),
        None => is_other(&ending),
    };
    if is_wrong {
        let names: Vec<&str> = offered.iter().map(|(format, _)| format.name()).collect();
        bail!(
            "{named}: this command doesn't write .{ending}; name the file after what it writes, or say --format: {}",
            names.join(", ")
        );
    }
    Ok(())
}

/// Refuses the name of a file whose ending says something else than what is always written there. `endings` are
/// the right ones, the usual one first.
///
/// # Errors
/// What is written.
pub fn check(path: &Path, what: &str, endings: &[&str]) -> Result<()> {
    let Some(ending) = ending(path) else {
        return Ok(());
    };
    let is_ours = Format::by_ending(path).is_some() || Packing::of_name(path).is_some();
    let is_right = endings.contains(&ending.as_str());
    ensure!(
        is_right || !is_ours && !is_other(&ending),
        "{}: what is written is {what}, so its name should end in .{}",
        path.display(),
        endings.first().unwrap_or(&"")
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::format::ROW_FORMATS;
    use super::*;

    #[test]
    fn an_ending_says_what_is_written_or_nothing() {
        let rows = |name: &str, asked| check_rows(Path::new(name), asked, ROW_FORMATS).is_ok();
        for name in [
            "x", "x.csv", "x.JSONL", "x.csv.gz", "x.zst", "x.log", "x.2026", ".csv", "a.xlsx/x",
        ] {
            assert!(rows(name, None), "{name}");
        }
        for name in [
            "x.xlsx",
            "x.XLSX",
            "x.parquet",
            "x.npy",
            "x.png",
            "x.csv.xz",
            "x.xlsx.gz",
            "x.npy.gz",
            "x.pth",
        ] {
            assert!(!rows(name, None), "{name}");
            assert!(rows(name, Some(Format::Csv)), "{name}");
        }
        assert!(!rows("x.gz", Some(Format::Npy)));
        let checkpoint =
            |name: &str| check(Path::new(name), "safetensors", &["safetensors"]).is_ok();
        assert!(checkpoint("x.safetensors") && checkpoint("x") && checkpoint("x.v2"));
        for name in [
            "x.h5",
            "x.onnx",
            "x.csv",
            "x.zip",
            "x.safetensors.gz",
            "x.jpg",
        ] {
            assert!(!checkpoint(name), "{name}");
        }
    }
}
