//! Files in the caches that are not what was put there.

use std::fs::{self, OpenOptions};
use std::path::Path;

use super::server::{Reply, Server, sha256};
use super::{
    CONVERSION, REPO, answered, conversion, hub, hub_file, hub_folder, mirror, names, with_hub,
    with_mirror,
};
use crate::support::Program;

/// What may happen to a file, and whether its time of change tells of it.
#[derive(Debug, Clone, Copy)]
enum Damage {
    Empty,
    Truncated,
    Longer,
    /// A bit of the last tensor.
    Bit,
    Header,
    /// The header without a trace: only reading it tells.
    HeaderUnseen,
    WebPage,
}

const ALL: [Damage; 7] = [
    Damage::Empty,
    Damage::Truncated,
    Damage::Longer,
    Damage::Bit,
    Damage::Header,
    Damage::HeaderUnseen,
    Damage::WebPage,
];

fn damage(path: &Path, damage: Damage) {
    let changed = fs::metadata(path)
        .and_then(|m| m.modified())
        .expect("a time");
    let mut bytes = fs::read(path).expect("a file");
    let last = bytes.len() - 1;
    match damage {
        Damage::Empty => bytes.clear(),
        Damage::Truncated => bytes.truncate(last / 2),
        Damage::Longer => bytes.push(0),
        Damage::Bit => bytes[last] ^= 1,
        Damage::Header | Damage::HeaderUnseen => bytes[20] ^= 1,
        Damage::WebPage => bytes = b"<html>".to_vec(),
    }
    // In its place, as a disk does it.
    fs::write(path, bytes).expect("written");
    if matches!(damage, Damage::HeaderUnseen) {
        let file = OpenOptions::new().write(true).open(path).expect("a file");
        file.set_modified(changed).expect("a time");
    }
}

#[test]
fn a_damaged_conversion_is_fetched_again() {
    for how in ALL {
        let program = Program::new();
        let server = mirror([]);
        answered(&with_mirror(&program, &server.address, &[]));
        let path = program.path("cache").join(CONVERSION);
        let good = fs::read(&path).expect("a conversion");
        damage(&path, how);

        let offline = [("HF_HUB_OFFLINE", "1")];
        let ran = with_mirror(&program, &server.address, &offline);
        ran.refused(&[CONVERSION]);
        assert_eq!(server.requests().len(), 1, "{how:?}");

        answered(&with_mirror(&program, &server.address, &[]));
        assert_eq!(server.requests().len(), 2, "{how:?}");
        assert_eq!(fs::read(&path).expect("a conversion"), good);
        answered(&with_mirror(&program, &server.address, &[]));
        assert_eq!(server.requests().len(), 2, "{how:?}");
    }
}

/// An older version's cache has no sums, or somebody put the file there.
#[test]
fn a_conversion_without_a_checksum_is_used_where_it_can_be() {
    let program = Program::new();
    let server = mirror([]);
    answered(&with_mirror(&program, &server.address, &[]));
    let checksum = program.path("cache").join(format!("{CONVERSION}.sha256"));
    fs::remove_file(&checksum).expect("a checksum");
    answered(&with_mirror(&program, &server.address, &[]));
    assert_eq!(server.requests().len(), 1);

    for how in [
        Damage::Empty,
        Damage::Truncated,
        Damage::Header,
        Damage::WebPage,
    ] {
        fs::remove_file(&checksum).ok();
        damage(&program.path("cache").join(CONVERSION), how);
        answered(&with_mirror(&program, &server.address, &[]));
        assert!(checksum.is_file(), "{how:?}");
    }
    assert_eq!(server.requests().len(), 5);
}

/// What a cache holds under a variant's name has to be that variant.
#[test]
fn a_cache_that_holds_something_else_is_refused() {
    let program = Program::new();
    fs::create_dir(program.path("cache")).expect("a cache");
    let cat = super::cat();
    let cached = program.path("cache/mobilenet_v1_0.5_224.safetensors");
    for bytes in [conversion(&program), b"".to_vec()] {
        fs::write(&cached, bytes).expect("a cache");
        let ran = program.run(&["classify", "--offline", "--alpha", "0.5", &cat]);
        ran.refused(&["mobilenet_v1_0.5_224.safetensors", "to fetch it again"]);
    }
}

#[test]
fn a_damaged_blob_is_fetched_again() {
    for how in ALL {
        let program = Program::new();
        let bytes = conversion(&program);
        let server = hub(bytes.clone());
        answered(&with_hub(&program, &server, REPO));
        let blob = hub_folder(&program).join("blobs").join(sha256(&bytes));
        damage(&blob, how);

        let ran = with_hub(&program, &server, &["--repo", "owner/name", "--offline"]);
        assert_eq!(ran.code, Some(2), "{how:?}: {ran:?}");
        assert_eq!(server.gets().len(), 1, "{how:?}");

        let ran = with_hub(&program, &server, REPO);
        answered(&ran);
        assert!(ran.stderr.contains("damaged"), "{how:?}: {}", ran.stderr);
        assert_eq!(server.gets().len(), 2, "{how:?}");
        assert_eq!(fs::read(&blob).expect("a blob"), bytes);
        answered(&with_hub(&program, &server, REPO));
        assert_eq!(server.gets().len(), 2, "{how:?}");
        assert_eq!(names(&hub_folder(&program).join("blobs")), [sha256(&bytes)]);
    }
}

/// Python's tools note no sums: what they left is summed up once.
#[test]
fn a_damaged_blob_of_python_is_noticed() {
    let program = Program::new();
    let bytes = conversion(&program);
    let server = hub(bytes.clone());
    answered(&with_hub(&program, &server, REPO));
    let blob = hub_folder(&program).join("blobs").join(sha256(&bytes));
    for how in [Damage::Bit, Damage::HeaderUnseen, Damage::Truncated] {
        fs::remove_dir_all(program.path("cache/seals")).expect("checksums");
        damage(&blob, how);
        answered(&with_hub(&program, &server, REPO));
        assert_eq!(fs::read(&blob).expect("a blob"), bytes, "{how:?}");
    }
    // One that is gone is as good as one that never was.
    fs::remove_file(&blob).expect("a blob");
    answered(&with_hub(&program, &server, REPO));
    assert_eq!(server.gets().len(), 5);
}

/// The name of a small file's blob is git's digest; what came is noted.
#[test]
fn a_damaged_small_file_is_fetched_again() {
    let program = Program::new();
    let bytes = conversion(&program);
    let etag = "c".repeat(40);
    let mark = etag.clone();
    let server = Server::new(
        move |request| match request.path.ends_with("/config.json") {
            true => Reply::file(request, b"{}").header("etag", &mark).answer(),
            false => hub_file(request, &bytes),
        },
    );
    answered(&with_hub(&program, &server, REPO));
    let asked = server.requests().len();
    let blob = hub_folder(&program).join("blobs").join(etag);
    for damaged in ["", "{", "[]"] {
        fs::write(&blob, damaged).expect("a blob");
        answered(&with_hub(&program, &server, REPO));
        assert_eq!(fs::read(&blob).expect("a blob"), b"{}");
    }
    // Each time one question and one answer.
    assert_eq!(server.requests().len(), asked + 6);
}

/// A file that is what the server has, and of no use, is not fetched time and again.
#[test]
fn a_file_that_is_wrong_at_its_source_is_fetched_once() {
    let program = Program::new();
    let server = hub(b"nothing that could be loaded".to_vec());
    for _ in 0..2 {
        with_hub(&program, &server, REPO).refused(&["not a checkpoint"]);
        assert_eq!(server.gets().len(), 1);
    }
}
