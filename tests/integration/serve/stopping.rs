//! The end of it.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::client::Request;
use super::{ALONE, Service, bytes_of, digit, digits, terminate};
use crate::support::Program;

/// Requests that were taken are answered; the others see that nobody listens.
#[test]
fn what_was_begun_is_finished_under_load() {
    let _alone = ALONE.lock();
    let service = Service::start(&["-j", "1"]);
    let digit = bytes_of(digit());
    let (answered, cut_off, is_stopping) = (
        AtomicUsize::new(0),
        AtomicUsize::new(0),
        AtomicBool::new(false),
    );
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                loop {
                    match Request::post("/v1/classify", digit.clone()).try_send(&service.address) {
                        Ok(response) if response.status == 200 => {
                            answered.fetch_add(1, Ordering::Relaxed);
                        }
                        Ok(response) => panic!("{}: {}", response.status, response.text()),
                        // It is taken by the system, and by nobody else.
                        Err(error) => {
                            assert!(is_stopping.load(Ordering::SeqCst), "{error}");
                            let refused = std::io::ErrorKind::ConnectionRefused;
                            if error.kind() != refused {
                                cut_off.fetch_add(1, Ordering::Relaxed);
                            }
                            return;
                        }
                    }
                }
            });
        }
        thread::sleep(Duration::from_millis(500));
        is_stopping.store(true, Ordering::SeqCst);
        terminate(&service.child);
    });
    assert!(answered.load(Ordering::Relaxed) > 16);
    let before = answered.load(Ordering::Relaxed);
    let metrics_are_gone = Request::get("/metrics").try_send(&service.address).is_err();
    assert!(metrics_are_gone && before > 0);
    // Connections that had come when it stopped, of which it had taken nothing yet.
    assert!(cut_off.load(Ordering::Relaxed) <= 16);
    let (code, said) = service.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("given up"), "{said}");
}

/// A picture that is on its way is waited for, an idle connection is not.
#[test]
fn idle_connections_do_not_hold_it_up() {
    let service = Service::start(&["--grace", "20"]);
    let idle = super::client::connect(&service.address).expect("a connection");
    service.get("/healthz");
    let begin = std::time::Instant::now();
    assert_eq!(service.stop().0, Some(0));
    assert!(begin.elapsed() < Duration::from_secs(10));
    drop(idle);
}

#[test]
fn a_log_that_cannot_be_written_loses_no_answer() {
    let Ok(full) = std::fs::File::options().write(true).open("/dev/full") else {
        return crate::skipped::skip("/dev/full is not there");
    };
    let program = Program::new();
    let weights = digits();
    let mut process = program.process(&[
        "serve",
        "--verbose",
        "--listen",
        "127.0.0.1:0",
        "--weights",
        weights.to_str().expect("UTF-8"),
    ]);
    process.stdout(Stdio::piped()).stderr(full);
    let mut child = process.spawn().expect("the program");
    let mut line = String::new();
    let mut stdout = std::io::BufReader::new(child.stdout.take().expect("a pipe"));
    std::io::BufRead::read_line(&mut stdout, &mut line).expect("the address");
    let address = line
        .trim()
        .trim_start_matches("http://")
        .trim_end_matches('/')
        .to_owned();
    for _ in 0..3 {
        assert_eq!(
            Request::post("/v1/classify", bytes_of(digit()))
                .send(&address)
                .status,
            200
        );
    }
    terminate(&child);
    assert_eq!(child.wait().expect("its end").code(), Some(0));
}

/// As systemd does it: the socket is the third file, and says so in the environment.
#[test]
fn a_socket_that_is_handed_over_is_listened_at() {
    const HANDS_OVER: &str = "\
import os, socket, sys
s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(16)
os.dup2(s.fileno(), 3)
os.set_inheritable(3, True)
os.environ['LISTEN_FDS'] = '1'
os.environ['LISTEN_PID'] = str(os.getpid())
os.execv(sys.argv[1], sys.argv[1:])
";
    if !Command::new("python3")
        .arg("-V")
        .output()
        .is_ok_and(|python| python.status.success())
    {
        return crate::skipped::skip("python3 is not there");
    }
    let program = Program::new();
    let weights = digits();
    let mut process = Command::new("python3");
    process.args([
        "-c",
        HANDS_OVER,
        env!("CARGO_BIN_EXE_mobilenet"),
        "serve",
        "--weights",
    ]);
    // Where it would listen otherwise, nobody may.
    process.arg(weights).args(["--listen", "192.0.2.1:1"]);
    process.env("HOME", program.path("home"));
    let service = Service::spawn(program, process);
    assert_eq!(service.post("/v1/classify", bytes_of(digit())).status, 200);
    assert_eq!(service.stop().0, Some(0));
}
