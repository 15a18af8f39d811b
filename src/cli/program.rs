//! What this program is called, which for a bundle is what its maker has called it.

use std::borrow::Cow;
use std::env;
use std::path::Path;

use clap::CommandFactory;

use super::Cli;
use super::terminal::printable_name;

/// What it is called in all texts.
const USUAL: &str = "mobilenet";

/// The name that it was started by.
pub fn name() -> String {
    let started_as = env::args_os().next().unwrap_or_default();
    let stem = Path::new(&started_as).file_name();
    let name = stem.map(printable_name).unwrap_or_default();
    match name.strip_suffix(env::consts::EXE_SUFFIX).unwrap_or(&name) {
        "" => USUAL.to_owned(),
        name => name.to_owned(),
    }
}

/// A text whose commands can be typed as they stand.
pub fn with_its_name(text: &str) -> Cow<'_, str> {
    let name = name();
    if name == USUAL {
        return Cow::Borrowed(text);
    }
    let mut text = text.to_owned();
    for command in Cli::command().get_subcommands() {
        let command = command.get_name();
        text = text.replace(&format!("{USUAL} {command}"), &format!("{name} {command}"));
    }
    Cow::Owned(text)
}
