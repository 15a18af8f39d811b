//! Forms in which Keras saves other than plain floats and single files, with the logits that Keras gave
//! (`tests/data/keras/make_forms.py`).

use std::io::Read;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device};
use mobilenet::pixels::to_bytes;
use mobilenet::weights::{Checkpoint, LoadOptions};
use serde_json::json;

use crate::cases::{case, difference};
use crate::support::{Program, arg, data, floats, image, largest_difference, repository, tensors};

const TOLERANCE: f32 = 2e-4;

/// Of scores, where both saw the same pixels.
const FROM_THEIRS: f32 = 1e-4;

fn bytes(file: &str) -> Vec<u8> {
    let plain = data("keras").join(file);
    if plain.exists() {
        return std::fs::read(plain).expect(file);
    }
    let packed = std::fs::File::open(data("keras").join(format!("{file}.gz"))).expect(file);
    let mut bytes = Vec::new();
    let mut unpacked = flate2::read::GzDecoder::new(packed);
    unpacked.read_to_end(&mut bytes).expect(file);
    bytes
}

/// What a file that doesn't describe its model needs to be told.
fn options(file: &str) -> LoadOptions {
    match file.contains("weights") {
        true => LoadOptions::default().with_size(64),
        false => LoadOptions::default(),
    }
}

fn open(file: &str) -> Result<Checkpoint, String> {
    let opened = Checkpoint::from_bytes(bytes(file), Path::new(file), &options(file));
    opened.map_err(|error| error.to_string())
}

/// The largest difference to Keras's logits.
fn off(checkpoint: &Checkpoint, name: &str) -> f32 {
    let golden = tensors(data("keras/forms.golden.safetensors"));
    let pictures = (0..2).map(|i| image(&golden["input"].get(i).expect("a picture")));
    let pictures: Vec<_> = pictures.collect();
    let pixels = to_bytes(&pictures, &Device::Cpu).expect("pixels");
    let network = checkpoint.network(&Device::Cpu, DType::F32).expect(name);
    let logits = floats(&network.forward(&pixels).expect(name));
    largest_difference(&logits, &floats(&golden[name]))
}

#[test]
fn every_form_gives_keras_answers() {
    for (file, name) in [
        ("bfloat16.keras", "bfloat16.logits"),
        ("int8.keras", "int8.logits"),
        ("int8.h5", "int8.logits"),
        ("int8_inputs.keras", "int8_inputs.logits"),
        ("int4.keras", "int4.logits"),
        ("int4.h5", "int4.logits"),
        ("int4_channels.keras", "int4_channels.logits"),
        ("int4_channels.h5", "int4_channels.logits"),
        ("lora.keras", "lora.logits"),
        ("lora.h5", "lora.logits"),
        ("lora_int8.h5", "lora_int8.logits"),
        // Keras quantises the sum anew in this form.
        ("lora_int8.keras", "lora_int8_merged.logits"),
        ("subclassed.weights.h5", "single.logits"),
    ] {
        let checkpoint = open(file).unwrap_or_else(|error| panic!("{file}: {error}"));
        let off = off(&checkpoint, name);
        assert!(off < TOLERANCE, "{file} is off by {off}");
    }
    // Keras rounds what comes into each layer too, which is no part of what the file's integers stand for.
    let checkpoint = open("int8_inputs.keras").expect("a checkpoint");
    let rounded = off(&checkpoint, "int8_inputs.keras");
    assert!((1e-3..0.1).contains(&rounded), "{rounded}");
}

#[test]
fn what_only_a_description_tells_is_not_guessed() {
    for (file, reason) in [
        (
            "float8.keras",
            "Dense hidden is quantised to float8, which is not supported",
        ),
        (
            "subclassed_hidden.weights.h5",
            "it has the Dense layers dense and dense_1, and only",
        ),
    ] {
        let error = open(file).expect_err(file);
        assert!(error.contains(reason), "{error}");
    }
}

/// The members of a `.keras` file in a folder, as some tools leave them.
fn unpacked(program: &Program, file: &str, folder: &str) -> PathBuf {
    std::fs::create_dir_all(program.path(folder)).expect("a folder");
    let archive = std::io::Cursor::new(bytes(file));
    let mut archive = zip::ZipArchive::new(archive).expect("a zip");
    for name in ["config.json", "metadata.json", "model.weights.h5"] {
        let mut content = Vec::new();
        let mut member = archive.by_name(name).expect(name);
        member.read_to_end(&mut content).expect(name);
        program.file(&format!("{folder}/{name}"), content);
    }
    program.path(folder)
}

#[test]
fn an_unpacked_keras_file_is_a_folder() {
    let program = Program::new();
    let folder = unpacked(&program, "int8.keras", "int8");
    let checkpoint = Checkpoint::open(&folder, &LoadOptions::default()).expect("a checkpoint");
    assert!(off(&checkpoint, "int8.logits") < TOLERANCE);
    assert!(checkpoint.path().ends_with("int8/model.weights.h5"));
    let description = program.path("int8/config.json");
    std::fs::write(&description, "{").expect("a file");
    let error = Checkpoint::open(&folder, &LoadOptions::default()).expect_err("half a text");
    assert!(
        error.to_string().contains("description in it is damaged"),
        "{error}"
    );
    // Through the program.
    let folder = unpacked(&program, "lora.keras", "lora");
    let cat = repository("samples/cat.jpg");
    let ran = program.run(&["classify", "--json", arg(&cat), "--weights", arg(&folder)]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

const PARTS: [&str; 3] = [
    "sharded.weights.json",
    "sharded_00000.weights.h5",
    "sharded_00001.weights.h5",
];

#[test]
fn parts_are_read_with_their_index() {
    let program = Program::new();
    std::fs::create_dir_all(program.path("parts")).expect("a folder");
    for name in PARTS {
        program.file(&format!("parts/{name}"), bytes(name));
    }
    let told = LoadOptions::default().with_size(64);
    let mut digests = Vec::new();
    for name in [
        "parts",
        "parts/sharded.weights.json",
        "parts/sharded_00001.weights.h5",
    ] {
        let checkpoint = Checkpoint::open(program.path(name), &told).expect(name);
        let off = off(&checkpoint, "single.logits");
        assert!(off < TOLERANCE, "{name} is off by {off}");
        digests.push(checkpoint.sha256());
    }
    // All parts count.
    let all = PARTS.map(bytes).concat();
    let whole = mobilenet::weights::Checkpoint::from_bytes(all, Path::new("x"), &told);
    assert!(whole.is_err());
    assert!(
        digests
            .windows(2)
            .all(|pair| pair[0] == pair[1] && pair[0].is_some())
    );

    let fails = |reason: &str| {
        let error = Checkpoint::open(program.path("parts/sharded.weights.json"), &told);
        let error = error.expect_err(reason).to_string();
        assert!(error.contains(reason), "{error}");
    };
    let part = program.path("parts/sharded_00001.weights.h5");
    let whole = std::fs::read(&part).expect("a part");
    std::fs::write(&part, &whole[..whole.len() / 2]).expect("a file");
    fails("sharded_00001.weights.h5: ");
    std::fs::remove_file(&part).expect("removed");
    fails("of the 2 files that it names some are not beside it:\n  sharded_00001.weights.h5");
    let index = json!({"weight_map": {"/layers/conv2d/vars": "../sharded_00000.weights.h5"}});
    let path = program.file("parts/sharded.weights.json", index.to_string());
    fails("which is no file beside it");
    // A part alone is no network.
    std::fs::remove_file(path).expect("removed");
    let part = program.path("parts/sharded_00000.weights.h5");
    Checkpoint::open(part, &told).expect_err("a part");
}

/// What other tools wrote, beside Keras's scores; skipped where it is absent.
#[test]
fn scores_are_those_of_keras() {
    for (name, most) in [
        ("te_shard.weights.json", FROM_THEIRS),
        ("te_shard_00000.weights.h5", FROM_THEIRS),
        ("te_subclassed.weights.h5", FROM_THEIRS),
        // Keras computes in bfloat16, whose scores have three digits.
        ("te_policy_bfloat16.keras", 5e-2),
        // And this in integers.
        ("te_quant_int8_flat.keras", 2e-2),
    ] {
        let Some(path) = case(name) else {
            return;
        };
        let checkpoint = Checkpoint::open(path, &LoadOptions::default()).expect(name);
        let off = difference(name, &checkpoint);
        assert!(off < most, "{name}: off by {off}");
    }
}

/// Thousands of damaged files, where that is asked for: any answer will do, but there has to be one.
#[test]
fn damaged_forms_never_panic() {
    let count = std::env::var("MUTATIONS").ok().and_then(|n| n.parse().ok());
    let count = count.unwrap_or(60);
    let mut seed = 11u64;
    let mut random = move |below: usize| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    let mut damage = |whole: &[u8], reach: usize| {
        let mut bytes = whole.to_vec();
        for _ in 0..1 + random(8) {
            let within = [bytes.len(), reach.min(bytes.len())][random(2)];
            bytes[random(within)] = random(256) as u8;
        }
        if random(8) == 0 {
            bytes.truncate(random(bytes.len()));
        }
        bytes
    };
    for file in ["int4.h5", "lora_int8.h5", "subclassed.weights.h5"] {
        let whole = bytes(file);
        for _ in 0..count {
            let bytes = damage(&whole, 4096);
            let _ = Checkpoint::from_bytes(bytes, Path::new(file), &LoadOptions::default());
        }
    }
    let program = Program::new();
    let folder = unpacked(&program, "int4_channels.keras", "folder");
    std::fs::create_dir_all(program.path("parts")).expect("a folder");
    for name in PARTS {
        program.file(&format!("parts/{name}"), bytes(name));
    }
    for (folder, name) in [
        (folder.clone(), "config.json"),
        (folder, "model.weights.h5"),
        (program.path("parts"), PARTS[0]),
        (program.path("parts"), PARTS[2]),
    ] {
        let path = folder.join(name);
        let whole = std::fs::read(&path).expect(name);
        for _ in 0..count {
            std::fs::write(&path, damage(&whole, 65536)).expect("a file");
            let _ = Checkpoint::open(&folder, &LoadOptions::default());
        }
        std::fs::write(&path, whole).expect("a file");
    }
}
