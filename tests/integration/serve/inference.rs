//! The Open Inference Protocol, as tritonclient and kserve speak it: what they sent was recorded
//! (`tests/data/serve/record.py`), and their two pictures are two of the samples.

use serde_json::{Value, json};

use super::client::{Request, Response, exchange};
use super::{Service, bytes_of, digit};
use crate::support::{data, largest_difference};

const INFER: &str = "/v2/models/mobilenet/infer";
const LENGTH: &str = "inference-header-content-length";

/// Sends a request as it was recorded, on a connection that ends after it.
fn replay(service: &Service, name: &str) -> Response {
    let recorded = std::fs::read(data(&format!("serve/{name}.http"))).expect("a recording");
    let end = recorded
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .expect("a head");
    let head = std::str::from_utf8(&recorded[..end]).expect("text");
    let lines = head
        .split("\r\n")
        .filter(|line| !line.to_lowercase().starts_with("connection:"));
    let head: String = lines.map(|line| format!("{line}\r\n")).collect();
    let bytes = [
        format!("{head}Connection: close\r\n\r\n").as_bytes(),
        &recorded[end + 4..],
    ]
    .concat();
    let response = exchange(&service.address, &bytes).expect("an answer");
    assert_eq!(response.status, 200, "{name}: {}", response.text());
    response
}

/// The JSON of an answer, and the numbers of its outputs, wherever they are.
fn outputs(response: &Response) -> (Value, Vec<Vec<f32>>) {
    let length = response.header(LENGTH);
    let length = length.map_or(response.body.len(), |length| {
        length.parse().expect("a length")
    });
    let (json, mut rest) = response.body.split_at(length);
    let json: Value = serde_json::from_slice(json).expect("JSON");
    let mut numbers = Vec::new();
    for output in json["outputs"].as_array().expect("outputs") {
        let count: u64 = output["shape"]
            .as_array()
            .expect("a shape")
            .iter()
            .filter_map(Value::as_u64)
            .product();
        let found: Vec<f32> = match output["parameters"]["binary_data_size"].as_u64() {
            Some(size) => {
                let (bytes, left) = rest.split_at(size as usize);
                rest = left;
                let values = bytes.chunks_exact(4);
                values
                    .map(|b| f32::from_le_bytes(b.try_into().expect("four")))
                    .collect()
            }
            None => serde_json::from_value(output["data"].clone()).expect("numbers"),
        };
        assert_eq!(found.len() as u64, count);
        numbers.push(found);
    }
    assert!(rest.is_empty());
    assert_eq!(
        (&json["model_name"], &json["model_version"]),
        (&json!("mobilenet"), &json!("1"))
    );
    (json, numbers)
}

/// What `/v1` says of the two digits.
fn expected(service: &Service, path: &str) -> Vec<Value> {
    let mut files: Vec<_> = std::fs::read_dir(crate::support::repository("samples/digits"))
        .expect("samples")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "png"))
        .collect();
    files.sort();
    files[..2]
        .iter()
        .map(|file| service.post(path, bytes_of(file.clone())).json())
        .collect()
}

fn expected_scores(service: &Service) -> Vec<f32> {
    let mut scores = vec![0.0; 20];
    for (picture, row) in expected(service, "/v1/classify?k=10").iter().enumerate() {
        for prediction in row["predictions"].as_array().expect("labels") {
            let index = prediction["index"].as_u64().expect("an index") as usize;
            scores[10 * picture + index] = prediction["score"].as_f64().expect("a score") as f32;
        }
    }
    scores
}

#[test]
fn two_clients_are_answered_as_they_ask() {
    let service = Service::start(&[]);
    let expected_scores = expected_scores(&service);
    let embeddings = expected(&service, "/v1/embed");
    let embeddings: Vec<f32> = embeddings
        .iter()
        .flat_map(|row| {
            serde_json::from_value::<Vec<f32>>(row["embedding"].clone()).expect("numbers")
        })
        .collect();
    for (name, binary, id, allowed) in [
        ("triton_pixels", true, Value::Null, 0.0),
        ("triton_pixels_json", true, Value::Null, 0.0),
        // Scaled by the client, in its own arithmetic.
        ("triton_scaled", true, json!("seven"), 2e-6),
        ("triton_gzip", true, Value::Null, 2e-6),
        ("triton_half", true, Value::Null, 2e-3),
        // Decoded and resized here.
        ("triton_files", true, Value::Null, 0.0),
        ("kserve_pixels", false, json!("eight"), 0.0),
        ("kserve_pixels_json", false, json!("eight"), 0.0),
    ] {
        let response = replay(&service, name);
        let content_type = if binary {
            "application/octet-stream"
        } else {
            "application/json"
        };
        assert_eq!(
            response.header("content-type").as_deref(),
            Some(content_type),
            "{name}"
        );
        assert_eq!(response.header(LENGTH).is_some(), binary, "{name}");
        let (json, numbers) = outputs(&response);
        assert_eq!(json["id"], id, "{name}");
        let first = &json["outputs"][0];
        assert_eq!(
            (&first["name"], &first["datatype"]),
            (&json!("scores"), &json!("FP32"))
        );
        assert_eq!(first["shape"], json!([2, 10]), "{name}");
        let off = largest_difference(&numbers[0], &expected_scores);
        assert!(off <= allowed, "{name}: {off}");
        if name == "triton_pixels_json" {
            assert!(first["data"].is_array() && json["outputs"][1]["data"].is_null());
            assert_eq!(numbers[1], embeddings);
        }
    }
}

#[test]
fn classes_are_told_as_triton_tells_them() {
    let service = Service::start(&[]);
    let response = replay(&service, "triton_classes");
    let length: usize = response
        .header(LENGTH)
        .expect("a length")
        .parse()
        .expect("a number");
    let json: Value = serde_json::from_slice(&response.body[..length]).expect("JSON");
    let output = &json["outputs"][0];
    assert_eq!(
        (&output["datatype"], &output["shape"]),
        (&json!("BYTES"), &json!([2, 2]))
    );
    let mut rest = &response.body[length..];
    let mut texts = Vec::new();
    while let Some((size, after)) = rest.split_first_chunk::<4>() {
        let (text, after) = after.split_at(u32::from_le_bytes(*size) as usize);
        texts.push(String::from_utf8_lossy(text).into_owned());
        rest = after;
    }
    let rows = expected(&service, "/v1/classify?k=2");
    let expected = rows
        .iter()
        .flat_map(|row| row["predictions"].as_array().expect("labels"));
    let expected = expected.map(|prediction| {
        let score = prediction["score"].as_f64().expect("a score") as f32;
        let (index, label) = (
            &prediction["index"],
            prediction["label"].as_str().expect("text"),
        );
        format!("{score:.6}:{index}:{label}")
    });
    assert_eq!(texts, expected.collect::<Vec<_>>());
}

#[test]
fn it_says_what_it_takes_and_gives() {
    let service = Service::start(&["--name", "digits"]);
    assert_eq!(service.get("/v2/health/live").json(), json!({"live": true}));
    assert_eq!(
        service.get("/v2/health/ready").json(),
        json!({"ready": true})
    );
    for base in ["/v2/models/digits", "/v2/models/digits/versions/1"] {
        assert_eq!(service.get(&format!("{base}/ready")).json()["ready"], true);
        let metadata = service.get(base).json();
        assert_eq!(metadata["inputs"][1]["shape"], json!([-1, 32, 32, 3]));
        assert_eq!(metadata["outputs"][0]["shape"], json!([-1, 10]));
        assert_eq!(
            service.get(&format!("{base}/config")).json()["input"][1]["dims"],
            json!([32, 32, 3])
        );
    }
    assert_eq!(
        service.get("/v2").json()["extensions"],
        json!(["binary_tensor_data", "classification"])
    );
    for path in [
        "/v2/models/other",
        "/v2/models/digits/versions/2",
        "/v2/models/other/ready",
    ] {
        let refused = service.get(path);
        assert!(
            refused.status == 404 && refused.json()["error"].is_string(),
            "{path}"
        );
    }
    let refused = service.post("/v2/models/other/infer", "{}");
    assert_eq!(refused.fault().0, 404);
}

#[test]
fn a_request_that_does_not_add_up_is_refused() {
    let service = Service::start(&[]);
    let pixels = vec![0u8; 32 * 32 * 3];
    let input = |changes: Value| {
        let mut input =
            json!({"name": "pixels", "shape": [1, 32, 32, 3], "datatype": "UINT8", "data": pixels});
        let object = input.as_object_mut().expect("an object");
        for (key, value) in changes.as_object().expect("changes") {
            object.insert(key.clone(), value.clone());
        }
        json!({"inputs": [input]})
    };
    assert_eq!(
        service.post(INFER, input(json!({})).to_string()).status,
        200
    );
    let scaled = vec![0.0f32; 32 * 32 * 3];
    for (words, request) in [
        ("not understood", json!([])),
        ("not understood", json!({"inputs": [{}]})),
        ("one input", json!({"inputs": []})),
        ("there is no such input", input(json!({"name": "data"}))),
        ("its datatype is UINT8", input(json!({"datatype": "FP32"}))),
        (
            "its shape is [N, 32, 32, 3]",
            input(json!({"shape": [32, 32, 3]})),
        ),
        ("its shape is [N, 32, 32, 3]", input(json!({"shape": []}))),
        ("3072 values", input(json!({"shape": [2, 32, 32, 3]}))),
        (
            "3072 values",
            input(json!({"shape": [18446744073709551615u64, 32, 32, 3]})),
        ),
        (
            "no pictures",
            input(json!({"shape": [0, 32, 32, 3], "data": []})),
        ),
        ("either data or", input(json!({"data": null}))),
        (
            "either data or",
            input(json!({"parameters": {"binary_data_size": 0}})),
        ),
        ("not a byte", input(json!({"data": vec![0.5; 3072]}))),
        ("not a byte", input(json!({"data": vec![256; 3072]}))),
        (
            "bytes follow",
            input(json!({"data": null, "parameters": {"binary_data_size": 3072}})),
        ),
        (
            "base64",
            input(json!({"name": "image", "datatype": "BYTES", "shape": [1], "data": ["?"]})),
        ),
        (
            "not a number",
            input(json!({
                "name": "input", "datatype": "FP32", "shape": [1, 3, 32, 32],
                "data": [vec![vec![1e300]], vec![scaled[1..].to_vec()]],
            })),
        ),
        (
            "no such output",
            json!({"inputs": input(json!({}))["inputs"], "outputs": [{"name": "logits"}]}),
        ),
        (
            "classification",
            json!({
                "inputs": input(json!({}))["inputs"],
                "outputs": [{"name": "scores", "parameters": {"classification": 0}}],
            }),
        ),
    ] {
        let (status, message) = service.post(INFER, request.to_string()).fault();
        assert!(
            status == 400 && message.contains(words),
            "{words}: {status} {message}"
        );
    }
    // Lengths that are not there.
    let json = input(json!({"data": null, "parameters": {"binary_data_size": 3072}})).to_string();
    for (length, more) in [
        (json.len().to_string(), 3071),
        (json.len().to_string(), 3073),
        ("9999999".into(), 3072),
        ("-1".into(), 3072),
        ("18446744073709551616".into(), 3072),
    ] {
        let body = [json.as_bytes(), &vec![0; more]].concat();
        let request = Request::post(INFER, body).header(LENGTH, &length);
        assert_eq!(service.send(&request).fault().0, 400, "{length} {more}");
    }
    let body = [json.as_bytes(), &pixels].concat();
    let request = Request::post(INFER, body).header(LENGTH, &json.len().to_string());
    assert_eq!(service.send(&request).status, 200);
}

/// One that can't be read fails the request, which has no room for more than one error.
#[test]
fn a_picture_that_cannot_be_read_is_named() {
    let service = Service::start(&[]);
    let digit = bytes_of(digit());
    let file = |bytes: &[u8]| [&(bytes.len() as u32).to_le_bytes(), bytes].concat();
    let files = [file(&digit), file(b"no picture")].concat();
    let input = json!({"inputs": [{
        "name": "image", "shape": [2], "datatype": "BYTES", "parameters": {"binary_data_size": files.len()},
    }]});
    let json = input.to_string();
    let request = Request::post(INFER, [json.as_bytes(), &files].concat());
    let (status, message) = service
        .send(&request.header(LENGTH, &json.len().to_string()))
        .fault();
    assert!(
        status == 422 && message.starts_with("picture 1: "),
        "{status} {message}"
    );
}
