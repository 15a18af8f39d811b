//! `mobilenet similar`

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, ensure};
use clap::Args;
use mobilenet::Embedder;
use mobilenet::pixels::DecodeOptions;
use mobilenet::similarity::{Collection, Nearest};

use super::advice::picture_error;
use super::file_id::FileId;
use super::near_duplicates::{self, FoundGroup, Keep, Rule};
use super::options::{OpenedNetwork, PictureOptions, STDIN, Sources, named};
use super::output::{Format, SimilarOptions, write_extras, write_groups, write_nearest};
use super::session::{Session, Tally, pipeline_error};
use super::stored_embeddings::{StoredEmbeddings, model};
use super::terminal::printable_name;
use super::{Global, Outcome, album_network, note};

/// Find pictures that look alike: those nearest to one, or groups of near-duplicates
#[derive(Debug, Args)]
#[command(
    override_usage = "mobilenet similar [OPTIONS] QUERY PATH...\n       \
                      mobilenet similar [OPTIONS] --groups PATH...\n       \
                      mobilenet similar [OPTIONS] --extras PATH...",
    after_help = "\
Pictures are as alike as their embeddings (see `mobilenet embed`) point the same way: the cosine of \
the angle between them, 1 for the same picture. A PATH may also be a file that `mobilenet embed -o \
FILE.safetensors` wrote, whose pictures come first and are not read again. A file that is found \
twice, by another name or a link, counts once, and QUERY not at all. Pictures whose transparency differs, \
such as drawings in black on nothing, are in no group together, whatever their colours.

Groups are chains: each picture is like some other of its group, and the ends of a long one need not be alike (`lowest` \
is their similarity). Of pictures that are all alike one is kept. Of a chain more are, so that each extra is \
like one that is kept. A file that can't be read is neither kept nor an extra.

    mobilenet similar --groups ~/Pictures
    mobilenet similar --extras -0 ~/Pictures | xargs -0 mv -t ~/extras"
)]
pub struct Arguments {
    /// Print groups of pictures that look alike, instead of those nearest to one; with the size of each, and
    /// which one to keep
    #[arg(long, conflicts_with = "top_k")]
    groups: bool,

    /// Print the paths of the extra pictures of all groups, and not of those to keep; for `xargs -0` with -0
    #[arg(long, conflicts_with = "top_k")]
    extras: bool,

    /// Which picture of a group to keep [default: largest]
    #[arg(long, value_name = "WHICH", conflicts_with = "top_k")]
    keep: Option<Keep>,

    /// Number of nearest pictures
    #[arg(short = 'k', long, default_value = "10", value_name = "N")]
    top_k: usize,

    /// Leave out pictures whose similarity is below C; with --groups, the similarity from which on two
    /// pictures belong together [default: 0; 0.9 for groups]
    #[arg(long, value_name = "C", value_parser = parse_similarity)]
    threshold: Option<f32>,

    #[command(flatten)]
    output: SimilarOptions,

    #[command(flatten)]
    pictures: PictureOptions,
}

/// The similarity from which on pictures are near-duplicates, as measured in `docs/embeddings.md`.
const NEAR_DUPLICATE: f32 = 0.9;

/// A value of `--threshold`.
fn parse_similarity(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(c) if (0.0..=1.0).contains(&c) => Ok(c),
        _ => Err("expected a similarity from 0 to 1".into()),
    }
}

impl Arguments {
    fn finds_groups(&self) -> bool {
        self.groups || self.extras
    }

    /// Refuses what can't be meant together.
    fn validate(&self) -> Result<()> {
        self.output.validate()?;
        ensure!(
            self.keep.is_none() || self.finds_groups(),
            "--keep is for --groups and --extras"
        );
        ensure!(
            !self.extras || self.output.format() == Format::Text,
            "--extras prints paths alone; of --groups, --json, --jsonl and tables say `keep`, which is false for extras"
        );
        Ok(())
    }
}

/// What becomes of embeddings.
enum Search {
    Nearest(Nearest<OsString>),
    Groups(Collection, Vec<OsString>),
}

impl Search {
    fn take(&mut self, name: &OsStr, embedding: &[f32]) -> Result<()> {
        match self {
            Self::Nearest(nearest) => nearest.offer(embedding, || name.to_owned()),
            Self::Groups(collection, names) => {
                collection.push(embedding)?;
                names.push(name.to_owned());
            }
        }
        Ok(())
    }
}

/// The files that were looked at, by whatever names.
#[derive(Default)]
struct SeenFiles(HashSet<FileId>);

impl SeenFiles {
    /// Whether this is another picture than those before. A file by another name is not.
    fn is_new(&mut self, name: &OsStr) -> bool {
        match FileId::of(Path::new(name)) {
            Some(id) if name != STDIN => self.0.insert(id),
            _ => true,
        }
    }
}

pub fn run(arguments: &Arguments, global: Global) -> Result<Outcome> {
    arguments.validate()?;
    let mut pictures = arguments.pictures.clone();
    let query = if arguments.finds_groups() {
        None
    } else {
        Some(query(&mut pictures.sources)?)
    };
    let files = take_embeddings(&mut pictures.sources)?;
    // First, because it is quick to fail.
    let inputs = pictures.inputs()?;
    let files = files.into_iter().map(StoredEmbeddings::open);
    let files: Vec<StoredEmbeddings> = files.collect::<Result<_>>()?;
    album_network::name(&mut pictures.network.model, &files, global);
    let asks_a_network = query.is_some() || !pictures.sources.is_empty();
    let network = asks_a_network.then(|| pictures.open(&[], global));
    let mut network = network.transpose()?;
    see_as_before(&mut network, &files, &pictures);
    let width = comparable(network.as_ref(), &files)?;
    let embedder = network.as_ref().map(OpenedNetwork::embedder).transpose()?;
    let embedder = embedder.map(Arc::new);

    let mut seen = SeenFiles::default();
    let mut search = match (&query, &network, &embedder) {
        (Some(query), Some(network), Some(embedder)) => {
            seen.0.extend(FileId::of(Path::new(query)));
            let embedding = embedding(query, network, embedder)?;
            let least = arguments.threshold.unwrap_or(0.0);
            Search::Nearest(Nearest::new(embedding, arguments.top_k, least))
        }
        _ => Search::Groups(Collection::new(width), Vec::new()),
    };
    let mut failed_earlier = 0;
    for file in &files {
        failed_earlier += take_file(file, &mut seen, &mut search, global)?;
    }
    let mut tally = Tally::default();
    if let (Some(network), Some(embedder), false) =
        (&network, &embedder, pictures.sources.is_empty())
    {
        let pipeline = network.pipeline(embedder.clone());
        let session = Session::new(inputs, pictures.sources.is_single(), pipeline, global)
            .filter(move |input| seen.is_new(&input.name))
            .with_answers_elsewhere();
        tally = session.run(|answer| {
            if let Ok(embedding) = &answer.values {
                search.take(&answer.name, embedding)?;
            }
            Ok(ControlFlow::Continue(()))
        })?;
    }
    pictures.tell_left_for_later(global);
    tally.failed_earlier = failed_earlier;
    let decode = arguments.pictures.network.decode();
    // The nearest of some is not the nearest of all.
    tally.interrupted = tally.interrupted || !print(search, arguments, decode, global)?;
    Ok(tally.outcome())
}

/// Has pictures seen as those of a file of embeddings were, by the same weights, unless an option says how.
fn see_as_before(
    network: &mut Option<OpenedNetwork>,
    files: &[StoredEmbeddings],
    pictures: &PictureOptions,
) {
    let made_by = files.iter().find_map(|file| file.made_by.as_ref());
    if let (Some(network), Some(made_by), true) =
        (network, made_by, pictures.network.sees_as_the_checkpoint())
        && made_by.sha256 == network.checkpoint.sha256()
    {
        network.preprocessing = made_by.preprocessing.clone();
    }
}

/// The files of embeddings among what is named, which are to be read as such.
fn take_embeddings(sources: &mut Sources) -> Result<Vec<PathBuf>> {
    let files = sources.take_embeddings();
    for path in sources.files() {
        let extension = path.extension().unwrap_or_default();
        ensure!(
            !extension.eq_ignore_ascii_case("npy"),
            "{}: .npy has no room for paths; `mobilenet embed -o FILE.safetensors` writes what can be \
             searched",
            path.display()
        );
    }
    ensure!(
        !files.is_empty() || !sources.is_empty(),
        "nothing to search: mobilenet similar QUERY PATH..."
    );
    Ok(files)
}

/// Looks at the embeddings of a file, and says how many of its pictures have none.
fn take_file(
    file: &StoredEmbeddings,
    seen: &mut SeenFiles,
    search: &mut Search,
    global: Global,
) -> Result<u64> {
    let path = printable_name(file.path.as_os_str());
    if !file.is_complete && !global.quiet {
        note(&format!(
            "{path}: the run that wrote it was stopped: pictures are missing"
        ));
    }
    let mut failed = 0;
    for (name, embedding) in file.rows() {
        match embedding {
            Some(embedding) if seen.is_new(name) => search.take(name, embedding)?,
            Some(_) => {}
            None => failed += 1,
        }
    }
    if failed > 0 {
        note(&format!(
            "{path}: without an embedding, and left out: {failed}"
        ));
    }
    Ok(failed)
}

/// Prints what was found, unless the program is asked to stop before it is known.
fn print(
    search: Search,
    arguments: &Arguments,
    decode: DecodeOptions,
    global: Global,
) -> Result<bool> {
    match search {
        Search::Nearest(nearest) => write_nearest(&arguments.output, &nearest.found())?,
        Search::Groups(collection, names) => {
            let rule = Rule {
                threshold: arguments.threshold.unwrap_or(NEAR_DUPLICATE),
                keep: arguments.keep.unwrap_or_default(),
                decode,
            };
            let Some(groups) = near_duplicates::find(collection, &names, &rule, global)? else {
                return Ok(false);
            };
            if arguments.extras {
                tell_chains(&groups, global);
                write_extras(&arguments.output, &groups, &names)?;
            } else {
                write_groups(&arguments.output, &groups, &names)?;
            }
        }
    }
    Ok(true)
}

/// Says why some groups have more than one picture that is kept.
fn tell_chains(groups: &[FoundGroup], global: Global) {
    let chains = groups.iter().filter(|group| group.is_chain).count();
    if chains > 0 && !global.quiet {
        note(&format!(
            "groups that are chains, of which each extra is like one that is kept, but not like all: {chains} \
             (--groups shows them)"
        ));
    }
}

/// The picture to compare with, which is the first path.
fn query(sources: &mut Sources) -> Result<OsString> {
    let query = sources.take_first_path();
    let query = query.context("no picture to compare with: mobilenet similar QUERY PATH...")?;
    ensure!(
        query != STDIN || sources.readers_of_stdin() == 0,
        "stdin (`-`) is named twice, and can be read only once"
    );
    ensure!(
        query == STDIN || !Path::new(&query).is_dir(),
        "{}: a folder, and the first path is the one picture to compare with (or --groups)",
        Path::new(&query).display()
    );
    Ok(query)
}

/// The embedding of the one picture to compare with.
fn embedding(query: &OsStr, network: &OpenedNetwork, embedder: &Arc<Embedder>) -> Result<Vec<f32>> {
    let pipeline = network.pipeline(embedder.clone());
    let answer = pipeline.answer(named(query)).map_err(pipeline_error)?;
    answer.values.map_err(|error| {
        let query = Path::new(query).display();
        anyhow!("{query}: {}", picture_error(&error))
    })
}

/// The width of all embeddings, which have to be of one network to be comparable.
pub fn comparable(network: Option<&OpenedNetwork>, files: &[StoredEmbeddings]) -> Result<usize> {
    let width = network.map(|network| network.checkpoint.config().embedding_len());
    let width = width.or_else(|| files.first().map(|file| file.width));
    let width = width.unwrap_or_default();
    let mut made_by = None;
    if let (Some(network), false) = (network, files.is_empty()) {
        made_by = model(&serde_json::to_string(&network.provenance())?);
    }
    for file in files {
        let path = file.path.display();
        let maker = file.made_by.as_ref();
        let maker = maker.map_or(String::new(), |made_by| format!(" ({})", made_by.name));
        let advice = format!("embed it again, or name the --weights that it was made with{maker}");
        ensure!(
            file.width == width,
            "{path}: its embeddings have {} values, not {width}: {advice}",
            file.width
        );
        let Some(model) = &file.model else { continue };
        ensure!(
            made_by.get_or_insert_with(|| model.clone()) == model,
            "{path}: its embeddings are of other weights, or of pictures seen in another way: {advice}"
        );
    }
    Ok(width)
}
