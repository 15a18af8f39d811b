//! Classes of one's own: against scikit-learn's answers, and as a shell learns them.

use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use image::{Rgb, RgbImage};
use mobilenet::Embedder;
use mobilenet::device::{self, DeviceChoice};
use mobilenet::learn::{Example, LearnOptions, Learned, learn};
use mobilenet::model::{Config, random_tensors};
use mobilenet::pixels::{DecodeOptions, PixelScale, open, to_tensor};
use mobilenet::weights::{Checkpoint, LoadOptions};

use crate::support::{Program, Ran, arg, data, floats, largest_difference, tensors, values};

/// Examples of a fixture.
fn golden_examples(embeddings: &Tensor, classes: &Tensor) -> Vec<Example> {
    let embeddings: Vec<Vec<Vec<f32>>> = embeddings.to_vec3().expect("[examples, views, length]");
    let classes: Vec<u32> = classes.to_vec1().expect("classes");
    let examples = embeddings.into_iter().zip(classes);
    let example = |(views, class): (_, u32)| Example {
        class: class as usize,
        views,
    };
    examples.map(example).collect()
}

fn doubles(tensor: &Tensor) -> Vec<f64> {
    let flat = tensor.to_dtype(DType::F64).and_then(|t| t.flatten_all());
    flat.and_then(|t| t.to_vec1()).expect("numbers")
}

/// `bias + weight * embedding`, in f64.
fn logits(weight: &[f64], bias: &[f64], embedding: &[f32]) -> Vec<f64> {
    let rows = weight.chunks_exact(embedding.len()).zip(bias);
    let logit = |(row, bias): (&[f64], &f64)| {
        let products = row.iter().zip(embedding).map(|(w, &x)| w * f64::from(x));
        bias + products.sum::<f64>()
    };
    rows.map(logit).collect()
}

fn softmax(logits: &[f64]) -> Vec<f64> {
    let powers: Vec<f64> = logits.iter().map(|x| x.exp()).collect();
    powers
        .iter()
        .map(|p| p / powers.iter().sum::<f64>())
        .collect()
}

#[test]
fn the_optimum_is_scikit_learns() {
    let golden = tensors(data("learn/golden.safetensors"));
    let names = [
        "several",
        "views",
        "two",
        "few",
        "separable",
        "collinear",
        "strong",
        "balanced",
        "balanced two",
    ];
    for name in names {
        let of = |key: &str| &golden[&format!("{name}.{key}")];
        let examples = golden_examples(of("embeddings"), of("classes"));
        let (weight, bias) = (doubles(of("weight")), doubles(of("bias")));
        let regularisation = doubles(of("regularisation"))[0];
        let options = LearnOptions::default().with_regularisation(regularisation);
        let options = options.with_balance(name.starts_with("balanced"));
        let learned = learn(&examples, bias.len(), &options).expect("learned");
        let c = doubles(of("c"))[0];
        assert!((learned.report.c / c - 1.0).abs() < 1e-6, "{name}: {c}");
        let found = doubles(&learned.weight);
        let largest = weight.iter().fold(0.0, |a: f64, b| a.max(b.abs()));
        for (found, wanted) in found.iter().zip(&weight) {
            let difference = (found - wanted).abs() / largest;
            assert!(difference < 1e-5, "{name}: {found}, not {wanted}");
        }
        // What all logits are off by together changes no score.
        let mut shifted = doubles(&learned.bias);
        let mean = shifted.iter().sum::<f64>() / shifted.len() as f64;
        shifted.iter_mut().for_each(|b| *b -= mean);
        for view in examples.iter().flat_map(|example| &example.views) {
            let ours = softmax(&logits(&found, &shifted, view));
            let theirs = softmax(&logits(&weight, &bias, view));
            for (ours, theirs) in ours.iter().zip(theirs) {
                assert!((ours - theirs).abs() < 1e-5, "{name}: {ours}, not {theirs}");
            }
        }
    }
}

/// Examples around a point for each class, with two views that differ a little.
fn clusters(counts: &[usize], length: usize, spread: f32, seed: u64) -> Vec<Example> {
    let mut examples = Vec::new();
    for (class, &count) in counts.iter().enumerate() {
        let centre = values(length, 1000 + class as u64);
        for i in 0..count {
            let number = seed * 100_000 + (class * 10_000 + i) as u64;
            // The sum of four is nearly normal.
            let noise: Vec<Vec<f32>> = (0..4).map(|k| values(length, 7 + 4 * number + k)).collect();
            let at = |j: usize| centre[j] + spread * noise.iter().map(|n| n[j] - 0.1).sum::<f32>();
            let first: Vec<f32> = (0..length).map(at).collect();
            let second = first
                .iter()
                .zip(values(length, number))
                .map(|(x, y)| x + 0.05 * y);
            examples.push(Example {
                class,
                views: vec![first.clone(), second.collect()],
            });
        }
    }
    examples
}

/// Cross-validation would say that classes without a meaning can be told, if a picture were
/// learned from while another view or a copy of it is held out.
#[test]
fn nothing_is_known_of_what_is_held_out() {
    let mut examples = clusters(&[80], 200, 1.0, 1);
    for (i, example) in examples.iter_mut().enumerate() {
        example.class = usize::from((i * 2_654_435_761) % 97 > 48);
    }
    let copies = examples.clone();
    examples.extend(copies);
    let learned = learn(&examples, 2, &LearnOptions::default()).expect("learned");
    let held_out = learned.report.held_out.expect("cross-validation");
    assert_eq!((held_out.examples, held_out.folds), (160, 5));
    assert!(
        (0.3..0.7).contains(&held_out.accuracy),
        "{}",
        held_out.accuracy
    );
    // Better than even odds is what nobody can be.
    assert!(held_out.log_loss > 0.65, "{}", held_out.log_loss);
}

/// The promise on members that were not there when it was made.
#[test]
fn members_are_rejected_at_the_promised_rate() {
    let (counts, length) = ([40, 60, 50, 30], 16);
    for share in [0.05, 0.2] {
        let options = LearnOptions::default().with_reject(share);
        let mut rates = Vec::new();
        for seed in 1..=6 {
            let examples = clusters(&counts, length, 0.55, seed);
            let learned = learn(&examples, 4, &options).expect("learned");
            let rejection = learned.rejection.expect("a threshold");
            assert_eq!(rejection.share, share as f32);
            let held_out = learned.report.held_out.as_ref().expect("held out");
            assert!(held_out.rejected.is_some_and(|rejected| rejected <= share));
            rates.push(rejected(
                &learned,
                &clusters(&[200; 4], length, 0.55, 90 + seed),
            ));
        }
        let mean = rates.iter().sum::<f64>() / rates.len() as f64;
        assert!(
            // Less than promised: what is learned from all pictures knows more neighbours than
            // what the promise was made with.
            (share * 0.3..share * 1.4).contains(&mean),
            "{share}: {rates:?}"
        );
    }
}

/// The share of examples under the threshold.
fn rejected(learned: &Learned, examples: &[Example]) -> f64 {
    let threshold = f64::from(learned.rejection.expect("a threshold").threshold);
    let (weight, bias) = (doubles(&learned.weight), doubles(&learned.bias));
    let familiarity = learned.familiarity.as_ref().expect("familiar pictures");
    let under = examples.iter().filter(|example| {
        let scores = softmax(&logits(&weight, &bias, &example.views[0]));
        let mut scores: Vec<f32> = scores.iter().map(|&score| score as f32).collect();
        familiarity.discount(&mut scores, &example.views[0]);
        scores.iter().all(|&score| f64::from(score) < threshold)
    });
    under.count() as f64 / examples.len() as f64
}

/// What lies in another direction than all members is nearly always rejected, however sure the
/// softmax is of it.
#[test]
fn strangers_are_rejected() {
    let (length, options) = (16, LearnOptions::default());
    let learned = learn(&clusters(&[60, 60], length, 0.3, 5), 2, &options).expect("learned");
    let turned = |mut example: Example| {
        for view in &mut example.views {
            view.iter_mut().for_each(|x| *x = -*x);
        }
        example
    };
    let strangers = clusters(&[100; 2], length, 0.3, 5).into_iter().map(turned);
    let strangers: Vec<Example> = strangers.collect();
    assert!(rejected(&learned, &strangers) > 0.99);
    // Without rejection nothing is held against anything.
    let options = options.with_reject(0.0);
    let learned = learn(&clusters(&[60, 60], length, 0.3, 5), 2, &options).expect("learned");
    assert!(learned.rejection.is_none() && learned.familiarity.is_none());
}

#[test]
fn examples_that_make_no_sense_are_errors() {
    let good = clusters(&[3, 3], 4, 0.1, 1);
    let refused = |examples: &[Example], classes: usize, part: &str| {
        let error = learn(examples, classes, &LearnOptions::default());
        let error = error.expect_err("refused").to_string();
        assert!(error.contains(part), "{error}");
    };
    refused(&good, 1, "one class");
    refused(&good, 3, "class 2 has no examples");
    refused(&[], 2, "class 0 has no examples");
    let changed = |change: fn(&mut Example)| {
        let mut examples = good.clone();
        change(&mut examples[4]);
        examples
    };
    refused(&changed(|e| e.class = 7), 2, "class 7");
    refused(&changed(|e| e.views.clear()), 2, "no embedding");
    refused(&changed(|e| e.views[1].truncate(2)), 2, "2 values, not 4");
    refused(&changed(|e| e.views[0][0] = f32::NAN), 2, "not a number");
    let all_alike = changed(|e| e.class = 0);
    let same = all_alike.into_iter().map(|example| Example {
        views: vec![vec![1.0; 4]],
        ..example
    });
    // Pictures that all look the same can't be told apart, which is no reason to fail.
    let learned = learn(&same.collect::<Vec<_>>(), 2, &LearnOptions::default()).expect("learned");
    assert!(learned.report.held_out.is_none() && learned.rejection.is_none());
    assert!(doubles(&learned.weight).iter().all(|w| w.is_finite()));
}

/// A network of random weights, which tells colours and stripes all the same. It has no
/// classifier.
pub fn backbone(program: &Program) -> PathBuf {
    let config = Config {
        classes: None,
        ..Config::with_alpha(0.1)
    };
    let tensors = random_tensors(&config, 3).expect("tensors");
    let path = program.path("backbone.safetensors");
    candle_core::safetensors::save(&tensors, &path).expect("saved");
    path
}

/// A picture of a class: stripes of a direction and a colour, which vary.
pub fn picture(class: usize, number: usize) -> RgbImage {
    let noise = values(64, (class * 1000 + number) as u64);
    let phase = (noise[0] * 9.0) as u32 + 20;
    RgbImage::from_fn(48, 40, |x, y| {
        let along = [x, y, x + y][class % 3] + phase;
        let light = [200.0, 60.0][(along / 4 % 2) as usize];
        let grain = noise[((x * 7 + y * 13) % 64) as usize] * 30.0;
        let tint = [[1.0, 0.6, 0.5], [0.6, 1.0, 0.5], [0.5, 0.6, 1.0]][class % 3];
        Rgb(tint.map(|t: f32| (light * t + grain + noise[1] * 20.0).clamp(0.0, 255.0) as u8))
    })
}

/// Writes pictures into a folder for each class.
fn folders(program: &Program, classes: &[(&str, usize)]) {
    for (class, (name, count)) in classes.iter().enumerate() {
        let folder = program.path("pictures").join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        for number in 0..*count {
            let path = folder.join(format!("{number:03}.png"));
            picture(class, number).save(path).expect("saved");
        }
    }
}

fn run(program: &Program, more: &[&str]) -> Ran {
    let weights = backbone(program);
    let arguments = [
        "learn",
        "pictures",
        "--size",
        "64",
        "--weights",
        arg(&weights),
        // Where the library learns by hand, to the same digits.
        "--device",
        "cpu",
    ];
    program.run(&[&arguments, more].concat())
}

/// What `learn` should have written, by way of the library.
fn learned_by_hand(
    program: &Program,
    classes: &[(&str, usize)],
    views: usize,
) -> (Checkpoint, Learned) {
    let options = LoadOptions::default().with_size(64);
    let checkpoint = Checkpoint::open(backbone(program), &options).expect("a checkpoint");
    let cpu = device::open(DeviceChoice::Cpu).expect("the CPU");
    let embedder = Embedder::new(&checkpoint, &cpu, DType::F32).expect("an embedder");
    let mut examples = Vec::new();
    for (class, (name, count)) in classes.iter().enumerate() {
        for number in 0..*count {
            let path = program
                .path("pictures")
                .join(name)
                .join(format!("{number:03}.png"));
            let image = open(path, &DecodeOptions::default()).expect("a picture");
            let input = embedder.preprocessing().apply(&image);
            let mut mirrored = input.clone();
            mirrored.mirror();
            let inputs = [input, mirrored];
            let views = embedder
                .embeddings_of_inputs(&inputs[..views])
                .expect("embeddings");
            examples.push(Example { class, views });
        }
    }
    let learned = learn(&examples, classes.len(), &LearnOptions::default()).expect("learned");
    (checkpoint, learned)
}

const CLASSES: [(&str, usize); 3] = [("blau", 10), ("a b,\"c\"\n", 14), ("gelb", 12)];

#[test]
fn what_is_written_is_the_linear_classifier_on_the_embeddings() {
    let program = Program::new();
    let classes = [("a b,\"c\"\n", 14), ("blau", 10), ("gelb", 12)];
    folders(&program, &classes);
    let ran = run(&program, &["-o", "own.safetensors", "--json"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let report = ran.json();
    assert_eq!(
        (&report["pictures"], &report["failed"]),
        (&36.into(), &0.into())
    );
    for (row, (label, count)) in report["classes"]
        .as_array()
        .expect("rows")
        .iter()
        .zip(classes)
    {
        assert_eq!(
            (&row["label"], &row["pictures"]),
            (&label.into(), &count.into())
        );
    }
    let accuracy = report["accuracy"].as_f64().expect("an accuracy");
    assert!(accuracy > 0.6, "{accuracy}");

    let (_, by_hand) = learned_by_hand(&program, &classes, 2);
    let own = Checkpoint::open(program.path("own.safetensors"), &LoadOptions::default());
    let own = own.expect("a checkpoint");
    let rejection = own.rejection().expect("a threshold");
    assert_eq!(Some(rejection), by_hand.rejection);
    assert_eq!(report["rejection"]["share"], 0.05);
    let labels = own.labels().expect("labels");
    let labels: Vec<&str> = labels.classes().iter().map(|c| c.label.as_str()).collect();
    assert_eq!(labels, classes.map(|(name, _)| name));
    let written = tensors(program.path("own.safetensors"));
    let weight = written["conv_preds.weight"]
        .squeeze(3)
        .and_then(|t| t.squeeze(2));
    let weight = weight.expect("[classes, length, 1, 1]");
    assert_eq!(floats(&weight), floats(&by_hand.weight));
    assert_eq!(floats(&written["conv_preds.bias"]), floats(&by_hand.bias));

    let alone = run(&program, &["-o", "alone.safetensors", "--no-mirror"]);
    assert_eq!(alone.code, Some(0));
    let (_, alone) = learned_by_hand(&program, &classes, 1);
    let bias = &tensors(program.path("alone.safetensors"))["conv_preds.bias"];
    assert_eq!(floats(bias), floats(&alone.bias));
    assert_ne!(floats(bias), floats(&by_hand.bias));

    let network = own.network(&Device::Cpu, DType::F32).expect("a network");
    let inputs = [picture(0, 77), picture(1, 78), picture(2, 79)];
    let inputs = inputs.map(|picture| own.preprocessing().apply(&picture));
    let pixels = to_tensor(&inputs, &PixelScale::default(), &Device::Cpu).expect("pixels");
    let answer = network.forward(&pixels).expect("logits");
    let embeddings: Vec<Vec<f32>> = network
        .embed(&pixels)
        .and_then(|e| Ok(e.to_vec2()?))
        .expect("embeddings");
    let (weight, bias) = (doubles(&by_hand.weight), doubles(&by_hand.bias));
    let wanted = embeddings
        .iter()
        .flat_map(|embedding| logits(&weight, &bias, embedding));
    let wanted: Vec<f32> = wanted.map(|logit| logit as f32).collect();
    let difference = largest_difference(&floats(&answer), &wanted);
    assert!(difference < 1e-5, "{difference}");
}

#[test]
fn a_learned_checkpoint_is_one_like_any_other() {
    let program = Program::new();
    folders(&program, &CLASSES);
    assert_eq!(run(&program, &["-o", "own.safetensors"]).code, Some(0));
    picture(2, 500)
        .save(program.path("new.png"))
        .expect("saved");
    let own = ["--weights", "own.safetensors"];
    let ran = program.run(&[&["classify", "--jsonl", "-k", "1", "new.png"][..], &own].concat());
    assert_eq!(ran.rows()[0]["predictions"][0]["label"], "gelb", "{ran:?}");
    // Everything is under a score that no picture reaches.
    let unsure = ["classify", "--jsonl", "--threshold", "1", "new.png"];
    let ran = program.run(&[&unsure[..], &own].concat());
    assert_eq!(
        ran.rows()[0]["predictions"][0]["label"],
        "unknown",
        "{ran:?}"
    );
    let ran = program.run(&[&["grep", "gelb", "new.png", "pictures"][..], &own].concat());
    assert!(ran.text().lines().any(|line| line == "new.png"), "{ran:?}");
    let ran = program.run(&[&["summary", "--json"][..], &own].concat());
    assert_eq!((&ran.json()["size"], ran.code), (&64.into(), Some(0)));
    let half = [
        "convert",
        "own.safetensors",
        "--dtype",
        "f16",
        "-o",
        "half.safetensors",
    ];
    assert_eq!(program.run(&half).code, Some(0));
    let half = Checkpoint::open(program.path("half.safetensors"), &LoadOptions::default());
    let own = Checkpoint::open(program.path("own.safetensors"), &LoadOptions::default());
    let (half, own) = (half.expect("a checkpoint"), own.expect("a checkpoint"));
    assert!(half.rejection() == own.rejection() && half.labels() == own.labels());
    // It says how its pictures were seen.
    let squashed = run(
        &program,
        &["-o", "squashed.safetensors", "--crop", "squash"],
    );
    assert_eq!(squashed.code, Some(0));
    let squashed = Checkpoint::open(
        program.path("squashed.safetensors"),
        &LoadOptions::default(),
    );
    let squashed = squashed.expect("a checkpoint");
    assert_ne!(squashed.preprocessing(), own.preprocessing());
    // And it can be learned from in its turn, as a network that has other classes.
    let again = [
        "learn",
        "pictures",
        "--weights",
        "own.safetensors",
        "-o",
        "again.safetensors",
        "--device",
        "cpu",
    ];
    assert_eq!(program.run(&again).code, Some(0));
    let bytes = |name: &str| std::fs::read(program.path(name)).expect("written");
    let (_, learned) = learned_by_hand(
        &program,
        &[("a b,\"c\"\n", 14), ("blau", 10), ("gelb", 12)],
        2,
    );
    let written = tensors(program.path("again.safetensors"));
    assert_eq!(floats(&written["conv_preds.bias"]), floats(&learned.bias));
    // The same pictures and options, the same bytes.
    for (threads, batch) in [("1", "1"), ("3", "2"), ("2", "7")] {
        let ran = run(
            &program,
            &["-o", "twin.safetensors", "-j", threads, "-b", batch],
        );
        assert_eq!(ran.code, Some(0));
        assert!(
            bytes("twin.safetensors") == bytes("own.safetensors"),
            "{threads} threads"
        );
    }
    let other = run(&program, &["-o", "twin.safetensors", "--seed", "1"]);
    assert_eq!(other.code, Some(0));
}

#[test]
fn the_report_says_what_was_learned_and_what_is_not_known() {
    let program = Program::new();
    folders(&program, &[("one", 12), ("two", 11), ("three", 1)]);
    let ran = run(&program, &["-o", "own.safetensors", "--reject", "0.1"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for part in [
        "class  pictures   recall  rejected",
        "three         1        -         -",
        "5-fold",
    ] {
        assert!(ran.text().contains(part), "{}", ran.text());
    }
    assert!(
        ran.stderr.contains("only one picture") && ran.stderr.contains("three"),
        "{}",
        ran.stderr
    );
    let ran = run(
        &program,
        &["-o", "own.safetensors", "--reject", "0.01", "--json"],
    );
    assert!(
        ran.stderr.contains("at least 99 pictures, and 23 were"),
        "{}",
        ran.stderr
    );
    let report = ran.json();
    assert_eq!(
        (report["rejection"].is_null(), &report["held_out"]),
        (true, &23.into())
    );
    let ran = run(
        &program,
        &["-o", "own.safetensors", "--reject", "0", "--quiet"],
    );
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert!(ran.text().contains("nothing is rejected"), "{}", ran.text());

    let program = Program::new();
    folders(&program, &[("one", 1), ("two", 1)]);
    let ran = run(&program, &["-o", "own.safetensors"]);
    assert_eq!(ran.code, Some(0));
    assert!(
        ran.stderr.contains("the regularisation is a guess"),
        "{}",
        ran.stderr
    );
    let report = run(&program, &["-o", "own.safetensors", "--json"]).json();
    assert!(report["accuracy"].is_null() && report["classes"][0]["recall"].is_null());
}

#[test]
fn a_picture_that_cant_be_read_is_left_out_and_told() {
    let program = Program::new();
    folders(&program, &CLASSES);
    program.file("pictures/blau/broken.png", "no picture");
    let ran = run(&program, &["-o", "own.safetensors", "--json"]);
    assert_eq!((ran.code, &ran.json()["failed"]), (Some(2), &1.into()));
    assert!(
        ran.stderr.contains("pictures/blau/broken.png: "),
        "{}",
        ran.stderr
    );
    let (_, learned) = learned_by_hand(
        &program,
        &[("a b,\"c\"\n", 14), ("blau", 10), ("gelb", 12)],
        2,
    );
    let written = tensors(program.path("own.safetensors"));
    assert_eq!(floats(&written["conv_preds.bias"]), floats(&learned.bias));
    // A class of which nothing is left is not left out without being asked.
    std::fs::create_dir(program.path("pictures/lost")).expect("a folder");
    program.file("pictures/lost/a.png", "no picture");
    run(&program, &["-o", "other.safetensors"]).refused(&["lost", "nothing was written"]);
    assert!(!program.path("other.safetensors").exists());
}

#[test]
fn what_cant_be_learned_is_refused_before_anything_takes_long() {
    let program = Program::new();
    folders(&program, &[("only", 3)]);
    run(&program, &["-o", "own.safetensors"]).refused(&["only", "one class alone", "add a folder"]);
    std::fs::create_dir(program.path("pictures/empty")).expect("a folder");
    run(&program, &["-o", "own.safetensors"])
        .refused(&["no pictures in empty", "remove the folder"]);
    std::fs::remove_dir(program.path("pictures/empty")).expect("removed");
    folders(&program, &[("one", 3), ("two", 3)]);
    let picture = program.path("pictures/one/000.png");
    let bytes = |path: &Path| std::fs::read(path).expect("still there");
    let before = bytes(&picture);
    for (output, part) in [
        ("absent/own.safetensors", "there is no folder absent"),
        ("pictures", "is a folder"),
        ("pictures/one/000.png", "is a picture"),
        ("backbone.safetensors", "it would replace"),
        ("-", "-o FILE"),
    ] {
        run(&program, &["-o", output]).refused(&[output, part]);
    }
    assert_eq!(bytes(&picture), before);
    let folder = program.path("folder");
    std::fs::create_dir(&folder).expect("a folder");
    std::fs::copy(
        program.path("backbone.safetensors"),
        folder.join("model.safetensors"),
    )
    .expect("copied");
    let inside = [
        "learn",
        "pictures",
        "--weights",
        "folder",
        "-o",
        "folder/model.safetensors",
    ];
    program.run(&inside).refused(&["it would replace"]);
    let weights = program.path("backbone.safetensors");
    for (folder, part) in [
        ("absent", "absent"),
        ("backbone.safetensors", "not a folder"),
        ("pictures/one", "no folders"),
    ] {
        let arguments = [
            "learn",
            folder,
            "-o",
            "own.safetensors",
            "--weights",
            arg(&weights),
        ];
        program.run(&arguments).refused(&[part]);
    }
    for (option, value) in [
        ("--folds", "1"),
        ("--reject", "1"),
        ("--reject", "-0.1"),
        ("--reject", "nan"),
    ] {
        let ran = run(
            &program,
            &["-o", "own.safetensors", &format!("{option}={value}")],
        );
        ran.refused(&[option]);
    }
    assert!(!program.path("own.safetensors").exists());
}
