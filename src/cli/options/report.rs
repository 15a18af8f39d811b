//! How a command reports.

use clap::Args;

use crate::cli::output::{Format, FormatOptions};

/// How a command that reports on one thing writes it.
#[derive(Debug, Clone, Copy, Args)]
#[command(mut_arg("format", |arg| arg.default_value("text")))]
pub struct ReportOptions {
    #[command(flatten)]
    form: FormatOptions,
}

impl ReportOptions {
    pub fn format(self) -> Format {
        self.form.format().unwrap_or(Format::Text)
    }

    pub fn is_json(self) -> bool {
        self.format() == Format::Json
    }
}
