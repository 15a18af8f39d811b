//! Keras's release, and what is kept of it.

use std::time::{Duration, Instant};

use mobilenet::weights::{Checkpoint, LoadOptions};

use super::server::{self, Reply, Server, status};
use super::{
    CONVERSION, RELEASE_FILE, answered, cat, mirror, names, published, whole, with_mirror,
};
use crate::support::{Program, Ran, arg, release_file};

#[test]
fn the_first_use_downloads_and_the_next_asks_nobody() {
    let program = Program::new();
    let server = mirror([]);
    answered(&with_mirror(&program, &server.address, &[]));
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].path, format!("/{RELEASE_FILE}"));
    let checksum = format!("{CONVERSION}.sha256");
    assert_eq!(names(&program.path("cache")), [CONVERSION, &checksum]);

    answered(&with_mirror(&program, &server.address, &[]));
    answered(&with_mirror(
        &program,
        &server.address,
        &[("HF_HUB_OFFLINE", "1")],
    ));
    assert_eq!(server.requests().len(), 1);

    // What it is not is refused, and the cache is not blamed for the question.
    let mut command = program.command(&published());
    command.args(["--activation", "relu"]);
    let ran = Ran::of(command.output().expect("the program"));
    ran.refused(&["its activation is relu6"]);
    assert!(!ran.stderr.contains("fetch it again"), "{}", ran.stderr);

    // The conversion knows where it comes from.
    let path = program.path("cache").join(CONVERSION);
    let kept = Checkpoint::open(&path, &LoadOptions::default()).expect("a checkpoint");
    let source = kept.source().expect("a source");
    assert_eq!(source.name, format!("{}/{RELEASE_FILE}", server.address));
    assert_eq!(source.sha256, server::sha256(&release_file()));

    // Its checksum can be checked with `sha256sum -c`.
    let checksum =
        std::fs::read_to_string(program.path("cache").join(checksum)).expect("a checksum");
    let sum = server::sha256(&std::fs::read(path).expect("a conversion"));
    assert!(
        checksum.ends_with(&format!("\n{sum}  {CONVERSION}\n")),
        "{checksum}"
    );
}

#[test]
fn offline_with_an_empty_cache_asks_nobody_and_says_what_to_do() {
    let program = Program::new();
    let server = mirror([]);
    let cat = cat();
    let published = ["--alpha", "0.25"];
    let repo = ["--repo", "owner/name"];
    for arguments in [published, repo] {
        for variable in [None, Some("1"), Some("true")] {
            let mut command = program.command(&["classify", "--jsonl", &cat]);
            command
                .args(arguments)
                .env("MOBILENET_RELEASE_URL", &server.address)
                .env("MOBILENET_HUB_REPO", "owner/conversions")
                .env("HF_ENDPOINT", &server.address);
            match variable {
                Some(value) => command.env("HF_HUB_OFFLINE", value),
                None => command.arg("--offline"),
            };
            let ran = Ran::of(command.output().expect("the program"));
            ran.refused(&["offline", "not in the cache", "--weights"]);
        }
    }
    assert!(server.requests().is_empty());
}

/// The connection breaks, and the same run goes on from there.
#[test]
fn a_download_that_breaks_off_goes_on_where_it_stopped() {
    let program = Program::new();
    let half = release_file().len() / 2;
    let server = mirror([whole().cut(half).answer()]);
    answered(&with_mirror(&program, &server.address, &[]));
    let requests = server.requests();
    assert_eq!(requests.len(), 2, "{requests:?}");
    let range = format!("bytes={half}-");
    assert_eq!(requests[0].header("range"), None);
    assert_eq!(requests[1].header("range"), Some(range.as_str()));
    let etag = format!("\"{}\"", server::sha256(&release_file()));
    assert_eq!(requests[1].header("if-range"), Some(etag.as_str()));
}

/// One that gets on is not given up, however often it breaks off.
#[test]
fn a_download_that_gets_on_is_tried_more_often() {
    let program = Program::new();
    let bytes = release_file();
    let step = bytes.len() / 8;
    let server = Server::new(move |request| Reply::file(request, &bytes).cut(step).answer());
    answered(&with_mirror(&program, &server.address, &[]));
    assert!(server.requests().len() >= 8);
}

/// One run fails, and the next goes on from there.
#[test]
fn what_a_run_left_is_taken_up_by_the_next() {
    let program = Program::new();
    let half = release_file().len() / 2;
    let server = mirror([whole().cut(half).answer()]);
    let ran = with_mirror(&program, &server.address, &[("MOBILENET_RETRIES", "0")]);
    let broken = format!("broke off after {half} of {} bytes", release_file().len());
    ran.refused(&[RELEASE_FILE, &broken]);
    let part = format!("{RELEASE_FILE}.part");
    let mark = format!("{part}.etag");
    assert_eq!(names(&program.path("cache")), [part, mark]);
    answered(&with_mirror(&program, &server.address, &[]));
    let last = server.requests().pop().expect("a request");
    assert_eq!(
        last.header("range"),
        Some(format!("bytes={half}-").as_str())
    );
    assert_eq!(names(&program.path("cache")).len(), 2, "the part is gone");
}

/// The rest of another file is never glued to what is there.
#[test]
fn a_part_of_which_the_rest_can_not_be_had_is_begun_anew() {
    let half = release_file().len() / 2;
    let other = || Reply::new(200, vec![7; 5000]).header("etag", "\"old\"");
    for (first, second) in [
        // It changed meanwhile: the server sends all of the new one.
        (other().cut(1000), None),
        // A server that knows no ranges.
        (whole().cut(half), Some(whole())),
        // Another part than was asked for.
        (
            whole().cut(half),
            Some(Reply::new(206, "x").header("content-range", "bytes 0-0/5000")),
        ),
        // The file is shorter now.
        (
            whole().cut(half),
            Some(Reply::new(416, "").header("content-range", "bytes */10")),
        ),
        // Nothing says whether it is the same.
        (whole().header("etag", "").cut(half), None),
        (whole().header("etag", "W/\"weak\"").cut(half), None),
    ] {
        let program = Program::new();
        let script = [Some(first), second].into_iter().flatten();
        let server = mirror(script.map(Reply::answer));
        answered(&with_mirror(&program, &server.address, &[]));
        assert!(server.requests().len() <= 3, "{:?}", server.requests());
    }
    // In the last two cases nothing was asked for but the whole.
    let program = Program::new();
    let server = mirror([whole().header("etag", "").cut(half).answer()]);
    answered(&with_mirror(&program, &server.address, &[]));
    assert!(
        server
            .requests()
            .iter()
            .all(|r| r.header("range").is_none())
    );
}

/// A run was killed after the last byte and before the conversion.
#[test]
fn a_part_that_is_all_there_is_not_fetched_again() {
    let program = Program::new();
    let bytes = release_file();
    std::fs::create_dir(program.path("cache")).expect("a cache");
    let part = format!("cache/{RELEASE_FILE}.part");
    program.file(&part, &bytes);
    let etag = format!("\"{}\"", server::sha256(&bytes));
    program.file(&format!("{part}.etag"), etag);
    let server = mirror([]);
    answered(&with_mirror(&program, &server.address, &[]));
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    let range = format!("bytes={}-", bytes.len());
    assert_eq!(requests[0].header("range"), Some(range.as_str()));
}

#[test]
fn what_may_pass_is_tried_again() {
    for first in [
        vec![status(503), status(500), status(429), status(408)],
        vec![whole().hold(100).answer()],
        vec![server::Answer::Silence],
        vec![
            Reply::new(200, vec![0; 1000])
                .drip(Duration::from_millis(50))
                .answer(),
        ],
    ] {
        let program = Program::new();
        let (count, server) = (first.len(), mirror(first));
        let impatient = [("HF_HUB_DOWNLOAD_TIMEOUT", "1")];
        answered(&with_mirror(&program, &server.address, &impatient));
        assert!(server.requests().len() > count);
    }
}

#[test]
fn a_server_is_given_the_time_it_asks_for() {
    let program = Program::new();
    let busy = Reply::new(429, "").header("retry-after", "1").answer();
    let begin = Instant::now();
    let server = mirror([busy]);
    answered(&with_mirror(&program, &server.address, &[]));
    assert!(begin.elapsed() >= Duration::from_secs(1));
    assert_eq!(server.requests().len(), 2);

    // As a date, by the server's clock.
    let until = |seconds| {
        Reply::new(429, "")
            .header("date", "Sun, 06 Nov 1994 08:49:37 GMT")
            .header(
                "retry-after",
                &format!("Sun, 06 Nov 1994 08:49:{seconds} GMT"),
            )
            .answer()
    };
    let program = Program::new();
    let begin = Instant::now();
    // The second is past.
    let server = mirror([until(38), until(10)]);
    answered(&with_mirror(&program, &server.address, &[]));
    let took = begin.elapsed();
    assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(20));
    assert_eq!(server.requests().len(), 3);

    // Not an hour of it, nor for ever.
    for (text, seconds) in [
        ("3600", "3600"),
        ("18446744073709551615", "18446744073709551615"),
        ("Fri, 31 Dec 9999 23:59:59 GMT", "2"),
    ] {
        let program = Program::new();
        let busy = Reply::new(503, "").header("retry-after", text).answer();
        let server = Server::new(move |_| busy.clone());
        let ran = with_mirror(&program, &server.address, &[]);
        let asked = format!("answered 503 and asks to wait {seconds}");
        ran.refused(&[&asked]);
        assert_eq!(server.requests().len(), 1, "{text}");
    }
}

#[test]
fn redirects_are_followed_and_not_for_ever() {
    let program = Program::new();
    let server = Server::new(|request| match request.path.as_str() {
        "/there" => server::file(request, &release_file()),
        _ => Reply::new(302, "").header("location", "/there").answer(),
    });
    answered(&with_mirror(&program, &server.address, &[]));

    let program = Program::new();
    let around = Reply::new(302, "").header("location", "/again").answer();
    let server = Server::new(move |_| around.clone());
    let ran = with_mirror(&program, &server.address, &[]);
    ran.refused(&[RELEASE_FILE, "redirects without an end"]);
    assert!(server.requests().len() < 20);
}

/// `pull`, `models`, `models --prune`.
#[test]
fn weights_are_pulled_listed_and_removed() {
    let program = Program::new();
    let server = mirror([]);
    let run = |arguments: &[&str]| {
        let mut command = program.command(arguments);
        command.env("MOBILENET_RELEASE_URL", &server.address);
        Ran::of(command.output().expect("the program"))
    };
    let listed = |cached: bool| {
        let models = run(&["models", "--json"]).json();
        let variants = models["variants"].as_array().expect("variants").clone();
        assert_eq!(variants.len(), 16);
        let here: Vec<_> = variants.iter().filter(|v| !v["cached"].is_null()).collect();
        assert_eq!(here.len(), usize::from(cached));
        here.first().map(|variant| (*variant).clone())
    };
    listed(false);
    let path = program.path("cache").join(CONVERSION);
    let pulled = run(&["pull", "--alpha", "0.25"]);
    assert_eq!(
        (pulled.code, pulled.text().trim_end()),
        (Some(0), arg(&path)),
        "{pulled:?}"
    );
    let variant = listed(true).expect("a variant");
    assert_eq!(
        (&variant["alpha"], &variant["size"]),
        (&0.25.into(), &224.into())
    );
    assert_eq!(
        (&variant["parameters"], &variant["top1"]),
        (&475_544.into(), &49.8.into())
    );
    let sum = server::sha256(&std::fs::read(&path).expect("a conversion"));
    assert_eq!(variant["cached"]["sha256"], sum.as_str());
    assert_eq!(variant["cached"]["path"], arg(&path));
    assert!(run(&["models"]).text().contains("timm/mobilenetv1_100"));

    // The mirror has one file for all of them: it fits those of its width, as it states no size.
    let all = run(&["pull", "--all"]);
    assert_eq!(all.code, Some(2));
    assert_eq!(all.text().lines().next(), Some(arg(&path)));
    assert_eq!(all.text().lines().count(), 4, "{all:?}");
    assert!(all.stderr.contains("alpha 1.0"), "{}", all.stderr);
    run(&["pull", "--weights", arg(&path)]).refused(&["--weights"]);

    program.file("cache/notes.txt", "mine");
    let pruned = run(&["models", "--prune"]);
    assert_eq!(pruned.code, Some(0));
    assert!(
        pruned.text().lines().any(|line| line == arg(&path)),
        "{pruned:?}"
    );
    assert_eq!(names(&program.path("cache")), ["notes.txt"]);
    listed(false);
}
