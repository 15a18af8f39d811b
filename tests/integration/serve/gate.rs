//! Whom it answers.

use super::client::Request;
use super::{Service, bytes_of, digit, digits};
use crate::support::Program;

fn with_token() -> Service {
    let program = Program::new();
    program.file("token", "0123456789abcdef-token\n");
    let weights = digits();
    let arguments = [
        "--token-file",
        "token",
        "--allow-host",
        "pictures.example.org",
    ];
    Service::in_folder(program, weights.to_str().expect("UTF-8"), &arguments)
}

#[test]
fn a_token_is_asked_for_where_there_is_one() {
    let service = with_token();
    for path in [
        "/v1/model",
        "/v1/labels",
        "/metrics",
        "/v2",
        "/v2/models/mobilenet",
    ] {
        let refused = service.get(path);
        assert_eq!(refused.fault().0, 401, "{path}");
        assert_eq!(
            refused.header("www-authenticate").as_deref(),
            Some("bearer")
        );
        let wrong = Request::get(path).header("authorization", "Bearer 0123456789abcdef-tokem");
        assert_eq!(service.send(&wrong).status, 401);
        let right = Request::get(path).header("authorization", "Bearer 0123456789abcdef-token");
        assert_eq!(service.send(&right).status, 200, "{path}");
    }
    // No picture is looked at before.
    assert_eq!(service.post("/v1/classify", bytes_of(digit())).status, 401);
    for path in [
        "/",
        "/healthz",
        "/readyz",
        "/openapi.json",
        "/v2/health/live",
        "/v2/models/mobilenet/ready",
    ] {
        assert_eq!(service.get(path).status, 200, "{path}");
    }
}

#[test]
fn others_are_let_in_by_a_token_or_by_a_word() {
    let program = Program::new();
    let weights = digits();
    let serve = |more: &[&str]| {
        let mut all = vec!["serve", "--weights", weights.to_str().expect("UTF-8")];
        all.extend(more);
        program.run(&all)
    };
    let refused = serve(&["--listen", "0.0.0.0:0"]);
    assert_eq!(refused.code, Some(2));
    for way_out in ["--token-file", "--insecure-no-token"] {
        assert!(refused.stderr.contains(way_out), "{}", refused.stderr);
    }
    program.file("short", "secret");
    program.file("lines", "0123456789abcdef\n0123456789abcdef");
    for (file, words) in [
        ("short", "at least 16"),
        ("lines", "one word"),
        ("absent", "absent"),
    ] {
        let refused = serve(&["--token-file", file]);
        assert_eq!(refused.code, Some(2));
        assert!(refused.stderr.contains(words), "{}", refused.stderr);
    }
    for address in ["nowhere", "127.0.0.1", "127.0.0.1:99999"] {
        let refused = serve(&["--listen", address]);
        assert_eq!(refused.code, Some(2));
        assert!(
            refused.stderr.contains(&format!("--listen {address}")),
            "{}",
            refused.stderr
        );
    }
    let taken = Service::start(&[]);
    let refused = serve(&["--listen", &taken.address]);
    assert!(
        refused.stderr.contains(&taken.address),
        "{}",
        refused.stderr
    );
    let open = Service::start(&["--listen", "0.0.0.0:0", "--insecure-no-token"]);
    assert_eq!(open.get("/v1/model").status, 200);
}

#[test]
fn names_and_pages_of_others_are_refused() {
    let service = with_token();
    let of = |name: &str, value: &str| {
        let request = Request::get("/healthz").header(name, value);
        service.send(&request).status
    };
    assert_eq!(of("host", "pictures.example.org"), 200);
    assert_eq!(of("host", "evil.example.net"), 421);
    assert_eq!(of("origin", "http://evil.example.net"), 403);
    assert_eq!(of("origin", &format!("http://{}", service.address)), 200);
    assert_eq!(of("sec-fetch-site", "cross-site"), 403);
    // Clients of the protocol are told in its own form.
    let request = Request::get("/v2/health/live").header("host", "evil.example.net");
    assert!(service.send(&request).json()["error"].is_string());
}

#[test]
fn an_allowed_page_may_read_the_answers() {
    let service = Service::start(&["--allow-origin", "https://app.example.org/"]);
    let origin = ("origin", "https://app.example.org");
    let first = Request::new("OPTIONS", "/v1/classify", []).header(origin.0, origin.1);
    let first = first.header("access-control-request-method", "POST");
    let allowed = service.send(&first);
    assert_eq!(allowed.status, 204);
    assert_eq!(
        allowed.header("access-control-allow-origin").as_deref(),
        Some(origin.1)
    );
    assert!(
        allowed
            .header("access-control-allow-headers")
            .expect("headers")
            .contains("authorization")
    );
    let answered = Request::post("/v1/classify", bytes_of(digit())).header(origin.0, origin.1);
    let answered = service.send(&answered);
    assert_eq!(answered.status, 200);
    assert_eq!(
        answered.header("access-control-allow-origin").as_deref(),
        Some(origin.1)
    );
    let other = Request::new("OPTIONS", "/v1/classify", []).header("origin", "https://example.net");
    assert_eq!(service.send(&other).status, 403);
    let program = Program::new();
    let refused = program.run(&[
        "serve",
        "--allow-origin",
        "example.org",
        "--listen",
        "127.0.0.1:0",
    ]);
    assert_eq!(refused.code, Some(2));
    assert!(
        refused.stderr.contains("https://example.org"),
        "{}",
        refused.stderr
    );
}

#[test]
fn the_page_takes_nothing_from_elsewhere() {
    let service = Service::start(&[]);
    let page = service.get("/");
    assert_eq!(
        page.header("content-type").as_deref(),
        Some("text/html; charset=utf-8")
    );
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(
        policy.starts_with("default-src 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "deny"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(page.header(name).as_deref(), Some(value));
        assert_eq!(
            service.get("/v1/model").header(name).as_deref(),
            Some(value),
            "{name}"
        );
    }
    let known = Request::get("/").header("if-none-match", &page.header("etag").expect("a tag"));
    assert_eq!(service.send(&known).status, 304);
    // What the page names is there, and nothing else is.
    let text = page.text();
    let mut assets = 0;
    for part in text.split("/assets/").skip(1) {
        let name = part.split(['"', '\'']).next().expect("a name");
        assert_eq!(
            service.get(&format!("/assets/{name}")).status,
            200,
            "{name}"
        );
        assets += 1;
    }
    assert!(assets >= 3, "{text}");
    for path in [
        "/assets/../Cargo.toml",
        "/assets/%2e%2e%2fCargo.toml",
        "/assets/",
        "/Cargo.toml",
    ] {
        assert_eq!(service.get(path).status, 404, "{path}");
    }
}
