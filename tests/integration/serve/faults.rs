//! Clients that do wrong, and a service that goes on.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::thread;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::client::{Request, connect, exchange};
use super::{ALONE, Service, bytes_of, digit};

/// Sends bytes as they are.
fn raw(service: &Service, bytes: &[u8]) -> Option<u16> {
    exchange(&service.address, bytes)
        .ok()
        .map(|response| response.status)
}

#[test]
fn what_is_no_request_is_refused_and_others_go_on() {
    let service = Service::start(&["--max-body", "100000"]);
    let host = format!("Host: {}\r\n", service.address);
    let post = |more: &str| format!("POST /v1/classify HTTP/1.1\r\n{host}{more}\r\n");
    let long = "x".repeat(1 << 20);
    let many: String = (0..1000).map(|i| format!("x-{i}: y\r\n")).collect();
    for (what, bytes, expected) in [
        ("no HTTP", "hello\r\n\r\n".to_owned(), Some(400)),
        (
            "a header of a megabyte",
            post(&format!("x: {long}\r\n")),
            Some(431),
        ),
        ("a thousand headers", post(&many), Some(431)),
        (
            "an address of a megabyte",
            format!("GET /{long} HTTP/1.1\r\n{host}\r\n"),
            Some(431),
        ),
        (
            "no host",
            "GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n".into(),
            Some(400),
        ),
        (
            "two hosts",
            format!("GET /healthz HTTP/1.1\r\n{host}{host}Connection: close\r\n\r\n"),
            Some(400),
        ),
        (
            "two lengths",
            post("Content-Length: 1\r\nContent-Length: 2\r\n"),
            Some(400),
        ),
        (
            "a length that is none",
            post("Content-Length: -1\r\n"),
            Some(400),
        ),
        (
            "a length and chunks",
            post("Content-Length: 3\r\nTransfer-Encoding: nonsense\r\n"),
            Some(400),
        ),
        // Before anything of the body has come.
        (
            "a length of a terabyte",
            post("Content-Length: 1000000000000\r\nConnection: close\r\n"),
            Some(413),
        ),
        (
            "chunks without a length",
            post("Connection: close\r\nTransfer-Encoding: chunked\r\n") + "zz\r\n",
            Some(400),
        ),
    ] {
        let status = raw(&service, bytes.as_bytes());
        // Some are cut off without a word.
        assert!(status == expected || status.is_none(), "{what}: {status:?}");
    }
    let too_large = service.post("/v1/classify", vec![0; 100_001]);
    assert_eq!(too_large.fault().0, 413);
    assert!(too_large.text().contains("--max-body"));
    assert_eq!(service.post("/v1/classify", bytes_of(digit())).status, 200);
    assert_eq!(service.stop().0, Some(0));
}

#[test]
fn a_body_that_grows_is_bounded() {
    let service = Service::start(&["--max-body", "1000000"]);
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(&vec![0; 50_000_000]).expect("memory");
    let packed = packed.finish().expect("memory");
    assert!(packed.len() < 100_000);
    let request = Request::post("/v1/classify", packed).header("content-encoding", "gzip");
    assert_eq!(service.send(&request).fault().0, 413);
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(&bytes_of(digit())).expect("memory");
    let packed = packed.finish().expect("memory");
    let request = Request::post("/v1/classify", packed).header("content-encoding", "gzip");
    assert_eq!(service.send(&request).status, 200);
    let unknown = Request::post("/v1/classify", "x").header("content-encoding", "x-nonsense");
    assert_eq!(service.send(&unknown).status, 415);
    // More parts than there are places.
    let parts: Vec<(&str, &[u8])> = vec![("a", b"x"); 200];
    assert_eq!(
        service
            .send(&Request::form("/v1/classify", &parts))
            .fault()
            .0,
        413
    );
}

#[test]
fn bodies_that_break_off_hurt_nobody() {
    let service = Service::start(&[]);
    let digit = bytes_of(digit());
    for cut in [0, 1, digit.len() / 2, digit.len() - 1] {
        let head = format!(
            "POST /v1/classify HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n\r\n",
            service.address,
            digit.len()
        );
        let mut stream = connect(&service.address).expect("a connection");
        stream.write_all(head.as_bytes()).expect("sent");
        stream.write_all(&digit[..cut]).expect("sent");
        stream.shutdown(Shutdown::Write).expect("shut");
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "cut at {cut}");
        // And one that goes away altogether.
        let mut stream = connect(&service.address).expect("a connection");
        stream.write_all(head.as_bytes()).expect("sent");
        stream.write_all(&digit[..cut]).expect("sent");
        drop(stream);
    }
    assert_eq!(service.post("/v1/classify", digit).status, 200);
    let in_progress = || {
        service
            .get("/metrics")
            .text()
            .contains("mobilenet_pictures_in_progress 0\n")
    };
    assert!(in_progress());
    assert_eq!(service.stop().0, Some(0));
}

/// Those who send a byte now and then take up neither threads nor places.
#[test]
fn slow_clients_hold_nobody_up() {
    let _alone = ALONE.lock();
    let service = Service::start(&[]);
    let head = format!(
        "POST /v1/classify HTTP/1.1\r\nHost: {}\r\nContent-Length: 1000\r\n\r\n",
        service.address
    );
    let mut slow: Vec<_> = (0..400)
        .map(|_| connect(&service.address).expect("a connection"))
        .collect();
    for (number, stream) in slow.iter_mut().enumerate() {
        // Half of them are at the head, half at the body.
        let sent = if number % 2 == 0 {
            &head[..10]
        } else {
            &head[..]
        };
        stream.write_all(sent.as_bytes()).expect("sent");
    }
    let digit = bytes_of(digit());
    for _ in 0..20 {
        for stream in &mut slow {
            stream.write_all(b"x").expect("sent");
        }
        assert_eq!(service.post("/v1/classify", digit.clone()).status, 200);
    }
}

/// Each request is answered or told to come again, and none is lost.
#[test]
fn a_full_queue_says_so() {
    let _alone = ALONE.lock();
    let service = Service::start(&["-j", "1", "--queue", "2"]);
    let digit = bytes_of(digit());
    let counts = thread::scope(|scope| {
        let ask = |_| {
            let (service, digit) = (&service, &digit);
            scope.spawn(move || {
                let mut counts = [0, 0];
                for _ in 0..40 {
                    let answer = service.post("/v1/classify?k=1", digit.clone());
                    match answer.status {
                        200 => counts[0] += 1,
                        503 => {
                            assert_eq!(answer.header("retry-after").as_deref(), Some("1"));
                            counts[1] += 1;
                        }
                        other => panic!("{other}: {}", answer.text()),
                    }
                }
                counts
            })
        };
        let threads: Vec<_> = (0..25).map(ask).collect();
        threads.into_iter().fold([0, 0], |sum, thread| {
            let [answered, refused] = thread.join().expect("answers");
            [sum[0] + answered, sum[1] + refused]
        })
    });
    assert_eq!(counts[0] + counts[1], 1000);
    assert!(counts[0] > 0 && counts[1] > 0, "{counts:?}");
    // A request with more pictures than there ever is room for need not come again.
    let form: Vec<(&str, &[u8])> = vec![("a", &digit); 4];
    assert_eq!(
        service.send(&Request::form("/v1/classify", &form)).status,
        413
    );
    let form: Vec<(&str, &[u8])> = vec![("a", &digit); 3];
    assert_eq!(
        service.send(&Request::form("/v1/classify", &form)).status,
        200
    );
}

/// A second request on a connection, and one that waits for a word before its body.
#[test]
fn connections_are_kept_and_expectations_met() {
    let service = Service::start(&[]);
    let mut stream = connect(&service.address).expect("a connection");
    let host = &service.address;
    let digit = bytes_of(digit());
    for _ in 0..3 {
        let head = format!(
            "POST /v1/classify?k=1 HTTP/1.1\r\nHost: {host}\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n",
            digit.len()
        );
        stream.write_all(head.as_bytes()).expect("sent");
        let mut word = [0; 25];
        stream.read_exact(&mut word).expect("a word");
        assert_eq!(&word, b"HTTP/1.1 100 Continue\r\n\r\n");
        stream.write_all(&digit).expect("sent");
        let mut answer = Vec::new();
        while !answer.ends_with(b"\"error\":null}") {
            let mut some = [0; 1024];
            let count = stream.read(&mut some).expect("an answer");
            assert!(count > 0);
            answer.extend(&some[..count]);
        }
        assert!(answer.starts_with(b"HTTP/1.1 200"));
    }
    stream
        .set_read_timeout(Some(Duration::from_millis(50)))
        .expect("set");
    assert!(stream.read(&mut [0]).is_err());
}
