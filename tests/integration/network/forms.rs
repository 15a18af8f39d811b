//! Repositories that have their checkpoint in another form than one safetensors file.

use std::collections::BTreeMap;
use std::fs;

use super::server::{self, Answer, COMMIT, Reply, Request, Server, status};
use super::{REPO, hub_folder, names, with_hub};
use crate::shards::{safetensors_shards, torch_shards};
use crate::support::{Program, Ran};

/// What is answered.
fn scores(ran: &Ran) -> serde_json::Value {
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let predictions = ran.rows()[0]["predictions"].clone();
    assert!(predictions[0]["score"].as_f64().is_some(), "{predictions}");
    predictions
}

type Files = BTreeMap<String, Vec<u8>>;

fn file(request: &Request, files: &Files) -> Answer {
    let found = request
        .path
        .rsplit('/')
        .next()
        .and_then(|name| files.get(name));
    match found {
        Some(bytes) if request.path.contains("/resolve/") => server::file(request, bytes),
        _ => status(404),
    }
}

/// A Hub whose repository has these files, which it lists or not.
fn hub(files: Files, lists: bool) -> Server {
    let listed: Vec<_> = files
        .keys()
        .map(|name| serde_json::json!({"rfilename": name}))
        .collect();
    let list = serde_json::json!({"siblings": listed, "sha": COMMIT}).to_string();
    Server::new(move |request| match request.path.starts_with("/api/") {
        true if lists => Reply::new(200, list.as_bytes()).answer(),
        _ => file(request, &files),
    })
}

/// What the program answers with these files in a folder.
fn by_itself(files: &Files) -> serde_json::Value {
    let program = Program::new();
    for (name, bytes) in files {
        program.file(name, bytes);
    }
    let nobody = Server::new(|_| status(500));
    scores(&with_hub(
        &program,
        &nobody,
        &["--weights", ".", "--size", "64"],
    ))
}

/// A file of PyTorch's, whole.
fn pytorch_model() -> Files {
    let packed = fs::File::open(crate::support::data("torch/old.pth.gz")).expect("a fixture");
    let mut bytes = Vec::new();
    let mut unpacked = flate2::read::GzDecoder::new(packed);
    std::io::Read::read_to_end(&mut unpacked, &mut bytes).expect("a fixture");
    [("pytorch_model.bin".to_owned(), bytes)].into()
}

const SIZE: [&str; 4] = ["--repo", "owner/name", "--size", "64"];

#[test]
fn a_checkpoint_comes_in_whatever_form_it_is_there() {
    for files in [pytorch_model(), torch_shards(), safetensors_shards()] {
        let want = by_itself(&files);
        for lists in [true, false] {
            let program = Program::new();
            let server = hub(files.clone(), lists);
            assert_eq!(scores(&with_hub(&program, &server, &SIZE)), want);
            // All of it is there, and what is not there is known.
            let asked = server.requests().len();
            assert_eq!(scores(&with_hub(&program, &server, &SIZE)), want);
            assert_eq!(server.requests().len(), asked, "{:?}", files.keys());
            let offline = [&SIZE[..], &["--offline"]].concat();
            assert_eq!(scores(&with_hub(&program, &server, &offline)), want);
            let snapshot = hub_folder(&program).join("snapshots").join(COMMIT);
            let there = names(&snapshot);
            assert!(there.iter().eq(files.keys()), "{there:?}");
            let main = fs::read_to_string(hub_folder(&program).join("refs/main"));
            assert_eq!(main.expect("a reference"), COMMIT);
            // Each came once.
            let came = server.gets().into_iter();
            let came = came.filter(|request| request.path.contains("/resolve/"));
            assert_eq!(came.count(), files.len());
        }
    }
}

/// Safetensors go first, also where a cache has something else of the repository.
#[test]
fn safetensors_go_before_what_a_cache_has() {
    let program = Program::new();
    let older = hub(pytorch_model(), true);
    let want = scores(&with_hub(&program, &older, &SIZE));
    // Another tool does not note what a repository lacks.
    fs::remove_dir_all(hub_folder(&program).join(".no_exist")).expect("removed");
    let silent = Server::new(|_| status(503));
    let ran = with_hub(&program, &silent, &SIZE);
    assert_eq!(scores(&ran), want);
    assert!(
        ran.stderr.contains("going on with what the cache has"),
        "{}",
        ran.stderr
    );
    let offline = [&SIZE[..], &["--offline"]].concat();
    assert_eq!(scores(&with_hub(&program, &silent, &offline)), want);

    let both: Files = pytorch_model()
        .into_iter()
        .chain(safetensors_shards())
        .collect();
    let server = hub(both, true);
    scores(&with_hub(&program, &server, &SIZE));
    let paths: Vec<_> = server
        .gets()
        .into_iter()
        .map(|request| request.path)
        .collect();
    assert!(
        paths
            .iter()
            .any(|path| path.ends_with("00003-of-00003.safetensors")),
        "{paths:?}"
    );
    assert!(
        !paths.iter().any(|path| path.ends_with(".bin")),
        "{paths:?}"
    );
}

#[test]
fn a_part_that_is_missing_or_elsewhere_is_named() {
    let mut files = safetensors_shards();
    let part = "model-00002-of-00003.safetensors";
    let removed = files.remove(part).expect("a part");
    let program = Program::new();
    let ran = with_hub(&program, &hub(files.clone(), true), REPO);
    ran.refused(&["a file that its index names is not there", part]);
    // Nothing refers to what is not all there, and the rest is fetched when it is.
    assert!(!hub_folder(&program).join("refs/main").exists());
    files.insert(part.into(), removed);
    let server = hub(files.clone(), true);
    scores(&with_hub(&program, &server, &SIZE));
    assert!(
        server
            .gets()
            .iter()
            .filter(|request| request.path.contains("-of-"))
            .count()
            == 2
    );

    let index = "model.safetensors.index.json";
    for name in ["../config.json", "/etc/passwd", "a/b.safetensors"] {
        let text = serde_json::json!({"weight_map": {"a": name}}).to_string();
        files.insert(index.into(), text.into_bytes());
        let program = Program::new();
        let server = hub(files.clone(), true);
        with_hub(&program, &server, REPO).refused(&[index, "which is no file beside it"]);
        assert!(
            server
                .gets()
                .iter()
                .all(|request| !request.path.contains("-of-"))
        );
    }
}
