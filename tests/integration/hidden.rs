//! Heads of more than one layer (`tests/data/heads/make_hidden.py`), on every engine and in every command.

use candle_core::{DType, Device, Tensor};
use mobilenet::Head;
use mobilenet::explain::Explainer;
use mobilenet::model::{HiddenActivation, HiddenLayer, MobileNet, Pool, Precision};
use mobilenet::pixels::{Pixels, RgbImage, to_bytes};
use mobilenet::quantise::quantise;
use mobilenet::weights::{Checkpoint, LoadOptions, SaveOptions};

use crate::support::{Program, arg, data, floats, image, largest_difference, repository, tensors};

const TOLERANCE: f32 = 2e-4;

const FIXTURES: [&str; 6] = ["relu", "keras2_relu", "many", "convolved", "norm", "max"];

fn open(name: &str) -> Checkpoint {
    let path = data("heads").join(format!("{name}.keras"));
    Checkpoint::open(path, &LoadOptions::default()).expect(name)
}

/// What Keras says of a fixture.
fn golden(name: &str, part: &str) -> Vec<f32> {
    let (file, name) = match name.strip_prefix("keras2_") {
        Some(name) => ("hidden2", name),
        None => ("hidden", name),
    };
    let golden = tensors(data("heads").join(format!("{file}.golden.safetensors")));
    floats(&golden[&format!("{name}.{part}")])
}

/// The pictures that all of them were shown.
fn pictures() -> Vec<RgbImage> {
    let golden = tensors(data("heads/hidden.golden.safetensors"));
    let pictures = &golden["input"];
    let pictures = (0..2).map(|i| image(&pictures.get(i).expect("a picture")));
    pictures.collect()
}

fn pixels() -> Tensor {
    to_bytes(&pictures(), &Device::Cpu).expect("pixels")
}

fn network(checkpoint: &Checkpoint, precision: impl Into<Precision>) -> MobileNet {
    checkpoint
        .network(&Device::Cpu, precision)
        .expect("a network")
}

fn logits(network: &MobileNet) -> Vec<f32> {
    floats(&network.forward(&pixels()).expect("logits"))
}

#[test]
fn heads_give_keras_answers() {
    for name in FIXTURES {
        let network = network(&open(name), DType::F32);
        let off = largest_difference(&logits(&network), &golden(name, "logits"));
        assert!(off < TOLERANCE, "{name}: off by {off}");
        let embedding = network.embed(&pixels()).expect("embeddings");
        let off = largest_difference(&floats(&embedding), &golden(name, "pooled"));
        assert!(off < TOLERANCE, "{name}: the pool is off by {off}");
    }
}

#[test]
fn what_a_head_is_made_of_is_known() {
    let hidden = |name: &str| open(name).config().hidden.clone();
    let layer = |units, activation| HiddenLayer { units, activation };
    let relu = layer(10, HiddenActivation::Relu);
    for name in ["relu", "keras2_relu", "convolved"] {
        assert_eq!(hidden(name), [relu], "{name}");
    }
    assert_eq!(
        hidden("many"),
        [
            layer(9, HiddenActivation::Gelu),
            layer(8, HiddenActivation::Relu6),
            layer(8, HiddenActivation::Elu(1.0)),
            layer(7, HiddenActivation::Selu),
            layer(7, HiddenActivation::LeakyRelu(0.1)),
            layer(6, HiddenActivation::LeakyRelu(0.2)),
            layer(6, HiddenActivation::Elu(0.5)),
            layer(6, HiddenActivation::Silu),
            layer(6, HiddenActivation::Tanh),
            layer(6, HiddenActivation::Linear),
            layer(6, HiddenActivation::Sigmoid),
        ]
    );
    // Folded.
    assert!(hidden("norm").is_empty());
    let max = open("max");
    assert_eq!((max.config().pool, max.head()), (Pool::Max, Head::Sigmoid));
    assert!(max.config().hidden.is_empty());
}

/// A head is the same f32 everywhere, whatever the rest of the network is computed in.
#[test]
fn every_engine_has_the_same_head() {
    for name in FIXTURES {
        let checkpoint = open(name);
        let weights = checkpoint
            .weights(&Device::Cpu, DType::F32)
            .expect("weights");
        let builder = MobileNet::builder(checkpoint.config(), &weights);
        for (engine, network) in [
            ("composed", builder.build_composed()),
            ("channels last", builder.build_channels_last()),
        ] {
            let network = network.expect(engine);
            let off = largest_difference(&logits(&network), &golden(name, "logits"));
            assert!(off < TOLERANCE, "{name}, {engine}: off by {off}");
        }
        let plain = network(&checkpoint, DType::F32);
        for precision in [Precision::from(DType::BF16), Precision::Int8] {
            let network = network(&checkpoint, precision);
            let embeddings = network.embed(&pixels()).expect("embeddings");
            let of = |network: &MobileNet| {
                floats(&network.classify_embedding(&embeddings).expect("logits"))
            };
            if !checkpoint.config().has_plain_head() {
                assert_eq!(of(&network), of(&plain), "{name} in {precision}");
                assert_eq!(logits(&network), of(&network), "{name} in {precision}");
            }
        }
    }
}

#[test]
fn an_answer_does_not_depend_on_batch_or_threads() {
    for name in ["many", "max"] {
        let network = network(&open(name), DType::F32);
        let all = logits(&network);
        let one = pixels().narrow(0, 1, 1).expect("one");
        let one = floats(&network.forward(&one).expect("logits"));
        assert_eq!(all[3..], one);
        assert_eq!(logits(&network.with_threads(1)), all);
    }
}

/// Our own files keep all of it, bit for bit where nothing is rounded.
#[test]
fn what_is_written_answers_as_what_was_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("head.safetensors");
    for name in FIXTURES {
        let before = open(name);
        let want = logits(&network(&before, DType::F32));
        for (options, most) in [
            (SaveOptions::default(), 0.0),
            (SaveOptions::default().with_fold_batch_norm(true), 1e-4),
            (SaveOptions::default().with_dtype(DType::F16), 0.1),
        ] {
            before.save_as(&path, &options).expect("saved");
            let after = Checkpoint::open(&path, &LoadOptions::default()).expect("opened");
            let kept = (&after.config().hidden, after.config().pool, after.head());
            let had = (&before.config().hidden, before.config().pool, before.head());
            assert_eq!(kept, had);
            let off = largest_difference(&logits(&network(&after, DType::F32)), &want);
            assert!(off <= most, "{name}, {options:?}: off by {off}");
        }
        // A reader that knows nothing of hidden layers names their tensors; of the pool it has to be told.
        let version = if name == "max" { 2 } else { 1 };
        let text = before.description(&SaveOptions::default()).expect("JSON");
        assert!(text.contains(&format!("\"version\": {version}")), "{text}");
    }
}

#[test]
fn files_in_eight_bits_keep_the_head_in_floats() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("int8.safetensors");
    for name in ["relu", "many", "max"] {
        let before = open(name);
        let inputs: Vec<Pixels> = pictures().into_iter().map(Pixels::from).collect();
        let integers = quantise(&before, &inputs).expect("a checkpoint");
        integers.save(&path).expect("saved");
        let after = Checkpoint::open(&path, &LoadOptions::default()).expect("opened");
        assert_eq!(after.config().hidden, before.config().hidden);
        assert_eq!(after.config().pool, before.config().pool);
        let plain = network(&before, DType::F32);
        let network = network(&after, Precision::Int8);
        let embeddings = network.embed(&pixels()).expect("embeddings");
        let of =
            |network: &MobileNet| floats(&network.classify_embedding(&embeddings).expect("logits"));
        assert_eq!(of(&network), of(&plain), "{name}");
        assert_eq!(logits(&network), of(&network), "{name}");
        // Another last layer takes the place of all of the head.
        let weight = Tensor::zeros((2, 35), DType::F32, &Device::Cpu).expect("a tensor");
        let bias = Tensor::new(&[0f32, 1.0], &Device::Cpu).expect("a tensor");
        for checkpoint in [before, after] {
            let labels = vec!["a".into(), "b".into()];
            let learned = checkpoint
                .with_classifier(&weight, &bias, labels)
                .expect("a checkpoint");
            assert!(learned.config().hidden.is_empty());
            learned.save(&path).expect("saved");
            Checkpoint::open(&path, &LoadOptions::default()).expect("opened");
        }
    }
}

/// The maps of hidden layers are weighted by Keras's gradients, and add up to the logit with the bias.
#[test]
fn maps_are_weighted_by_gradients() {
    let picture = &pictures()[0];
    for name in ["relu", "keras2_relu", "many", "convolved", "norm"] {
        let checkpoint = open(name);
        let network = network(&checkpoint, DType::F32);
        let explainer = Explainer::new(&checkpoint, &network).expect("an explainer");
        let explanation = explainer.explain(picture).expect("an explanation");
        let one = pixels().narrow(0, 0, 1).expect("one");
        let features = network.features(&one).expect("features");
        let places = features.dim(2).expect("rows") * features.dim(3).expect("columns");
        let features = floats(&features);
        let gradients = golden(name, "gradient");
        let channels = gradients.len() / 3;
        for (class, gradient) in gradients.chunks_exact(channels).enumerate() {
            let map = explanation.map(class).expect("a map");
            let at = |place: usize| {
                let features = features.iter().skip(place).step_by(places);
                gradient
                    .iter()
                    .zip(features)
                    .map(|(g, f)| g * f)
                    .sum::<f32>()
            };
            let want: Vec<f32> = (0..places).map(at).collect();
            let off = largest_difference(&map.values, &want);
            assert!(off < 1e-3, "{name}, class {class}: off by {off}");
            let mean = map.values.iter().sum::<f32>() / places as f32;
            assert!((mean + map.bias - map.logit).abs() < 1e-4);
            let logit = golden(name, "logits")[class];
            assert!((map.logit - logit).abs() < TOLERANCE);
        }
    }
    let max = open("max");
    let error = Explainer::new(&max, &network(&max, DType::F32)).expect_err("a pool of its own");
    assert!(
        error.to_string().contains("takes the largest value"),
        "{error}"
    );
}

#[test]
fn commands_make_sense_of_them_or_say_why_not() {
    let program = Program::new();
    let file = |name: &str| {
        let bytes = std::fs::read(data("heads").join(format!("{name}.keras"))).expect(name);
        program.file(&format!("{name}.keras"), bytes)
    };
    let (relu, max) = (file("relu"), file("max"));
    let cat = repository("samples/cat.jpg");
    let (relu, max, cat) = (arg(&relu), arg(&max), arg(&cat));

    let summary = program.run(&["summary", "--weights", relu]);
    for row in ["hidden_1 ", "hidden_1_activation", "conv_preds", "360"] {
        assert!(summary.text().contains(row), "{}", summary.text());
    }
    let summary = program.run(&["summary", "--weights", max]);
    assert!(
        summary.text().contains("GlobalMaxPooling2D"),
        "{}",
        summary.text()
    );

    let classify = ["classify", "--json", "--top-k", "3", cat, "--weights"];
    let answered = program.run(&[&classify[..], &[relu]].concat()).json();
    let converted = program.run(&["convert", relu, "-o", "ours.safetensors"]);
    assert_eq!(converted.code, Some(0), "{}", converted.stderr);
    let same = program.run(&[&classify[..], &["ours.safetensors"]].concat());
    assert_eq!(same.json(), answered);

    let explained = program.run(&["explain", "--json", cat, "--weights", relu]);
    assert_eq!(explained.code, Some(0), "{}", explained.stderr);
    program
        .run(&["explain", "--json", cat, "--weights", max])
        .refused(&["max.keras", "takes the largest value"]);

    for class in ["0", "1", "2"] {
        std::fs::create_dir_all(program.path(&format!("train/{class}"))).expect("a folder");
        for number in 0..2 {
            let picture = std::fs::read(cat).expect("a picture");
            program.file(&format!("train/{class}/{number}.jpg"), picture);
        }
    }
    let train = [
        "train",
        "train",
        "-o",
        "trained.safetensors",
        "--epochs",
        "1",
        "--weights",
    ];
    program
        .run(&[&train[..], &[max]].concat())
        .refused(&["takes the largest values"]);
}
