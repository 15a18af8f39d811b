//! `mobilenet convert`

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use candle_core::DType;
use clap::{Args, ValueEnum};
use mobilenet::labels::Labels;
use mobilenet::weights::{Checkpoint, SaveOptions};

use super::options::{Assumed, RecipeOptions, UnstatedOptions};
use super::terminal::printable;
use super::{Global, Outcome, files, note, saved_checkpoint};

/// Convert a checkpoint to safetensors that describe themselves
#[derive(Debug, Args)]
pub struct Arguments {
    /// A checkpoint in any form that `--weights` takes
    #[arg(value_name = "IN")]
    input: PathBuf,

    /// The safetensors file to write; `-` is stdout. A folder, or a name that ends with `/`, becomes a
    /// repository for the Hugging Face Hub
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,

    /// The type of the tensors. Integers become the floats that they stand for; `mobilenet quantize` makes
    /// some
    #[arg(long, value_name = "TYPE", default_value = "f32")]
    dtype: StoredType,

    /// Fold each batch norm into its convolution: a smaller file with the same answers
    #[arg(long)]
    fold_batch_norm: bool,

    /// Name the classes anew, in the order of the network's outputs: one a line, a table of index and name, or
    /// JSON (as `mobilenet summary --class-names` prints them)
    #[arg(long, value_name = "FILE", help_heading = "Classes")]
    labels: Option<PathBuf>,

    /// Put the classes in another order, each with its name and its weights
    #[arg(long, value_name = "BY", help_heading = "Classes")]
    order: Option<ClassOrder>,

    /// Leave out the embeddings of the pictures that `learn` made the classes from, with which it adds and
    /// removes some: a smaller file with the same answers
    #[arg(long, help_heading = "Classes")]
    without_examples: bool,

    /// Side of the input, if the checkpoint does not state it [default: 224]
    #[arg(long, value_name = "PIXELS")]
    size: Option<usize>,

    #[command(flatten)]
    unstated: UnstatedOptions,

    #[command(flatten)]
    recipe: RecipeOptions,
}

/// `--dtype` of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StoredType {
    F32,
    F16,
    Bf16,
}

/// `--order` of classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ClassOrder {
    /// By their names, those of --labels if there are such, byte by byte: as Keras, torchvision and `learn`
    /// order folders
    Name,
    /// As they stand in --labels, which then names the classes that there are
    Labels,
}

impl Arguments {
    fn options(&self) -> SaveOptions {
        let dtype = match self.dtype {
            StoredType::F32 => DType::F32,
            StoredType::F16 => DType::F16,
            StoredType::Bf16 => DType::BF16,
        };
        SaveOptions::default()
            .with_dtype(dtype)
            .with_fold_batch_norm(self.fold_batch_norm)
            .with_dequantise(true)
    }
}

pub fn run(arguments: &Arguments, global: Global) -> Result<Outcome> {
    let loading = arguments.unstated.loading(arguments.size)?;
    let checkpoint = Checkpoint::open(&arguments.input, &loading)?;
    let mut checkpoint = with_classes(checkpoint, arguments, global)?;
    if arguments.without_examples {
        checkpoint = checkpoint.without_lesson_examples();
    }
    let recipe = arguments.recipe.preprocessing(checkpoint.preprocessing());
    let checkpoint = checkpoint.with_preprocessing(recipe)?;
    let output = arguments.output.as_path();
    saved_checkpoint::write(&checkpoint, output, &arguments.options())?;
    if !global.quiet {
        Assumed::of(&checkpoint, &arguments.recipe).tell();
    }
    if global.verbose {
        let config = checkpoint.config();
        note(&format!(
            "{}: alpha {:?}, {} pixels",
            output.display(),
            config.alpha,
            checkpoint.preprocessing().size
        ));
    }
    Ok(Outcome::Complete)
}

/// The same network with the classes that are asked for.
fn with_classes(
    checkpoint: Checkpoint,
    arguments: &Arguments,
    global: Global,
) -> Result<Checkpoint> {
    let (labels, order) = (arguments.labels.as_deref(), arguments.order);
    if labels.is_none() && order.is_none() {
        return Ok(checkpoint);
    }
    files::protect(&[arguments.output.as_path()], labels)?;
    let own = checkpoint.labels();
    let own = own.with_context(|| {
        let path = checkpoint.path().display();
        format!("{path}: it has no classifier, and so no classes to name or to order")
    })?;
    let has_ids = |labels: &Labels| labels.classes().iter().any(|class| class.wnid.is_some());
    let had_ids = has_ids(&own);
    let given = labels.map(|file| Labels::open(file, own.classes().len()));
    let given = given.transpose()?;
    let classes = match (labels.zip(given), order) {
        (Some((file, given)), Some(ClassOrder::Labels)) => {
            let order = places(&own, &given, file)?;
            checkpoint.with_class_order(&order)?
        }
        (None, Some(ClassOrder::Labels)) => bail!("--order labels needs the order: --labels FILE"),
        (Some((file, given)), _) => {
            ensure!(
                !are_reordered(&own, &given),
                "{}: these are the names that the classes have, in another order. --labels names them by their \
                 places; to move each class with its name, add --order labels",
                file.display()
            );
            checkpoint.with_labels(&given)?
        }
        (None, _) => checkpoint,
    };
    let classes = match (order, classes.labels()) {
        (Some(ClassOrder::Name), Some(labels)) => {
            let label = |&class: &usize| &labels.classes()[class].label;
            let mut order: Vec<usize> = (0..labels.classes().len()).collect();
            order.sort_by(|a, b| label(a).cmp(label(b)));
            classes.with_class_order(&order)?
        }
        _ => classes,
    };
    if had_ids && !classes.labels().as_ref().is_some_and(has_ids) && !global.quiet {
        note(
            "the classes are ImageNet's no more: answers will have no WordNet ids, and `grep --is` no groups",
        );
    }
    Ok(classes)
}

/// Whether some labels are the same as others, in another order.
fn are_reordered(own: &Labels, given: &Labels) -> bool {
    let [own, given] = [own, given].map(|labels| {
        let labels = labels.classes().iter();
        labels.map(|class| class.label.as_str()).collect::<Vec<_>>()
    });
    let [mut a, mut b] = [own.clone(), given.clone()];
    a.sort_unstable();
    b.sort_unstable();
    a == b && own != given
}

/// For each of the given names the number of the class that is called so.
fn places(own: &Labels, given: &Labels, file: &Path) -> Result<Vec<usize>> {
    let place = |label: &str| {
        let (file, shown) = (file.display(), printable(label));
        let classes = own.classes().iter().enumerate();
        let mut found = classes.filter(|(_, class)| class.label == label);
        match (found.next(), found.next()) {
            (Some((place, _)), None) => Ok(place),
            (None, _) => bail!(
                "{file}: {shown}: no class is called so, and --order labels renames none (`mobilenet summary \
                 --class-names` prints them)"
            ),
            (Some(_), Some(_)) => bail!(
                "{file}: {shown}: several classes are called so, and their order can't be told by names"
            ),
        }
    };
    let places = given.classes().iter().map(|class| place(&class.label));
    let places: Vec<usize> = places.collect::<Result<_>>()?;
    for (i, class) in given.classes().iter().enumerate() {
        let again = given.classes()[..i]
            .iter()
            .any(|other| other.label == class.label);
        let (file, shown) = (file.display(), printable(&class.label));
        ensure!(!again, "{file}: {shown}: it is named twice");
    }
    Ok(places)
}
