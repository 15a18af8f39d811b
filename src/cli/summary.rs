//! `mobilenet summary`

use std::io::{self, Write};

use anyhow::Result;
use clap::{Args, ValueEnum};
use mobilenet::model::{LayerSummary, Summary};

use super::options::ModelOptions;
use super::{Global, Outcome};

/// Show the network layer by layer, as Keras's model.summary() does
///
/// Parameters, multiply-adds, and what the same network would cost with standard convolutions.
/// Without --weights or --repo no checkpoint is needed.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    model: ModelOptions,

    /// The paper's shallow variant, without blocks 7 to 11
    #[arg(long, help_heading = "Model")]
    shallow: bool,

    /// How to write it
    #[arg(long, default_value = "text", value_name = "FORMAT")]
    format: ReportFormat,

    /// Short for --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

/// `--format` of commands that report on one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    Text,
    Json,
}

pub fn run(arguments: &Arguments, global: Global) -> Result<Outcome> {
    let summary = if arguments.model.names_a_checkpoint() {
        let checkpoint = arguments.model.load(global)?;
        Summary::new(checkpoint.config(), checkpoint.preprocessing().size)?
    } else {
        let config = arguments.model.config(arguments.shallow);
        Summary::new(&config, arguments.model.size_or_default())?
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    if arguments.json || arguments.format == ReportFormat::Json {
        serde_json::to_writer_pretty(&mut out, &summary).map_err(io::Error::from)?;
        writeln!(out)?;
    } else {
        write_text(&mut out, &summary)?;
    }
    out.flush()?;
    Ok(Outcome::Complete)
}

fn write_text(out: &mut impl Write, summary: &Summary) -> io::Result<()> {
    let config = &summary.config;
    let shallow = if config.shallow { "shallow " } else { "" };
    let classes = match config.classes {
        Some(n) => format!("{n} classes"),
        None => "no classifier".into(),
    };
    let (alpha, size) = (config.alpha, summary.size);
    writeln!(
        out,
        "{shallow}MobileNet V1, alpha {alpha:?}, {size}x{size}, {classes}\n"
    )?;
    let rows: Vec<[String; 5]> = summary.layers.iter().map(cells).collect();
    let header = ["layer", "output", "parameters", "multiply-adds", "standard"].map(String::from);
    let mut widths = [0; 5];
    for row in rows.iter().chain([&header]) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let rule = "─".repeat(widths.iter().sum::<usize>() + 2 * (widths.len() - 1));
    write_row(out, &header, widths)?;
    writeln!(out, "{rule}")?;
    for row in &rows {
        write_row(out, row, widths)?;
    }
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
                "{} ({standard:.1} times as many)",
                grouped(summary.standard_multiply_adds)
            ),
        ),
    ];
    for (name, value) in totals {
        writeln!(out, "{name:<28}{value}")?;
    }
    Ok(())
}

fn cells(layer: &LayerSummary) -> [String; 5] {
    let shape: Vec<String> = layer.output_shape.iter().map(usize::to_string).collect();
    let count = |n: u64| match n {
        0 => String::new(),
        n => grouped(n),
    };
    [
        format!("{} ({})", layer.name, layer.kind),
        shape.join(" x "),
        count(layer.parameters),
        count(layer.multiply_adds),
        count(layer.standard_multiply_adds),
    ]
}

fn write_row(out: &mut impl Write, row: &[String; 5], widths: [usize; 5]) -> io::Result<()> {
    let [name, shape, counts @ ..] = row;
    let [name_width, shape_width, count_widths @ ..] = widths;
    let mut line = format!("{name:<name_width$}  {shape:<shape_width$}");
    for (count, width) in counts.iter().zip(count_widths) {
        line.push_str(&format!("  {count:>width$}"));
    }
    writeln!(out, "{}", line.trim_end())
}

/// A number with a comma between each three digits.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn digits_are_grouped_by_three() {
        for (n, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (4_253_864, "4,253,864"),
        ] {
            assert_eq!(super::grouped(n), text);
        }
    }
}
