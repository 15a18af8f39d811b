//! How a command reports.

use clap::{Args, ValueEnum};

/// How a command that reports on one thing writes it.
#[derive(Debug, Clone, Copy, Args)]
pub struct ReportOptions {
    /// How to write it
    #[arg(long, default_value = "text", value_name = "FORMAT")]
    format: ReportFormat,

    /// Short for --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ReportFormat {
    Text,
    Json,
}

impl ReportOptions {
    pub fn is_json(self) -> bool {
        self.json || self.format == ReportFormat::Json
    }
}
