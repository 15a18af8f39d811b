//! Whom the service answers.
//!
//! A page on the web can make its visitor's browser send requests to any address, this one too. It
//! can't read the answers of another origin, but it can use up time; and by a name of its own that it
//! lets point here (DNS rebinding) it would be of the same origin. So names are answered only where they
//! are known, and origins only where they are the service's own or allowed.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use subtle::ConstantTimeEq;

use super::fault::Fault;
use super::options::ServiceOptions;

/// A token that can't be guessed has at least so many bytes.
const SHORTEST_TOKEN: usize = 16;

/// Who is let in.
#[derive(Debug)]
pub struct Gate {
    token: Option<Vec<u8>>,
    hosts: Vec<String>,
    origins: Vec<String>,
}

impl Gate {
    /// As the options say, for a service at these addresses.
    ///
    /// # Errors
    /// A token that is none, an origin that is none, or an address that others reach and no token.
    pub fn new(options: &ServiceOptions, addresses: &[SocketAddr]) -> Result<Self> {
        let token = options.token_file.as_deref().map(read_token).transpose()?;
        let reached = addresses.iter().find(|address| !address.ip().is_loopback());
        if let (Some(address), None, false) = (reached, &token, options.insecure_no_token) {
            bail!(
                "others can reach {address}: --token-file FILE answers only who knows what it has, \
                 --insecure-no-token everybody"
            );
        }
        let origins = options
            .allow_origin
            .iter()
            .map(|origin| parse_origin(origin));
        let hosts = options
            .allow_host
            .iter()
            .map(|host| host.to_ascii_lowercase());
        Ok(Self {
            token,
            hosts: hosts.collect(),
            origins: origins.collect::<Result<_>>()?,
        })
    }

    /// Whether a token is asked for.
    pub fn asks_for_a_token(&self) -> bool {
        self.token.is_some()
    }

    /// Refuses a request for somebody else, or from a page that is not allowed.
    ///
    /// # Errors
    /// Which it is.
    pub fn check_names(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Fault> {
        let host = host(uri, headers)?;
        if !self.answers_for(&host) {
            return Err(Fault::new(
                StatusCode::MISDIRECTED_REQUEST,
                "host",
                format!(
                    "this service does not answer for the host {:?}; --allow-host allows it",
                    host.host()
                ),
            ));
        }
        let refuse = |what: String| Err(Fault::new(StatusCode::FORBIDDEN, "origin", what));
        match headers.get(ORIGIN) {
            Some(origin) if !self.is_allowed(origin) && !is_own(origin, &host) => refuse(format!(
                "pages of {} may not use this service; --allow-origin lets them",
                String::from_utf8_lossy(origin.as_bytes()).escape_debug()
            )),
            // Browsers leave the origin out of some requests, such as those for an `<img>`.
            None if headers
                .get("sec-fetch-site")
                .is_some_and(|site| site == "cross-site")
                && headers
                    .get("sec-fetch-mode")
                    .is_none_or(|mode| mode != "navigate") =>
            {
                refuse("a page of another site may not use this service".into())
            }
            _ => Ok(()),
        }
    }

    /// The origin that is told that it may read the answer.
    pub fn allowed_origin<'a>(&self, headers: &'a HeaderMap) -> Option<&'a HeaderValue> {
        headers.get(ORIGIN).filter(|origin| self.is_allowed(origin))
    }

    /// Refuses a request without the token.
    ///
    /// # Errors
    /// It is missing, or another one.
    pub fn check_token(&self, headers: &HeaderMap) -> Result<(), Fault> {
        let Some(token) = &self.token else {
            return Ok(());
        };
        let refuse = |message: &'static str| {
            Err(Fault::new(
                StatusCode::UNAUTHORIZED,
                "unauthorized",
                message,
            ))
        };
        let Some(value) = headers.get(AUTHORIZATION) else {
            return refuse("a token is needed: Authorization: Bearer TOKEN");
        };
        let given = match value.as_bytes().split_first_chunk::<7>() {
            Some((scheme, given)) if scheme.eq_ignore_ascii_case(b"bearer ") => given,
            _ => return refuse("Authorization is not Bearer TOKEN"),
        };
        // In a time that does not tell how much of it is right.
        match bool::from(given.trim_ascii().ct_eq(token)) {
            true => Ok(()),
            false => refuse("another token is needed"),
        }
    }

    fn answers_for(&self, host: &Authority) -> bool {
        let name = host.host().trim_end_matches('.').to_ascii_lowercase();
        let address = name.trim_start_matches('[').trim_end_matches(']');
        name == "localhost" || address.parse::<IpAddr>().is_ok() || self.hosts.contains(&name)
    }

    fn is_allowed(&self, origin: &HeaderValue) -> bool {
        let is_it = |allowed: &String| allowed == "*" || allowed.as_bytes() == origin.as_bytes();
        self.origins.iter().any(is_it)
    }
}

/// Whom a request is for.
fn host(uri: &Uri, headers: &HeaderMap) -> Result<Authority, Fault> {
    if let Some(authority) = uri.authority() {
        return Ok(authority.clone());
    }
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return Err(Fault::request("a request has one header Host"));
    };
    let authority = Authority::try_from(host.as_bytes());
    authority.map_err(|_| Fault::request("the header Host is no host"))
}

/// Whether a page is the service's own. Behind a proxy it may be one of https.
fn is_own(origin: &HeaderValue, host: &Authority) -> bool {
    let origin = origin.to_str().unwrap_or_default();
    let after_scheme = origin
        .strip_prefix("http://")
        .or(origin.strip_prefix("https://"));
    after_scheme.is_some_and(|origin| origin.eq_ignore_ascii_case(host.as_str()))
}

fn parse_origin(text: &str) -> Result<String> {
    if text == "*" {
        return Ok(text.into());
    }
    let uri: Option<Uri> = text.trim_end_matches('/').parse().ok();
    let is_origin = uri.as_ref().is_some_and(|uri| {
        let scheme = uri.scheme_str();
        matches!(scheme, Some("http" | "https")) && uri.path() == "/" && uri.query().is_none()
    });
    ensure!(
        is_origin,
        "--allow-origin {text}: expected the scheme and host of a page, such as https://example.org"
    );
    Ok(text.trim_end_matches('/').to_ascii_lowercase())
}

fn read_token(path: &Path) -> Result<Vec<u8>> {
    let named = path.display();
    let bytes = fs::read(path).with_context(|| named.to_string())?;
    let token = bytes.trim_ascii();
    ensure!(
        token.len() >= SHORTEST_TOKEN,
        "{named}: a token has at least {SHORTEST_TOKEN} characters, and this has {}; `openssl rand -hex 32` makes one",
        token.len()
    );
    ensure!(
        token.iter().all(u8::is_ascii_graphic),
        "{named}: a token is one word of ASCII"
    );
    Ok(token.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate() -> Gate {
        Gate {
            token: Some(b"0123456789abcdef".to_vec()),
            hosts: vec!["pictures.example.org".into()],
            origins: vec!["https://app.example.org".into()],
        }
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            let name = axum::http::HeaderName::from_static(name);
            (name, HeaderValue::from_static(value))
        };
        pairs.iter().map(pair).collect()
    }

    fn status(pairs: &[(&'static str, &'static str)]) -> u16 {
        let checked = gate().check_names(&Uri::from_static("/v1/model"), &headers(pairs));
        checked.map_or_else(|fault| fault.status.as_u16(), |()| 200)
    }

    #[test]
    fn names_are_answered_where_they_are_known() {
        for (host, expected) in [
            ("127.0.0.1:8080", 200),
            ("[::1]:8080", 200),
            ("localhost", 200),
            ("LOCALHOST:80", 200),
            ("192.168.1.7:8080", 200),
            ("pictures.example.org", 200),
            ("pictures.example.org.:443", 200),
            ("evil.example.net", 421),
            ("pictures.example.org.evil.net", 421),
            ("a b", 400),
            ("", 400),
        ] {
            assert_eq!(status(&[("host", host)]), expected, "{host:?}");
        }
        assert_eq!(status(&[]), 400);
    }

    #[test]
    fn pages_are_answered_where_they_are_the_services_own_or_allowed() {
        let host = ("host", "127.0.0.1:8080");
        for (origin, expected) in [
            ("http://127.0.0.1:8080", 200),
            ("https://127.0.0.1:8080", 200),
            ("https://app.example.org", 200),
            ("https://app.example.org.evil.net", 403),
            ("http://127.0.0.1:9090", 403),
            ("http://evil.example.net", 403),
            ("null", 403),
        ] {
            assert_eq!(status(&[host, ("origin", origin)]), expected, "{origin}");
        }
        let cross = ("sec-fetch-site", "cross-site");
        assert_eq!(status(&[host, cross]), 403);
        // A link from elsewhere to the page.
        assert_eq!(status(&[host, cross, ("sec-fetch-mode", "navigate")]), 200);
        assert_eq!(status(&[host, ("sec-fetch-site", "same-origin")]), 200);
    }

    #[test]
    fn the_token_is_the_whole_one() {
        for (value, expected) in [
            ("Bearer 0123456789abcdef", true),
            ("bearer  0123456789abcdef", true),
            ("Bearer 0123456789abcde", false),
            ("Bearer 0123456789abcdef0", false),
            ("Bearer ", false),
            ("Basic 0123456789abcdef", false),
        ] {
            let checked = gate().check_token(&headers(&[("authorization", value)]));
            assert_eq!(checked.is_ok(), expected, "{value}");
        }
        assert!(gate().check_token(&HeaderMap::new()).is_err());
    }
}
