//! Downloads, from a server on loopback that does what a test tells it to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mobilenet::weights::{Checkpoint, Hub, LoadOptions, NoProgress, Store, catalogue};
use sha2::{Digest, Sha256};

use crate::support::{Program, Ran, arg, release_file, repository};

/// A request as the server saw it.
#[derive(Debug, Clone)]
struct Request {
    path: String,
    /// `Name: value` lines, lower-case names.
    headers: Vec<String>,
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter().filter_map(|h| h.split_once(": "));
        headers.find(|(n, _)| *n == name).map(|(_, value)| value)
    }
}

/// What the server answers.
#[derive(Clone)]
enum Answer {
    /// The bytes, from a server that knows ranges and the Hub's headers.
    File(Vec<u8>),
    /// The bytes under another file's sha256.
    Altered(Vec<u8>),
    /// Headers for all of the bytes, but only the first so many of them.
    CutShort(Vec<u8>, usize),
    /// An error.
    Status(u16),
    /// A status line that is none.
    Garbage,
    /// Nothing, for as long as the client waits.
    Silence,
}

/// A server; it ends with the test.
struct Server {
    address: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Answers each request with what `answer` says of it.
    fn new(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        let answer = Arc::new(answer);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, answer) = (seen.clone(), answer.clone());
                std::thread::spawn(move || {
                    if let Some(request) = read_request(&stream) {
                        seen.lock().expect("requests").push(request.clone());
                        respond(stream, &request, answer(&request));
                    }
                });
            }
        });
        Self { address, requests }
    }

    fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("requests").clone()
    }
}

fn read_request(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines();
    let path = lines.next()?.ok()?.split(' ').nth(1)?.to_owned();
    let mut headers = Vec::new();
    for line in lines
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty())
    {
        let (name, value) = line.split_once(": ")?;
        headers.push(format!("{}: {value}", name.to_ascii_lowercase()));
    }
    Some(Request { path, headers })
}

fn respond(mut stream: TcpStream, request: &Request, answer: Answer) {
    let (bytes, named, most) = match answer {
        Answer::File(bytes) => (bytes.clone(), bytes, usize::MAX),
        Answer::Altered(bytes) => (bytes, b"what it should be".to_vec(), usize::MAX),
        Answer::CutShort(bytes, most) => (bytes.clone(), bytes, most),
        Answer::Status(code) => {
            let _ = write!(
                stream,
                "HTTP/1.1 {code} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
            return;
        }
        Answer::Garbage => {
            let _ = stream.write_all(b"ceci n'est pas HTTP\r\n\r\n");
            return;
        }
        Answer::Silence => {
            // Until the client hangs up or ends.
            let _ = stream.read(&mut [0]);
            return;
        }
    };
    let range = request
        .header("range")
        .and_then(|r| r.strip_prefix("bytes="));
    let (start, end) = match range.and_then(|r| r.split_once('-')) {
        Some((start, end)) => (
            start.parse().unwrap_or(0),
            end.parse::<usize>()
                .map_or(bytes.len(), |end| end + 1)
                .min(bytes.len()),
        ),
        None => (0, bytes.len()),
    };
    let status = if range.is_some() {
        "206 Partial Content"
    } else {
        "200 OK"
    };
    let etag: String = Sha256::digest(&named)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    let total = bytes.len();
    let part = &bytes[start.min(end)..end];
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nContent-Range: bytes {start}-{}/{total}\r\n\
         ETag: \"{etag}\"\r\nX-Repo-Commit: {COMMIT}\r\nConnection: close\r\n\r\n",
        part.len(),
        end.saturating_sub(1),
    );
    // A cut short file only hurts the request for all of it.
    let most = if part.len() == 1 { usize::MAX } else { most };
    let _ = stream.write_all(&part[..part.len().min(most)]);
}

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// Arguments that need the published weights of alpha 0.25.
fn arguments(cat: &str) -> [&str; 5] {
    ["classify", "--jsonl", "--alpha", "0.25", cat]
}

fn cat() -> String {
    arg(&repository("samples/cat.jpg")).to_owned()
}

/// Runs `classify` with a mirror of the release.
fn with_mirror(program: &Program, address: &str, extra: &[&str]) -> Ran {
    let cat = cat();
    let mut command = program.command(&arguments(&cat));
    command.env("MOBILENET_RELEASE_URL", address).args(extra);
    Ran::of(command.output().expect("the program"))
}

/// The answer that `release_file` gives to any picture.
#[track_caller]
fn answered(ran: &Ran) {
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let predictions = &ran.rows()[0]["predictions"];
    // softmax of 3, 2, 1 and 997 zeros
    let sum = [3f64, 2.0, 1.0].map(f64::exp).iter().sum::<f64>() + 997.0;
    for (i, (index, logit)) in [(281, 3f64), (282, 2.0), (285, 1.0)]
        .into_iter()
        .enumerate()
    {
        assert_eq!(predictions[i]["index"], index);
        let score = predictions[i]["score"].as_f64().expect("a score");
        assert!((score - logit.exp() / sum).abs() < 1e-6, "{score}");
    }
}

/// No file is left in the cache, finished or not.
#[track_caller]
fn nothing_kept(program: &Program) {
    if let Ok(entries) = std::fs::read_dir(program.path("cache")) {
        let left: Vec<_> = entries.flatten().map(|e| e.file_name()).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn the_first_use_downloads_and_the_next_asks_nobody() {
    let program = Program::new();
    let server = Server::new(|_| Answer::File(release_file()));
    answered(&with_mirror(&program, &server.address, &[]));
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].path, "/mobilenet_2_5_224_tf.h5");
    assert!(
        program
            .path("cache/mobilenet_v1_0.25_224.safetensors")
            .is_file()
    );

    answered(&with_mirror(&program, &server.address, &[]));
    answered(&with_mirror(&program, &server.address, &["--offline"]));
    assert_eq!(server.requests().len(), 1);

    // What it is not is refused, and the cache is not blamed for the question.
    let ran = with_mirror(&program, &server.address, &["--activation", "relu"]);
    ran.refused(&["its activation is relu6"]);
    assert!(!ran.stderr.contains("fetch it again"), "{}", ran.stderr);

    // The conversion knows where it comes from.
    let path = program.path("cache/mobilenet_v1_0.25_224.safetensors");
    let kept = Checkpoint::open(path, &LoadOptions::default()).expect("a checkpoint");
    let source = kept.source().expect("a source");
    assert_eq!(
        source.name,
        format!("{}/mobilenet_2_5_224_tf.h5", server.address)
    );
    let sha256: String = Sha256::digest(release_file())
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    assert_eq!(source.sha256, sha256);
}

#[test]
fn offline_with_an_empty_cache_asks_nobody_and_says_what_to_do() {
    let program = Program::new();
    let server = Server::new(|_| Answer::File(release_file()));
    let cat = cat();
    for variable in [None, Some("1"), Some("true")] {
        let mut command = program.command(&arguments(&cat));
        command.env("MOBILENET_RELEASE_URL", &server.address);
        match variable {
            Some(value) => command.env("HF_HUB_OFFLINE", value),
            None => command.arg("--offline"),
        };
        let ran = Ran::of(command.output().expect("the program"));
        ran.refused(&["offline", "mobilenet_v1_0.25_224.safetensors", "--weights"]);
    }
    assert!(server.requests().is_empty());
}

#[test]
fn what_goes_wrong_is_said_with_the_address_and_leaves_nothing_behind() {
    let whole = release_file();
    let half = whole.len() / 2;
    let wrong_alpha = std::fs::read(crate::support::data("keras/tiny_tf.h5")).expect("a fixture");
    for (answer, reason) in [
        (Answer::Status(404), "not found"),
        (Answer::Status(403), "access denied"),
        (Answer::Status(500), "the server answered 500"),
        (Answer::CutShort(whole.clone(), half), "broke off"),
        (
            Answer::File(b"<html>log in first</html>".to_vec()),
            "not the checkpoint",
        ),
        (Answer::File(whole[..half].to_vec()), "not the checkpoint"),
        (Answer::File(wrong_alpha), "it has alpha 0.05"),
        (Answer::Garbage, "mobilenet_2_5_224_tf.h5: "),
    ] {
        let program = Program::new();
        let server = Server::new(move |_| answer.clone());
        let ran = with_mirror(&program, &server.address, &[]);
        let address = format!("{}/mobilenet_2_5_224_tf.h5", server.address);
        ran.refused(&[&address, reason, "--weights FILE", "MOBILENET_RELEASE_URL"]);
        nothing_kept(&program);
    }
}

#[test]
fn an_unreachable_server_is_an_error_at_once() {
    let program = Program::new();
    // A port that was free a moment ago, and that nobody listens on.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let ran = with_mirror(&program, &address, &[]);
    ran.refused(&[&address, "can't be reached", "--weights"]);
    nothing_kept(&program);
}

#[test]
fn a_failed_download_is_made_up_for_by_the_next_run() {
    let program = Program::new();
    let calls = Mutex::new(0);
    let server = Server::new(move |_| {
        let mut calls = calls.lock().expect("calls");
        *calls += 1;
        match *calls {
            1 => Answer::CutShort(release_file(), 1000),
            _ => Answer::File(release_file()),
        }
    });
    assert_eq!(with_mirror(&program, &server.address, &[]).code, Some(2));
    answered(&with_mirror(&program, &server.address, &[]));
}

fn store(folder: &Program, address: &str) -> Store {
    let hub = Hub {
        endpoint: address.to_owned(),
        cache: folder.path("hub"),
        token: None,
        patience: Duration::from_millis(300),
    };
    let mut store = Store::new(catalogue(), folder.path("cache"), hub);
    store.release_url = address.to_owned();
    store
}

/// A server that takes the connection and then says nothing does not hold the program.
#[test]
fn a_silent_server_is_given_up() {
    let folder = Program::new();
    let server = Server::new(|_| Answer::Silence);
    let mut store = store(&folder, &server.address);
    store.hub_repo = Some("owner/conversions".parse().expect("a repository"));
    let variant = catalogue().find(0.25, 224).expect("a variant");
    let start = Instant::now();
    let error = store.fetch(variant, &NoProgress).expect_err("no answer");
    assert!(start.elapsed() < Duration::from_secs(30));
    assert_eq!(
        error.to_string().matches("nothing arrived").count(),
        2,
        "{error}"
    );
}

/// Our conversion of the release file.
fn conversion(program: &Program) -> Vec<u8> {
    let path = program.path("conversion.safetensors");
    let source = program.file("release.h5", release_file());
    let checkpoint = Checkpoint::open(source, &LoadOptions::default()).expect("a checkpoint");
    checkpoint.save(&path).expect("saved");
    std::fs::read(path).expect("saved")
}

/// Runs `classify` with a Hub.
fn with_hub(program: &Program, server: &Server, extra: &[&str], repo: Option<&str>) -> Ran {
    let cat = cat();
    let mut command = program.command(&["classify", "--jsonl", &cat]);
    command
        .args(extra)
        .env("HF_ENDPOINT", &server.address)
        .env("HF_TOKEN", "hf_loopback")
        .env(
            "MOBILENET_RELEASE_URL",
            format!("{}/release", server.address),
        );
    if let Some(repo) = repo {
        command.env("MOBILENET_HUB_REPO", repo);
    }
    Ran::of(command.output().expect("the program"))
}

#[test]
fn conversions_come_from_a_hub_repository_where_one_is_configured() {
    let program = Program::new();
    let bytes = conversion(&program);
    let server = Server::new(move |_| Answer::File(bytes.clone()));
    let extra = ["--alpha", "0.25"];
    answered(&with_hub(
        &program,
        &server,
        &extra,
        Some("owner/conversions"),
    ));
    let requests = server.requests();
    for request in &requests {
        assert_eq!(
            request.path,
            "/owner/conversions/resolve/main/mobilenet_v1_0.25_224.safetensors"
        );
        assert_eq!(request.header("authorization"), Some("Bearer hf_loopback"));
    }
    answered(&with_hub(
        &program,
        &server,
        &extra,
        Some("owner/conversions"),
    ));
    answered(&with_hub(
        &program,
        &server,
        &["--alpha", "0.25", "--offline"],
        Some("owner/conversions"),
    ));
    assert_eq!(server.requests().len(), requests.len());
}

#[test]
fn a_repository_is_loaded_at_its_revision() {
    let program = Program::new();
    let bytes = conversion(&program);
    let server = Server::new(move |_| Answer::File(bytes.clone()));
    for (repo, path) in [
        ("owner/name", "/owner/name/resolve/main/model.safetensors"),
        (
            "owner/name@refs/pr/1",
            "/owner/name/resolve/refs%2Fpr%2F1/model.safetensors",
        ),
        (
            "owner/name@v1.0",
            "/owner/name/resolve/v1.0/model.safetensors",
        ),
    ] {
        answered(&with_hub(&program, &server, &["--repo", repo], None));
        let seen = server.requests();
        assert_eq!(seen.last().expect("a request").path, path);
        answered(&with_hub(&program, &server, &["--repo", repo], None));
        assert_eq!(server.requests().len(), seen.len(), "{repo}");
    }
    with_hub(&program, &server, &["--repo", "owner"], None).refused(&["OWNER/NAME"]);
    with_hub(&program, &server, &["--repo", "owner/../x"], None).refused(&["OWNER/NAME"]);
}

/// Python's tools keep no reference for a revision that is a commit.
#[test]
fn a_commit_that_python_cached_is_found() {
    let program = Program::new();
    let folder = program
        .path("hf/hub/models--owner--name/snapshots")
        .join(COMMIT);
    std::fs::create_dir_all(&folder).expect("a cache");
    std::fs::write(folder.join("model.safetensors"), conversion(&program)).expect("a cache");
    let server = Server::new(|_| Answer::Status(500));
    let repo = format!("owner/name@{COMMIT}");
    answered(&with_hub(&program, &server, &["--repo", &repo], None));
    assert!(server.requests().is_empty());
}

#[test]
fn what_a_hub_answers_wrongly_is_said_and_not_kept() {
    for (answer, reason) in [
        (Answer::Status(404), "not found"),
        (Answer::Status(401), "access denied"),
        (
            Answer::Altered(b"something else".to_vec()),
            "sha256 differs",
        ),
        (Answer::Garbage, "model.safetensors: "),
    ] {
        let program = Program::new();
        let bytes = conversion(&program);
        let wrong = Mutex::new(true);
        let wrong = Arc::new(wrong);
        let still = wrong.clone();
        let server = Server::new(move |_| match *still.lock().expect("a flag") {
            true => answer.clone(),
            false => Answer::File(bytes.clone()),
        });
        let ran = with_hub(&program, &server, &["--repo", "owner/name"], None);
        let address = format!(
            "{}/owner/name/resolve/main/model.safetensors",
            server.address
        );
        ran.refused(&[&address, reason, "--weights"]);
        *wrong.lock().expect("a flag") = false;
        answered(&with_hub(
            &program,
            &server,
            &["--repo", "owner/name"],
            None,
        ));
    }
}

#[test]
fn an_interrupted_hub_download_goes_on_where_it_stopped() {
    let program = Program::new();
    let bytes = conversion(&program);
    let cut = Arc::new(Mutex::new(true));
    let still = cut.clone();
    let half = bytes.len() / 2;
    let server = Server::new(move |_| match *still.lock().expect("a flag") {
        true => Answer::CutShort(bytes.clone(), half),
        false => Answer::File(bytes.clone()),
    });
    let first = with_hub(&program, &server, &["--repo", "owner/name"], None);
    assert_eq!(first.code, Some(2), "{first:?}");
    *cut.lock().expect("a flag") = false;
    answered(&with_hub(
        &program,
        &server,
        &["--repo", "owner/name"],
        None,
    ));
    let last = server.requests().pop().expect("a request");
    assert_eq!(
        last.header("range"),
        Some(format!("bytes={half}-").as_str())
    );
}

#[test]
fn an_endpoint_that_is_no_address_is_an_error() {
    let program = Program::new();
    let cat = cat();
    for endpoint in ["nonsense", "http://", "://x", "http://exa mple"] {
        let mut command = program.command(&["classify", "--repo", "owner/name", &cat]);
        let ran = Ran::of(
            command
                .env("HF_ENDPOINT", endpoint)
                .output()
                .expect("the program"),
        );
        ran.refused(&["HF_ENDPOINT"]);
    }
}

/// What a cache holds under a variant's name has to be that variant.
#[test]
fn a_cache_that_holds_something_else_is_refused() {
    let program = Program::new();
    std::fs::create_dir(program.path("cache")).expect("a cache");
    let cat = cat();
    let cached = program.path("cache/mobilenet_v1_0.5_224.safetensors");
    for bytes in [conversion(&program), b"".to_vec()] {
        std::fs::write(&cached, bytes).expect("a cache");
        let ran = program.run(&["classify", "--offline", "--alpha", "0.5", &cat]);
        ran.refused(&["mobilenet_v1_0.5_224.safetensors", "to fetch it again"]);
    }
}

#[cfg(unix)]
#[test]
fn a_cache_that_can_not_be_written_to_is_said_before_the_download() {
    let program = Program::new();
    program.file("cache", "not a folder");
    let server = Server::new(|_| Answer::File(release_file()));
    let ran = with_mirror(&program, &server.address, &[]);
    ran.refused(&["cache can't be written to", "MOBILENET_CACHE"]);
    assert!(server.requests().is_empty());
}

/// A server's headers become paths in hf-hub's cache.
#[test]
fn a_hub_can_not_write_outside_of_the_cache() {
    let program = Program::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            if read_request(&stream).is_some() {
                let _ = stream.write_all(
                    b"HTTP/1.1 206 x\r\nContent-Length: 1\r\nContent-Range: bytes 0-0/1\r\n\
                      ETag: \"../../../../escaped\"\r\nX-Repo-Commit: abc\r\n\
                      Connection: close\r\n\r\nx",
                );
            }
        }
    });
    let mut command = program.command(&["classify", "--repo", "owner/name", "x.jpg"]);
    let ran = Ran::of(
        command
            .env("HF_ENDPOINT", address)
            .output()
            .expect("the program"),
    );
    ran.refused(&["not understood"]);
    assert!(!program.path("escaped").exists() && !program.path("hf/escaped").exists());
}

#[test]
fn a_program_without_a_home_folder_works() {
    let program = Program::new();
    let bytes = conversion(&program);
    let server = Server::new(move |_| Answer::File(bytes.clone()));
    let cat = cat();
    let mut command = program.command(&["classify", "--jsonl", "--repo", "owner/name", &cat]);
    command
        .env_remove("HOME")
        .env("HF_ENDPOINT", &server.address);
    answered(&Ran::of(command.output().expect("the program")));
}
