//! What folders that are all numbers mean.

use std::path::Path;

use anyhow::{Result, ensure};
use clap::ValueEnum;
use mobilenet::labels::Lookup;

/// Which class a folder is of whose name is a number, where no class is called so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FolderOrder {
    /// The class of that index.
    Number,
    /// The class in the folder's place among the names in order (0, 1, 10, 2), as Keras's
    /// image_dataset_from_directory and torchvision's ImageFolder number them.
    Name,
}

/// The classes of folders of these names, in their order, if they are given by that order; `None`
/// where each folder's name says which class it is of.
///
/// # Errors
/// Folders that are to be classes by their order, and are not as many.
pub fn classes_by_order(
    root: &Path,
    names: &[&str],
    lookup: &Lookup,
    classes: usize,
    order: Option<FolderOrder>,
) -> Result<Option<Vec<usize>>> {
    let is_number = |name: &&str| name.bytes().all(|byte| byte.is_ascii_digit());
    let are_numbers =
        names.iter().all(is_number) && !names.iter().any(|name| lookup.is_label(name));
    if order == Some(FolderOrder::Name) {
        ensure!(
            are_numbers,
            "{}: --folders name is for folders that are all numbers, where no class is called so: \
             these say by their names which class they are of",
            root.display()
        );
        let found = names.len();
        ensure!(
            found == classes,
            "{}: {found} folders for {classes} classes: --folders name needs one for each",
            root.display()
        );
        return Ok(Some((0..classes).collect()));
    }
    let differs = |(place, name): (usize, &&str)| name.parse().ok() != Some(place);
    let example = names.iter().enumerate().find(|it| differs((it.0, it.1)));
    if let (true, None, Some((place, name))) = (are_numbers, order, example)
        && names.len() == classes
    {
        crate::cli::note(&format!(
            "{}: its folders are numbers, and are taken for the indices of the classes; by the \
             order of their names, as Keras and torchvision number folders, {name} would be class \
             {place}: --folders name (or --folders number, to say so)",
            root.display()
        ));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use mobilenet::labels::Labels;

    use super::*;

    #[test]
    fn numbers_are_indices_unless_their_order_is_asked_for() -> Result<()> {
        let eleven: Vec<String> = (0..11).map(|i| i.to_string()).collect();
        let mut names: Vec<&str> = eleven.iter().map(String::as_str).collect();
        names.sort_unstable();
        let of = |labels: &Labels, names: &[&str], order| {
            let classes = labels.classes().len();
            classes_by_order(Path::new("it"), names, &labels.lookup(), classes, order)
        };
        let unnamed = Labels::for_classes(11);
        assert_eq!(of(&unnamed, &names, None)?, None);
        assert_eq!(of(&unnamed, &names, Some(FolderOrder::Number))?, None);
        let by_name = of(&unnamed, &names, Some(FolderOrder::Name))?;
        assert_eq!(by_name, Some((0..11).collect()));
        // Classes that are called so are those.
        let named = Labels::named(eleven.iter().cloned());
        assert!(of(&named, &names, Some(FolderOrder::Name)).is_err());
        assert!(of(&unnamed, &names[1..], Some(FolderOrder::Name)).is_err());
        assert!(of(&unnamed, &["cat", "dog"], Some(FolderOrder::Name)).is_err());
        Ok(())
    }
}
