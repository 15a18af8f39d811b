//! Class activation maps: the sums that the answer is made of, and where they are drawn.

use std::collections::HashMap;
use std::path::PathBuf;

use candle_core::{DType, Device, Tensor};
use mobilenet::explain::{ClassMap, Explainer};
use mobilenet::figures::{ClassPanel, class_maps, overlay};
use mobilenet::model::{Config, MobileNet, Padding, random_tensors};
use mobilenet::ops::Activation;
use mobilenet::pixels::{PixelScale, Preprocessing, Region, RgbImage};
use mobilenet::weights::{Checkpoint, LoadOptions};
use mobilenet::{Embedder, Isa, Rejection};
use proptest::prelude::*;
use serde_json::Value;

use crate::support::{
    Program, arg, data, floats, image, largest_difference, repository, shared, tensors, values,
};

const TINY: &str = "keras/tiny.keras";

fn picture(width: u32, height: u32, seed: u64) -> RgbImage {
    let samples = values((width * height * 3) as usize, seed);
    let samples = samples.iter().map(|v| ((v + 0.9) * 127.0) as u8).collect();
    RgbImage::from_raw(width, height, samples).expect("as many samples as pixels")
}

/// Each class's map has the logit as its mean and bias, and the logits are the network's own.
fn check(checkpoint: &Checkpoint, network: &MobileNet, input: &RgbImage) {
    let explainer = Explainer::new(checkpoint, network).expect("a classifier");
    let explanation = explainer.explain(input).expect("an explanation");
    let pixels = mobilenet::pixels::to_tensor(
        std::slice::from_ref(input),
        &PixelScale::default(),
        &Device::Cpu,
    );
    let logits = floats(&network.forward(&pixels.expect("pixels")).expect("logits"));
    let largest = logits.iter().fold(1f32, |a, b| a.max(b.abs()));
    let maps: Vec<ClassMap> = (0..).map_while(|output| explanation.map(output)).collect();
    assert_eq!(maps.len(), logits.len());
    for (map, &logit) in maps.iter().zip(&logits) {
        assert_eq!(map.values.len(), map.rows * map.columns);
        let mean = map.values.iter().map(|&v| f64::from(v)).sum::<f64>() / map.values.len() as f64;
        let sum = (mean + f64::from(map.bias)) as f32;
        assert!(
            (sum - map.logit).abs() < 1e-4 * largest,
            "{sum}, not {}",
            map.logit
        );
        assert!(
            (map.logit - logit).abs() < 1e-4 * largest,
            "{} not {logit}",
            map.logit
        );
    }
    let scores: f32 = maps.iter().map(|map| map.score).sum();
    assert!((scores - 1.0).abs() < 1e-4);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 24,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_map_of_any_network_adds_up_to_the_logit(
        alpha in prop::sample::select(&[0.25, 0.05, 0.1, 0.35][..]),
        height in 32u32..120, width in 32u32..120, classes in 1usize..20,
        shallow: bool, relu6: bool, seed: u64,
        padding in prop::sample::select(&[Padding::Keras, Padding::Same, Padding::Symmetric][..]),
    ) {
        let config = Config {
            classes: Some(classes),
            shallow,
            padding,
            activation: if relu6 { Activation::Relu6 } else { Activation::Relu },
            ..Config::with_alpha(alpha)
        };
        let tensors = random_tensors(&config, seed).expect("tensors");
        let recipe = Preprocessing::center(64);
        let path = PathBuf::from("random");
        let checkpoint = Checkpoint::from_tensors(&path, config.clone(), tensors, recipe, None);
        let checkpoint = checkpoint.expect("a checkpoint");
        let weights = checkpoint.weights(&Device::Cpu, DType::F32).expect("weights");
        let input = picture(width, height, seed);
        let composed = MobileNet::builder(&config, &weights).build_composed().expect("a network");
        check(&checkpoint, &composed, &input);
        let ours = checkpoint.network(&Device::Cpu, DType::F32).expect("a network");
        check(&checkpoint, &ours, &input);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 40,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_map_can_be_drawn_over_any_picture(
        (width, height) in (0u32..120, 0u32..120), (rows, columns) in (1usize..6, 1usize..6),
        titles in proptest::collection::vec(".{0,80}", 0..5), side in 0usize..300,
        more in proptest::collection::vec(any::<f32>(), 36), remark in prop::option::of(".{0,80}"),
        (left, top) in (-50f64..50.0, -50f64..50.0), (wide, high) in (0.01f64..200.0, 0.01f64..200.0),
    ) {
        let map = ClassMap {
            rows,
            columns,
            values: more[..rows * columns].to_vec(),
            bias: 0.0,
            logit: 0.0,
            score: 0.0,
        };
        let panels: Vec<ClassPanel> = titles
            .into_iter()
            .map(|title| ClassPanel { note: title.clone(), title, map: &map })
            .collect();
        let region = Region { left, top, width: wide, height: high };
        let input = picture(width, height, 1);
        let drawn = class_maps(&input, region, &panels, side, remark.as_deref());
        let white = image::Rgb([255; 3]);
        let (right, bottom) = (drawn.width() - 1, drawn.height() - 1);
        prop_assert!((0..=right).all(|x| *drawn.get_pixel(x, 0) == white && *drawn.get_pixel(x, bottom) == white));
        prop_assert!((0..=bottom).all(|y| *drawn.get_pixel(0, y) == white && *drawn.get_pixel(right, y) == white));
    }
}

/// A number that stands at the end of the scale, of a value that is written long.
#[test]
fn the_scales_numbers_stay_on_the_sheet() {
    for value in [1.5168921e29, -1.5168921e29, 123_456.7, 9.99e-30, f32::MAX] {
        let mut values = vec![0.0; 10];
        values[9] = value;
        let map = ClassMap {
            rows: 2,
            columns: 5,
            values,
            bias: 0.0,
            logit: 0.0,
            score: 0.0,
        };
        let panel = ClassPanel {
            note: String::new(),
            title: String::new(),
            map: &map,
        };
        let region = Region {
            left: 0.0,
            top: 0.0,
            width: 1.0,
            height: 1.0,
        };
        let drawn = class_maps(&picture(0, 0, 1), region, &[panel], 0, None);
        let right = drawn.width() - 1;
        for y in 0..drawn.height() {
            for x in [0, right] {
                assert_eq!(drawn.get_pixel(x, y).0, [255; 3], "{value} at {x}, {y}");
            }
        }
    }
}

#[test]
fn on_the_cpu_the_scores_are_those_of_the_network_to_the_bit() {
    for isa in Isa::available() {
        let config = Config::with_alpha(0.25);
        let tensors = random_tensors(&config, 3).expect("tensors");
        let recipe = Preprocessing::center(64);
        let path = PathBuf::from("random");
        let checkpoint = Checkpoint::from_tensors(&path, config.clone(), tensors, recipe, None);
        let checkpoint = checkpoint.expect("a checkpoint");
        let weights = checkpoint
            .weights(&Device::Cpu, DType::F32)
            .expect("weights");
        let network = MobileNet::builder(&config, &weights)
            .with_isa(isa)
            .build()
            .expect("a network");
        let input = picture(97, 64, 5);
        let pixels = mobilenet::pixels::to_tensor(
            std::slice::from_ref(&input),
            &PixelScale::default(),
            &Device::Cpu,
        )
        .expect("pixels");
        let logits = floats(&network.forward(&pixels).expect("logits"));
        let explainer = Explainer::new(&checkpoint, &network).expect("a classifier");
        let explanation = explainer.explain(&input).expect("an explanation");
        let found = |output| explanation.map(output).expect("a class").logit;
        let found: Vec<f32> = (0..1000).map(found).collect();
        assert!(found == logits, "{isa}");
    }
}

#[test]
fn maps_are_those_of_keras() {
    let checkpoint = Checkpoint::open(data(TINY), &LoadOptions::default()).expect("a checkpoint");
    let inputs = tensors(data("keras/tiny.golden.safetensors"));
    let golden = tensors(data("explain/maps.golden.safetensors"));
    let network = checkpoint
        .network(&Device::Cpu, DType::F32)
        .expect("a network");
    let explainer = Explainer::new(&checkpoint, &network).expect("a classifier");
    assert_eq!(golden.len(), 3);
    for (name, maps) in &golden {
        let input = image(&inputs[&format!("{name}.input")]);
        let explanation = explainer.explain(&input).expect("an explanation");
        for output in 0..7 {
            let map = explanation.map(output).expect("a class");
            let want = maps.get(output).expect("a map");
            assert_eq!(want.dims(), [map.rows, map.columns]);
            let want = floats(&want);
            let largest = want.iter().fold(1f32, |a, b| a.max(b.abs()));
            let off = largest_difference(&map.values, &want);
            assert!(off < 1e-4 * largest, "{name}, {output}: {off} of {largest}");
        }
        assert!(explanation.map(7).is_none());
    }
}

#[test]
fn a_network_without_classes_can_not_be_explained() {
    let config = Config {
        classes: None,
        ..Config::with_alpha(0.05)
    };
    let tensors = random_tensors(&config, 1).expect("tensors");
    let recipe = Preprocessing::center(64);
    let checkpoint = Checkpoint::from_tensors(&PathBuf::from("x"), config, tensors, recipe, None);
    let checkpoint = checkpoint.expect("a checkpoint");
    let network = checkpoint
        .network(&Device::Cpu, DType::F32)
        .expect("a network");
    let error = Explainer::new(&checkpoint, &network).expect_err("no classes");
    assert!(error.to_string().contains("no classifier"), "{error}");
    // For others the network is as good.
    let device = mobilenet::device::open(mobilenet::device::DeviceChoice::Cpu).expect("a CPU");
    assert!(Embedder::new(&checkpoint, &device, DType::F32).is_ok());
}

/// A network whose every value is the redness of the last pixel of its 32 by 32: each layer passes
/// the middle of its kernel on. Class 0 is fond of red.
fn red(weight: f32) -> Checkpoint {
    let config = Config {
        classes: Some(2),
        batch_norm_folded: true,
        ..Config::with_alpha(0.05)
    };
    let mut tensors = HashMap::new();
    for convolution in config.convolutions() {
        let shape = convolution.weight_shape();
        let channels = shape[0];
        let mut values = vec![0f32; shape.iter().product()];
        // The middle of the first filter's 3x3, or its only value.
        let middle = if shape[2] == 3 { 4 } else { 0 };
        values[middle] = 1.0;
        if convolution.name == "conv_preds" {
            values[0] = weight;
        }
        let weight = Tensor::from_vec(values, &shape[..], &Device::Cpu).expect("a tensor");
        let bias = Tensor::zeros(channels, DType::F32, &Device::Cpu).expect("a tensor");
        tensors.insert(format!("{}.weight", convolution.name), weight);
        tensors.insert(format!("{}.bias", convolution.name), bias);
    }
    let labels = Some(vec!["red".to_owned(), "anything".to_owned()]);
    let recipe = Preprocessing::center(224);
    let path = PathBuf::from("red");
    Checkpoint::from_tensors(&path, config, tensors, recipe, labels).expect("a checkpoint")
}

/// 448x256 pixels of which the network sees the middle 224x224 as they are, with a red square on
/// the map's row 2, column 4.
fn square() -> RgbImage {
    let mut picture = RgbImage::new(448, 256);
    for y in 0..32 {
        for x in 0..32 {
            let at = (112 + 4 * 32 + x, 16 + 2 * 32 + y);
            picture.put_pixel(at.0, at.1, image::Rgb([255, 0, 0]));
        }
    }
    picture
}

#[test]
fn the_map_covers_what_the_network_saw() {
    let program = Program::new();
    let weights = program.path("red.safetensors");
    red(7.0).save(&weights).expect("saved");
    let input = program.path("square.png");
    square().save(&input).expect("saved");
    let common = ["explain", "square.png", "--weights", "red.safetensors"];
    let ran = program.run(&[&common[..], &["--json", "-o", "map.png"]].concat());
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let row = ran.json();
    assert_eq!(row["region"]["left"], 112.0);
    assert_eq!(row["region"]["top"], 16.0);
    assert_eq!(row["region"]["width"], 224.0);
    assert_eq!(row["region"]["height"], 224.0);
    assert_eq!(row["size"]["width"], 448);
    assert_eq!(row["classes"][0]["label"], "red");
    for (y, line) in row["classes"][0]["map"]
        .as_array()
        .expect("rows")
        .iter()
        .enumerate()
    {
        for (x, value) in line.as_array().expect("values").iter().enumerate() {
            let want = if (y, x) == (2, 4) { 7.0 } else { 0.0 };
            assert!(
                (value.as_f64().expect("a number") - want).abs() < 1e-5,
                "{y} {x}"
            );
        }
    }
    // What was not seen is grey; what was is not; the square is the brightest.
    let drawn = image::open(program.path("map.png"))
        .expect("a PNG")
        .into_rgb8();
    let is_grey = |x: u32, y: u32| {
        // Margins, and what is written above the picture.
        let pixel = drawn.get_pixel(16 + x, 16 + 44 + y).0;
        pixel[0] == pixel[1] && pixel[1] == pixel[2]
    };
    for (x, y) in [
        (0, 0),
        (111, 128),
        (336, 128),
        (224, 15),
        (224, 240),
        (447, 255),
    ] {
        assert!(is_grey(x, y), "{x} {y}");
    }
    for (x, y) in [(112, 128), (335, 128), (224, 16), (224, 239), (112, 16)] {
        assert!(!is_grey(x, y), "{x} {y}");
    }
    let light = |x: u32, y: u32| -> u32 {
        let pixel = drawn.get_pixel(16 + x, 16 + 44 + y).0;
        pixel.iter().map(|&part| u32::from(part)).sum()
    };
    let inside = (113..335).flat_map(|x| (17..239).map(move |y| (x, y)));
    let (x, y) = inside.max_by_key(|&(x, y)| light(x, y)).expect("a pixel");
    assert!((240..272).contains(&x) && (80..112).contains(&y), "{x} {y}");
}

#[test]
fn squashed_pictures_are_seen_whole() {
    let recipe = Preprocessing::squash(224);
    let whole = |width: f64, height: f64| Region {
        left: 0.0,
        top: 0.0,
        width,
        height,
    };
    assert_eq!(recipe.region((640, 480)), whole(640.0, 480.0));
    assert_eq!(recipe.region((1, 9)), whole(1.0, 9.0));
    let centre = Preprocessing::center(224);
    let region = centre.region((512, 1024));
    assert_eq!((region.left, region.width), (32.0, 448.0));
    assert_eq!((region.top, region.height), (288.0, 448.0));
    let map = ClassMap {
        rows: 1,
        columns: 2,
        values: vec![0.0, 1.0],
        bias: 0.0,
        logit: 0.5,
        score: 1.0,
    };
    let grey = RgbImage::from_pixel(10, 10, image::Rgb([128; 3]));
    let drawn = overlay(&grey, whole(10.0, 10.0), &map, (0.0, 1.0), (40, 20));
    assert_eq!(drawn.dimensions(), (40, 20));
    let light = |x| {
        drawn
            .get_pixel(x, 10)
            .0
            .iter()
            .map(|&p| u32::from(p))
            .sum::<u32>()
    };
    assert!((1..40).all(|x| light(x) >= light(x - 1)) && light(39) > light(0) + 100);
}

#[test]
fn classes_are_chosen_by_name_and_drawn_beside_each_other() {
    let program = Program::new();
    let weights = data(TINY);
    let photograph = repository("samples/cat.jpg");
    let labels = program.file("labels.txt", "null\none\ntwo\nthree\nfour\nfive\nsix\n");
    let common = [
        "explain",
        arg(&photograph),
        "--weights",
        arg(&weights),
        "--labels",
        arg(&labels),
    ];
    let run = |more: &[&str]| program.run(&[&common[..], more].concat());
    let ran = run(&[
        "--json", "--class", "null", "--class", "FIVE", "--class", "5", "--class", "3",
    ]);
    let row = ran.json();
    let classes = row["classes"].as_array().expect("classes");
    let found: Vec<_> = classes
        .iter()
        .map(|class| class["index"].as_i64())
        .collect();
    assert_eq!(found, [Some(0), Some(5), Some(3)]);
    let ran = run(&["--json", "-k", "7"]);
    let row = ran.json();
    let classes = row["classes"].as_array().expect("classes");
    let scores: Vec<_> = classes
        .iter()
        .map(|class| class["score"].as_f64())
        .collect();
    assert_eq!(scores.len(), 7);
    assert!(scores.windows(2).all(|pair| pair[0] >= pair[1]));
    for k in ["1", "2", "5"] {
        let ran = run(&["-k", k, "-o", "-"]);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
        let drawn = image::load_from_memory(&ran.stdout).expect("a PNG");
        let beside = (drawn.width() + 20 - 32) / (451 + 20);
        assert_eq!(beside, if k == "1" { 1 } else { 2 + u32::from(k == "5") });
    }
    run(&["--class", "sixt"]).refused(&["sixt", "no class is called so", "near names: six"]);
    run(&["--class", "7"]).refused(&["no class is called so"]);
    run(&["-k", "0"]).refused(&["--top-k"]);
    run(&["-k", "2", "--class", "one"]).refused(&["cannot be used with"]);
    // How many there are is another option, which says nothing of which to show.
    run(&["--classes", "6"]).refused(&["it has 7 classes, not 6"]);
    let ran = run(&["--json", "--classes", "7", "--class", "two"]);
    assert_eq!(ran.json()["classes"][0]["index"], 2);
}

#[test]
fn large_pictures_are_drawn_smaller_and_tiny_ones_larger() {
    let program = Program::new();
    let weights = data(TINY);
    for (width, height, side, drawn_width, drawn_height) in [
        (3000, 1000, None, 1280, 427),
        (3000, 1000, Some("300"), 300, 100),
        (10, 20, None, 120, 240),
        (1, 1, None, 256, 256),
        (4000, 1, None, 1280, 1),
    ] {
        picture(width, height, 3)
            .save(program.path("in.png"))
            .expect("saved");
        let mut arguments = vec![
            "explain",
            "in.png",
            "--weights",
            arg(&weights),
            "-o",
            "out.png",
        ];
        arguments.extend(side.into_iter().flat_map(|side| ["--max-side", side]));
        let ran = program.run(&arguments);
        assert_eq!(
            (ran.code, ran.stderr.as_str()),
            (Some(0), ""),
            "{width}x{height}"
        );
        let drawn = image::open(program.path("out.png")).expect("a PNG");
        let place = u32::max(drawn_width, 240);
        assert_eq!(drawn.width(), place + 32, "{width}x{height}");
        assert_eq!(
            drawn.height(),
            16 + 44 + drawn_height + 20 + 62,
            "{width}x{height}"
        );
    }
}

#[test]
fn without_a_terminal_the_map_is_plain_text() {
    let program = Program::new();
    let weights = data(TINY);
    let bytes = std::fs::read(repository("samples/coffee.jpg")).expect("a photograph");
    let mut command = program.command(&["explain", "-", "--weights", arg(&weights), "-k", "2"]);
    let ran = crate::support::Ran::of(command.write_stdin(bytes).output().expect("the program"));
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let text = ran.text();
    assert!(
        text.starts_with("-\n  0.") && !text.contains('\x1b'),
        "{text}"
    );
    assert!(
        text.lines().all(|line| line.chars().count() <= 64),
        "{text}"
    );
    assert_eq!(
        text.lines().filter(|line| line.contains("class ")).count(),
        2
    );
    assert!(text.contains('@') && text.contains('·'), "{text}");
}

#[test]
fn a_picture_of_no_class_says_so_and_is_explained() {
    let program = Program::new();
    let checkpoint = Checkpoint::open(data(TINY), &LoadOptions::default()).expect("a checkpoint");
    let rejection = Rejection {
        threshold: 0.999,
        share: 0.05,
    };
    let strict = checkpoint
        .with_rejection(Some(rejection))
        .expect("a checkpoint");
    strict
        .save(program.path("strict.safetensors"))
        .expect("saved");
    let photograph = repository("samples/cat.jpg");
    let common = [
        "explain",
        arg(&photograph),
        "--weights",
        "strict.safetensors",
    ];
    let ran = program.run(&common);
    assert_eq!(ran.code, Some(0));
    assert!(
        ran.text().contains("unknown: no class is likely enough"),
        "{}",
        ran.text()
    );
    let ran = program.run(&[&common[..], &["--json"]].concat());
    assert_eq!(ran.json()["rejected"], true);
    assert_eq!(ran.json()["classes"].as_array().map(Vec::len), Some(1));
    let ran = program.run(&[&common[..], &["-o", "out.png"]].concat());
    assert_eq!(ran.code, Some(0));
    assert!(program.path("out.png").exists());
}

#[test]
fn what_goes_wrong_is_said() {
    let program = Program::new();
    let weights = data(TINY);
    let photograph = repository("samples/cat.jpg");
    let copy = program.path("copy.png");
    picture(40, 40, 1).save(&copy).expect("saved");
    program.file("notes.png", "no picture");
    let run = |arguments: &[&str]| {
        program.run(&[&["explain", "--weights", arg(&weights)], arguments].concat())
    };
    run(&["missing.jpg"]).refused(&["missing.jpg: no such file"]);
    run(&["notes.png"]).refused(&["notes.png: not an image of a known format"]);
    // A folder is the pictures in it.
    let folder = run(&["."]);
    assert_eq!(folder.code, Some(2));
    assert!(folder.text().starts_with("./copy.png\n"));
    assert!(
        folder.stderr.contains("./notes.png: not an image"),
        "{}",
        folder.stderr
    );
    run(&[]).refused(&["IMAGE"]);
    run(&["a.jpg", "b.jpg"]).refused(&["b.jpg"]);
    run(&[arg(&photograph), "-o", "out.jpg"]).refused(&["out.jpg", ".png"]);
    run(&["copy.png", "-o", "copy.png"]).refused(&["would replace"]);
    run(&["copy.png", "-o", "nowhere/out.png"]).refused(&["nowhere/out.png", "there is no folder"]);
    run(&["copy.png", "-o", "-", "--json"]).refused(&["both write to stdout"]);
    assert_eq!(image::open(copy).expect("still a picture").width(), 40);
    let ran = run(&["missing.jpg", "--json"]);
    assert_eq!(ran.code, Some(2));
    assert_eq!(ran.json()["error"]["kind"], "not_found");
    assert_eq!(ran.json()["classes"], Value::Array(Vec::new()));
    assert_eq!(ran.json()["region"], Value::Null);
}

#[test]
fn pictures_are_turned_upright_first() {
    let program = Program::new();
    let weights = data(TINY);
    let turned = data("pixels/decode/exif_6.jpg");
    let sizes = |more: &[&str]| {
        let common = [
            "explain",
            arg(&turned),
            "--weights",
            arg(&weights),
            "--json",
        ];
        let size = program.run(&[&common[..], more].concat()).json()["size"].clone();
        (size["width"].as_u64(), size["height"].as_u64())
    };
    let (upright, stored) = (sizes(&[]), sizes(&["--no-exif"]));
    assert_ne!(upright.0, upright.1);
    assert_eq!(upright, (stored.1, stored.0));
}

#[cfg(unix)]
#[test]
fn any_file_name_works() {
    use std::ffi::{OsStr, OsString};
    use std::os::unix::ffi::OsStrExt;
    let program = Program::new();
    let name = OsStr::from_bytes(b"a\xff\n\x1b[31m.png");
    picture(40, 30, 1)
        .save(program.path("a.png"))
        .expect("saved");
    std::fs::rename(program.path("a.png"), program.path("").join(name)).expect("renamed");
    let weights = data(TINY);
    let mut arguments: Vec<OsString> = vec!["explain".into(), "--weights".into(), weights.into()];
    arguments.push(name.into());
    let ran = program.run(&arguments);
    assert_eq!(ran.code, Some(0));
    assert!(!ran.text().contains('\x1b'));
    arguments.push("--json".into());
    let row = program.run(&arguments).json();
    assert_eq!(
        (&row["path"], row["path_base64"].as_str()),
        (&Value::Null, Some("Yf8KG1szMW0ucG5n"))
    );
}

#[test]
fn real_weights_and_photographs() {
    let Some(weights) = shared("pretrained/keras/mobilenet_2_5_224_tf.h5") else {
        return;
    };
    let program = Program::new();
    for name in [
        "cat_720p.jpg",
        "cats_and_dogs.jpg",
        "parrot.jpg",
        "sunflower.bmp",
    ] {
        let Some(photograph) = shared(&format!("images/{name}")) else {
            return;
        };
        let run = |command: &str| {
            let more = [
                command,
                arg(&photograph),
                "--weights",
                arg(&weights),
                "--json",
                "-k",
                "3",
                "--device",
                "cpu",
            ];
            program.run(&more).json()
        };
        let (explained, classified) = (run("explain"), run("classify"));
        for rank in 0..3 {
            let class = &explained["classes"][rank];
            let prediction = &classified[0]["predictions"][rank];
            for key in ["index", "wnid", "label", "score"] {
                assert_eq!(class[key], prediction[key], "{name}");
            }
            let number = |value: &Value| value.as_f64().expect("a number");
            let rows = class["map"].as_array().expect("rows");
            assert_eq!(rows.len(), 7);
            let values = rows.iter().flat_map(|row| row.as_array().expect("values"));
            let mean = values.map(number).sum::<f64>() / 49.0;
            let off = mean + number(&class["bias"]) - number(&class["logit"]);
            assert!(off.abs() < 1e-4, "{name}: off by {off}");
        }
    }
}
