//! The answers are those of the commands.

use serde_json::{Value, json};

use super::client::Request;
use super::{Service, bytes_of, digit, digits};
use crate::support::{Program, shared};

/// A row without its path.
fn unnamed(mut row: Value) -> Value {
    row.as_object_mut().expect("an object").remove("path");
    row
}

/// What a command prints for a digit, without the path.
fn row_of(command: &str, arguments: &[&str]) -> Value {
    let program = Program::new();
    let (weights, digit) = (digits(), digit());
    let mut all = vec![command, "--weights", weights.to_str().expect("UTF-8")];
    all.extend(arguments);
    all.push(digit.to_str().expect("UTF-8"));
    let ran = program.run(&all);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    unnamed(ran.rows().remove(0))
}

#[test]
fn rows_are_those_that_the_commands_print() {
    let service = Service::start(&[]);
    let body = bytes_of(digit());
    for (path, command, arguments) in [
        ("/v1/classify", "classify", &["--jsonl"][..]),
        (
            "/v1/classify?k=2&provenance",
            "classify",
            &["--jsonl", "-k2", "--provenance"],
        ),
        (
            "/v1/classify?threshold=0.5&k=3",
            "classify",
            &["--jsonl", "-k3", "--threshold", "0.5"],
        ),
        ("/v1/embed", "embed", &["--format", "jsonl"]),
        (
            "/v1/embed?normalize=true",
            "embed",
            &["--format", "jsonl", "--normalize"],
        ),
        ("/v1/explain", "explain", &["--json"]),
        (
            "/v1/explain?class=3&class=7",
            "explain",
            &["--json", "--class", "3", "--class", "7"],
        ),
    ] {
        let response = service.post(path, body.clone());
        assert_eq!(response.status, 200, "{path}: {}", response.text());
        assert_eq!(
            response.header("content-type").as_deref(),
            Some("application/json")
        );
        let row = response.json();
        assert_eq!(row["path"], "-", "{path}");
        assert_eq!(unnamed(row), row_of(command, arguments), "{path}");
    }
    let named = service.post("/v1/classify?name=a%20b.png", body);
    assert_eq!(named.json()["path"], "a b.png");
    assert!(
        named
            .header("server-timing")
            .expect("timing")
            .contains("work;dur=")
    );
}

#[test]
fn a_form_has_a_row_for_each_picture_in_its_place() {
    let service = Service::start(&[]);
    let digit = bytes_of(digit());
    let form = [
        ("a.png", &digit[..]),
        ("b.txt", b"no picture"),
        ("c.png", &digit[..]),
    ];
    let rows = service.send(&Request::form("/v1/classify?k=1", &form));
    assert_eq!(rows.status, 200);
    let rows = rows.json();
    let paths: Vec<_> = rows
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| &row["path"])
        .collect();
    assert_eq!(paths, ["a.png", "b.txt", "c.png"]);
    assert_eq!(rows[1]["error"]["kind"], "decode");
    assert_eq!(rows[0]["predictions"], rows[2]["predictions"]);
    assert_eq!(rows[0]["predictions"].as_array().map(Vec::len), Some(1));

    let lines = Request::form("/v1/classify?k=1", &form).header("accept", "application/x-ndjson");
    let lines = service.send(&lines);
    assert_eq!(
        lines.header("content-type").as_deref(),
        Some("application/x-ndjson")
    );
    let read: Vec<Value> = lines
        .text()
        .lines()
        .map(|line| line.parse().expect("JSON"))
        .collect();
    assert_eq!(Value::Array(read), rows);
}

#[test]
fn a_picture_that_cannot_be_read_has_a_row_that_says_so() {
    let service = Service::start(&["--max-pixels", "100"]);
    let text = service.post("/v1/classify", "no picture");
    assert_eq!(
        (text.status, &text.json()["error"]["kind"]),
        (422, &json!("decode"))
    );
    let large = service.post("/v1/classify", bytes_of(digit()));
    assert_eq!(
        (large.status, &large.json()["error"]["kind"]),
        (413, &json!("limit"))
    );
    let explained = service.post("/v1/explain", "no picture");
    assert_eq!(
        (explained.status, &explained.json()["classes"]),
        (422, &json!([]))
    );
}

#[test]
fn maps_are_drawn_where_a_picture_is_asked_for() {
    let service = Service::start(&[]);
    let request = Request::post("/v1/explain?max_side=64", bytes_of(digit()));
    let drawn = service.send(&request.header("accept", "image/png"));
    assert_eq!(drawn.header("content-type").as_deref(), Some("image/png"));
    let picture = image::load_from_memory(&drawn.body).expect("a PNG");
    assert!(picture.width() > 32);
}

#[test]
fn an_album_is_searched_as_similar_searches_it() {
    let program = Program::new();
    let (weights, digit) = (digits(), digit());
    let weights = weights.to_str().expect("UTF-8");
    let samples = crate::support::repository("samples/digits");
    let album = program.path("album.safetensors");
    let album = album.to_str().expect("UTF-8");
    let samples = samples.to_str().expect("UTF-8");
    let ran = program.run(&["embed", "--weights", weights, samples, "-o", album]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let query = digit.to_str().expect("UTF-8");
    let found = program.run(&[
        "similar",
        "--weights",
        weights,
        "-k3",
        "--json",
        query,
        album,
    ]);

    let service = Service::start(&["--index", album]);
    assert_eq!(service.get("/v1/model").json()["index"], true);
    let answer = service
        .post("/v1/similar?k=4", bytes_of(digit.clone()))
        .json();
    // The command leaves out the picture itself, by its path; the service knows of no path.
    let first = &answer["similar"][0];
    assert_eq!(first["path"], query);
    assert!(first["similarity"].as_f64().expect("a number") > 0.99999);
    let rest = answer["similar"].as_array().expect("pictures")[1..].to_vec();
    assert_eq!(Value::Array(rest), found.json());

    let without = Service::start(&[]).post("/v1/similar", bytes_of(digit));
    assert_eq!(without.status, 404);
    assert!(without.text().contains("--index"), "{}", without.text());
    // Embeddings of another network say nothing of this one's.
    if let Some(other) = shared("pretrained/keras/mobilenet_2_5_224_tf.h5") {
        let other = other.to_str().expect("UTF-8");
        let refused = program.run(&[
            "serve",
            "--weights",
            other,
            "--index",
            album,
            "--listen",
            "127.0.0.1:0",
        ]);
        assert_eq!(refused.code, Some(2));
        assert!(
            refused.stderr.contains("its embeddings"),
            "{}",
            refused.stderr
        );
    }
}

#[test]
fn groups_come_beside_labels_or_in_their_place() {
    let Some(weights) = shared("pretrained/keras/mobilenet_2_5_224_tf.h5") else {
        return;
    };
    let Some(owl) = shared("images/cat_720p.jpg") else {
        return;
    };
    let service = Service::of(weights.to_str().expect("UTF-8"), &[]);
    let program = Program::new();
    let rolled = program.run(&[
        "classify",
        "--weights",
        weights.to_str().expect("UTF-8"),
        "--jsonl",
        "--rollup",
        owl.to_str().expect("UTF-8"),
    ]);
    let expected = &rolled.rows()[0]["predictions"];
    let body = bytes_of(owl);
    let row = service.post("/v1/classify?rollup=0.5", body.clone()).json();
    assert_eq!(&row["predictions"], expected);
    let both = service.post("/v1/classify?group=0.5&k=2", body).json();
    assert_eq!(&both["group"], &expected[0]);
    assert_eq!(both["predictions"].as_array().map(Vec::len), Some(2));
    // The digits have no groups.
    let digits = Service::start(&[]).post("/v1/classify?group=0.5", bytes_of(digit()));
    assert_eq!(digits.fault().0, 400);
}

#[test]
fn wishes_that_are_not_understood_are_refused() {
    let service = Service::start(&[]);
    let body = bytes_of(digit());
    for (path, words) in [
        ("/v1/classify?top=3", "no parameter \"top\""),
        ("/v1/classify?k=three", "expected a number"),
        ("/v1/classify?k=-1", "expected a number"),
        ("/v1/classify?k=1&k=2", "k is given twice"),
        ("/v1/classify?threshold=2", "from 0 to 1"),
        ("/v1/classify?threshold=NaN", "from 0 to 1"),
        ("/v1/classify?provenance=maybe", "true or false"),
        ("/v1/embed?k=1", "no parameter \"k\""),
        ("/v1/explain?class=zebra", "zebra"),
        ("/v1/explain?class=1&k=1", "class names others"),
        ("/v1/explain?k=0", "from 1 to 100"),
        ("/v1/explain?max_side=99999", "max_side"),
    ] {
        let (status, message) = service.post(path, body.clone()).fault();
        assert!(
            status == 400 && message.contains(words),
            "{path}: {status} {message}"
        );
    }
    let (status, message) = service.post("/v1/classify", []).fault();
    assert!(status == 400 && message.contains("empty"), "{message}");
    let no_form =
        Request::post("/v1/classify", "nothing").header("content-type", "multipart/form-data");
    assert_eq!(service.send(&no_form).fault().0, 400);
    let named = Request::form("/v1/classify?name=x", &[("a", &body)]);
    assert_eq!(service.send(&named).fault().0, 400);
    assert_eq!(service.get("/v1/nothing").fault().0, 404);
    assert_eq!(service.get("/v1/classify").fault().0, 405);
}

#[test]
fn it_describes_itself() {
    let service = Service::start(&["--name", "digits"]);
    let model = service.get("/v1/model").json();
    assert_eq!(
        (&model["name"], &model["classes"]),
        (&json!("digits"), &json!(10))
    );
    assert_eq!(model["model"]["sha256"].as_str().map(str::len), Some(64));
    let labels = service.get("/v1/labels").json();
    assert_eq!(labels.as_array().map(Vec::len), Some(10));
    assert_eq!(labels[3], json!({"index": 3, "wnid": null, "label": "3"}));

    service.post("/v1/classify", bytes_of(digit()));
    service.post("/v1/classify", "no picture");
    service.post("/v1/classify?oops", "no picture");
    service.get("/made/up");
    let metrics = service.get("/metrics");
    for line in [
        "mobilenet_requests_total{endpoint=\"/v1/classify\",status=\"200\"} 1",
        "mobilenet_requests_total{endpoint=\"/v1/classify\",status=\"422\"} 1",
        "mobilenet_requests_total{endpoint=\"/v1/classify\",status=\"400\"} 1",
        "mobilenet_requests_total{endpoint=\"other\",status=\"404\"} 1",
        "mobilenet_request_failures_total{kind=\"request\"} 1",
        "mobilenet_request_duration_seconds_count{endpoint=\"/v1/classify\"} 3",
        "mobilenet_pictures_total{kind=\"answered\"} 1",
        "mobilenet_pictures_total{kind=\"decode\"} 1",
        "mobilenet_pictures_in_progress 0",
    ] {
        assert!(
            metrics.text().lines().any(|other| other == line),
            "{line}\n{}",
            metrics.text()
        );
    }
    assert!(metrics.text().ends_with("# EOF\n"));
}

/// What the document lists is there, and what it says of methods holds.
#[test]
fn every_address_of_the_document_is_answered() {
    let service = Service::start(&[]);
    let document = service.get("/openapi.json").json();
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    let paths = document["paths"].as_object().expect("paths");
    assert!(paths.len() > 12);
    for (path, methods) in paths {
        let path = path.replace("{model}", "mobilenet");
        for method in methods.as_object().expect("methods").keys() {
            let response = match method.as_str() {
                "get" => service.get(&path),
                _ => service.post(&path, bytes_of(digit())),
            };
            let fault =
                response.status != 200 && path != "/v1/similar" && !path.ends_with("/infer");
            assert!(!fault, "{method} {path}: {}", response.status);
            // Those two say that they are there.
            assert!(
                !response.text().contains("nothing at this address"),
                "{path}"
            );
        }
    }
    assert_eq!(service.get("/healthz").json(), json!({"status": "ok"}));
    assert_eq!(service.get("/readyz").status, 200);
}

/// Pictures go through the network together where that was asked for, as they do on a GPU; each
/// request has its own answer all the same, and does not wait for others to come.
#[test]
fn batches_are_made_of_the_pictures_of_several_requests() {
    let service = Service::start(&["--batch-size", "8", "--queue", "1000"]);
    let digits: Vec<_> = std::fs::read_dir(crate::support::repository("samples/digits"))
        .expect("samples")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "png"))
        .collect();
    let alone = Service::start(&[]);
    let expected = digits.iter().map(|path| {
        alone
            .post("/v1/classify?k=3", bytes_of(path.clone()))
            .json()
    });
    let expected: Vec<Value> = expected.collect();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            for (path, expected) in digits.iter().zip(&expected) {
                let service = &service;
                scope.spawn(move || {
                    let row = service
                        .post("/v1/classify?k=3", bytes_of(path.clone()))
                        .json();
                    assert_eq!(&row, expected, "{}", path.display());
                });
            }
        }
    });
    assert_eq!(service.post("/v1/classify", "no picture").status, 422);
    assert_eq!(service.stop().0, Some(0));
}
