//! Networks as timm makes them (`tests/data/timm/make_timm.py`), with a layer between the last block and
//! the pool.

use std::io::Read;
use std::path::PathBuf;

use candle_core::{DType, Device, Tensor};
use flate2::read::GzDecoder;
use mobilenet::model::{MobileNet, Precision};
use mobilenet::weights::{Checkpoint, LoadOptions};

use crate::support::{
    Program, answer, arg, data, floats, image, largest_difference, repository, tensors,
};

const TOLERANCE: f32 = 2e-5;

/// The fixture in a folder of its own, as timm writes it.
fn folder(program: &Program) -> PathBuf {
    let packed = std::fs::File::open(data("timm/head.safetensors.gz")).expect("a fixture");
    let mut bytes = Vec::new();
    let mut unpacked = GzDecoder::new(packed);
    unpacked.read_to_end(&mut bytes).expect("a fixture");
    let config = std::fs::read(data("timm/head.json")).expect("a fixture");
    program.file("config.json", config);
    program.file("model.safetensors", bytes)
}

fn open(path: impl AsRef<std::path::Path>) -> Checkpoint {
    let options = LoadOptions::default().with_size(64);
    Checkpoint::open(path, &options).expect("a checkpoint")
}

/// The largest differences of embedding and logits from timm's.
fn differences(embedding: &Tensor, logits: &Tensor) -> [f32; 2] {
    let golden = tensors(data("timm/golden.safetensors"));
    let off = |ours: &Tensor, name: &str| largest_difference(&floats(ours), &floats(&golden[name]));
    [off(embedding, "embedding"), off(logits, "logits")]
}

fn input() -> mobilenet::pixels::RgbImage {
    image(&tensors(data("timm/golden.safetensors"))["input"])
}

#[test]
fn a_layer_before_the_pool_answers_as_in_timm() {
    let program = Program::new();
    let checkpoint = open(folder(&program));
    assert_eq!(checkpoint.config().head_channels, Some(72));
    assert_eq!(checkpoint.config().embedding_len(), 72);
    let (embedding, logits) = answer(&checkpoint, &[input()]);
    let off = differences(&embedding, &logits);
    eprintln!("off by {off:?}");
    assert!(off.iter().all(|off| *off < TOLERANCE), "{off:?}");
}

/// The kernels of GPUs, the composition of candle's operations, and less than 32 bits.
#[test]
fn every_engine_has_that_layer() {
    let program = Program::new();
    let checkpoint = open(folder(&program));
    let pixels = mobilenet::pixels::to_bytes(&[input()], &Device::Cpu).expect("pixels");
    let weights = checkpoint
        .weights(&Device::Cpu, DType::F32)
        .expect("weights");
    let builder = MobileNet::builder(checkpoint.config(), &weights);
    let int8 = builder.clone().with_precision(Precision::Int8);
    let bf16 = builder
        .clone()
        .with_precision(Precision::Float(DType::BF16));
    for (name, network, most) in [
        ("composed", builder.build_composed(), TOLERANCE),
        ("channels last", builder.build_channels_last(), TOLERANCE),
        ("int8", int8.build(), 0.2),
        ("bf16", bf16.build(), 0.2),
    ] {
        let network = network.expect(name);
        let embedding = network.embed(&pixels).expect(name);
        let logits = network.forward(&pixels).expect(name);
        let off = differences(&embedding, &logits);
        eprintln!("{name}: off by {off:?}");
        assert!(off.iter().all(|off| *off < most), "{name}: {off:?}");
        let maps = network.features(&pixels).expect(name);
        let means = maps.mean((2, 3)).expect(name);
        let off = largest_difference(&floats(&means), &floats(&embedding));
        assert!(off < TOLERANCE, "{name}: its maps' means are off by {off}");
    }
}

/// Whatever is written of it has the layer too.
#[test]
fn what_is_made_of_it_answers_as_it_does() {
    let program = Program::new();
    let before = open(folder(&program));
    let samples = repository("samples");
    let logits = |checkpoint: &Checkpoint| floats(&answer(checkpoint, &[input()]).1);
    let want = logits(&before);
    for (arguments, most) in [
        (&["convert", "."][..], 0.0),
        (&["convert", ".", "--fold-batch-norm"], 1e-5),
        (&["quantize", "."], 0.2),
        (&["quantize", ".", arg(&samples)], 0.4),
    ] {
        let size = ["--size", "64", "-o", "ours.safetensors"];
        let ran = program.run(&[arguments, &size].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let after = Checkpoint::open(program.path("ours.safetensors"), &LoadOptions::default());
        let after = after.expect("a checkpoint");
        assert_eq!(after.config().head_channels, Some(72));
        let precision = after.default_precision(&Device::Cpu);
        let network = after.network(&Device::Cpu, precision).expect("a network");
        let pixels = mobilenet::pixels::to_bytes(&[input()], &Device::Cpu).expect("pixels");
        let got = floats(&network.forward(&pixels).expect("logits"));
        let off = largest_difference(&got, &want);
        eprintln!("{arguments:?}: off by {off}");
        assert!(off <= most, "{arguments:?}: off by {off}");
    }
    let summary = program.run(&["summary", "--weights", "ours.safetensors"]);
    let summary = String::from_utf8(summary.stdout).expect("UTF-8");
    assert!(summary.contains("conv_head "), "{summary}");
    assert!(!summary.contains("conv_head_input"), "{summary}");
}

/// With ReLU in place of ReLU6 nothing bounds activations but what pictures show of them.
#[test]
fn int8_of_a_network_with_relu_has_that_layer() {
    let program = Program::new();
    folder(&program);
    let text = std::fs::read_to_string(data("timm/head.json")).expect("a fixture");
    let usual = "\"in_chans\": 3,";
    let relu = text.replacen(usual, "\"in_chans\": 3, \"act_layer\": \"relu\",", 1);
    program.file("config.json", relu);
    let pictures = program.path("pictures");
    std::fs::create_dir(&pictures).expect("a folder");
    // The fewer pictures, the more room is left above what they show.
    for i in 0..64 {
        let picture = input().save(pictures.join(format!("{i}.png")));
        picture.expect("a picture");
    }
    let out = "ours.safetensors";
    let arguments = [
        ".",
        arg(&pictures),
        "--crop",
        "squash",
        "--size",
        "64",
        "-o",
        out,
    ];
    let ran = program.run(&[&["quantize"][..], &arguments].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let pixels = mobilenet::pixels::to_bytes(&[input()], &Device::Cpu).expect("pixels");
    let logits = |checkpoint: Checkpoint, precision: Precision| {
        let network = checkpoint.network(&Device::Cpu, precision);
        let network = network.expect("a network");
        floats(&network.forward(&pixels).expect("logits"))
    };
    let want = logits(open(program.path("model.safetensors")), DType::F32.into());
    let got = logits(open(program.path(out)), Precision::Int8);
    let largest = want.iter().fold(0f32, |most, x| most.max(x.abs()));
    let off = largest_difference(&got, &want);
    eprintln!("off by {off} of {largest}");
    assert!(off < 0.05 * largest, "off by {off} of {largest}");
}

/// It is trained as any other layer is.
#[test]
fn the_layer_is_trained() {
    let program = Program::new();
    let model = folder(&program);
    let pictures = program.path("pictures");
    for class in 0..5u8 {
        let class_folder = pictures.join(class.to_string());
        std::fs::create_dir_all(&class_folder).expect("a folder");
        for i in 0..2u8 {
            let colour = image::Rgb([50 * class, 10 * i, 100]);
            let picture = image::RgbImage::from_pixel(64, 64, colour);
            picture
                .save(class_folder.join(format!("{i}.png")))
                .expect("a picture");
        }
    }
    let ran = program.run(&[
        "train",
        arg(&pictures),
        "--weights",
        arg(&model),
        "--size",
        "64",
        "--epochs",
        "1",
        "--batch-size",
        "4",
        "-o",
        "trained.safetensors",
    ]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let options = LoadOptions::default();
    let trained = Checkpoint::open(program.path("trained.safetensors"), &options).expect("trained");
    assert_eq!(trained.config().head_channels, Some(72));
    let [before, after] = [open(&model), trained].map(|checkpoint| {
        let weights = checkpoint
            .weights(&Device::Cpu, DType::F32)
            .expect("weights");
        let weight = weights
            .get((72, 64, 1, 1), "conv_head.weight")
            .expect("the layer");
        floats(&weight)
    });
    assert!(largest_difference(&before, &after) > 0.0);
}
