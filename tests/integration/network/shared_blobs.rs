//! Caches of huggingface_hub 2.4, whose contents may lie in a store of all repositories: read as they
//! are, and with what is put there still that tool's own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::server::{COMMIT, Server, sha256, status};
use super::{REPO, answered, conversion, hub, hub_folder, names, with_hub, with_hub_and};
use crate::support::{Program, arg, data, repository, shared};

/// What that tool calls the content there: no digest of its bytes.
const XET: &str = "ba37b566bbb2aba1edf387cd3fbe7a93fa4f3532ca23bd3d7016d7ca7fcdb1fb";

/// Runs `tests/data/hub/cache.py`, if Python has what it needs; its output.
fn python(arguments: &[&str]) -> Option<String> {
    let has_it = Command::new("python3")
        .args(["-c", "import huggingface_hub.utils._shared_blobs"])
        .output()
        .is_ok_and(|python| python.status.success());
    if !has_it {
        crate::skipped::skip("python3 has no huggingface_hub 2.4");
        return None;
    }
    let ran = Command::new("python3")
        .arg(data("hub/cache.py"))
        .args(arguments)
        .env("HF_HUB_OFFLINE", "1")
        .output()
        .expect("python3");
    let stderr = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{stderr}");
    Some(String::from_utf8(ran.stdout).expect("UTF-8"))
}

/// A cache that has the checkpoint as that tool leaves it; the file in the store.
#[cfg(unix)]
fn fill(program: &Program, bytes: &[u8]) -> PathBuf {
    use std::os::unix::fs::symlink;
    let folder = hub_folder(program);
    let (blobs, snapshot) = (folder.join("blobs"), folder.join("snapshots").join(COMMIT));
    let store = folder.with_file_name("blobs");
    for folder in [&blobs, &snapshot, &folder.join("refs"), &store.join("ba")] {
        fs::create_dir_all(folder).expect("a cache");
    }
    let etag = sha256(bytes);
    let content = store.join("ba").join(XET);
    fs::write(&content, bytes).expect("a cache");
    fs::write(store.join(".huggingface-shared-blobs"), "1\n").expect("a cache");
    let manifest = format!("models--owner--name/blobs/{etag}\n");
    fs::write(content.with_extension("refs"), manifest).expect("a cache");
    fs::write(folder.join("refs/main"), COMMIT).expect("a cache");
    symlink(format!("../../blobs/ba/{XET}"), blobs.join(&etag)).expect("a link");
    let pointer = snapshot.join("model.safetensors");
    symlink(format!("../../blobs/{etag}"), pointer).expect("a link");
    content
}

#[cfg(unix)]
#[test]
fn contents_in_the_store_of_all_repositories_are_read_and_checked() {
    let program = Program::new();
    let bytes = conversion(&program);
    let content = fill(&program, &bytes);
    let nobody = Server::new(|_| status(500));
    let offline = [REPO, &["--offline"]].concat();
    answered(&with_hub(&program, &nobody, &offline));

    // What is damaged is seen behind both links, and the store left as it is.
    let mut damaged = bytes.clone();
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    fs::write(&content, &damaged).expect("a cache");
    with_hub(&program, &nobody, &offline).refused(&["damaged"]);
    answered(&with_hub(&program, &hub(bytes.clone()), REPO));
    assert!(fs::read(&content).expect("the store") == damaged);
    let blob = hub_folder(&program).join("blobs").join(sha256(&bytes));
    assert!(blob.symlink_metadata().expect("a blob").is_file());
    answered(&with_hub(&program, &nobody, &offline));

    // So is what a link leads to that is gone.
    fs::remove_file(&blob).expect("a blob");
    std::os::unix::fs::symlink("../../blobs/ba/gone", &blob).expect("a link");
    with_hub(&program, &nobody, &offline).refused(&["not in the cache"]);
    answered(&with_hub(&program, &hub(bytes), REPO));
}

/// The tool's own functions fill a cache that is read, and read the one that comes of a download.
#[cfg(unix)]
#[test]
fn huggingface_hub_reads_what_is_written_and_is_read() {
    let program = Program::new();
    let bytes = conversion(&program);
    let file = program.file("model.safetensors", &bytes);
    let cache = program.path("hf/hub");
    let (cache, file) = (arg(&cache).to_owned(), arg(&file).to_owned());
    if python(&["fill", &cache, "owner/name", COMMIT, &file]).is_none() {
        return;
    }
    let blob = hub_folder(&program).join("blobs").join(sha256(&bytes));
    assert!(blob.symlink_metadata().expect("a blob").is_symlink());
    let nobody = Server::new(|_| status(500));
    let offline = [REPO, &["--offline"]].concat();
    answered(&with_hub(&program, &nobody, &offline));

    // What else the repository might have is asked; then another repository, of the same content, comes
    // from a server, and what was damaged comes again.
    let server = hub(bytes.clone());
    answered(&with_hub(&program, &server, REPO));
    answered(&with_hub(&program, &server, &["--repo", "owner/other"]));
    fs::remove_file(&blob).expect("a blob");
    fs::write(&blob, "damaged").expect("a blob");
    answered(&with_hub(&program, &server, REPO));

    for repo in ["owner/name", "owner/other"] {
        let wanted = ["model.safetensors", "config.json"];
        let arguments = [&["read", &cache, repo][..], &wanted].concat();
        let found = python(&arguments).expect("it was there");
        let found: Value = serde_json::from_str(&found).expect("JSON");
        eprintln!("{found}");
        let files = json!({"model.safetensors": sha256(&bytes), "config.json": "absent"});
        assert_eq!(found["files"], files, "{repo}");
        assert_eq!(found["warnings"], json!([]));
        assert_eq!(found["repos"], json!(["owner/name", "owner/other"]));
    }
    let left = names(&hub_folder(&program).join("blobs"));
    assert_eq!(left, [sha256(&bytes)], "parts of downloads are left");
}

/// A cache as that tool left it, with what its files say.
#[test]
fn a_cache_that_huggingface_hub_filled_is_used_offline() {
    let Some(packed) = shared("cases/checkpoints/hubcache_shared_blobs.tar") else {
        return;
    };
    let program = Program::new();
    let unpacked = Command::new("tar")
        .arg("-xf")
        .arg(&packed)
        .arg("-C")
        .arg(program.path("."))
        .status();
    if !unpacked.is_ok_and(|status| status.success()) {
        return crate::skipped::skip("tar can't unpack it");
    }
    let cache = program.path("hubcache_shared_blobs");
    let nobody = Server::new(|_| status(500));
    let variables = [("HF_HUB_CACHE", arg(&cache))];
    let arguments = ["--repo", "me/five", "--offline"];
    let ran = with_hub_and(&program, &nobody, &arguments, &variables);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(nobody.requests().is_empty());
    let blob = fs::read_dir(cache.join("blobs/ba"))
        .expect("the store")
        .flatten();
    let blob = blob
        .map(|entry| entry.path())
        .find(|path| path.extension().is_none());
    let blob: &Path = &blob.expect("a content");
    assert!(fs::metadata(blob).expect("a content").len() > 100_000);
    // The same file by itself gives the same answer.
    let file = program.file("alone.safetensors", fs::read(blob).expect("a content"));
    let snapshot = cache
        .join("models--me--five/snapshots")
        .join("a".repeat(40));
    for name in ["config.json", "preprocessor_config.json"] {
        program.file(name, fs::read(snapshot.join(name)).expect(name));
    }
    let cat = repository("samples/cat.jpg");
    let alone = program.run(&["classify", "--jsonl", "--weights", arg(&file), arg(&cat)]);
    assert_eq!(alone.rows()[0]["predictions"], ran.rows()[0]["predictions"]);
}
