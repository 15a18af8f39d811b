//! WordNet's groups over ImageNet's classes, held against WordNet's own program
//! (`tests/data/wordnet/make_groups.py`).

use mobilenet::labels::Labels;
use mobilenet::labels::wordnet::{Hierarchy, Rollup};

use crate::support::data;

/// Word, WordNet id and classes of each line.
fn groups() -> Vec<(String, String, Vec<usize>)> {
    let text = std::fs::read_to_string(data("wordnet/groups.tsv")).expect("the fixture");
    let group = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        let [word, _sense, wnid, classes] = fields[..] else {
            panic!("{line}");
        };
        let classes = classes
            .split(' ')
            .map(|index| index.parse().expect("an index"));
        (word.into(), wnid.into(), classes.collect())
    };
    text.lines().map(group).collect()
}

#[test]
fn words_are_the_groups_and_classes_that_wordnet_says() {
    let groups = groups();
    assert!(groups.len() > 50);
    for (word, wnid, classes) in groups {
        let group = Hierarchy::wordnet().group(&word).expect(&word);
        assert_eq!(group.wnid(), wnid, "{word}");
        assert_eq!(group.classes(), classes, "{word}");
    }
}

#[test]
fn a_group_of_several_classes_is_never_smaller_than_it_must_be() {
    let labels = Labels::imagenet_with_background();
    let rollup = Rollup::new(&labels);
    for (word, _, classes) in groups() {
        // All of the group's classes are equally probable, nothing else is possible.
        let mut scores = vec![0.0; 1001];
        for class in &classes {
            scores[class + 1] = 1.0 / classes.len() as f32;
        }
        let found = rollup.of(&scores, 0.999).expect(&word);
        assert_eq!(found.classes, classes.len(), "{word}");
        let answer = Hierarchy::wordnet().group(found.wnid).expect(&word);
        assert_eq!(answer.classes(), classes, "{word}");
        let members = answer.members(&labels);
        assert_eq!(members.score(&scores), found.score, "{word}");
    }
}

#[test]
fn a_class_that_two_ways_lead_to_counts_once() {
    // A dog is a carnivore and a domestic animal, both of them animals.
    let group = |name| Hierarchy::wordnet().group(name).expect("a group");
    let has_dogs = |name| {
        let classes = group(name).classes();
        group("dog")
            .classes()
            .iter()
            .all(|dog| classes.contains(dog))
    };
    assert!(has_dogs("carnivore") && has_dogs("domestic animal") && has_dogs("animal"));
    let mut scores = vec![0.0; 1000];
    scores[185] = 0.25;
    let members = group("animal").members(&Labels::imagenet());
    assert_eq!(members.score(&scores), 0.25);
    assert_eq!(members.outputs().len(), 398);
}
