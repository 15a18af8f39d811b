//! What the configurations of transformers and timm say of pictures, each beside what the tool makes of
//! one by it (`tests/data/sidecar/make_sidecars.py`).

use mobilenet::pixels::{AsPixels, DecodeOptions, Samples, open};
use mobilenet::weights::{Checkpoint, LoadOptions};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::layouts::{folder, renamed, three_classes, timm, transformers};
use crate::support::{Program, data, repository};

#[derive(Deserialize)]
struct Case {
    name: String,
    file: String,
    config: Value,
    /// Where it is answered.
    size: Option<usize>,
    sha256: Option<String>,
    row: Option<Vec<f64>>,
    /// Else a part of the reason.
    refused: Option<String>,
}

fn cases() -> Vec<Case> {
    let cases = std::fs::read(data("sidecar/sidecars.json")).expect("the cases");
    serde_json::from_slice(&cases).expect("the cases")
}

fn opened(program: &Program, case: &Case) -> mobilenet::Result<Checkpoint> {
    let is_timm = case.file == "config.json";
    let names = if is_timm { timm } else { transformers };
    let tensors = renamed(&three_classes(), names);
    let files = [(case.file.as_str(), &case.config)];
    let model = folder(program, &tensors, &files);
    let found = Checkpoint::open(&model, &LoadOptions::default());
    std::fs::remove_dir_all(&model).expect("removed");
    found
}

#[test]
fn what_is_stated_of_pictures_is_heeded() {
    let program = Program::new();
    let picture = open(repository("samples/cat.jpg"), &DecodeOptions::default());
    let picture = picture.expect("a picture");
    let mut compared = 0;
    for case in cases() {
        let (Some(size), Some(sha256), Some(row)) = (case.size, &case.sha256, &case.row) else {
            continue;
        };
        let name = &case.name;
        let checkpoint = opened(&program, &case).expect(name);
        let recipe = checkpoint.preprocessing();
        assert_eq!(recipe.size, size, "{name}");
        let pixels = recipe.apply(&picture);
        let Samples::Bytes(bytes) = pixels.samples() else {
            panic!("{name}: floats");
        };
        assert_eq!(
            mobilenet::digest::sha256(bytes),
            *sha256,
            "{name}: {recipe:?}"
        );
        let (scale, offset) = (recipe.pixel_scale.scale(), recipe.pixel_scale.offset());
        for (i, want) in row.iter().enumerate() {
            let got = f64::from(bytes[i]) * scale[i % 3] + offset[i % 3];
            let off = (got - want).abs();
            assert!(
                off <= 2e-6 * want.abs().max(1.0),
                "{name}: {got}, not {want}"
            );
        }
        compared += 1;
    }
    assert_eq!(compared, 37);
}

#[test]
fn what_is_not_done_is_refused_by_name() {
    let program = Program::new();
    let mut refused = 0;
    for case in cases() {
        let Some(reason) = &case.refused else {
            continue;
        };
        let error = opened(&program, &case).expect_err(&case.name).to_string();
        assert!(
            error.contains(reason) && error.contains(&case.file),
            "{}: {error}",
            case.name
        );
        refused += 1;
    }
    assert_eq!(refused, 8);
    // What no tool writes.
    for (key, value, reason) in [
        ("resample", json!(6), "Pillow's number 6"),
        ("image_std", json!([0.5, 0.0, 0.5]), "can't be scaled"),
        ("image_mean", Value::Null, "without a mean or deviation"),
        ("size", json!({"longest_edge": 32}), "not understood"),
        ("image_processor_type", Value::Null, "without a name"),
    ] {
        let mut case = cases().into_iter().find(|c| c.name == "as it is made");
        let case = case.as_mut().expect("a case");
        case.config[key] = value;
        if key == "image_processor_type" {
            case.config["do_center_crop"] = Value::Null;
        }
        let error = opened(&program, case).expect_err(key).to_string();
        assert!(error.contains(reason), "{key}: {error}");
    }
}
