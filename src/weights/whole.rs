//! Files that appear whole or not at all.

use std::io::{self, Write};
use std::path::Path;

use tempfile::NamedTempFile;

/// Of any file, before the umask.
const FILE_MODE: u32 = 0o666;

/// Writes a file, which appears whole or not at all. What a symbolic link points to is replaced,
/// not the link; a device or a pipe is written to as it is.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_with(path, bytes, FILE_MODE)
}

/// The same for a program, which may be executed.
pub(super) fn write_program(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_with(path, bytes, 0o777)
}

fn write_with(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    if path.exists() && !path.is_file() {
        return std::fs::write(path, bytes);
    }
    let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let staged = stage_with(&target, bytes, mode)?;
    staged.persist(&target).map_err(|e| e.error)?;
    Ok(())
}

/// Writes the bytes to the disk, beside the file that they are to become.
pub(super) fn stage(target: &Path, bytes: &[u8]) -> io::Result<NamedTempFile> {
    stage_with(target, bytes, FILE_MODE)
}

#[cfg_attr(
    not(unix),
    expect(unused_variables, reason = "there are no such modes")
)]
fn stage_with(target: &Path, bytes: &[u8], mode: u32) -> io::Result<NamedTempFile> {
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    // A temporary file would be its owner's alone; this one is what the umask makes of any file.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(mode));
    }
    // Without the temporary name that the crate puts into its errors.
    let mut file = builder.tempfile_in(folder).map_err(|e| e.kind())?;
    file.write_all(bytes).map_err(|e| e.kind())?;
    file.as_file().sync_all().map_err(|e| e.kind())?;
    Ok(file)
}
