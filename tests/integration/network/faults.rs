//! Servers and networks that misbehave, and disks that are full: what the user sees of it.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use mobilenet::weights::{Hub, NoProgress, Patience, Store, catalogue};

use super::server::{Answer, Reply, Server, status};
use super::{
    CONVERSION, RELEASE_FILE, REPO, answered, cat, conversion, hub, hub_folder, mirror, names,
    whole, with_hub, with_mirror,
};
use crate::support::{Program, Ran, data, release_file};

const HTML: &[u8] = b"<!DOCTYPE html><html>log in first</html>";

#[test]
fn what_goes_wrong_is_said_with_the_address_and_leaves_nothing_behind() {
    let bytes = release_file();
    let wrong_alpha = std::fs::read(data("keras/tiny_tf.h5")).expect("a fixture");
    let half = bytes[..bytes.len() / 2].to_vec();
    let page = Reply::new(200, "log in").header("content-type", "text/html; charset=utf-8");
    for (answer, reason, requests) in [
        (status(404), "not found", 1),
        (status(403), "access denied", 1),
        (status(400), "the server answered 400", 1),
        (status(407), "the proxy wants a name", 1),
        (status(511), "this network wants a login", 1),
        (status(500), "the server answered 500 (tried 5 times)", 5),
        (status(429), "too many requests) (tried 5 times)", 5),
        (whole().cut(0).answer(), "broke off", 5),
        (Reply::new(200, HTML).answer(), "a web page (HTML)", 1),
        (page.answer(), "a web page (HTML)", 1),
        (Reply::new(200, half).answer(), "not the checkpoint", 1),
        (
            Reply::new(200, wrong_alpha).answer(),
            "it has alpha 0.05",
            1,
        ),
        (
            Reply::new(200, "")
                .header("content-length", "999999999")
                .answer(),
            "larger than any MobileNet",
            1,
        ),
        (Answer::Garbage, "not understood", 1),
    ] {
        let program = Program::new();
        let server = Server::new(move |_| answer.clone());
        let ran = with_mirror(&program, &server.address, &[]);
        let address = format!("{}/{RELEASE_FILE}: ", server.address);
        ran.refused(&[&address, reason, "--weights FILE", "MOBILENET_RELEASE_URL"]);
        assert_eq!(server.requests().len(), requests, "{reason}");
        assert!(names(&program.path("cache")).is_empty(), "{reason}");
    }
}

#[test]
fn an_unreachable_server_is_an_error_at_once() {
    let program = Program::new();
    // A port that was free a moment ago, and that nobody listens on.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    // Were it tried again, then after a while.
    let slow = [("MOBILENET_RETRY_DELAY", "60")];
    let ran = with_mirror(&program, &address, &slow);
    ran.refused(&[&address, "can't be reached", "--weights"]);
    assert!(!ran.stderr.contains("tried"), "{}", ran.stderr);
    assert!(names(&program.path("cache")).is_empty());
}

#[test]
fn a_name_that_no_host_has_is_an_error_at_once() {
    let program = Program::new();
    // Longer than a part of a name may be, so that no server is asked for it.
    let address = format!("http://{}.invalid", "a".repeat(70));
    let slow = [("MOBILENET_RETRY_DELAY", "60")];
    let ran = with_mirror(&program, &address, &slow);
    ran.refused(&[&address, "name can't be resolved", "MOBILENET_RELEASE_URL"]);
    assert!(!ran.stderr.contains("tried"), "{}", ran.stderr);
}

/// A name and a password in an address are nobody's business.
#[test]
fn credentials_in_an_address_are_not_shown() {
    let program = Program::new();
    let server = Server::new(|_| status(404));
    let address = server.address.replace("http://", "http://me:secret@");
    let ran = with_mirror(&program, &address, &[]);
    ran.refused(&[&server.address, "not found"]);
    assert!(!ran.stderr.contains("secret"), "{}", ran.stderr);
}

/// A server that takes the connection and then says nothing does not hold the program.
#[test]
fn a_silent_server_is_given_up() {
    let folder = Program::new();
    let server = Server::new(|_| Answer::Silence);
    let patience = Patience {
        silence: Duration::from_millis(200),
        tries: 2,
        delay: Duration::ZERO,
        ..Patience::default()
    };
    let hub = Hub {
        endpoint: server.address.clone(),
        cache: folder.path("hub"),
        checksums: folder.path("seals"),
        token: None,
        patience,
    };
    let mut store = Store::new(catalogue(), folder.path("cache"), hub);
    store.release_url = server.address.clone();
    store.hub_repo = Some("owner/conversions".parse().expect("a repository"));
    let variant = catalogue().find(0.25, 224).expect("a variant");
    let start = Instant::now();
    let error = store.fetch(variant, &NoProgress).expect_err("no answer");
    assert!(start.elapsed() < Duration::from_secs(30));
    let said = "nothing arrived for 0.2 seconds (tried 2 times)";
    assert_eq!(error.to_string().matches(said).count(), 2, "{error}");
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn a_failed_download_is_made_up_for_by_the_next_run() {
    let program = Program::new();
    let server = mirror([status(404)]);
    assert_eq!(with_mirror(&program, &server.address, &[]).code, Some(2));
    answered(&with_mirror(&program, &server.address, &[]));
}

#[test]
fn what_a_hub_answers_wrongly_is_said_and_not_kept() {
    let other = conversion(&Program::new()).len();
    for (answer, reason) in [
        (status(404), "no model.safetensors"),
        (status(401), "access denied"),
        (
            Reply::new(401, "")
                .header("x-error-code", "RepoNotFound")
                .answer(),
            "no such repository, or one that needs a token",
        ),
        (
            Reply::new(403, "")
                .header("x-error-code", "GatedRepo")
                .answer(),
            "its conditions have to be accepted",
        ),
        (
            Reply::new(404, "")
                .header("x-error-code", "RevisionNotFound")
                .answer(),
            "no such revision",
        ),
        // As long as it should be, and another file.
        (whole().answer(), "sha256 differs"),
        (
            Reply::new(200, vec![0; other - 1])
                .header("etag", "\"a\"")
                .header("x-linked-size", &other.to_string())
                .header("x-repo-commit", "b")
                .answer(),
            "bytes are offered of",
        ),
        (
            Reply::new(200, HTML)
                .header("content-type", "text/html")
                .answer(),
            "a web page (HTML)",
        ),
        (status(502), "the server answered 502"),
        (Answer::Garbage, "model.safetensors: "),
    ] {
        let program = Program::new();
        let bytes = conversion(&program);
        let wrong = answer.clone();
        let is_404 = reason == "no model.safetensors";
        let server = Server::new(move |request| match &wrong {
            // The list of files, where there is a repository.
            _ if is_404 && request.path.starts_with("/api/") => {
                let list = r#"{"siblings": [{"rfilename": "README.md"}], "sha": "x"}"#;
                Reply::new(200, list).answer()
            }
            Answer::Reply(reply) if reason == "sha256 differs" => {
                let altered = "f".repeat(64);
                reply.clone().header("etag", &altered).answer()
            }
            wrong => wrong.clone(),
        });
        let ran = with_hub(&program, &server, REPO);
        let address = format!(
            "{}/owner/name/resolve/main/model.safetensors: ",
            server.address
        );
        ran.refused(&[&address, reason, "--weights"]);
        assert!(
            names(&hub_folder(&program).join("blobs")).is_empty(),
            "{reason}"
        );
        assert!(names(&hub_folder(&program).join("snapshots")).is_empty());
        assert!(names(&hub_folder(&program).join("refs")).is_empty());
        answered(&with_hub(&program, &hub(bytes), REPO));
    }
}

#[test]
fn an_endpoint_that_is_no_address_is_an_error() {
    let program = Program::new();
    let cat = cat();
    for endpoint in ["nonsense", "http://", "://x", "http://exa mple", "ftp://x"] {
        let mut command = program.command(&["classify", "--repo", "owner/name", &cat]);
        command.env("HF_ENDPOINT", endpoint);
        let ran = Ran::of(command.output().expect("the program"));
        ran.refused(&["not an address", "HF_ENDPOINT"]);
        let ran = with_mirror(&program, endpoint, &[]);
        ran.refused(&["not an address", "MOBILENET_RELEASE_URL"]);
    }
}

#[test]
fn waits_that_are_no_numbers_are_an_error() {
    let program = Program::new();
    for (name, value) in [
        ("HF_HUB_DOWNLOAD_TIMEOUT", "soon"),
        ("HF_HUB_DOWNLOAD_TIMEOUT", "-1"),
        ("MOBILENET_RETRY_DELAY", "NaN"),
        ("MOBILENET_RETRIES", "many"),
    ] {
        with_mirror(&program, "http://localhost", &[(name, value)]).refused(&[name]);
    }
}

/// A server's headers become paths in the cache.
#[test]
fn a_hub_can_not_write_outside_of_the_cache() {
    let long = "a".repeat(1000);
    for (etag, commit) in [
        ("../../../../escaped", "abc"),
        ("abc", "../../../../escaped"),
        ("abc", "/escaped"),
        ("abc", ".."),
        (".", "abc"),
        ("abc", ""),
        ("", "abc"),
        ("a\\b", "abc"),
        ("abc", &long),
    ] {
        let program = Program::new();
        let reply = Reply::new(200, "x")
            .header("etag", &format!("\"{etag}\""))
            .header("x-repo-commit", commit);
        let server = Server::new(move |_| reply.clone().answer());
        with_hub(&program, &server, REPO).refused(&["not understood"]);
        assert!(server.gets().is_empty());
        assert!(!program.path("escaped").exists() && !program.path("hf/escaped").exists());
    }
}

/// Writing to `/dev/full` fails as it does on a full disk.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_said_with_the_folder() {
    let program = Program::new();
    let cache = program.path("cache");
    std::fs::create_dir(&cache).expect("a cache");
    let part = cache.join(format!("{RELEASE_FILE}.part"));
    std::os::unix::fs::symlink("/dev/full", part).expect("a link");
    let server = mirror([]);
    let ran = with_mirror(&program, &server.address, &[]);
    let full = format!("no space is left in {}", cache.display());
    ran.refused(&[&server.address, &full, "MOBILENET_CACHE"]);
    assert_eq!(server.requests().len(), 1);
    assert!(!cache.join(CONVERSION).exists());

    let bytes = conversion(&program);
    let blobs = hub_folder(&program).join("blobs");
    std::fs::create_dir_all(&blobs).expect("a cache");
    let part = format!("{}.incomplete", super::server::sha256(&bytes));
    std::os::unix::fs::symlink("/dev/full", blobs.join(part)).expect("a link");
    let server = hub(bytes);
    let ran = with_hub(&program, &server, REPO);
    ran.refused(&[
        "model.safetensors: no space is left in ",
        "models--owner--name/blobs",
    ]);
    assert_eq!(server.gets().len(), 1);
    assert!(names(&hub_folder(&program).join("snapshots")).is_empty());
}

#[cfg(unix)]
#[test]
fn a_cache_that_can_not_be_written_to_is_said_before_the_download() {
    let program = Program::new();
    let file = program.file("file", "not a folder");
    // Where not even root can write.
    let read_only = std::path::PathBuf::from("/proc/self/mobilenet");
    let read_only = std::path::Path::new("/proc/self")
        .is_dir()
        .then_some(read_only);
    for cache in [Some(file), read_only].into_iter().flatten() {
        let cache = cache.to_str().expect("UTF-8");
        let server = mirror([]);
        let ran = with_mirror(&program, &server.address, &[("MOBILENET_CACHE", cache)]);
        ran.refused(&["cache can't be written to", cache, "MOBILENET_CACHE"]);
        // Another server would not help.
        assert!(!ran.stderr.contains("MOBILENET_RELEASE_URL"));
        let moved = [("HF_HUB_CACHE", cache)];
        let ran = super::with_hub_and(&program, &server, REPO, &moved);
        ran.refused(&["cache can't be written to", cache, "HF_HUB_CACHE"]);
        assert!(server.requests().is_empty());
    }
}

/// A cache that was filled elsewhere needs no more than to be read.
#[cfg(unix)]
#[test]
fn a_full_cache_that_can_not_be_written_to_is_used() {
    use std::os::unix::fs::PermissionsExt;
    let program = Program::new();
    let (server, hub) = (mirror([]), hub(conversion(&program)));
    answered(&with_mirror(&program, &server.address, &[]));
    answered(&with_hub(&program, &hub, REPO));
    let asked = server.requests().len() + hub.requests().len();
    let mut folders = vec![program.path("cache"), program.path("hf")];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).expect("a folder").flatten();
        folders.extend(
            entries
                .map(|e| e.path())
                .filter(|p| p.is_dir() && !p.is_symlink()),
        );
        let mode = |mode| std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&folder, mode(0o555)).expect("permissions");
    }
    // Notes on what was found whole are lost, too.
    answered(&with_mirror(&program, &server.address, &[]));
    answered(&with_hub_without_checksums(&program, &hub));
    assert_eq!(server.requests().len() + hub.requests().len(), asked);
    // So that the folder can be removed.
    let mut folders = vec![program.path("cache"), program.path("hf")];
    while let Some(folder) = folders.pop() {
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&folder, mode).expect("permissions");
        let entries = std::fs::read_dir(&folder).expect("a folder").flatten();
        folders.extend(
            entries
                .map(|e| e.path())
                .filter(|p| p.is_dir() && !p.is_symlink()),
        );
    }
}

fn with_hub_without_checksums(program: &Program, hub: &Server) -> Ran {
    let nowhere = [("MOBILENET_CACHE", "/proc/self/mobilenet")];
    super::with_hub_and(program, hub, REPO, &nowhere)
}
