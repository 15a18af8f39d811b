//! `mobilenet classify`

use std::ffi::OsStr;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use clap::{Args, ValueEnum};
use mobilenet::labels::wordnet::Rollup;
use mobilenet::{Classifier, Prediction, digest};
use serde_json::Value;

use super::options::{
    LabelOptions, OpenedNetwork, PictureOptions, Provenance, check_shares, parse_probability,
};
use super::output::{End, Format, OutputOptions, PredictionRows, Row};
use super::session::Session;
use super::sorted::Sorted;
use super::{Global, Outcome, files};

/// Tell what pictures show: print the most probable labels of each
#[derive(Debug, Args)]
pub struct Arguments {
    /// Number of labels for each picture
    #[arg(short = 'k', long, default_value = "5", value_name = "N")]
    top_k: usize,

    /// Leave out labels whose score is below P. If none is left, a checkpoint that can reject pictures
    /// answers `unknown` [default: 0, 0.5 for a sigmoid of each class, or the checkpoint's own threshold]
    #[arg(long, value_name = "P", value_parser = parse_probability)]
    threshold: Option<f32>,

    /// Answer with the most specific WordNet group whose score is at least P [default P: 0.5]
    #[arg(long, value_name = "P", num_args = 0..=1, require_equals = true, default_missing_value = "0.5",
          value_parser = parse_probability, conflicts_with_all = ["top_k", "threshold"])]
    rollup: Option<f32>,

    /// Order of the answers: `score` has the surest first, and those without an answer last; all are kept until
    /// then [default: that of the pictures]
    #[arg(
        long,
        value_name = "ORDER",
        conflicts_with = "resume",
        help_heading = "Output"
    )]
    sort: Option<Order>,

    /// Add to each JSON row what answered: the weights and their SHA-256, recipe, device, version
    #[arg(long, help_heading = "Output")]
    provenance: bool,

    #[command(flatten)]
    output: OutputOptions,

    #[command(flatten)]
    labels: LabelOptions,

    #[command(flatten)]
    pictures: PictureOptions,
}

impl Arguments {
    /// Refuses `--rollup 0.9`, whose number is a picture's name to the shell's eyes and was meant otherwise.
    fn check_rollup(&self) -> Result<()> {
        let is_value = |path: &&OsStr| {
            let number = path.to_str().map(parse_probability);
            number.is_some_and(|number| number.is_ok()) && !Path::new(path).exists()
        };
        let value = self.pictures.sources.paths().find(is_value);
        if let (Some(_), Some(value)) = (self.rollup, value) {
            let value = value.display();
            bail!(
                "--rollup {value}: the number is taken for a picture, and there is none of this name; --rollup={value} \
                 is what is meant"
            );
        }
        Ok(())
    }

    /// What the rows depend on.
    fn run_facts(&self, network: &OpenedNetwork, classifier: &Classifier) -> Value {
        let mut run = network.run_facts();
        let labels = classifier.labels().classes().iter();
        let labels = labels.map(|class| class.label.as_str());
        run["labels sha256"] =
            digest::sha256(labels.collect::<Vec<_>>().join("\n").as_bytes()).into();
        match self.rollup {
            Some(least) => run["--rollup"] = least.into(),
            None => run["--top-k"] = self.top_k.into(),
        }
        run["--threshold"] = self.threshold.into();
        run
    }
}

/// `--sort`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Order {
    Score,
}

/// What is told of a picture's scores.
enum Answer<'a> {
    /// The most probable labels.
    Top {
        classifier: &'a Classifier,
        top_k: usize,
        threshold: Option<f32>,
    },
    /// The most specific group that is likely enough, if there is one.
    Group { rollup: Rollup, least: f32 },
}

impl<'a> Answer<'a> {
    fn new(arguments: &Arguments, classifier: &'a Classifier) -> Result<Self> {
        let Some(least) = arguments.rollup else {
            return Ok(Self::Top {
                classifier,
                top_k: arguments.top_k,
                threshold: arguments.threshold,
            });
        };
        check_shares(classifier, "--rollup")?;
        let rollup = Rollup::new(classifier.labels());
        ensure!(
            !rollup.is_empty(),
            "--rollup needs ImageNet's classes, and the network has others"
        );
        Ok(Self::Group { rollup, least })
    }

    /// Equal scores go by their order.
    fn of(&self, scores: &[f32], order: &[f32]) -> Vec<Prediction> {
        match self {
            Self::Top {
                classifier,
                top_k,
                threshold,
            } => classifier.top_in_order(scores, order, *top_k, *threshold),
            Self::Group { rollup, least } => {
                let group = rollup.of(scores, *least).map(|group| Prediction {
                    index: group.index,
                    wnid: Some(group.wnid.to_owned()),
                    label: group.label.to_owned(),
                    score: group.score,
                });
                group.into_iter().collect()
            }
        }
    }

    /// What the rows of all pictures are like.
    fn rows(&self, model: Option<&'a Provenance>, labels_only: bool) -> PredictionRows<'a> {
        let (most, classes) = match self {
            Self::Top {
                classifier, top_k, ..
            } => (*top_k, Some(classifier.labels().classes())),
            Self::Group { .. } => (1, None),
        };
        PredictionRows {
            most,
            classes,
            model,
            labels_only,
        }
    }
}

pub fn run(arguments: &Arguments, global: Global) -> Result<Outcome> {
    let (output, pictures) = (&arguments.output, &arguments.pictures);
    ensure!(
        !arguments.provenance || matches!(output.format(), Format::Json | Format::Jsonl),
        "--provenance is for --json and --jsonl: other formats have no room for it"
    );
    output.validate()?;
    arguments.check_rollup()?;
    // First, because it is quick to fail.
    let inputs = pictures.inputs()?;
    let file = output.file();
    files::protect(file.as_slice(), arguments.labels.file())?;
    let network = pictures.open(file.as_slice(), global)?;
    if file.is_some() || arguments.provenance {
        network.checkpoint.begin_sha256();
    }
    let classifier = Arc::new(network.classifier(&arguments.labels)?);
    let provenance = arguments.provenance.then(|| network.provenance());
    let pipeline = network.pipeline(classifier.clone());
    let mut session = Session::new(inputs, pictures.sources.is_single(), pipeline, global);
    // A structured row carries its error; text has only stderr for it.
    if output.format() != Format::Text {
        session = session.with_failures_in_output();
    }
    if file.is_some() {
        session = session.with_answers_elsewhere();
    }
    let answers = Answer::new(arguments, &classifier)?;
    let mut rows = output.begin(
        answers.rows(provenance.as_ref(), output.is_labels_only()),
        || arguments.run_facts(&network, &classifier),
        global,
    )?;
    if let Some((left, mut selection)) = rows.take_earlier() {
        session = session.after(left);
        session = session.filter(move |input| selection.wants(&input.name));
    }
    let mut sorted = arguments.sort.map(|Order::Score| Sorted::default());
    let tally = session.run(|answer| {
        let predictions = answer
            .values
            .as_ref()
            .map(|scores| answers.of(scores, &answer.order));
        if let Some(sorted) = &mut sorted {
            sorted.add(answer, predictions);
            return Ok(ControlFlow::Continue(()));
        }
        rows.row(&Row {
            name: &answer.name,
            answer: predictions.as_deref().map_err(|error| *error),
            provenance: provenance.as_ref(),
            preview: answer.preview,
        })?;
        Ok(ControlFlow::Continue(()))
    });
    let written = sorted.map_or(Ok(()), |sorted| {
        sorted.write(provenance.as_ref(), |row| rows.row(row))
    });
    // An array is closed even where the network gave up in the middle of it, and what went wrong
    // first is what there is to tell.
    let finished = rows.finish(End::of(&tally));
    let tally = tally?;
    written?;
    finished?;
    pictures.tell_left_for_later(global);
    Ok(tally.outcome())
}
