//! Labels all pictures in a folder, on all cores: the library in a program of its own.
//!
//! ```console
//! $ cargo run --release --example label_folder -- weights/digits.safetensors samples/digits
//! ```
//! The answers are those of `mobilenet classify -k 1`.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use mobilenet::Classifier;
use mobilenet::dataset;
use mobilenet::pipeline::Pipeline;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let [weights, folder] = arguments.as_slice() else {
        return Err("usage: label_folder WEIGHTS FOLDER".into());
    };
    label(weights.as_ref(), folder.as_ref(), &mut io::stdout().lock())
}

/// Writes a line for each picture, in the order of their paths: the path, the label, the score.
pub fn label(
    weights: &Path,
    folder: &Path,
    out: &mut impl Write,
) -> Result<(), Box<dyn std::error::Error>> {
    let classifier = Arc::new(Classifier::open(weights)?);
    let pipeline = Pipeline::new(classifier.clone());
    for answer in pipeline.run(dataset::folder(folder)) {
        let answer = answer?;
        let name = answer.name.display();
        match &answer.values {
            Ok(scores) => {
                for best in classifier.top(scores, 1, None) {
                    writeln!(out, "{name}\t{}\t{:.4}", best.label, best.score)?;
                }
            }
            // One that can't be read costs no other its answer.
            Err(error) => eprintln!("{name}: {error}"),
        }
    }
    Ok(())
}
