//! What could not be done, is not known, or looks like a mistake in the folders.

use anyhow::Result;
use mobilenet::learn::{LearnOptions, Learned};
use mobilenet::similarity::{Collection, cosine};

use super::Picture;
use crate::cli::note;
use crate::cli::terminal::{printable, printable_name};

/// Pairs of pictures that are told.
const MOST_TOLD: usize = 5;

/// The similarity from which on pictures of two classes are taken for one: photographs of different things are hardly ever
/// above 0.9, and copies in other formats, sizes and qualities are mostly above this (`docs/embeddings.md`).
const SAME: f32 = 0.99;
/// To a network that takes all of these pictures for much the same, they are one only if they differ by less than this
/// share of what a picture and the nearest of the others usually do.
const SAME_SHARE: f32 = 0.1;

/// Classes that differ by this much in their pictures are of very different size.
const VERY_DIFFERENT: usize = 10;

/// Says what could not be done, or is not known.
pub fn tell(
    learned: &Learned,
    classes: &[String],
    pictures: &[Picture],
    options: &LearnOptions,
) -> Result<()> {
    let usual = learned
        .familiarity
        .as_ref()
        .map(|known| known.range().usual);
    tell_one_in_two_classes(pictures, classes, usual.unwrap_or(0.0))?;
    if !options.balance {
        tell_sizes(learned, classes);
    }
    let Some(held_out) = &learned.report.held_out else {
        note(
            "no class has two different pictures, so none can be held out: how well they are told \
             is not known, the regularisation is a guess, and nothing is rejected",
        );
        return Ok(());
    };
    let reports = classes.iter().zip(&learned.report.classes);
    let single = reports.filter(|(_, report)| report.held_out == 0);
    let single: Vec<String> = single.map(|(class, _)| printable(class)).collect();
    if !single.is_empty() {
        note(&format!(
            "only one picture, or copies of it, so that how well it is told is not known: {}",
            single.join(", ")
        ));
    }
    if options.reject > 0.0 && learned.rejection.is_none() {
        let (share, found) = (options.reject, held_out.examples);
        // The least n with share * (n + 1) of at least 1.
        let needed = (1.0 / share - 1.0 - 1e-9).ceil();
        note(&format!(
            "nothing is rejected: a share of {share} takes at least {needed} pictures, and {found} \
             were held out (--reject)"
        ));
    }
    Ok(())
}

/// Says which classes have far more pictures than others: those are told better, and taken for more often.
fn tell_sizes(learned: &Learned, classes: &[String]) {
    let counts = learned.report.classes.iter().map(|class| class.examples);
    let counts = || counts.clone().zip(classes);
    let (Some((least, small)), Some((most, large))) = (counts().min(), counts().max()) else {
        return;
    };
    if most >= VERY_DIFFERENT * least.max(1) {
        note(&format!(
            "{} has {most} pictures and {} has {least}: where pictures look like both, they are taken for the larger \
             class. Without --no-balance classes count alike",
            printable(large),
            printable(small)
        ));
    }
}

/// Says which pictures are in two classes: by their bytes, or because they look the same. `usual` is the similarity of a
/// picture and the nearest of the others.
fn tell_one_in_two_classes(pictures: &[Picture], classes: &[String], usual: f32) -> Result<()> {
    let same = SAME.max(1.0 - SAME_SHARE * (1.0 - usual));
    let found = one_in_two_classes(pictures, same)?;
    if found.is_empty() {
        return Ok(());
    }
    let told = |picture: &Picture| match &picture.name {
        Some(name) => printable_name(name),
        None => format!(
            "an earlier picture of {}",
            printable(&classes[picture.example.class])
        ),
    };
    let mut text = format!(
        "pictures that are in two classes, so that one of them is wrong: {}",
        found.len()
    );
    for (a, b, similarity) in found.iter().take(MOST_TOLD) {
        let (a, b) = (told(&pictures[*a]), told(&pictures[*b]));
        let how = match similarity {
            Some(similarity) => format!("similarity {similarity:.4}"),
            None => "the same".into(),
        };
        text.push_str(&format!("\n  {a} and {b} ({how})"));
    }
    if found.len() > MOST_TOLD {
        text.push_str(&format!("\n  and {} more", found.len() - MOST_TOLD));
    }
    note(&text);
    Ok(())
}

/// Pairs of pictures of different classes that are one, in the order of the second; with their similarity where they
/// are not the same to the network.
fn one_in_two_classes(pictures: &[Picture], same: f32) -> Result<Vec<(usize, usize, Option<f32>)>> {
    let class = |number: usize| pictures[number].example.class;
    let first_view = |number: usize| &pictures[number].example.views[0];
    let mut collection = Collection::new(pictures.first().map_or(0, |_| first_view(0).len()));
    for number in 0..pictures.len() {
        collection.push(first_view(number))?;
    }
    let mut pairs = Vec::new();
    let differ = |a: usize, b: usize| {
        if class(a) != class(b) {
            pairs.push((a, b));
        }
        class(a) != class(b)
    };
    collection.groups_where(same, differ, |_| true)?;
    pairs.sort_unstable_by_key(|&(a, b)| (b, a));
    let pair = |(a, b): (usize, usize)| {
        let (one, other) = (first_view(a), first_view(b));
        (a, b, (one != other).then(|| cosine(one, other)))
    };
    Ok(pairs.into_iter().map(pair).collect())
}
