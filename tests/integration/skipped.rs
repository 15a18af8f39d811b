//! How a test says that it was skipped.

use std::io::Write;

/// Says why a test, or a part of it, is skipped: on stderr, which a test that passes shows to
/// nobody, and as a line of the file that `SKIPPED_TESTS` names, which `.ci/run` counts.
pub fn skip(reason: impl std::fmt::Display) {
    eprintln!("skipped: {reason}");
    let Some(file) = std::env::var_os("SKIPPED_TESTS") else {
        return;
    };
    // The test's name; with one thread for all tests it is `main`.
    let thread = std::thread::current();
    let line = format!("{}\t{reason}\n", thread.name().unwrap_or("?"));
    let file = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(file);
    let written = file.and_then(|mut file| file.write_all(line.as_bytes()));
    written.expect("SKIPPED_TESTS can be written");
}
