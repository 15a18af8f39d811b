//! The classes of a checkpoint, beside its layers or alone.

use std::collections::BTreeMap;
use std::io::{self, Write};

use anyhow::{Context, Result, ensure};
use mobilenet::labels::Labels;
use serde::Serialize;
use serde_json::{Value, json};

use super::Arguments;
use crate::cli::output::write_report;
use crate::cli::stdout::Stdout;
use crate::cli::terminal::{Terminal, printable, truncate};
use crate::cli::{Global, Outcome};

/// As many are shown beside the layers.
const FEW: usize = 20;

/// A class, as answers name it.
#[derive(Debug, Serialize)]
pub struct ClassName {
    pub index: i32,
    pub wnid: Option<String>,
    pub label: String,
}

impl ClassName {
    #[cfg(test)]
    pub fn named(index: i32, label: String) -> Self {
        Self {
            index,
            wnid: None,
            label,
        }
    }
}

pub fn class_names(labels: &Labels) -> Vec<ClassName> {
    let classes = labels.classes().iter();
    let name = |class: &mobilenet::labels::Class| ClassName {
        index: class.index,
        wnid: class.wnid.clone(),
        label: class.label.clone(),
    };
    classes.map(name).collect()
}

/// Writes the first of them, each with its index.
pub fn write(out: &mut impl Write, names: &[ClassName], width: Option<usize>) -> io::Result<()> {
    writeln!(out, "\nclasses")?;
    let shown = if names.len() > FEW { FEW / 2 } else { FEW };
    for name in names.iter().take(shown) {
        let line = format!("{:>6}  {}", name.index, printable(&name.label));
        writeln!(out, "{}", truncate(&line, width.unwrap_or(usize::MAX)))?;
    }
    if names.len() > shown {
        let more = names.len() - shown;
        writeln!(out, "        and {more} more, which --class-names prints")?;
    }
    Ok(())
}

/// Prints the names alone, as --labels reads them.
pub fn print_classes(arguments: &Arguments, global: Global) -> Result<Outcome> {
    let checkpoint = arguments.model.load(global)?;
    let labels = checkpoint.labels().with_context(|| {
        let path = checkpoint.path().display();
        format!("{path}: it has no classifier, and so no classes")
    })?;
    let names = class_names(&labels);
    let mut out = io::BufWriter::new(Stdout::new());
    if arguments.report.is_json() {
        // As Keras's imagenet_class_index.json where there are ids.
        let value = |name: &ClassName| match &name.wnid {
            Some(wnid) => json!([wnid, name.label]),
            None => json!(name.label),
        };
        let rows = names.iter().map(value).enumerate();
        let object: BTreeMap<usize, Value> = rows.collect();
        write_report(&mut out, &object)?;
    } else {
        let breaks = |name: &&ClassName| {
            name.label.contains(['\n', '\r']) || name.label.trim() != name.label
        };
        if let Some(name) = names.iter().find(breaks) {
            let label = printable(&name.label);
            ensure!(
                Terminal::of_stdout().width.is_some(),
                "{label}: a name that a line can't hold: --json"
            );
        }
        let readable = Terminal::of_stdout().width.is_some();
        for name in &names {
            if readable {
                writeln!(out, "{}", printable(&name.label))?;
            } else {
                writeln!(out, "{}", name.label)?;
            }
        }
    }
    out.flush()?;
    Ok(Outcome::Complete)
}
