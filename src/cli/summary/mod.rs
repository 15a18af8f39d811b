//! `mobilenet summary`

mod classes;

use std::io::{self, Write};

use anyhow::Result;
use candle_core::Device;
use clap::Args;
use mobilenet::learn::Lesson;
use mobilenet::model::{LayerSummary, Summary};
use mobilenet::weights::QuantisationSummary;
use serde::Serialize;

use self::classes::{ClassName, class_names, print_classes};
use super::options::{ModelOptions, ReportOptions, computes_in};
use super::output::write_report;
use super::stdout::Stdout;
use super::terminal::{Terminal, truncate};
use super::{Global, Outcome, learned};

/// Show the network layer by layer, as Keras's model.summary() does
///
/// Parameters, multiply-adds, and what the same network would cost with standard convolutions.
/// Without --weights or --repo no checkpoint is needed.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    model: ModelOptions,

    /// The paper's shallow variant, without blocks 7 to 11
    #[arg(long, help_heading = "Model", conflicts_with_all = ["weights", "repo"])]
    shallow: bool,

    /// Print the names of the classes alone, one a line in the order of the outputs: a file for --labels
    #[arg(long, conflicts_with = "shallow")]
    class_names: bool,

    #[command(flatten)]
    report: ReportOptions,
}

/// How classes were learned, and the same in words.
#[derive(Serialize)]
struct Learned {
    #[serde(flatten)]
    lesson: Lesson,
    #[serde(skip)]
    facts: Vec<String>,
}

/// What is shown.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    summary: Summary,
    /// Of a checkpoint in eight bits.
    #[serde(skip_serializing_if = "Option::is_none")]
    quantisation: Option<QuantisationSummary>,
    /// What a checkpoint computes in on CPUs where nothing else is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    computes_in: Option<String>,
    /// What the classes were learned from, if `learn` made the checkpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    learned: Option<Learned>,
    /// Of a checkpoint with a classifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<Vec<ClassName>>,
}

pub fn run(arguments: &Arguments, global: Global) -> Result<Outcome> {
    if arguments.class_names {
        return print_classes(arguments, global);
    }
    let shown = if arguments.model.names_a_checkpoint() {
        let checkpoint = arguments.model.load(global)?;
        let labels = checkpoint.labels();
        let precision = checkpoint.default_precision(&Device::Cpu);
        Shown {
            summary: Summary::new(checkpoint.config(), checkpoint.preprocessing().size)?,
            quantisation: checkpoint.quantisation(),
            computes_in: Some(computes_in(&checkpoint, precision)),
            learned: checkpoint.lesson().map(|lesson| Learned {
                lesson: lesson.clone(),
                facts: learned::facts(&checkpoint, lesson),
            }),
            labels: labels.as_ref().map(class_names),
        }
    } else {
        let config = arguments.model.config(arguments.shallow);
        Shown {
            summary: Summary::new(&config, arguments.model.size_or_default())?,
            quantisation: None,
            computes_in: None,
            learned: None,
            labels: None,
        }
    };
    let mut out = io::BufWriter::new(Stdout::new());
    if arguments.report.is_json() {
        write_report(&mut out, &shown)?;
    } else {
        write_text(&mut out, &shown, Terminal::of_stdout().width)?;
    }
    out.flush()?;
    Ok(Outcome::Complete)
}

/// `width` is that of the terminal, if it is one.
fn write_text(out: &mut impl Write, shown: &Shown, width: Option<usize>) -> io::Result<()> {
    let summary = &shown.summary;
    let config = &summary.config;
    let shallow = if config.shallow { "shallow " } else { "" };
    let classes = match config.classes {
        Some(n) => format!("{n} classes"),
        None => "no classifier".into(),
    };
    let (alpha, size) = (config.alpha, summary.size);
    let bits = match shown.quantisation {
        Some(QuantisationSummary { bits, .. }) => format!(", {bits} bits"),
        None => String::new(),
    };
    writeln!(
        out,
        "{shallow}MobileNet V1, alpha {alpha:?}, {size}x{size}, {classes}{bits}\n"
    )?;
    let rule = write_table(out, &summary.layers, width)?;
    writeln!(out, "{rule}")?;
    let standard = summary.standard_multiply_adds as f64 / summary.multiply_adds as f64;
    let totals = [
        ("parameters", grouped(summary.parameters)),
        ("trainable", grouped(summary.trainable_parameters)),
        ("non-trainable", grouped(summary.non_trainable_parameters)),
        ("multiply-adds", grouped(summary.multiply_adds)),
        (
            "with standard convolutions",
            format!(
                "{} ({standard:.1} times)",
                grouped(summary.standard_multiply_adds)
            ),
        ),
    ];
    for (name, value) in totals {
        writeln!(out, "{name:<28}{value}")?;
    }
    if let Some(computes_in) = &shown.computes_in {
        writeln!(out, "{:<28}{computes_in}", "computes, on CPUs, in")?;
    }
    if let Some(learned) = &shown.learned {
        writeln!(out)?;
        for fact in &learned.facts {
            writeln!(out, "{}", truncate(fact, width.unwrap_or(usize::MAX)))?;
        }
    }
    if let Some(labels) = &shown.labels {
        classes::write(out, labels, width)?;
    }
    Ok(())
}

/// Writes the layers; where they don't fit the terminal, without their types and what they
/// would cost as standard convolutions. Returns the rule that closes the table.
fn write_table(
    out: &mut impl Write,
    layers: &[LayerSummary],
    width: Option<usize>,
) -> io::Result<String> {
    let full = ["layer", "output", "parameters", "multiply-adds", "standard"];
    let mut rows: Vec<Vec<String>> = vec![full.map(String::from).to_vec()];
    rows.extend(layers.iter().map(cells));
    let gaps = |columns: usize| 2 * (columns - 1);
    let mut widths = column_widths(&rows);
    if width.is_some_and(|width| widths.iter().sum::<usize>() + gaps(5) > width) {
        let compact = ["layer", "output", "params", "mult-adds"];
        rows[0] = compact.map(String::from).to_vec();
        for (row, layer) in rows[1..].iter_mut().zip(layers) {
            row[0].clone_from(&layer.name);
            row.truncate(compact.len());
        }
        widths = column_widths(&rows);
        let others = widths[1..].iter().sum::<usize>() + gaps(compact.len());
        let room = width.unwrap_or(usize::MAX).saturating_sub(others);
        widths[0] = widths[0].min(room.max(8));
    }
    let rule = "─".repeat(widths.iter().sum::<usize>() + gaps(widths.len()));
    for (i, row) in rows.iter().enumerate() {
        write_row(out, row, &widths)?;
        if i == 0 {
            writeln!(out, "{rule}")?;
        }
    }
    Ok(rule)
}

fn column_widths(rows: &[Vec<String>]) -> Vec<usize> {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    (0..columns).map(|c| width(c).unwrap_or(0)).collect()
}

fn cells(layer: &LayerSummary) -> Vec<String> {
    let shape: Vec<String> = layer.output_shape.iter().map(usize::to_string).collect();
    let count = |n: u64| match n {
        0 => String::new(),
        n => grouped(n),
    };
    vec![
        format!("{} ({})", layer.name, layer.kind),
        shape.join(" x "),
        count(layer.parameters),
        count(layer.multiply_adds),
        count(layer.standard_multiply_adds),
    ]
}

/// Names to the left, numbers to the right.
fn write_row(out: &mut impl Write, row: &[String], widths: &[usize]) -> io::Result<()> {
    let mut line = String::new();
    for (column, (cell, &width)) in row.iter().zip(widths).enumerate() {
        match column {
            0 => line.push_str(&format!("{:<width$}", truncate(cell, width))),
            1 => line.push_str(&format!("  {cell:<width$}")),
            _ => line.push_str(&format!("  {cell:>width$}")),
        }
    }
    writeln!(out, "{}", line.trim_end())
}

/// A number with a comma between each three digits.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use mobilenet::model::Config;

    #[test]
    fn digits_are_grouped_by_three() {
        for (n, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (4_253_864, "4,253,864"),
        ] {
            assert_eq!(grouped(n), text);
        }
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() -> anyhow::Result<()> {
        let summary = Shown {
            summary: Summary::new(&Config::default(), 224)?,
            quantisation: None,
            computes_in: None,
            learned: None,
            labels: Some(vec![ClassName::named(0, "a name of many words ".repeat(9))]),
        };
        for width in [60, 80, 120] {
            let mut text = Vec::new();
            write_text(&mut text, &summary, Some(width))?;
            let text = String::from_utf8(text)?;
            let longest = text.lines().map(|line| line.chars().count()).max();
            assert!(longest <= Some(width), "{text}");
            assert!(text.contains("conv_dw_13") && text.contains("4,253,864"));
        }
        Ok(())
    }
}
