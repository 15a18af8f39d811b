//! Which network.

use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};
use clap::Args;
use mobilenet::model::{Config, PUBLISHED_ALPHAS, PUBLISHED_SIZES, validate_size};
use mobilenet::ops::Activation;
use mobilenet::weights::{Checkpoint, LoadOptions, Repo, Store, Variant, catalogue, open_bundle};

use super::{Assumed, RecipeOptions, UnstatedOptions};
use crate::cli::environment;
use crate::cli::progress::Download;
use crate::cli::{Global, note};

/// Which network: a published variant, a local checkpoint or a repository's.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Model")]
pub struct ModelOptions {
    /// Width multiplier; 1.0, 0.75, 0.5 and 0.25 have published weights [default: the
    /// checkpoint's, and 1.0 without one]
    #[arg(long, value_name = "ALPHA")]
    pub alpha: Option<f64>,

    /// Side of the network's input in pixels; 224, 192, 160 and 128 have published weights
    /// [default: what the checkpoint says, else 224]
    #[arg(long, value_name = "PIXELS")]
    pub size: Option<usize>,

    /// Number of classes; an error if the checkpoint has another number [default: the
    /// checkpoint's, and 1000 without one]
    #[arg(long, value_name = "N")]
    pub classes: Option<usize>,

    #[command(flatten)]
    pub unstated: UnstatedOptions,

    /// A local checkpoint or its folder: safetensors (ours, transformers', timm's), PyTorch's .pth, Keras's
    /// .h5, .weights.h5 and .keras, .onnx, .tflite, TensorFlow.js's model.json, TensorFlow's frozen .pb, or
    /// TF-Slim's .index
    #[arg(long, value_name = "PATH", conflicts_with = "repo")]
    pub weights: Option<PathBuf>,

    /// A Hugging Face repository that has a model.safetensors
    #[arg(long, value_name = "OWNER/NAME[@REVISION]")]
    pub repo: Option<Repo>,

    /// Never use the network (also HF_HUB_OFFLINE=1)
    #[arg(long)]
    pub offline: bool,
}

impl ModelOptions {
    /// Side of the input where no checkpoint states it.
    pub fn size_or_default(&self) -> usize {
        self.size.unwrap_or(PUBLISHED_SIZES[0])
    }

    /// The settings of a network without a checkpoint.
    pub fn config(&self, shallow: bool) -> Config {
        let default = Config::default();
        Config {
            alpha: self.alpha.unwrap_or(default.alpha),
            classes: self.classes.or(default.classes),
            activation: self
                .unstated
                .activation
                .map_or(default.activation, Into::into),
            shallow,
            ..default
        }
    }

    /// Whether nothing was asked for, so that it is the usual network.
    pub fn says_nothing(&self) -> bool {
        let Self {
            alpha,
            size,
            classes,
            ..
        } = self;
        !self.names_a_checkpoint() && alpha.is_none() && size.is_none() && classes.is_none()
    }

    /// Whether a particular checkpoint was asked for, in place of a published variant.
    pub fn names_a_checkpoint(&self) -> bool {
        self.weights.is_some() || self.repo.is_some()
    }

    /// Finds the checkpoint (downloading it if need be) and reads it; says what it leaves open, if that is
    /// asked for.
    pub fn load(&self, global: Global) -> Result<Checkpoint> {
        let checkpoint = self.find(global)?;
        if global.verbose {
            Assumed::of(&checkpoint, &RecipeOptions::default()).tell();
        }
        Ok(checkpoint)
    }

    /// Finds the checkpoint (downloading it if need be) and reads it.
    pub fn find(&self, global: Global) -> Result<Checkpoint> {
        if let Some(size) = self.size {
            validate_size(size)?;
        }
        let checkpoint = match (&self.weights, &self.repo) {
            (Some(path), _) => self.open(path)?,
            (None, Some(repo)) => self.open_fetched(
                |store| Ok(store.fetch_repo(repo, &Download::new(global))?),
                |path| self.open(path),
            )?,
            (None, None) => match Self::bundled(&LoadOptions::default().with_size(self.size))? {
                Some(checkpoint) => checkpoint,
                None => self.open_published(global)?,
            },
        };
        self.check(&checkpoint)?;
        if global.verbose {
            note(&format!("weights {}", checkpoint.path().display()));
        }
        Ok(checkpoint)
    }

    /// Reads the weights inside of this program, if it is a bundle.
    pub fn bundled(options: &LoadOptions) -> Result<Option<Checkpoint>> {
        let Ok(program) = std::env::current_exe() else {
            return Ok(None);
        };
        Ok(open_bundle(&program, options)?)
    }

    /// Reads a checkpoint that may leave it to the options to state its size and activation.
    fn open(&self, path: &Path) -> Result<Checkpoint> {
        let options = self.unstated.loading(self.size)?;
        Ok(Checkpoint::open(path, &options)?)
    }

    /// Reads the published variant that the options name, which states everything itself.
    /// Whatever the cache holds under a variant's name has to be that variant.
    pub fn open_published(&self, global: Global) -> Result<Checkpoint> {
        let variant = self.published()?;
        let open = |path: &Path| {
            Checkpoint::open(path, &LoadOptions::default())
                .map_err(|error| error.to_string())
                .and_then(|found| variant.check(&found).map(|()| found))
                .map_err(|reason| {
                    let path = path.display();
                    anyhow!("{reason}\n  in the cache; remove {path} to fetch it again")
                })
        };
        let fetch = |store: &Store| Ok(store.fetch(variant, &Download::new(global))?);
        self.open_fetched(fetch, open)
    }

    /// Reads a file that is fetched. Where it can't be used, the cache may have damaged it: it
    /// is looked at closely, and fetched again if so.
    fn open_fetched(
        &self,
        fetch: impl Fn(&Store) -> Result<PathBuf>,
        open: impl Fn(&Path) -> Result<Checkpoint>,
    ) -> Result<Checkpoint> {
        let store = environment::store(self.offline)?;
        let path = fetch(&store)?;
        open(&path).or_else(|error| {
            if store.offline {
                return Err(error);
            }
            store.recheck(&path);
            open(&fetch(&store)?)
        })
    }

    /// The published variant that the options name.
    fn published(&self) -> Result<&'static Variant> {
        let alpha = self.alpha.unwrap_or(PUBLISHED_ALPHAS[0]);
        let size = self.size_or_default();
        catalogue().find(alpha, size).ok_or_else(|| {
            anyhow!(
                "there are no published weights of alpha {alpha:?} for {size}x{size} pixels: \
                 alpha is one of {}, size one of {}",
                join(&PUBLISHED_ALPHAS),
                join(&PUBLISHED_SIZES)
            )
        })
    }

    /// What was asked for and the checkpoint contradicts is an error, never a silent choice.
    fn check(&self, checkpoint: &Checkpoint) -> Result<()> {
        let (config, path) = (checkpoint.config(), checkpoint.path().display());
        if let Some(alpha) = self.alpha.filter(|&alpha| !config.has_width(alpha)) {
            bail!("{path}: it has alpha {:?}, not {alpha:?}", config.alpha);
        }
        let activation = self.unstated.activation.map(Activation::from);
        if activation.is_some_and(|asked| asked != config.activation) {
            bail!("{path}: its activation is {}", config.activation);
        }
        if let Some(classes) = self.classes.filter(|&n| Some(n) != config.classes) {
            match config.classes {
                Some(n) => bail!("{path}: it has {n} classes, not {classes}"),
                None => bail!("{path}: it has no classifier, not {classes} classes"),
            }
        }
        Ok(())
    }
}

fn join(values: &[impl std::fmt::Debug]) -> String {
    let values = values.iter().map(|v| format!("{v:?}"));
    values.collect::<Vec<_>>().join(", ")
}
