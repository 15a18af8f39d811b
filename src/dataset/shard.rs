//! One of several parts of the pictures, for runs that share them.

use std::ffi::OsStr;
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// The `index`-th of `count` parts, from 1 on.
///
/// Which part a picture belongs to depends on nothing but its path as it is given: it is the
/// first eight bytes of the path's SHA-256, big-endian, modulo `count`. In text it is `I/N`, such
/// as `2/4`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: u64,
    count: u64,
}

impl Shard {
    /// Whether a path belongs to it.
    pub fn takes(self, path: &OsStr) -> bool {
        let digest = Sha256::digest(path.as_encoded_bytes());
        let first = digest.iter().take(8);
        let number = first.fold(0, |number, &byte| number << 8 | u64::from(byte));
        number % self.count == self.index - 1
    }
}

/// A text that names no [`Shard`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected I/N, for example 2/4, with I from 1 to N")]
pub struct ParseShardError;

impl FromStr for Shard {
    type Err = ParseShardError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = text.split_once('/').and_then(|(index, count)| {
            let (index, count) = (index.parse().ok()?, count.parse().ok()?);
            (1..=count)
                .contains(&index)
                .then_some(Self { index, count })
        });
        parsed.ok_or(ParseShardError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(text: &str) -> Shard {
        text.parse().expect("a shard")
    }

    #[test]
    fn every_path_belongs_to_one_part() {
        for i in 0..1000 {
            let path = format!("album/{i}.jpg");
            let parts = (1..=3).filter(|k| shard(&format!("{k}/3")).takes(OsStr::new(&path)));
            assert_eq!(parts.count(), 1, "{path}");
        }
    }

    /// `int(hashlib.sha256(path).hexdigest()[:16], 16) % n + 1`
    #[test]
    fn the_part_is_the_documented_one() {
        assert!(shard("1/4").takes(OsStr::new("album/cat.jpg")));
        assert!(shard("304/1000").takes(OsStr::new("a b\nc")));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "1", "0/2", "3/2", "1/0", "a/2", "1/2/3", "-1/2"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }
}
