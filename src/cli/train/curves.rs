//! Loss and accuracy over the epochs, as a picture.

use anyhow::Result;
use mobilenet::train::Epoch;

/// A PNG of them.
pub fn png(_epochs: &[Epoch]) -> Result<Vec<u8>> {
    anyhow::bail!("not yet")
}
