//! How answers and reports are written, and the option that says so.

use std::path::Path;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use super::packing::Packing;

/// A form of rows or of a report. Each command offers some of them, see [`formats`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Text,
    /// One array, or one object.
    Json,
    /// A JSON object a line.
    Jsonl,
    Csv,
    Tsv,
    /// NumPy's.
    Npy,
    Safetensors,
}

impl Format {
    /// As the command line names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
            Self::Tsv => "tsv",
            Self::Npy => "npy",
            Self::Safetensors => "safetensors",
        }
    }

    /// What the ending of a file's name says (before one that says how it is packed), if that is one of those
    /// that are offered.
    pub fn of_name(path: &Path, offered: &[Offered]) -> Option<Self> {
        let format = Self::by_ending(&Packing::inner_name(path))?;
        let is_offered = offered.iter().any(|(offered, _)| *offered == format);
        is_offered.then_some(format)
    }

    /// What a name's last ending says.
    pub fn by_ending(path: &Path) -> Option<Self> {
        Some(match path.extension()?.to_ascii_lowercase().to_str()? {
            "txt" => Self::Text,
            "json" => Self::Json,
            "jsonl" | "ndjson" => Self::Jsonl,
            "csv" => Self::Csv,
            "tsv" => Self::Tsv,
            "npy" => Self::Npy,
            "safetensors" => Self::Safetensors,
            _ => return None,
        })
    }

    /// Whether a terminal can show it.
    pub fn is_text(self) -> bool {
        !matches!(self, Self::Npy | Self::Safetensors)
    }

    /// What stands between the fields of a table.
    pub fn delimiter(self) -> Option<u8> {
        match self {
            Self::Csv => Some(b','),
            Self::Tsv => Some(b'\t'),
            _ => None,
        }
    }
}

/// A format that a command offers, and what its help says of it; it may say nothing.
pub type Offered = (Format, &'static str);

/// Those for rows that a person or a program reads.
pub const ROW_FORMATS: &[Offered] = &[
    (Format::Text, ""),
    (Format::Json, ""),
    (Format::Jsonl, ""),
    (Format::Csv, ""),
    (Format::Tsv, ""),
];

/// Those for a report on one thing.
pub const REPORT_FORMATS: &[Offered] = &[(Format::Text, ""), (Format::Json, "")];

/// Reads a value of `--format`: one of those that the command offers.
pub fn formats(offered: &'static [Offered]) -> impl TypedValueParser<Value = Format> {
    let values = offered.iter().map(|(format, help)| {
        let value = PossibleValue::new(format.name());
        if help.is_empty() {
            value
        } else {
            value.help(*help)
        }
    });
    PossibleValuesParser::new(values).try_map(|name| {
        let mut formats = offered.iter().map(|(format, _)| *format);
        formats
            .find(|format| format.name() == name)
            .ok_or("it is not offered")
    })
}

/// `--format` and `--json`. Commands that offer other formats than these say so with `mut_arg`.
#[derive(Debug, Clone, Copy, Args)]
pub struct FormatOptions {
    /// Format of the output
    #[arg(long, value_name = "FORMAT", group = "form", value_parser = formats(REPORT_FORMATS))]
    format: Option<Format>,

    /// Short for --format json
    #[arg(long, group = "form")]
    json: bool,
}

impl FormatOptions {
    /// The format that was asked for, if one was.
    pub fn format(self) -> Option<Format> {
        if self.json {
            Some(Format::Json)
        } else {
            self.format
        }
    }
}

/// The same for rows, which may also be an object a line.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Output")]
#[command(mut_arg("format", |arg| arg
    .help("Format of the answers [default: by the name of --output, else text]")
    .value_parser(formats(ROW_FORMATS))
    .help_heading("Output")))]
#[command(mut_arg("json", |arg| arg.help_heading("Output")))]
pub struct RowFormatOptions {
    #[command(flatten)]
    form: FormatOptions,

    /// Short for --format jsonl
    #[arg(long, group = "form")]
    jsonl: bool,
}

impl RowFormatOptions {
    /// The format that was asked for, if one was.
    pub fn format(self) -> Option<Format> {
        if self.jsonl {
            Some(Format::Jsonl)
        } else {
            self.form.format()
        }
    }
}
