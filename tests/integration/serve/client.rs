//! A client that sends what it is told, right or wrong.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A request.
#[derive(Clone)]
pub struct Request {
    method: &'static str,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// What came back.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    head: String,
    pub body: Vec<u8>,
}

impl Request {
    pub fn new(method: &'static str, path: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            method,
            path: path.into(),
            headers: Vec::new(),
            body: body.into(),
        }
    }

    pub fn get(path: &str) -> Self {
        Self::new("GET", path, [])
    }

    pub fn post(path: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::new("POST", path, body)
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// A form of files.
    pub fn form(path: &str, files: &[(&str, &[u8])]) -> Self {
        let mut body = Vec::new();
        for (name, bytes) in files {
            let head = format!(
                "--edge\r\nContent-Disposition: form-data; name=\"picture\"; filename=\"{name}\"\r\n\r\n"
            );
            body.extend(head.as_bytes());
            body.extend(*bytes);
            body.extend(b"\r\n");
        }
        body.extend(b"--edge--\r\n");
        Self::post(path, body).header("content-type", "multipart/form-data; boundary=edge")
    }

    /// Its bytes, for a connection that ends after it.
    pub fn bytes(&self, address: &str) -> Vec<u8> {
        let Self {
            method,
            path,
            headers,
            body,
        } = self;
        let mut bytes = format!("{method} {path} HTTP/1.1\r\n");
        let has = |name: &str| headers.iter().any(|(other, _)| other == name);
        if !has("host") {
            bytes += &format!("host: {address}\r\n");
        }
        if !has("content-length") && (!body.is_empty() || *method == "POST") {
            bytes += &format!("content-length: {}\r\n", body.len());
        }
        for (name, value) in headers {
            bytes += &format!("{name}: {value}\r\n");
        }
        bytes += "connection: close\r\n\r\n";
        [bytes.as_bytes(), body].concat()
    }

    pub fn send(&self, address: &str) -> Response {
        self.try_send(address).expect("an answer")
    }

    pub fn try_send(&self, address: &str) -> io::Result<Response> {
        exchange(address, &self.bytes(address))
    }
}

/// Sends bytes and takes what comes back until the other end closes.
pub fn exchange(address: &str, bytes: &[u8]) -> io::Result<Response> {
    let mut stream = connect(address)?;
    // It may be refused before all of it is sent.
    let sent = stream.write_all(bytes);
    Response::read(&mut stream).or_else(|error| sent.and(Err(error)))
}

pub fn connect(address: &str) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    Ok(stream)
}

impl Response {
    /// Reads what comes until the other end closes.
    pub fn read(stream: &mut impl Read) -> io::Result<Self> {
        let mut bytes = Vec::new();
        let read = stream.read_to_end(&mut bytes);
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        let Some(end) = end else {
            return Err(read.err().unwrap_or(io::ErrorKind::UnexpectedEof.into()));
        };
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let mut response = Self {
            status: status.ok_or(io::ErrorKind::InvalidData)?,
            head,
            body: bytes.split_off(end + 4),
        };
        if response.header("transfer-encoding").as_deref() == Some("chunked") {
            response.body = unchunked(&response.body).ok_or(io::ErrorKind::UnexpectedEof)?;
        }
        Ok(response)
    }

    pub fn header(&self, name: &str) -> Option<String> {
        let lines = self.head.lines().skip(1);
        let mut pairs = lines.filter_map(|line| line.split_once(": "));
        pairs
            .find(|(other, _)| *other == name)
            .map(|pair| pair.1.to_owned())
    }

    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        let json = serde_json::from_slice(&self.body);
        json.unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Why there is no answer.
    pub fn fault(&self) -> (u16, String) {
        let json = self.json();
        let error = &json["error"];
        let message = error["message"].as_str().or(error.as_str());
        (self.status, message.unwrap_or_default().to_owned())
    }
}

fn unchunked(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = bytes.windows(2).position(|window| window == b"\r\n")?;
        let length = usize::from_str_radix(std::str::from_utf8(&bytes[..end]).ok()?, 16).ok()?;
        let (chunk, rest) = bytes[end + 2..].split_at_checked(length)?;
        if length == 0 {
            return Some(body);
        }
        body.extend(chunk);
        bytes = rest.strip_prefix(b"\r\n")?;
    }
}
