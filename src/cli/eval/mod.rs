//! `mobilenet eval`

mod folders;
mod names;
mod report;
mod tables;
mod text;
mod truth;

use std::ffi::{OsStr, OsString};
use std::io::{BufWriter, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Args;
use mobilenet::Classifier;
use mobilenet::metrics::Evaluation;

use self::folders::FolderOrder;
use self::report::EvalReport;
use self::tables::{Confusion, Predictions};
use self::truth::LabelledPictures;
use super::options::{
    FolderOptions, LabelOptions, NetworkOptions, ReportOptions, STDIN, check_shares,
};
use super::output::{Format, Offered, formats, write_report};
use super::session::Session;
use super::stdout::Stdout;
use super::terminal::Terminal;
use super::{Global, Outcome, files};

/// Measure how good a network is on pictures whose classes are known
///
/// A class is named by its label, by one of the names in an ImageNet label, by its WordNet id or
/// by its index (ImageNet's are 0 to 999, as everywhere in this program; the ILSVRC2012_ID of the
/// development kit is something else). What is called `unknown`, where no class is, are pictures
/// of other things.
///
/// Accuracy, precision, recall and F1 are scikit-learn's, of what `classify` answers: where a checkpoint can answer
/// `unknown`, that is right for pictures of other things, and wrong for all others. If it can't, pictures of other things count
/// for nothing. Log loss, scikit-learn's too, and the calibration error, that
/// of Guo et al. 2017 with 15 bins of the top score, are of the scores of its classes' pictures, rejected or not. The macro
/// average is over the classes that occur, in truth or in predictions, and `unknown` where there are pictures of other things;
/// the weighted one counts a class as often as it has pictures. A run that is stopped prints and
/// writes nothing.
#[derive(Debug, Args)]
#[command(override_usage = "mobilenet eval [OPTIONS] DIR\n       \
                            mobilenet eval [OPTIONS] --list FILE [DIR]")]
#[command(mut_arg("format", |arg| arg
    .help("Format of the figures; csv has a line per class")
    .value_parser(formats(FORMATS))
    .help_heading("Output")))]
#[command(mut_arg("json", |arg| arg.help_heading("Output")))]
pub struct Arguments {
    /// A folder that has a folder for each class, named after it; with --list, where relative paths
    /// start
    #[arg(value_name = "DIR", required_unless_present = "list")]
    folder: Option<PathBuf>,

    /// Pictures and their classes in a file (`-` is stdin): CSV, or separated by semicolons, tabs or spaces;
    /// `path,label`, or more columns under a header (Kaggle's lists, too); paths alone, whose folders are called
    /// after the classes; the numbers of ImageNet's development kit. Files' endings may be left out. Relative
    /// paths start from DIR, else from the file's own folder (for stdin and pipes from the working directory)
    #[arg(long, value_name = "FILE", help_heading = "Pictures")]
    list: Option<OsString>,

    /// What folders mean whose names are all numbers, where no class is called so
    #[arg(
        long,
        value_name = "ORDER",
        conflicts_with = "list",
        help_heading = "Pictures"
    )]
    folders: Option<FolderOrder>,

    #[command(flatten)]
    selected: FolderOptions,

    #[command(flatten)]
    report: ReportOptions,

    /// Show all classes, not only the worst and the best
    #[arg(long, help_heading = "Output")]
    all: bool,

    /// Write the confusion matrix as a table (.csv) or a picture (.png), with a class `unknown` for
    /// rejected pictures; may be repeated. An existing .png is replaced only if this program drew it
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    confusion: Vec<PathBuf>,

    /// Write the answer to each picture as CSV
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    predictions: Option<PathBuf>,

    #[command(flatten)]
    labels: LabelOptions,

    #[command(flatten)]
    network: NetworkOptions,
}

/// What `eval` offers.
const FORMATS: &[Offered] = &[(Format::Text, ""), (Format::Json, ""), (Format::Csv, "")];

impl Arguments {
    /// Refuses outputs that would replace what is read.
    fn check_outputs(&self, outputs: &[&Path]) -> Result<()> {
        let list = self.list.as_deref().map(Path::new);
        files::protect(outputs, self.labels.file().into_iter().chain(list))?;
        for (i, &output) in outputs.iter().enumerate() {
            let shown = output.display();
            ensure!(
                !outputs[..i].contains(&output),
                "{shown}: it is named twice"
            );
            if let (Some(pictures), None) = (&self.folder, &self.list) {
                files::refuse_among(pictures, output)?;
            }
        }
        Ok(())
    }

    /// What names the pictures, for messages.
    fn source(&self) -> String {
        let list = self.list.as_deref().map(|list| {
            if list == STDIN {
                OsStr::new("stdin")
            } else {
                list
            }
        });
        let folder = self.folder.as_ref().map(|folder| folder.as_os_str());
        let source = list.or(folder).unwrap_or_default();
        source.to_string_lossy().into_owned()
    }
}

pub fn run(arguments: &Arguments, global: Global) -> Result<Outcome> {
    // What is quick to fail comes first.
    let confusion = arguments.confusion.iter().map(|path| Confusion::new(path));
    let confusion: Vec<Confusion> = confusion.collect::<Result<_>>()?;
    let outputs = arguments.confusion.iter().chain(&arguments.predictions);
    let outputs: Vec<&Path> = outputs.map(PathBuf::as_path).collect();
    ensure!(
        arguments.list.is_none() || !arguments.selected.are_used(),
        "--include, --exclude and --hidden choose among the files of a folder, and --list names each picture"
    );
    arguments.check_outputs(&outputs)?;
    let predictions = arguments.predictions.as_deref().map(Predictions::new);
    let mut predictions = predictions.transpose()?;

    let network = arguments.network.open(&outputs, global)?;
    let classifier = Arc::new(network.classifier(&arguments.labels)?);
    check_shares(&classifier, "eval")?;
    let classes = classifier.labels().classes();
    let lookup = classifier.labels().lookup();
    let pictures = match (&arguments.list, &arguments.folder) {
        (Some(list), root) => {
            LabelledPictures::in_list(list, root.as_deref(), lookup, &outputs, global)?
        }
        (None, Some(folder)) => {
            let selection = arguments.selected.selection();
            let order = arguments.folders;
            LabelledPictures::in_folders(folder, &selection, &lookup, classes.len(), order)?
        }
        (None, None) => anyhow::bail!("no pictures: mobilenet eval DIR"),
    };
    let provenance = network.provenance();
    let (inputs, truths) = pictures.split(&arguments.source())?;
    let pipeline = network.pipeline(classifier.clone());
    let session = Session::new(inputs, false, pipeline, global).with_answers_elsewhere();

    let mut evaluation = Evaluation::new(classes.len());
    let begin = Instant::now();
    let tally = session.run(|answer| {
        let truth = truths.next()?;
        let scores = answer.values.as_ref();
        let rejected = scores.is_ok_and(|scores| classifier.rejects(scores, None));
        if let Ok(scores) = scores {
            let name = || answer.name.to_string_lossy().into_owned();
            let added = evaluation.add_in_order(scores, &answer.order, truth, rejected);
            added.with_context(name)?;
        }
        if let Some(predictions) = &mut predictions {
            let rejects = classifier.rejection().is_some();
            predictions.row(answer, classes, truth, rejects.then_some(rejected))?;
        }
        Ok(ControlFlow::Continue(()))
    })?;
    if tally.interrupted {
        return Ok(tally.outcome());
    }
    truths.end()?;

    let speed = (tally.answered + tally.failed) as f64 / begin.elapsed().as_secs_f64();
    let report = EvalReport::new(&evaluation, &classifier, tally.failed, speed, provenance);
    // The files first: whoever reads the report may not wait for its end. Where one of them can't
    // be written there is still the report.
    let written = write_files(confusion, predictions, &evaluation, &classifier);
    let mut out = BufWriter::new(Stdout::new());
    match arguments.report.format() {
        Format::Json => write_report(&mut out, &report)?,
        Format::Csv => tables::write_classes(&mut out, &report)?,
        _ => {
            let terminal = Terminal::of_stdout();
            text::write(&mut out, &report, classes, terminal, arguments.all)?;
        }
    }
    out.flush()?;
    written?;
    Ok(tally.outcome())
}

fn write_files(
    confusion: Vec<Confusion>,
    predictions: Option<Predictions>,
    evaluation: &Evaluation,
    classifier: &Classifier,
) -> Result<()> {
    for confusion in confusion {
        confusion.write(evaluation, classifier)?;
    }
    predictions.map_or(Ok(()), Predictions::finish)
}
