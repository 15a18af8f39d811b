//! Many processes at once, and killed ones.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use super::server::{Answer, Reply, Server, sha256};
use super::{
    CONVERSION, RELEASE_FILE, answered, cat, conversion, hub_file, hub_folder, names, published,
};
use crate::support::{Program, Ran, release_file};

fn of_release(program: &Program, server: &Server) -> Command {
    let mut process = program.process(&published());
    process.env("MOBILENET_RELEASE_URL", &server.address);
    process
}

fn of_hub(program: &Program, server: &Server) -> Command {
    let cat = cat();
    let mut process = program.process(&["classify", "--jsonl", "--repo", "owner/name", &cat]);
    process.env("HF_ENDPOINT", &server.address);
    process
}

fn start(mut process: Command) -> Child {
    process.stdout(Stdio::piped()).stderr(Stdio::piped());
    process.spawn().expect("the program")
}

fn all_answered(processes: Vec<Child>) {
    for process in processes {
        answered(&Ran::of(process.wait_with_output().expect("its end")));
    }
}

/// The bytes after a while, so that all have begun.
fn slowly(reply: Reply) -> Answer {
    std::thread::sleep(Duration::from_millis(300));
    reply.answer()
}

#[test]
fn ten_that_start_at_once_download_once() {
    let program = Program::new();
    let bytes = release_file();
    let server = Server::new(move |request| slowly(Reply::file(request, &bytes)));
    let ten = (0..10).map(|_| start(of_release(&program, &server)));
    all_answered(ten.collect());
    assert_eq!(server.requests().len(), 1);

    let bytes = conversion(&program);
    let server = Server::new(move |request| match hub_file(request, &bytes) {
        Answer::Reply(reply) if request.is_get() => slowly(reply),
        answer => answer,
    });
    let ten = (0..10).map(|_| start(of_hub(&program, &server)));
    all_answered(ten.collect());
    assert_eq!(server.gets().len(), 1);
    let asked = server.requests().len();
    assert_eq!(asked, 5, "about four files, and for one of them");

    // A cache that was damaged is set right once, too.
    let blobs = hub_folder(&program).join("blobs");
    let blob = blobs.join(&names(&blobs)[0]);
    fs::write(&blob, "damaged").expect("a blob");
    let ten = (0..10).map(|_| start(of_hub(&program, &server)));
    all_answered(ten.collect());
    assert_eq!(server.gets().len(), 2);
}

/// Who waits is told for what.
#[test]
fn who_waits_for_another_process_is_told() {
    let program = Program::new();
    let bytes = release_file();
    let (go_on, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let server = Server::new(move |request| {
        // Until the second process waits.
        let _ = wait.lock().expect("a channel").recv();
        Reply::file(request, &bytes).answer()
    });
    let first = start(of_release(&program, &server));
    until(|| server.requests().len() == 1);
    let mut second = of_release(&program, &server);
    second.arg("--verbose");
    let mut second = start(second);
    let said = BufReader::new(second.stderr.take().expect("a pipe")).lines();
    let mut said = said.map_while(Result::ok);
    let told = format!("another process is fetching {RELEASE_FILE}; waiting");
    assert!(said.any(|line| line.contains(&told)));
    drop(go_on);
    // So that it can go on saying things.
    said.for_each(drop);
    all_answered(vec![first, second]);
    assert_eq!(server.requests().len(), 1);
}

/// Some file systems know no locks: then each downloads for itself, and none into another's file.
#[test]
fn without_locks_each_downloads_for_itself() {
    let program = Program::new();
    // A folder in the lock's place.
    let locks = program.path("cache/.locks");
    fs::create_dir_all(locks.join(format!("{CONVERSION}.lock"))).expect("a folder");
    let bytes = release_file();
    let server = Server::new(move |request| slowly(Reply::file(request, &bytes)));
    let three = (0..3).map(|_| start(of_release(&program, &server)));
    all_answered(three.collect());
    assert_eq!(server.requests().len(), 3);
    let checksum = format!("{CONVERSION}.sha256");
    assert_eq!(names(&program.path("cache")), [CONVERSION, &checksum]);

    let bytes = conversion(&program);
    let locks = program.path("hf/hub/.locks/models--owner--name");
    for name in ["mobilenet-main".to_owned(), sha256(&bytes)] {
        fs::create_dir_all(locks.join(format!("{name}.lock"))).expect("a folder");
    }
    let blob = sha256(&bytes);
    let server = Server::new(move |request| match hub_file(request, &bytes) {
        Answer::Reply(reply) if request.is_get() => slowly(reply),
        answer => answer,
    });
    let three = (0..3).map(|_| start(of_hub(&program, &server)));
    all_answered(three.collect());
    assert_eq!(names(&hub_folder(&program).join("blobs")), [blob]);
}

/// Runs a download until so much of it has arrived, and kills it.
fn kill_at(offset: usize, process: Command, part: &Path) {
    let mut process = start(process);
    until(|| fs::metadata(part).is_ok_and(|m| m.len() == offset as u64));
    process.kill().expect("killed");
    process.wait().expect("its end");
}

#[track_caller]
fn until(condition: impl Fn() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < Duration::from_secs(60), "it never came");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_killed_download_of_the_release_is_made_up_for() {
    let bytes = release_file();
    let reference = conversion_of(&bytes);
    let last = bytes.len() - 1;
    // The same folder throughout: each run goes on where the one before was killed.
    let program = Program::new();
    let part = program.path("cache").join(format!("{RELEASE_FILE}.part"));
    let mut begun = 0;
    for offset in [1, 100_000, last / 2, last] {
        let bytes = bytes.clone();
        let most = offset - begun;
        let server = Server::new(move |request| Reply::file(request, &bytes).hold(most).answer());
        kill_at(offset, of_release(&program, &server), &part);
        let request = server.requests().remove(0);
        let range = format!("bytes={begun}-");
        let range = (begun > 0).then_some(range.as_str());
        assert_eq!(request.header("range"), range);
        // Nothing under a final name.
        let cache = names(&program.path("cache"));
        assert!(cache.iter().all(|name| name.contains(".part")), "{cache:?}");
        begun = offset;
    }
    let server = super::mirror([]);
    all_answered(vec![start(of_release(&program, &server))]);
    let kept = fs::read(program.path("cache").join(CONVERSION)).expect("a conversion");
    assert_eq!(tensors(&kept), tensors(&reference));
    assert_eq!(names(&program.path("cache")).len(), 2);
}

#[test]
fn a_killed_download_of_a_repository_is_made_up_for() {
    let bytes = conversion(&Program::new());
    for offset in [1, bytes.len() / 2, bytes.len() - 1] {
        let program = Program::new();
        let blobs = hub_folder(&program).join("blobs");
        let part = blobs.join(format!("{}.incomplete", sha256(&bytes)));
        let content = bytes.clone();
        let server = Server::new(move |request| match hub_file(request, &content) {
            Answer::Reply(reply) => reply.hold(offset).answer(),
            answer => answer,
        });
        kill_at(offset, of_hub(&program, &server), &part);
        assert_eq!(names(&blobs).len(), 1);
        assert!(names(&hub_folder(&program).join("snapshots")).is_empty());
        assert!(names(&hub_folder(&program).join("refs")).is_empty());

        let server = super::hub(bytes.clone());
        all_answered(vec![start(of_hub(&program, &server))]);
        let range = format!("bytes={offset}-");
        assert_eq!(server.gets()[0].header("range"), Some(range.as_str()));
        assert_eq!(names(&blobs), [sha256(&bytes)]);
        assert_eq!(fs::read(blobs.join(sha256(&bytes))).expect("a blob"), bytes);
    }
}

/// What a process makes of the release's file that nobody disturbs.
fn conversion_of(bytes: &[u8]) -> Vec<u8> {
    let program = Program::new();
    let content = bytes.to_vec();
    let server = Server::new(move |request| Reply::file(request, &content).answer());
    all_answered(vec![start(of_release(&program, &server))]);
    fs::read(program.path("cache").join(CONVERSION)).expect("a conversion")
}

/// All but the header, which names the server.
fn tensors(bytes: &[u8]) -> &[u8] {
    let length: [u8; 8] = bytes[..8].try_into().expect("eight bytes");
    &bytes[8 + u64::from_le_bytes(length) as usize..]
}
