//! The program `mobilenet`; everything it does is in `cli`, everything it knows in the library.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
