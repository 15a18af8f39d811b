//! Which file a checkpoint came from, and its digest.

use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

use super::contents::Contents;

/// Where a checkpoint was converted from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Address or file name.
    pub name: String,
    /// Sha256 of its bytes, in hexadecimal.
    pub sha256: String,
}

/// What is known of a checkpoint's [`Source`].
#[derive(Debug, Clone)]
pub(super) enum Origin {
    /// What our header states.
    Stated(Option<Source>),
    /// It is the file that was read.
    File {
        name: String,
        contents: Arc<Contents>,
        /// Made when it is asked for, as its digest is.
        source: OnceLock<Source>,
    },
}

impl Origin {
    /// The file that was read, under a name.
    pub fn file(name: String, contents: Arc<Contents>) -> Self {
        Self::File {
            name,
            contents,
            source: OnceLock::new(),
        }
    }

    pub fn source(&self) -> Option<&Source> {
        match self {
            Self::Stated(source) => source.as_ref(),
            Self::File {
                name,
                contents,
                source,
            } => Some(source.get_or_init(|| Source {
                name: name.clone(),
                sha256: contents.sha256().to_owned(),
            })),
        }
    }

    /// The same under another name.
    pub fn renamed(self, name: &str) -> Self {
        match self {
            Self::Stated(source) => Self::Stated(source.map(|source| Source {
                name: name.into(),
                ..source
            })),
            Self::File { contents, .. } => Self::file(name.into(), contents),
        }
    }
}
