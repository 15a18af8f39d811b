//! The arguments of `learn`.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;
use mobilenet::dataset::{Error as DatasetError, Labelled};
use mobilenet::learn::{LearnOptions, Lesson};

use crate::cli::options::{FolderOptions, NetworkOptions, ReportOptions};

/// Learn classes of your own from a folder of pictures for each
///
/// The network stays as it is and gets another last layer, in the place of the one it has and of hidden
/// ones: a logistic regression on its embeddings of the pictures and of their mirror images. What is written is a checkpoint like
/// any other: `mobilenet classify --weights FILE`. A few dozen pictures a class are enough. A
/// picture that is unlike those that were learned from has low scores, and is `unknown` where
/// they are too low. How well that goes is measured on pictures held out from DIR: near copies among
/// them, such as frames of a film, make it look better than it is.
///
/// The checkpoint keeps the embeddings of the pictures, so that classes can be added (--add) and removed (--remove) without
/// the pictures of the others: what comes of it is what learning all at once gives.
#[derive(Debug, Args)]
#[command(override_usage = "mobilenet learn [OPTIONS] DIR -o FILE\n       \
                            mobilenet learn [OPTIONS] --weights FILE --add DIR -o FILE\n       \
                            mobilenet learn [OPTIONS] --weights FILE --remove LABEL -o FILE")]
pub struct Arguments {
    /// A folder that has a folder for each class, whose name is the label
    #[arg(value_name = "DIR", required_unless_present = "remove")]
    pub folder: Option<PathBuf>,

    /// The checkpoint to write (safetensors)
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,

    /// Number of parts for cross-validation, which chooses the regularisation and measures how well new
    /// pictures are told apart
    /// [default: 5]
    #[arg(long, value_name = "N", help_heading = "Learning",
          value_parser = clap::value_parser!(u16).range(2..=1000))]
    folds: Option<u16>,

    /// Seed that decides which picture is in which part; the same in every version [default: 0]
    #[arg(long, value_name = "N", help_heading = "Learning")]
    seed: Option<u64>,

    /// Share of the classes' own pictures that may be called `unknown`; sets the threshold, and 0 turns
    /// it off [default: 0.05]
    #[arg(long, value_name = "SHARE", help_heading = "Learning", value_parser = parse_share)]
    reject: Option<f64>,

    /// Let every picture count as much as any other, and so a class of more pictures for more; else classes count
    /// alike, which tells small ones much better
    #[arg(long, help_heading = "Learning")]
    no_balance: bool,

    /// Don't learn from mirror images: for classes that a mirror changes, such as letters and arrows
    #[arg(long, help_heading = "Learning")]
    pub no_mirror: bool,

    /// Keep the classes of the checkpoint, which `learn` made, and learn those of DIR besides; pictures of a class
    /// that is there are added to it. What is not said is as it was for the others
    #[arg(long, requires = "folder", help_heading = "Classes")]
    add: bool,

    /// Keep the classes of the checkpoint, which `learn` made, but for this one; may be repeated, and comes before
    /// --add
    #[arg(long, value_name = "LABEL", help_heading = "Classes")]
    pub remove: Vec<String>,

    /// Keep the embeddings of up to so many pictures in the checkpoint, for --add and --remove: up to 8 kB each. Of more
    /// pictures, or with 0, none are kept but those that tell a familiar picture
    #[arg(
        long,
        default_value = "2000",
        value_name = "N",
        help_heading = "Classes"
    )]
    pub examples: usize,

    /// Write what each held-out picture was told to be as CSV
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub predictions: Option<PathBuf>,

    #[command(flatten)]
    folders: FolderOptions,

    #[command(flatten)]
    pub report: ReportOptions,

    #[command(flatten)]
    pub network: NetworkOptions,
}

fn parse_share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..1.0).contains(&share) => Ok(share),
        _ => Err("expected a share from 0 to less than 1, such as 0.05".into()),
    }
}

impl Arguments {
    /// What is said, else what an earlier lesson says.
    pub fn options(&self, earlier: Option<&Lesson>) -> LearnOptions {
        let default = LearnOptions::default();
        let folds = earlier.map_or(default.folds, |lesson| lesson.folds);
        let seed = earlier.map_or(default.seed, |lesson| lesson.seed);
        let reject = earlier.map_or(default.reject, |lesson| lesson.reject);
        let balance = earlier.map_or(default.balance, |lesson| lesson.balance);
        default
            .with_folds(self.folds.map_or(folds, usize::from))
            .with_seed(self.seed.unwrap_or(seed))
            .with_reject(self.reject.unwrap_or(reject))
            .with_balance(balance && !self.no_balance)
    }

    /// The classes of the folder with their pictures; none where there is no folder.
    pub fn labelled(&self) -> Result<Labelled> {
        let selection = self.folders.selection();
        let Some(folder) = &self.folder else {
            return Ok(Labelled {
                classes: Vec::new(),
                pictures: Vec::new(),
            });
        };
        if !self.keeps_classes() {
            return Ok(Labelled::open_to_learn(folder, &selection)?);
        }
        ensure!(
            self.add,
            "{}: with --remove, the classes of a folder are added to those of the checkpoint: say so with --add",
            folder.display()
        );
        match Labelled::open_to_learn(folder, &selection) {
            // With those that are there it is not alone.
            Err(DatasetError::OneClass { .. }) => Ok(Labelled::open(folder, &selection)?),
            other => Ok(other?),
        }
    }

    /// Whether those of the checkpoint are kept.
    pub fn keeps_classes(&self) -> bool {
        self.add || !self.remove.is_empty()
    }
}
