//! Names of classes for tables and pictures, no two of them the same.

use std::collections::HashMap;

use mobilenet::UNKNOWN;
use mobilenet::labels::Class;

/// The labels, with the index behind what several classes are called, and the name of what is of
/// no class.
pub fn whole(classes: &[Class]) -> Vec<String> {
    let labels = classes.iter().map(|class| class.label.clone());
    unique(labels.collect(), classes)
}

/// The first name of each ImageNet label, where that says which class it is.
pub fn short(classes: &[Class]) -> Vec<String> {
    let first = |class: &Class| match class.wnid {
        Some(_) => class
            .label
            .split(", ")
            .next()
            .unwrap_or_default()
            .to_owned(),
        None => class.label.clone(),
    };
    let mut names: Vec<String> = classes.iter().map(first).collect();
    let counts = counts(&names);
    for (name, class) in names.iter_mut().zip(classes) {
        if counts[name] > 1 {
            name.clone_from(&class.label);
        }
    }
    unique(names, classes)
}

fn unique(mut names: Vec<String>, classes: &[Class]) -> Vec<String> {
    names.push(UNKNOWN.to_owned());
    let counts = counts(&names);
    for (name, class) in names.iter_mut().zip(classes) {
        if counts[name] > 1 {
            *name = format!("{name} ({})", class.index);
        }
    }
    names
}

fn counts(names: &[String]) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for name in names {
        *counts.entry(name.clone()).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use mobilenet::labels::Labels;

    #[test]
    fn no_two_classes_are_called_the_same() {
        let imagenet = Labels::imagenet();
        let twice = Labels::named(["a", "unknown", "a"].map(String::from));
        for labels in [&imagenet, &twice] {
            for names in [short(labels.classes()), whole(labels.classes())] {
                assert_eq!(names.len(), labels.classes().len() + 1);
                assert!(counts(&names).values().all(|&count| count == 1));
            }
        }
        let short = short(imagenet.classes());
        assert_eq!(short[281], "tabby");
        assert_eq!([&short[134], &short[517]], ["crane (134)", "crane (517)"]);
        assert_eq!(
            [&short[638], &short[639]],
            ["maillot", "maillot, tank suit"]
        );
        let whole = whole(twice.classes());
        assert_eq!(whole, ["a (0)", "unknown (1)", "a (2)", "unknown"]);
    }
}
