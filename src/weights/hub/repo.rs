//! The name of a repository, and of what lies in it.

use std::fmt;
use std::str::FromStr;

use hf_hub::RepoType;

/// A repository on the Hub at a revision, written `OWNER/NAME[@REVISION]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repo {
    /// `OWNER/NAME`.
    pub id: String,
    /// Branch, tag, commit or `refs/pr/N`.
    pub revision: String,
}

impl FromStr for Repo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (id, revision) = text.split_once('@').unwrap_or((text, "main"));
        // Both become parts of addresses and of paths in the cache.
        let id_parts: Vec<&str> = id.split('/').collect();
        if id_parts.len() != 2 || !id_parts.iter().all(|p| is_plain(p)) {
            return Err(format!("{id:?} is not of the form OWNER/NAME"));
        }
        if !revision.split('/').all(is_plain) {
            return Err(format!("{revision:?} is not a branch, tag or commit"));
        }
        Ok(Self {
            id: id.into(),
            revision: revision.into(),
        })
    }
}

/// Whether a text can be a part of an address or of a path without changing what is around it.
pub(super) fn is_plain(part: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    (1..=200).contains(&part.len())
        && part.chars().all(allowed)
        && part != "."
        && !part.contains("..")
}

impl fmt::Display for Repo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.revision.as_str() {
            "main" => write!(f, "{}", self.id),
            revision => write!(f, "{}@{revision}", self.id),
        }
    }
}

impl Repo {
    /// The same repository at another revision.
    pub(super) fn at(&self, revision: &str) -> Self {
        Self {
            id: self.id.clone(),
            revision: revision.into(),
        }
    }

    pub(super) fn to_hf_hub(&self) -> hf_hub::Repo {
        let (id, revision) = (self.id.clone(), self.revision.clone());
        hf_hub::Repo::with_revision(id, RepoType::Model, revision)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_parsed_and_hostile_ones_refused() {
        let repo: Repo = "google/mobilenet_v1_1.0_224@refs/pr/1".parse().unwrap();
        assert_eq!(repo.id, "google/mobilenet_v1_1.0_224");
        assert_eq!(repo.revision, "refs/pr/1");
        assert_eq!("a/b".parse::<Repo>().unwrap().revision, "main");
        for bad in [
            "",
            "a",
            "a/b/c",
            "a/..",
            "a/.",
            "a/b@../../x",
            "a/b@",
            "a/b@.",
            "a b/c",
            "/b",
            "a/b@x//y",
        ] {
            assert!(bad.parse::<Repo>().is_err(), "{bad}");
        }
    }
}
