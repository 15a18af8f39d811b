//! Where the service listens, whom it answers, and how much it takes on.

use std::path::PathBuf;

use clap::Args;

/// Arguments of the service itself.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Service")]
pub struct ServiceOptions {
    /// Where to listen; port 0 takes any that is free, and the address is printed. A socket that systemd
    /// hands over goes before it
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    pub listen: String,

    /// Open the page in a browser
    #[arg(long)]
    pub open: bool,

    /// Answer /v1/similar with the pictures of an album (`mobilenet embed -o FILE.safetensors`)
    #[arg(long, value_name = "FILE")]
    pub index: Option<PathBuf>,

    /// What the network is called in /v2/models/NAME
    #[arg(long, value_name = "NAME", default_value = "mobilenet", value_parser = parse_name)]
    pub name: String,

    /// Answer only who sends what this file has: `Authorization: Bearer TOKEN`. Needed to listen on other
    /// addresses than this machine's own
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,

    /// Listen on any address without a token: whoever reaches it can use it
    #[arg(long, conflicts_with = "token_file")]
    pub insecure_no_token: bool,

    /// Answer requests for this host name too (may be repeated). Addresses and localhost are always
    /// answered; names are not, or a web page could name this machine as its own
    #[arg(long, value_name = "NAME")]
    pub allow_host: Vec<String>,

    /// Let the pages of this origin use the service, such as https://example.org (may be repeated)
    #[arg(long, value_name = "ORIGIN")]
    pub allow_origin: Vec<String>,

    /// How many pictures may wait; beyond that requests are answered with 503
    #[arg(long, value_name = "N", default_value = "64")]
    pub queue: u16,

    /// Refuse larger bodies
    #[arg(long, value_name = "BYTES", default_value = "67108864")]
    pub max_body: usize,

    /// How many connections may be open at once
    #[arg(long, value_name = "N", default_value = "4096",
          value_parser = clap::value_parser!(u16).range(1..))]
    pub max_connections: u16,

    /// How long requests that have begun may take once it is asked to stop
    #[arg(long, value_name = "SECONDS", default_value = "30")]
    pub grace: u16,
}

/// What needs no escape in an address.
fn parse_name(text: &str) -> Result<String, &'static str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    match !text.is_empty() && text.bytes().all(is_plain) {
        true => Ok(text.into()),
        false => Err("expected letters, digits and . _ -"),
    }
}
