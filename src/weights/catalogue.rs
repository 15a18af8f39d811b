//! The published variants, from `weights/catalogue.json`.

use std::fmt;
use std::sync::LazyLock;

use serde::Deserialize;

use super::checkpoint::Checkpoint;
use crate::model::Config;

/// Where the published weights are.
#[derive(Debug, Clone, Deserialize)]
pub struct Catalogue {
    /// Hugging Face repository of our conversions, once there is one.
    pub hub_repo: Option<String>,
    /// Folder of Keras's release.
    pub release_url: String,
    /// All combinations of width and size that were released.
    pub variants: Vec<Variant>,
    /// Repositories of other trainings, for `--repo`.
    pub other_trainings: Vec<OtherTraining>,
}

/// A training that is not Keras's, which is only ever used where it is asked for.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct OtherTraining {
    /// `OWNER/NAME[@REVISION]`.
    pub repo: String,
    /// Width multiplier.
    pub alpha: f64,
    /// Input side in pixels.
    pub size: usize,
    /// Published top-1 accuracy on ImageNet in percent, where it is known.
    pub top1: Option<f64>,
}

/// One published checkpoint.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Variant {
    /// Width multiplier.
    pub alpha: f64,
    /// Input side in pixels.
    pub size: usize,
    /// Top-1 accuracy on ImageNet in percent, as TF-Slim's table has it for these networks.
    pub top1: f64,
    /// Keras's HDF5 file, below [`Catalogue::release_url`].
    pub release_file: String,
    /// Our conversion of it, in [`Catalogue::hub_repo`] and in the cache.
    pub hub_file: String,
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (alpha, size) = (self.alpha, self.size);
        write!(f, "MobileNet V1, alpha {alpha:?}, {size}x{size}")
    }
}

impl Variant {
    /// Checks that a checkpoint has the form of this one: a file that a mirror or a cache holds
    /// under its name may be another.
    ///
    /// # Errors
    /// What it is instead, in words.
    pub fn check(&self, checkpoint: &Checkpoint) -> Result<(), String> {
        let (found, size) = (checkpoint.config(), checkpoint.preprocessing().size);
        let expected = Config::with_alpha(self.alpha);
        if *found == expected && size == self.size {
            return Ok(());
        }
        Err(format!(
            "not {self}: it has alpha {:?}, {size}x{size}, {} classes{}",
            found.alpha,
            found.classes.unwrap_or(0),
            if found.shallow { ", shallow" } else { "" }
        ))
    }
}

impl Catalogue {
    /// The published checkpoint of this width and size, if there is one.
    pub fn find(&self, alpha: f64, size: usize) -> Option<&Variant> {
        let mut variants = self.variants.iter();
        variants.find(|v| v.alpha == alpha && v.size == size)
    }
}

/// The catalogue that was compiled in.
#[expect(
    clippy::expect_used,
    reason = "the text is a part of the program, and tested"
)]
pub fn catalogue() -> &'static Catalogue {
    static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
        serde_json::from_str(include_str!("../../weights/catalogue.json"))
            .expect("a test parses the same text")
    });
    &CATALOGUE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{PUBLISHED_ALPHAS, PUBLISHED_SIZES};

    #[test]
    fn every_published_combination_is_listed_once() {
        let catalogue = catalogue();
        assert_eq!(catalogue.variants.len(), 16);
        for alpha in PUBLISHED_ALPHAS {
            for size in PUBLISHED_SIZES {
                let variant = catalogue.find(alpha, size).expect("listed");
                let width = ["1_0", "7_5", "5_0", "2_5"][(4.0 - 4.0 * alpha) as usize];
                let file = format!("mobilenet_{width}_{size}_tf.h5");
                assert_eq!(variant.release_file, file);
            }
        }
    }

    #[test]
    fn other_trainings_are_named_as_repositories_are() {
        for other in &catalogue().other_trainings {
            assert!(
                other.repo.parse::<crate::weights::Repo>().is_ok(),
                "{other:?}"
            );
        }
    }
}
