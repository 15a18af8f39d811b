//! Why weights could not be fetched.

/// One place where weights were looked for, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attempt {
    /// The address, or the cache's path.
    pub address: String,
    /// What came of it.
    pub kind: AttemptKind,
    /// The same in words.
    pub outcome: String,
}

impl Attempt {
    /// What came of looking at an address.
    pub(crate) fn new(
        address: impl Into<String>,
        kind: AttemptKind,
        outcome: impl Into<String>,
    ) -> Self {
        Self {
            address: address.into(),
            kind,
            outcome: outcome.into(),
        }
    }
}

/// What came of looking for weights at one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AttemptKind {
    /// The cache has them not.
    NotCached,
    /// What is in the cache, or what arrived, is not what was put there.
    Damaged,
    /// The cache can't be written to.
    CacheNotWritable,
    /// The disk of the cache is full.
    DiskFull,
    /// The server has no such file.
    NotFound,
    /// The server could not be reached, or could not answer for now.
    Unreachable,
    /// The server did not give it, or it is of no use.
    Refused,
}

/// Why weights could not be fetched, and where they were looked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("can't get the weights of {wanted}{}{}", if *offline { " (offline)" } else { "" }, lines(attempts))]
#[non_exhaustive]
pub struct FetchError {
    /// What was looked for, for example `MobileNet V1 alpha 0.5, 160x160`.
    pub wanted: String,
    /// The places, in the order they were tried.
    pub attempts: Vec<Attempt>,
    /// The network was not to be used.
    pub offline: bool,
}

/// A line for each place.
fn lines(attempts: &[Attempt]) -> String {
    let line = |attempt: &Attempt| format!("\n  {}: {}", attempt.address, attempt.outcome);
    attempts.iter().map(line).collect()
}
