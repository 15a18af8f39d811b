//! What `grep` looks for, made ready for many pictures.

use std::convert::Infallible;
use std::sync::Arc;

use anyhow::{Result, ensure};
use mobilenet::labels::Labels;
use mobilenet::labels::wordnet::{Group, Members};
use mobilenet::{Classifier, UNKNOWN, top_outputs_in_order};
use regex::{RegexSet, RegexSetBuilder};
use regex_syntax::ast::parse::Parser;
use regex_syntax::ast::{self, Ast, ClassSetItem, Literal, Visitor};

/// The score that a label needs at least.
const LABEL_THRESHOLD: f32 = 0.1;

/// Tells from a picture's scores whether it matches.
pub enum Matcher {
    /// By the names of its most probable classes.
    Labels {
        /// For each of the network's outputs, whether its label matches.
        matching: Vec<bool>,
        /// Whether pictures of none of the classes do.
        unknown: bool,
        classifier: Arc<Classifier>,
        top_k: usize,
        /// As it was asked for.
        threshold: Option<f32>,
    },
    /// By the probability of any of some WordNet groups.
    Groups {
        groups: Vec<Members>,
        threshold: f32,
    },
}

/// How patterns are read.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    /// `None` decides by whether the pattern has a capital.
    pub ignore_case: Option<bool>,
    pub whole_words: bool,
}

impl Matcher {
    /// Looks for labels that match any of the patterns.
    ///
    /// # Errors
    /// A pattern that is no regular expression.
    pub fn labels(
        classifier: &Arc<Classifier>,
        patterns: &[String],
        reading: Reading,
        (top_k, threshold): (usize, Option<f32>),
    ) -> Result<Self> {
        let set = patterns_set(patterns, reading)?;
        let classes = classifier.labels().classes().iter();
        Ok(Self::Labels {
            unknown: set.is_match(UNKNOWN),
            classifier: classifier.clone(),
            matching: classes.map(|class| set.is_match(&class.label)).collect(),
            top_k,
            threshold,
        })
    }

    /// Looks for pictures that are probably of any of these groups.
    ///
    /// # Errors
    /// Labels that are not ImageNet's.
    pub fn groups(labels: &Labels, groups: &[&Group], threshold: f32) -> Result<Self> {
        let groups: Vec<_> = groups.iter().map(|group| group.members(labels)).collect();
        ensure!(
            groups.iter().all(|members| !members.is_empty()),
            "--is needs ImageNet's classes, and the network has others"
        );
        Ok(Self::Groups { groups, threshold })
    }

    /// Whether the picture with these probabilities matches; equal ones go by their order.
    pub fn matches(&self, scores: &[f32], order: &[f32]) -> bool {
        match self {
            Self::Labels {
                matching,
                unknown,
                classifier,
                top_k,
                threshold,
            } => {
                if classifier.rejects(scores, *threshold) {
                    return *unknown;
                }
                let threshold =
                    threshold.unwrap_or(classifier.head().threshold().max(LABEL_THRESHOLD));
                let top = top_outputs_in_order(scores, order, *top_k, threshold);
                top.into_iter().any(|output| matching[output])
            }
            Self::Groups { groups, threshold } => {
                let mut scores = groups.iter().map(|members| members.score(scores));
                scores.any(|score| score >= *threshold)
            }
        }
    }
}

/// The patterns that match no label, nor what pictures of none are called.
///
/// # Errors
/// A pattern that is no regular expression.
pub fn unmatched<'a>(
    labels: &Labels,
    patterns: &'a [String],
    reading: Reading,
) -> Result<Vec<&'a str>> {
    let set = patterns_set(patterns, reading)?;
    let mut is_matched = vec![false; patterns.len()];
    let labels = labels.classes().iter().map(|class| class.label.as_str());
    for label in labels.chain([UNKNOWN]) {
        for pattern in set.matches(label) {
            is_matched[pattern] = true;
        }
    }
    let unmatched = patterns.iter().zip(is_matched);
    let unmatched = unmatched.filter(|(_, is_matched)| !is_matched);
    Ok(unmatched.map(|(pattern, _)| pattern.as_str()).collect())
}

fn patterns_set(patterns: &[String], reading: Reading) -> Result<RegexSet, regex::Error> {
    let pattern = |pattern: &String| {
        let ignore_case = reading.ignore_case.unwrap_or(!has_capital(pattern));
        let flags = if ignore_case { "i" } else { "-i" };
        if reading.whole_words {
            format!(r"(?{flags}:\b{{start-half}}(?:{pattern})\b{{end-half}})")
        } else {
            format!("(?{flags}:{pattern})")
        }
    };
    // On their own first, so that an error shows the pattern as it was given.
    for pattern in patterns {
        regex::Regex::new(pattern)?;
    }
    RegexSetBuilder::new(patterns.iter().map(pattern)).build()
}

/// Whether a pattern has a capital among the characters that it stands for itself, as ripgrep's
/// smart case has it: not in the name of a class such as `\p{Lu}`, of a group or of a flag.
fn has_capital(pattern: &str) -> bool {
    let ast = Parser::new().parse(pattern);
    // What is no pattern is refused elsewhere.
    ast.is_ok_and(|ast| ast::visit(&ast, Capitals::default()).unwrap_or_default())
}

/// Looks for capitals among the literals of a pattern.
#[derive(Debug, Default)]
struct Capitals {
    found: bool,
}

impl Capitals {
    fn look_at(&mut self, literal: &Literal) {
        self.found |= literal.c.is_uppercase();
    }
}

impl Visitor for Capitals {
    type Output = bool;
    type Err = Infallible;

    fn finish(self) -> Result<bool, Infallible> {
        Ok(self.found)
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), Infallible> {
        if let Ast::Literal(literal) = ast {
            self.look_at(literal);
        }
        Ok(())
    }

    fn visit_class_set_item_pre(&mut self, item: &ClassSetItem) -> Result<(), Infallible> {
        match item {
            ClassSetItem::Literal(literal) => self.look_at(literal),
            ClassSetItem::Range(range) => {
                self.look_at(&range.start);
                self.look_at(&range.end);
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pattern: &str, ignore_case: Option<bool>, whole_words: bool, label: &str) -> bool {
        let reading = Reading {
            ignore_case,
            whole_words,
        };
        let set = patterns_set(&[pattern.to_owned()], reading);
        set.expect("a pattern").is_match(label)
    }

    #[test]
    fn case_counts_where_the_pattern_has_a_capital() {
        assert!(found("persian", None, false, "Persian cat"));
        assert!(!found("PERSIAN", None, false, "Persian cat"));
        assert!(found("PERSIAN", Some(true), false, "Persian cat"));
        assert!(!found("persian", Some(false), false, "Persian cat"));
        assert!(found(r"persian\Wcat", None, false, "Persian cat"));
        assert!(!found(r"Persian\Wcat", None, false, "persian cat"));
    }

    #[test]
    fn a_capital_is_a_character_that_a_pattern_stands_for() {
        let without = [
            r"\p{Lu}ersian",
            r"\pL",
            r"\W\S\D\B",
            r"persian\Wcat",
            r"\x{6A}",
            r"\x6A",
            r"(?P<Cat>cat)",
            r"(?U)cat",
            r"[^\W\S]",
            r"[\p{Lu}]",
            "",
            r"(not a pattern A",
        ];
        for pattern in without {
            assert!(!has_capital(pattern), "{pattern}");
        }
        let with = [
            "Cat",
            r"\WCat",
            r"\\Cat",
            "[A-Z]at",
            "[Cc]at",
            r"\x41",
            r"\x{00C4}",
            "(?:dog|Cat)",
            "caT+",
            "ÄRGER",
        ];
        for pattern in with {
            assert!(has_capital(pattern), "{pattern}");
        }
        assert!(found(r"\p{Lu}ersian", None, false, "persian cat"));
    }

    #[test]
    fn whole_words() {
        assert!(found("cat", None, false, "catamaran"));
        assert!(!found("cat", None, true, "catamaran"));
        assert!(found("cat", None, true, "tabby, tabby cat"));
        assert!(!found("cat|boat", None, true, "lifeboat"));
    }
}
