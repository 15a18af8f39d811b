//! `mobilenet serve`, over sockets.

mod answers;
mod client;
mod faults;
mod gate;
mod inference;
mod stopping;

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use self::client::{Request, Response};
use crate::support::{Program, repository};

/// A service that has started.
struct Service {
    child: Child,
    address: String,
    /// Kept open: nothing more comes.
    _stdout: BufReader<ChildStdout>,
    /// Its folder.
    _program: Program,
}

/// One at a time: what they measure, and what they bear, should be their own.
static ALONE: Mutex<()> = Mutex::new(());

impl Service {
    /// The digits' network, with further arguments.
    fn start(arguments: &[&str]) -> Self {
        Self::of(&digits().to_string_lossy(), arguments)
    }

    /// A checkpoint's network.
    fn of(weights: &str, arguments: &[&str]) -> Self {
        Self::in_folder(Program::new(), weights, arguments)
    }

    fn in_folder(program: Program, weights: &str, arguments: &[&str]) -> Self {
        let mut all = vec!["serve", "--weights", weights, "--listen", "127.0.0.1:0"];
        all.extend(arguments);
        let process = program.process(&all);
        Self::spawn(program, process)
    }

    fn spawn(program: Program, mut process: Command) -> Self {
        process.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = process.spawn().expect("the program");
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("the address");
        let address = line.trim().strip_prefix("http://");
        let address = address.and_then(|address| address.strip_suffix('/'));
        let Some(address) = address.map(str::to_owned) else {
            let output = child.wait_with_output().expect("its end");
            panic!("{}", String::from_utf8_lossy(&output.stderr));
        };
        Self {
            child,
            address,
            _stdout: stdout,
            _program: program,
        }
    }

    /// The answer to a request.
    fn send(&self, request: &Request) -> Response {
        request.send(&self.address)
    }

    fn get(&self, path: &str) -> Response {
        self.send(&Request::get(path))
    }

    fn post(&self, path: &str, body: impl Into<Vec<u8>>) -> Response {
        self.send(&Request::post(path, body))
    }

    /// Asks it to stop, and waits for that.
    fn stop(self) -> (Option<i32>, String) {
        terminate(&self.child);
        self.end()
    }

    /// Waits for one that was asked to stop.
    fn end(mut self) -> (Option<i32>, String) {
        let begin = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("its state") {
                break status;
            }
            assert!(begin.elapsed() < Duration::from_secs(60), "it goes on");
            std::thread::sleep(Duration::from_millis(10));
        };
        let mut said = String::new();
        let mut stderr = self.child.stderr.take().expect("a pipe");
        std::io::Read::read_to_string(&mut stderr, &mut said).expect("text");
        assert!(!said.contains("panicked"), "{said}");
        (status.code(), said)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn terminate(child: &Child) {
    let told = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status();
    assert!(told.expect("kill").success());
}

fn digits() -> PathBuf {
    repository("weights/digits.safetensors")
}

/// The file of a digit.
fn digit() -> PathBuf {
    let mut files: Vec<_> = std::fs::read_dir(repository("samples/digits"))
        .expect("samples")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "png"))
        .collect();
    files.sort();
    files.remove(0)
}

fn bytes_of(path: PathBuf) -> Vec<u8> {
    std::fs::read(path).expect("a file")
}
