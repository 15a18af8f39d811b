//! What two pictures show, and how alike they are: the library in a program of its own.
//!
//! ```console
//! $ cargo run --release --example compare -- weights/digits.safetensors samples/digits/3-0.png samples/digits/3-1.png
//! ```

use std::path::Path;

use mobilenet::device::{self, DeviceChoice};
use mobilenet::pixels::{self, DecodeOptions};
use mobilenet::similarity::cosine;
use mobilenet::weights::{Checkpoint, LoadOptions};
use mobilenet::{Classifier, DType, Result};

/// How many labels of each picture are shown.
const TOP: usize = 3;

fn main() -> std::process::ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let [weights, a, b] = arguments.as_slice() else {
        eprintln!("usage: compare WEIGHTS PICTURE PICTURE");
        return 2.into();
    };
    match compare(weights.as_ref(), [a.as_ref(), b.as_ref()]) {
        Ok(()) => 0.into(),
        Err(error) => {
            eprintln!("compare: {error}");
            2.into()
        }
    }
}

fn compare(weights: &Path, paths: [&Path; 2]) -> Result<()> {
    // Any checkpoint that `mobilenet classify --weights` takes.
    let checkpoint = Checkpoint::open(weights, &LoadOptions::default())?;
    let device = device::open(DeviceChoice::Auto)?;
    let classifier = Classifier::new(&checkpoint, None, &device, DType::F32)?;

    let mut pictures = Vec::new();
    for path in paths {
        pictures.push(pixels::open(path, &DecodeOptions::default())?);
    }
    // Both in one batch; the answers are those that each has alone.
    let answers = classifier.classify(&pictures, TOP, None)?;
    for (path, predictions) in paths.iter().zip(&answers) {
        println!("{}", path.display());
        for prediction in predictions {
            println!("  {:.4}  {}", prediction.score, prediction.label);
        }
    }

    let embeddings = classifier.embedder().embeddings(&pictures)?;
    let similarity = cosine(&embeddings[0], &embeddings[1]);
    println!("similarity {similarity:.4}");
    Ok(())
}
