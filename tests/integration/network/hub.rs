//! Repositories on the Hub, and the cache shared with other tools.

use std::fs;
use std::sync::{Arc, Mutex};

use super::server::{self, Answer, COMMIT, Reply, Server, sha256, status};
use super::{
    CONVERSION, REPO, TOKEN, answered, cat, conversion, hub, hub_file, hub_folder, names, with_hub,
    with_hub_and,
};
use crate::support::{Program, Ran};

#[test]
fn conversions_come_from_a_hub_repository_where_one_is_configured() {
    let program = Program::new();
    let server = hub(conversion(&program));
    let repo = [("MOBILENET_HUB_REPO", "owner/conversions")];
    let run = |more: &[&str]| {
        let arguments = [&["--alpha", "0.25"], more].concat();
        answered(&with_hub_and(&program, &server, &arguments, &repo));
    };
    run(&[]);
    let requests = server.requests();
    let paths: Vec<_> = requests.iter().map(|r| r.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            format!("/owner/conversions/resolve/main/{CONVERSION}"),
            format!("/owner/conversions/resolve/{COMMIT}/{CONVERSION}"),
        ]
    );
    let token = format!("Bearer {TOKEN}");
    for request in &requests {
        assert_eq!(request.header("authorization"), Some(token.as_str()));
    }
    run(&[]);
    run(&["--offline"]);
    assert_eq!(server.requests().len(), requests.len());
}

/// Where the repository fails the release is taken, and told what happened where both fail.
#[test]
fn without_the_repository_the_release_is_taken() {
    let program = Program::new();
    let bytes = crate::support::release_file();
    let server = Server::new(move |request| match request.path.starts_with("/release/") {
        true => server::file(request, &bytes),
        false => status(503),
    });
    let repo = [("MOBILENET_HUB_REPO", "owner/conversions")];
    answered(&with_hub_and(
        &program,
        &server,
        &["--alpha", "0.25"],
        &repo,
    ));

    let server = Server::new(|_| status(404));
    let ran = with_hub_and(&Program::new(), &server, &["--alpha", "0.25"], &repo);
    ran.refused(&["/owner/conversions/resolve/main/", "/release/"]);
}

#[test]
fn a_repository_is_loaded_at_its_revision() {
    let program = Program::new();
    let server = hub(conversion(&program));
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
        let before = server.requests().len();
        answered(&with_hub(&program, &server, &["--repo", repo]));
        let seen = server.requests();
        assert_eq!(seen[before].path, path);
        answered(&with_hub(&program, &server, &["--repo", repo]));
        assert_eq!(server.requests().len(), seen.len(), "{repo}");
    }
    // The three revisions are one commit: its file came once.
    assert_eq!(server.gets().len(), 1);
    with_hub(&program, &server, &["--repo", "owner"]).refused(&["OWNER/NAME"]);
    with_hub(&program, &server, &["--repo", "owner/../x"]).refused(&["OWNER/NAME"]);
}

/// What describes the checkpoint comes with it, of the same commit, though the branch moves on.
#[test]
fn all_files_are_of_one_commit() {
    let program = Program::new();
    let bytes = conversion(&program);
    let moved = Mutex::new(false);
    let server = Server::new(move |request| {
        let of_main = request.path.contains("/resolve/main/");
        let mut moved = moved.lock().expect("a flag");
        let commit = match (of_main, *moved) {
            (true, true) => "fedcba98",
            _ => COMMIT,
        };
        *moved = true;
        let name = request.path.rsplit('/').next().unwrap_or_default();
        match name {
            "model.safetensors" => Reply::file(request, &bytes)
                .header("x-repo-commit", commit)
                .answer(),
            "config.json" => {
                let etag = format!("W/\"{}\"", "c".repeat(40));
                let reply = Reply::file(request, b"{}").header("etag", &etag);
                reply.header("x-repo-commit", commit).answer()
            }
            _ => status(404),
        }
    });
    answered(&with_hub(&program, &server, REPO));
    let paths: Vec<_> = server.requests().into_iter().map(|r| r.path).collect();
    assert_eq!(paths[0], "/owner/name/resolve/main/model.safetensors");
    let folder = format!("/owner/name/resolve/{COMMIT}/");
    assert!(
        paths[1..].iter().all(|p| p.starts_with(&folder)),
        "{paths:?}"
    );

    // The cache is the one that Python's tools read and write.
    let folder = hub_folder(&program);
    let read = |path: &str| fs::read_to_string(folder.join(path)).expect(path);
    assert_eq!(read("refs/main"), COMMIT);
    let snapshot = format!("snapshots/{COMMIT}");
    assert_eq!(
        names(&folder.join(&snapshot)),
        ["config.json", "model.safetensors"]
    );
    assert_eq!(read(&format!("{snapshot}/config.json")), "{}");
    assert_eq!(read(&format!("blobs/{}", "c".repeat(40))), "{}");
    let absent = format!(".no_exist/{COMMIT}");
    let absent = names(&folder.join(absent));
    assert_eq!(absent, ["labels.json", "preprocessor_config.json"]);
    #[cfg(unix)]
    for (file, etag) in [
        ("config.json", "c".repeat(40)),
        ("model.safetensors", sha256(&conversion(&program))),
    ] {
        let link = fs::read_link(folder.join(&snapshot).join(file)).expect("a link");
        assert_eq!(link, std::path::Path::new(&format!("../../blobs/{etag}")));
    }
    let asked = server.requests().len();
    answered(&with_hub(&program, &server, REPO));
    assert_eq!(server.requests().len(), asked);
}

/// A file that may be missing and can't be had is not taken for a missing one.
#[test]
fn what_a_server_does_not_say_is_not_taken_for_no() {
    let program = Program::new();
    let bytes = conversion(&program);
    let ill = Arc::new(Mutex::new(true));
    let still = ill.clone();
    let server = Server::new(move |request| {
        let ill = *still.lock().expect("a flag");
        match request.path.ends_with("config.json") && ill {
            true => status(500),
            false => hub_file(request, &bytes),
        }
    });
    let ran = with_hub(&program, &server, REPO);
    ran.refused(&["config.json: the server answered 500"]);
    *ill.lock().expect("a flag") = false;
    answered(&with_hub(&program, &server, REPO));
    assert_eq!(server.gets().len(), 1, "the checkpoint was there already");
}

/// The files of a commit as Python's tools leave them, by links or, where there are none, copies.
#[test]
fn a_cache_of_python_is_used() {
    for (is_link, repo) in [
        (true, "owner/name".to_owned()),
        (false, "owner/name".to_owned()),
        // They keep no reference for a revision that is a commit.
        (false, format!("owner/name@{COMMIT}")),
    ] {
        let program = Program::new();
        let bytes = conversion(&program);
        let folder = hub_folder(&program);
        let snapshot = folder.join("snapshots").join(COMMIT);
        fs::create_dir_all(&snapshot).expect("a cache");
        let file = snapshot.join("model.safetensors");
        if is_link && cfg!(unix) {
            let name = sha256(&bytes);
            fs::create_dir_all(folder.join("blobs")).expect("a cache");
            fs::write(folder.join("blobs").join(&name), &bytes).expect("a cache");
            #[cfg(unix)]
            std::os::unix::fs::symlink(format!("../../blobs/{name}"), file).expect("a link");
        } else {
            fs::write(file, &bytes).expect("a cache");
        }
        if !repo.contains('@') {
            fs::create_dir_all(folder.join("refs")).expect("a cache");
            fs::write(folder.join("refs/main"), COMMIT).expect("a cache");
        }
        let repo = ["--repo", &repo];
        let server = Server::new(|_| status(500));
        answered(&with_hub(
            &program,
            &server,
            &[&repo[..], &["--offline"]].concat(),
        ));
        assert!(server.requests().is_empty());
        // Whether there is more to it is asked, and the cache used where nobody answers.
        let ran = with_hub(&program, &server, &repo);
        answered(&ran);
        assert!(
            ran.stderr.contains("going on with what the cache has"),
            "{}",
            ran.stderr
        );
        // Where somebody does, not a second time.
        let server = hub(bytes);
        answered(&with_hub(&program, &server, &repo));
        let asked = server.requests();
        assert!(!asked.is_empty() && asked.iter().all(|r| r.method == "HEAD"));
        assert!(asked.iter().all(|r| r.path.contains(COMMIT)), "{asked:?}");
        answered(&with_hub(&program, &server, &repo));
        assert_eq!(server.requests().len(), asked.len());
    }
}

/// A commit whose file the cache has damaged, and the server has no more.
#[test]
fn a_commit_that_is_gone_is_left_for_the_next() {
    let program = Program::new();
    let bytes = conversion(&program);
    answered(&with_hub(&program, &hub(bytes.clone()), REPO));
    let blob = hub_folder(&program).join("blobs").join(sha256(&bytes));
    fs::write(blob, "damaged").expect("a blob");
    let server = Server::new(move |request| {
        let is_gone = request.path.contains(COMMIT);
        match hub_file(request, &bytes) {
            Answer::Reply(reply) if !is_gone => reply.header("x-repo-commit", "new").answer(),
            _ => status(404),
        }
    });
    answered(&with_hub(&program, &server, REPO));
    assert!(server.requests()[0].path.contains(COMMIT));
    let reference = fs::read_to_string(hub_folder(&program).join("refs/main"));
    assert_eq!(reference.expect("a reference"), "new");
}

/// The token is for the Hub, and for nobody that it names.
#[test]
fn a_token_is_not_sent_to_another_host() {
    let program = Program::new();
    let bytes = conversion(&program);
    let content = bytes.clone();
    let cdn = Server::new(move |request| {
        Reply::file(request, &content)
            .header("x-repo-commit", "")
            .header("etag", "\"cdn\"")
            .answer()
    });
    let elsewhere = cdn.address.clone();
    let (size, etag) = (bytes.len().to_string(), sha256(&bytes));
    let server = Server::new(move |request| {
        let moved = |to: &str| Reply::new(302, "moved").header("location", to);
        if !request.path.contains("model.safetensors") {
            return status(404);
        }
        // A repository that was renamed, on the same host.
        if request.path.starts_with("/owner/name/") {
            return moved(&request.path.replace("name", "renamed")).answer();
        }
        moved(&format!("{elsewhere}/blob?signature=x"))
            .header("x-repo-commit", COMMIT)
            .header("x-linked-etag", &format!("\"{etag}\""))
            .header("x-linked-size", &size)
            .answer()
    });
    answered(&with_hub(&program, &server, REPO));
    let token = format!("Bearer {TOKEN}");
    for request in server.requests() {
        assert_eq!(request.header("authorization"), Some(token.as_str()));
    }
    let strange = cdn.requests();
    assert_eq!(
        strange.len(),
        1,
        "one for the file, none about it: {strange:?}"
    );
    assert_eq!(strange[0].path, "/blob?signature=x");
    assert_eq!(strange[0].header("authorization"), None);
}

/// A mirror that passes questions on to another host gets the answers, and that no token.
#[test]
fn a_hub_that_only_redirects_is_followed_without_the_token() {
    let program = Program::new();
    let real = hub(conversion(&program));
    let target = real.address.clone();
    let server = Server::new(move |request| {
        let target = format!("{target}{}", request.path);
        Reply::new(308, "").header("location", &target).answer()
    });
    answered(&with_hub(&program, &server, REPO));
    assert!(
        real.requests()
            .iter()
            .all(|r| r.header("authorization").is_none())
    );
}

#[test]
fn what_is_not_read_is_named_and_where_its_conversion_may_be() {
    for (files, parts, absent) in [
        (
            r#"{"siblings": [{"rfilename": "flax_model.msgpack"}], "sha": "x", "id": "y"}"#,
            vec!["only flax_model.msgpack", "--repo owner/name@refs/pr/1"],
            None,
        ),
        (
            r#"{"siblings": [{"rfilename": "tf_model.h5"}], "sha": "x"}"#,
            vec!["only tf_model.h5", "--repo owner/name@refs/pr/1"],
            Some("pickle"),
        ),
        (
            r#"{"siblings": [{"rfilename": "README.md"}], "sha": "x"}"#,
            vec!["the repository has no model.safetensors"],
            Some("refs/pr"),
        ),
        (
            "no JSON",
            vec!["model.safetensors: not found"],
            Some("refs/pr"),
        ),
    ] {
        let program = Program::new();
        let server = Server::new(move |request| match request.path.as_str() {
            "/api/models/owner/name/revision/main" => Reply::new(200, files).answer(),
            _ => status(404),
        });
        let ran = with_hub(&program, &server, REPO);
        ran.refused(&parts);
        if let Some(absent) = absent {
            assert!(!ran.stderr.contains(absent), "{}", ran.stderr);
        }
    }
    // Where that was tried it is not said again.
    let server = Server::new(|request| match request.path.starts_with("/api/") {
        true => {
            let files = r#"{"siblings": [{"rfilename": "tf_model.h5"}], "sha": "x"}"#;
            Reply::new(200, files).answer()
        }
        false => status(404),
    });
    let ran = with_hub(
        &Program::new(),
        &server,
        &["--repo", "owner/name@refs/pr/1"],
    );
    ran.refused(&["only tf_model.h5"]);
    assert!(!ran.stderr.contains("--repo owner/name@"), "{}", ran.stderr);
}

#[test]
fn an_interrupted_hub_download_goes_on_where_it_stopped() {
    let program = Program::new();
    let bytes = conversion(&program);
    let half = bytes.len() / 2;
    let whole = bytes.clone();
    let server = Server::new(move |request| match hub_file(request, &whole) {
        Answer::Reply(reply) => reply.cut(half).answer(),
        other => other,
    });
    let once = [("MOBILENET_RETRIES", "0")];
    let first = with_hub_and(&program, &server, REPO, &once);
    first.refused(&["broke off"]);
    // As Python's tools call it, who go on from there as well.
    let part = format!("{}.incomplete", sha256(&bytes));
    assert_eq!(names(&hub_folder(&program).join("blobs")), [part]);
    let server = hub(bytes.clone());
    answered(&with_hub(&program, &server, REPO));
    let range = format!("bytes={half}-");
    assert_eq!(server.gets()[0].header("range"), Some(range.as_str()));
    assert_eq!(names(&hub_folder(&program).join("blobs")), [sha256(&bytes)]);
}

/// What is taken up may be something else; its sum tells, and it is begun anew.
#[test]
fn a_part_that_is_wrong_is_begun_anew() {
    let bytes = conversion(&Program::new());
    for length in [1000, bytes.len(), bytes.len() + 1] {
        let program = Program::new();
        let blobs = hub_folder(&program).join("blobs");
        fs::create_dir_all(&blobs).expect("a cache");
        let part = blobs.join(format!("{}.incomplete", sha256(&bytes)));
        fs::write(part, vec![7; length]).expect("a part");
        answered(&with_hub(&program, &hub(bytes.clone()), REPO));
        assert_eq!(names(&blobs), [sha256(&bytes)]);
    }
}

#[test]
fn a_program_without_a_home_folder_works() {
    let program = Program::new();
    let server = hub(conversion(&program));
    let cat = cat();
    let mut command = program.command(&["classify", "--jsonl", "--repo", "owner/name", &cat]);
    command
        .env_remove("HOME")
        .env("HF_ENDPOINT", &server.address);
    answered(&Ran::of(command.output().expect("the program")));
}
