//! One request: redirects followed by hand, the token kept from strangers.

use std::io;

use ureq::http::{Response, Uri};
use ureq::{Agent, Body, Timeout};

use super::Patience;
use super::failure::{Failure, Kind, check_status};
use super::header::header;

/// Redirects that are followed for one request.
const MAX_REDIRECTS: usize = 10;

/// What a server answered.
pub(in crate::weights) struct Answer {
    pub response: Response<Body>,
}

impl Answer {
    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.response, name)
    }

    /// Where its part of the file begins, and the length of the whole.
    pub fn range(&self) -> Option<(u64, u64)> {
        let text = self.header("content-range")?.strip_prefix("bytes ")?;
        let (part, total) = text.split_once('/')?;
        let (begin, _) = part.split_once('-')?;
        Some((begin.trim().parse().ok()?, total.trim().parse().ok()?))
    }

    /// The length of the whole, from an answer that there is no such part of it.
    pub fn whole(&self) -> Option<u64> {
        let text = self.header("content-range")?.strip_prefix("bytes */")?;
        text.trim().parse().ok()
    }
}

/// Sends requests.
#[derive(Debug, Clone)]
pub(in crate::weights) struct Client {
    agent: Agent,
    pub patience: Patience,
}

impl Client {
    pub fn new(patience: Patience) -> Self {
        let silence = Some(patience.silence);
        let config = Agent::config_builder()
            .user_agent(concat!("mobilenet/", env!("CARGO_PKG_VERSION")))
            // A length is that of the file, and a range one of it.
            .accept_encoding("identity")
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_resolve(silence)
            .timeout_connect(silence)
            .timeout_per_read(silence)
            .timeout_per_write(silence)
            // All of the headers, however slowly they come.
            .timeout_recv_response(Some(patience.silence * 2))
            .build();
        let agent = config.new_agent();
        Self { agent, patience }
    }

    /// Asks for the headers alone. Where one redirects to another host and has the header
    /// `enough`, that is the answer.
    pub fn head(
        &self,
        address: &str,
        token: Option<&str>,
        enough: &str,
    ) -> Result<Answer, Failure> {
        self.follow(address, token, Some(enough), |address| {
            self.agent.head(address)
        })
    }

    /// Asks for a file, or for the part of it that `headers` name.
    pub fn get(
        &self,
        address: &str,
        token: Option<&str>,
        headers: &[(&str, String)],
    ) -> Result<Answer, Failure> {
        self.follow(address, token, None, |address| {
            let request = self.agent.get(address);
            headers.iter().fold(request, |r, (k, v)| r.header(*k, v))
        })
    }

    fn follow(
        &self,
        address: &str,
        token: Option<&str>,
        enough: Option<&str>,
        request: impl Fn(&str) -> ureq::RequestBuilder<ureq::typestate::WithoutBody>,
    ) -> Result<Answer, Failure> {
        let mut address = address.to_owned();
        let mut token = token;
        for _ in 0..=MAX_REDIRECTS {
            let here = check_address(&address).map_err(Failure::last)?;
            let mut request = request(&address);
            if let Some(token) = token {
                request = request.header("authorization", format!("Bearer {token}"));
            }
            let response = request.call().map_err(|e| self.describe(&e))?;
            let Some(location) = redirect(&response) else {
                check_status(&response)?;
                return Ok(Answer { response });
            };
            let target = join(&here, location);
            let there = check_address(&target)
                .map_err(|_| Failure::last("it redirects to something that is no address"))?;
            if here.scheme_str() == Some("https") && there.scheme_str() != Some("https") {
                return Err(Failure::last(
                    "it redirects from https to http, which is not followed",
                ));
            }
            let leaves = origin(&here) != origin(&there);
            if leaves && enough.is_some_and(|name| header(&response, name).is_some()) {
                return Ok(Answer { response });
            }
            if leaves {
                // It is for one server, and for none that this one names.
                token = None;
            }
            address = target;
        }
        Err(Failure::last("it redirects without an end"))
    }

    /// What went wrong on the way, in words.
    pub fn describe(&self, error: &ureq::Error) -> Failure {
        let seconds = self.patience.silence.as_secs_f32();
        match error {
            ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => {
                Failure::passing(format!("no connection within {seconds} seconds"))
            }
            ureq::Error::Timeout(_) => {
                Failure::passing(format!("nothing arrived for {seconds} seconds"))
            }
            ureq::Error::HostNotFound => unknown_host(),
            // The standard library has no kind for it.
            ureq::Error::Io(e) if e.to_string().starts_with("failed to lookup address") => {
                unknown_host()
            }
            ureq::Error::Io(e) => match e.kind() {
                io::ErrorKind::ConnectionRefused
                | io::ErrorKind::HostUnreachable
                | io::ErrorKind::NetworkUnreachable
                | io::ErrorKind::AddrNotAvailable
                | io::ErrorKind::PermissionDenied => {
                    Failure::new(Kind::Unreachable, format!("can't be reached ({e})"))
                }
                io::ErrorKind::UnexpectedEof => Failure::passing("the connection broke off"),
                _ => Failure::passing(format!("the connection broke off ({e})")),
            },
            ureq::Error::ConnectProxyFailed(reason) => {
                Failure::last(format!("the proxy gives no connection ({reason})"))
            }
            ureq::Error::Rustls(e) => Failure::last(format!(
                "no secure connection ({e}): a proxy may stand between"
            )),
            ureq::Error::Protocol(e) => {
                Failure::last(format!("the server's answer was not understood ({e})"))
            }
            other => Failure::last(other.to_string()),
        }
    }
}

fn unknown_host() -> Failure {
    Failure::new(Kind::Unreachable, "the host's name can't be resolved")
}

fn redirect(response: &Response<Body>) -> Option<&str> {
    let redirects = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    header(response, "location").filter(|_| redirects)
}

/// An address of HTTP or HTTPS.
pub(in crate::weights) fn check_address(address: &str) -> Result<Uri, String> {
    let uri: Option<Uri> = address.parse().ok();
    uri.filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")))
        .filter(|uri| uri.host().is_some_and(|host| !host.is_empty()))
        .ok_or_else(|| "not an address: it has to begin with http:// or https://".into())
}

/// Scheme, host and port: whom a token is for.
fn origin(uri: &Uri) -> (Option<String>, Option<String>, Option<u16>) {
    let default = match uri.scheme_str() {
        Some("https") => 443,
        _ => 80,
    };
    (
        uri.scheme_str().map(str::to_ascii_lowercase),
        uri.host().map(str::to_ascii_lowercase),
        uri.port_u16().or(Some(default)),
    )
}

/// The address that `location` means in an answer of `base`.
fn join(base: &Uri, location: &str) -> String {
    let scheme = base.scheme_str().unwrap_or("https");
    let authority = base.authority().map_or("", |a| a.as_str());
    let path = base.path();
    let folder = path.rfind('/').map_or("/", |end| &path[..=end]);
    let is_absolute = location.split_once(':').is_some_and(|(scheme, _)| {
        let mut letters = scheme.chars();
        letters.next().is_some_and(|c| c.is_ascii_alphabetic())
            && letters.all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    });
    match location {
        _ if is_absolute => location.to_owned(),
        _ if location.starts_with("//") => format!("{scheme}:{location}"),
        _ if location.starts_with('/') => format!("{scheme}://{authority}{location}"),
        _ if location.starts_with('?') => format!("{scheme}://{authority}{path}{location}"),
        _ => format!("{scheme}://{authority}{folder}{location}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_joined_to_its_address() {
        let base: Uri = "https://u:p@hub.org:8443/a/b?c"
            .parse()
            .expect("an address");
        for (location, address) in [
            ("http://x/y", "http://x/y"),
            ("//cdn/y", "https://cdn/y"),
            ("/y?z", "https://u:p@hub.org:8443/y?z"),
            ("y:1/z", "y:1/z"),
            ("y/z", "https://u:p@hub.org:8443/a/y/z"),
            ("?z", "https://u:p@hub.org:8443/a/b?z"),
        ] {
            assert_eq!(join(&base, location), address);
        }
    }

    #[test]
    fn another_scheme_host_or_port_is_another_server() {
        let origin = |text: &str| origin(&text.parse().expect("an address"));
        let hub = origin("https://hub.org/a");
        for same in [
            "https://hub.org:443/b",
            "https://HUB.org",
            "https://u@hub.org",
        ] {
            assert_eq!(origin(same), hub, "{same}");
        }
        for other in [
            "http://hub.org",
            "https://hub.org:8443",
            "https://hub.org.evil",
            "https://cdn.hub.org",
        ] {
            assert_ne!(origin(other), hub, "{other}");
        }
    }
}
