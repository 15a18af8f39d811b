//! Small networks of random weights that Keras made, saved in every way that Keras saves, with
//! the answers that Keras gave (`tests/data/keras/make_keras.py`).

use mobilenet::model::Padding;
use mobilenet::ops::Activation;
use mobilenet::weights::{Checkpoint, LoadOptions};

use crate::support::{answer, data, floats, image, largest_difference, tensors};

/// Both compute in f32, in another order, and a small random network amplifies rounding: Keras's
/// own answers are up to 7e-5 from what f64 gives.
const TOLERANCE: f32 = 2.5e-4;

const TINY: [&str; 5] = [
    "tiny_tf.h5",
    "tiny_legacy.h5",
    "tiny_model.h5",
    "tiny.weights.h5",
    "tiny.keras",
];

fn open(file: &str) -> Checkpoint {
    Checkpoint::open(data("keras").join(file), &LoadOptions::default()).expect(file)
}

/// Compares logits and embedding for the inputs of a golden file.
fn check(checkpoint: &Checkpoint, golden: &str, inputs: &[&str]) {
    let golden = tensors(data("keras").join(golden));
    for name in inputs {
        let input = image(&golden[&format!("{name}.input")]);
        let (embedding, logits) = answer(checkpoint, &[input]);
        for (what, got) in [("embedding", embedding), ("logits", logits)] {
            let want = &golden[&format!("{name}.{what}")];
            let off = largest_difference(&floats(&got), &floats(want));
            let file = checkpoint.path().display();
            assert!(off < TOLERANCE, "{file}: {name}.{what} is off by {off}");
        }
    }
}

/// At 65, 97 and 64 pixels: odd sizes on the way down, where Keras's padding is not SAME.
#[test]
fn every_keras_file_gives_keras_answers() {
    for file in TINY {
        let checkpoint = open(file);
        let config = checkpoint.config();
        assert_eq!((config.alpha, config.classes), (0.05, Some(7)), "{file}");
        check(
            &checkpoint,
            "tiny.golden.safetensors",
            &["a", "b", "odd", "even"],
        );
    }
}

#[test]
fn without_the_classifier_the_answer_is_the_embedding() {
    let golden = tensors(data("keras/tiny.golden.safetensors"));
    let checkpoint = open("tiny_no_top_tf.h5");
    assert_eq!(checkpoint.config().classes, None);
    let (embedding, logits) = answer(&checkpoint, &[image(&golden["a.input"])]);
    let want = floats(&golden["a.embedding"]);
    assert!(largest_difference(&floats(&embedding), &want) < TOLERANCE);
    assert_eq!(floats(&logits), floats(&embedding));
}

/// Shallow, ReLU, symmetric padding and epsilon 1e-5, all read off the model's description.
#[test]
fn a_model_that_differs_in_everything_describes_itself() {
    let checkpoint = open("shallow.keras");
    let config = checkpoint.config();
    assert!(config.shallow);
    assert_eq!(config.activation, Activation::Relu);
    assert_eq!(config.padding, Padding::Symmetric);
    assert_eq!(config.batch_norm_epsilon, 1e-5);
    assert_eq!((config.alpha, config.classes), (0.1, Some(5)));
    assert_eq!(checkpoint.preprocessing().size, 64);
    check(&checkpoint, "shallow.golden.safetensors", &["a", "b"]);
}

/// Plain HDF5 weights say nothing of size and activation: the caller does.
#[test]
fn the_caller_states_what_the_file_does_not() {
    let path = data("keras/shallow_legacy.h5");
    let silent = Checkpoint::open(&path, &LoadOptions::default()).expect("a checkpoint");
    assert!(silent.config().shallow);
    assert_eq!(silent.config().activation, Activation::Relu6);
    assert_eq!(silent.preprocessing().size, 224);
    let options = LoadOptions::default()
        .with_size(96)
        .with_activation(Activation::Relu);
    let told = Checkpoint::open(&path, &options).expect("a checkpoint");
    assert_eq!(told.config().activation, Activation::Relu);
    assert_eq!(told.preprocessing().size, 96);
}

#[test]
fn an_activation_that_the_file_contradicts_is_an_error() {
    for (file, asked) in [
        ("shallow.keras", Activation::Relu6),
        ("tiny.keras", Activation::Relu),
    ] {
        let options = LoadOptions::default().with_activation(asked);
        let error = Checkpoint::open(data("keras").join(file), &options).expect_err(file);
        assert!(error.to_string().contains("activation is relu"), "{error}");
    }
}

/// Our safetensors keep everything: the same settings, and bit for bit the same answers.
#[test]
fn saving_and_opening_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let golden = tensors(data("keras/shallow.golden.safetensors"));
    let inputs = [image(&golden["a.input"])];
    for file in [
        "shallow.keras",
        "tiny.keras",
        "tiny_tf.h5",
        "tiny_no_top_tf.h5",
    ] {
        let before = open(file);
        let path = folder.path().join("saved.safetensors");
        before.save(&path).expect("saved");
        let after = Checkpoint::open(&path, &LoadOptions::default()).expect("opened");
        assert_eq!(before.config(), after.config());
        assert_eq!(before.preprocessing(), after.preprocessing());
        assert_eq!(before.source(), after.source());
        let (a, b) = (answer(&before, &inputs).1, answer(&after, &inputs).1);
        assert_eq!(floats(&a), floats(&b));
    }
}

/// A batch, and any number of threads, give bit for bit what one picture alone gives.
#[test]
fn answers_depend_on_neither_batch_nor_threads() {
    let golden = tensors(data("keras/tiny.golden.safetensors"));
    let inputs = ["a", "b", "a"].map(|name| image(&golden[&format!("{name}.input")]));
    let checkpoint = open("tiny.keras");
    let alone: Vec<f32> = inputs
        .iter()
        .flat_map(|input| floats(&answer(&checkpoint, std::slice::from_ref(input)).1))
        .collect();
    for threads in 1..=4 {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let together = pool
            .expect("a pool")
            .install(|| answer(&checkpoint, &inputs).1);
        assert_eq!(floats(&together), alone, "{threads} threads");
    }
}
