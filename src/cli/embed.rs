//! `mobilenet embed`

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, ensure};
use clap::Args;
use mobilenet::similarity::normalise;

use super::options::PictureOptions;
use super::output::{EmbeddingRows, End, Format, Row, VectorOptions};
use super::session::Session;
use super::{Global, Outcome};

/// Print an embedding of each picture: what the network makes of it before it decides on a class
#[derive(Debug, Args)]
#[command(after_help = "\
An embedding is the global average pool of the last block: int(1024 * alpha) numbers, none of them \
negative, that are alike for pictures that look alike. Hidden layers of a checkpoint come after it, and \
count for nothing here; nor does it need a classifier. Rows are in the order of the pictures; one that \
can't be read keeps its place: null in jsonl, empty in csv, NaN in npy and safetensors. npy in a pipe, and safetensors, are written at the end; a file of \
npy can be loaded when the run is over, also one that Ctrl-C has stopped.")]
pub struct Arguments {
    /// Divide each embedding by its length (L2 norm)
    #[arg(long)]
    normalize: bool,

    /// Add to each JSON row what answered: the weights and their SHA-256, recipe, device, version
    #[arg(long, help_heading = "Output")]
    provenance: bool,

    #[command(flatten)]
    output: VectorOptions,

    #[command(flatten)]
    pictures: PictureOptions,
}

pub fn run(arguments: &Arguments, global: Global) -> Result<Outcome> {
    let (output, pictures) = (&arguments.output, &arguments.pictures);
    ensure!(
        !arguments.provenance || output.format() == Format::Jsonl,
        "--provenance is for --format jsonl; safetensors tell it always"
    );
    output.validate()?;
    // First, because it is quick to fail.
    let inputs = pictures.inputs()?;
    let files: Vec<&Path> = output.files().collect();
    let network = pictures.open(&files, global)?;
    if !files.is_empty() || arguments.provenance {
        network.checkpoint.begin_sha256();
    }
    let embedder = Arc::new(network.embedder()?);
    let mut session = Session::new(
        inputs,
        pictures.sources.is_single(),
        network.pipeline(embedder),
        global,
    );
    if output.tells_failures() {
        session = session.with_failures_in_output();
    }
    if !output.is_on_stdout() {
        session = session.with_answers_elsewhere();
    }
    let provenance = arguments.provenance.then(|| network.provenance());
    let model = output.names_the_model().then(|| network.provenance());
    let kind = EmbeddingRows {
        width: network.checkpoint.config().embedding_len(),
        normalised: arguments.normalize,
        model: provenance.as_ref(),
    };
    let run = || {
        let mut run = network.run_facts();
        run["--normalize"] = arguments.normalize.into();
        run
    };
    let mut rows = output.begin(kind, model, run, global)?;
    if let Some((left, mut selection)) = rows.take_earlier() {
        session = session.after(left);
        session = session.filter(move |input| selection.wants(&input.name));
    }
    let tally = session.run(|answer| {
        let embedding = answer.values.as_ref().map(|values| {
            let mut values = values.clone();
            if arguments.normalize {
                normalise(&mut values);
            }
            values
        });
        rows.row(&Row {
            name: &answer.name,
            answer: embedding.as_deref().map_err(|error| *error),
            provenance: provenance.as_ref(),
            preview: answer.preview,
        })?;
        Ok(ControlFlow::Continue(()))
    });
    let finished = rows.finish(End::of(&tally));
    // What went wrong first is what there is to tell.
    let tally = tally?;
    finished?;
    pictures.tell_left_for_later(global);
    Ok(tally.outcome())
}
