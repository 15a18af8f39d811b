//! The network that made a file of embeddings, for pictures that are compared with them.

use std::path::{Path, PathBuf};

use mobilenet::digest;
use mobilenet::weights::catalogue;

use super::options::ModelOptions;
use super::stored_embeddings::{MadeBy, StoredEmbeddings};
use super::terminal::printable;
use super::{Global, note};

/// Says in the options which network made a file of embeddings, where they say nothing and it can be found: a
/// published one, or a file of that name and with those contents beside the embeddings or in the working directory.
pub fn name(options: &mut ModelOptions, files: &[StoredEmbeddings], global: Global) {
    let album = files
        .iter()
        .find_map(|file| Some((file, file.made_by.as_ref()?)));
    let Some((file, made_by)) = album.filter(|_| options.says_nothing()) else {
        return;
    };
    let size = made_by.preprocessing.size;
    let published = catalogue().find(made_by.alpha, size).filter(|variant| {
        let names = [&variant.hub_file, &variant.release_file];
        names
            .iter()
            .any(|name| Path::new(name).file_name() == Some(made_by.name.as_ref()))
    });
    if published.is_some() {
        (options.alpha, options.size) = (Some(made_by.alpha), Some(size));
    } else if let Some(weights) = weights(&file.path, made_by) {
        options.weights = Some(weights);
        // For one that does not state it.
        options.size = Some(size);
    } else {
        return;
    }
    if global.verbose {
        note(&printable(&format!(
            "{}: {} made it, and sees the others, too",
            file.path.display(),
            made_by.name
        )));
    }
}

/// The file of the weights.
fn weights(album: &Path, made_by: &MadeBy) -> Option<PathBuf> {
    // A name, and no way to other folders.
    let name = Path::new(&made_by.name).file_name()?;
    let beside = album.with_file_name(name);
    let mut places = [beside, PathBuf::from(name)].into_iter();
    places.find(|path| {
        let digest = digest::sha256_of_file(path).ok();
        digest.is_some() && digest == made_by.sha256
    })
}
