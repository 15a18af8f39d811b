//! Stdout, whose errors name it, also where there is none.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use super::words;

/// Whether the program was begun without a stdout, as by `mobilenet ... >&-`.
static WAS_CLOSED: AtomicBool = AtomicBool::new(false);

/// Whether the program was begun without a stdout.
pub fn was_closed() -> bool {
    WAS_CLOSED.load(Ordering::Relaxed)
}

/// Stdout, buffered by the line; what it can't be written for is told with its name.
pub struct Stdout(io::Stdout);

impl Stdout {
    pub fn new() -> Self {
        Self(io::stdout())
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(named)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(named)
    }
}

/// An error with the stream's name in front. The kind stays: a pipe that nobody reads any more is no failure.
pub fn named(error: io::Error) -> io::Error {
    let reason = if was_closed() && error.kind() == io::ErrorKind::NotConnected {
        "it is closed; send it to a file or a pipe, or to /dev/null".to_owned()
    } else {
        words::of(&error)
    };
    io::Error::new(error.kind(), format!("stdout: can't be written: {reason}"))
}

/// What has to be done before Rust's own beginning, which opens `/dev/null` in the place of a stream that is
/// closed: then all that is written would be gone without a word.
#[cfg(unix)]
mod before_main {
    use std::sync::atomic::Ordering;

    use super::WAS_CLOSED;

    /// The loader calls all functions in this section before `main`.
    #[used]
    #[cfg_attr(
        target_vendor = "apple",
        unsafe(link_section = "__DATA,__mod_init_func")
    )]
    #[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".init_array"))]
    static BEGIN: extern "C" fn() = begin;

    extern "C" fn begin() {
        // SAFETY: these are calls to the system without pointers, and no other thread is there yet that opens or
        // closes files. The signal's action is one of the system's.
        unsafe {
            // A file that may grow no further (`ulimit -f`) is an error to be told like a full disk, and not the
            // end of the program.
            libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
            if libc::fcntl(libc::STDOUT_FILENO, libc::F_GETFD) != -1 {
                return;
            }
            WAS_CLOSED.store(true, Ordering::Relaxed);
            // In its place comes what can't be written to: a socket that leads nowhere.
            let nowhere = libc::socket(libc::AF_UNIX, libc::SOCK_DGRAM, 0);
            if nowhere != -1 && nowhere != libc::STDOUT_FILENO {
                libc::dup2(nowhere, libc::STDOUT_FILENO);
                libc::close(nowhere);
            }
        }
    }
}
