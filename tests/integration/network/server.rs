//! A server on loopback that does what a test tells it to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sha2::{Digest, Sha256};

pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A request as the server saw it.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    pub path: String,
    /// `Name: value` lines, lower-case names.
    headers: Vec<String>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter().filter_map(|h| h.split_once(": "));
        headers.find(|(n, _)| *n == name).map(|(_, value)| value)
    }

    /// Whether it asks for a file, and not only about one.
    pub fn is_get(&self) -> bool {
        self.method == "GET"
    }

    fn start(&self) -> Option<usize> {
        let range = self.header("range")?.strip_prefix("bytes=")?;
        range.split_once('-')?.0.parse().ok()
    }
}

/// What the server answers.
#[derive(Clone)]
pub enum Answer {
    Reply(Reply),
    /// A status line that is none.
    Garbage,
    /// Nothing, for as long as the client waits.
    Silence,
}

/// An answer in HTTP.
#[derive(Clone)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    /// Only so much of the body is sent.
    most: usize,
    /// The connection stays open after that.
    hold: bool,
    /// The pause after each byte.
    pause: Duration,
}

impl Reply {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
            most: usize::MAX,
            hold: false,
            pause: Duration::ZERO,
        }
    }

    /// A file, from a server that knows ranges, `If-Range` and the Hub's headers.
    pub fn file(request: &Request, bytes: &[u8]) -> Self {
        let etag = format!("\"{}\"", sha256(bytes));
        let unchanged = request.header("if-range").is_none_or(|mark| mark == etag);
        let reply = match request.start().filter(|_| unchanged) {
            Some(start) if start < bytes.len() => {
                let (last, total) = (bytes.len() - 1, bytes.len());
                Self::new(206, &bytes[start..])
                    .header("content-range", &format!("bytes {start}-{last}/{total}"))
            }
            Some(_) => {
                Self::new(416, "").header("content-range", &format!("bytes */{}", bytes.len()))
            }
            None => Self::new(200, bytes),
        };
        reply.header("etag", &etag).header("x-repo-commit", COMMIT)
    }

    /// With this header; it replaces one of the same name, or removes it where it is empty.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(n, _)| n != name);
        if !value.is_empty() {
            self.headers.push((name.into(), value.into()));
        }
        self
    }

    /// Breaks off after so much of the body.
    pub fn cut(self, most: usize) -> Self {
        Self { most, ..self }
    }

    /// Says nothing more after so much of the body.
    pub fn hold(self, most: usize) -> Self {
        let hold = true;
        Self { most, hold, ..self }
    }

    /// Sends a byte at a time.
    pub fn drip(self, pause: Duration) -> Self {
        Self { pause, ..self }
    }

    pub fn answer(self) -> Answer {
        Answer::Reply(self)
    }
}

/// A file, as [`Reply::file`].
pub fn file(request: &Request, bytes: &[u8]) -> Answer {
    Reply::file(request, bytes).answer()
}

/// An answer that is only a status.
pub fn status(status: u16) -> Answer {
    Reply::new(status, "").answer()
}

pub fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|b| format!("{b:02x}")).collect()
}

/// A server; it ends with the test.
pub struct Server {
    pub address: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Answers each request with what `answer` says of it.
    pub fn new(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
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

    /// Answers the first requests with these in turn, and every further one as `then` says.
    pub fn script(
        first: impl IntoIterator<Item = Answer>,
        then: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let mut first: Vec<_> = first.into_iter().collect();
        first.reverse();
        let first = Mutex::new(first);
        Self::new(move |request| {
            let scripted = first.lock().expect("a script").pop();
            scripted.unwrap_or_else(|| then(request))
        })
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("requests").clone()
    }

    /// The requests for files.
    pub fn gets(&self) -> Vec<Request> {
        let mut requests = self.requests();
        requests.retain(Request::is_get);
        requests
    }
}

fn read_request(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines();
    let line = lines.next()?.ok()?;
    let mut words = line.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    for line in lines
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty())
    {
        let (name, value) = line.split_once(": ")?;
        headers.push(format!("{}: {value}", name.to_ascii_lowercase()));
    }
    Some(Request {
        method,
        path,
        headers,
    })
}

fn respond(mut stream: TcpStream, request: &Request, answer: Answer) {
    let reply = match answer {
        Answer::Reply(reply) => reply,
        Answer::Garbage => {
            let _ = stream.write_all(b"ceci n'est pas HTTP\r\n\r\n");
            return;
        }
        Answer::Silence => return until_closed(stream),
    };
    let mut head = format!("HTTP/1.1 {} x\r\nConnection: close\r\n", reply.status);
    for (name, value) in &reply.headers {
        head += &format!("{name}: {value}\r\n");
    }
    let stated = reply
        .headers
        .iter()
        .any(|(name, _)| name == "content-length");
    if !stated {
        head += &format!("Content-Length: {}\r\n", reply.body.len());
    }
    let _ = write!(stream, "{head}\r\n");
    if !request.is_get() {
        return;
    }
    let body = &reply.body[..reply.body.len().min(reply.most)];
    if reply.pause.is_zero() {
        let _ = stream.write_all(body);
    } else {
        for byte in body.chunks(1) {
            if stream.write_all(byte).is_err() {
                return;
            }
            std::thread::sleep(reply.pause);
        }
    }
    if reply.hold {
        until_closed(stream);
    }
}

/// Until the client hangs up or ends.
fn until_closed(mut stream: TcpStream) {
    let _ = stream.read(&mut [0]);
}
