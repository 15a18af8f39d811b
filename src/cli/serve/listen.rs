//! Where the service listens.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};

use anyhow::{Context, Result, bail, ensure};
use listenfd::ListenFd;

/// The sockets that systemd hands over, else one at this address.
///
/// # Errors
/// An address that is none, or that can't be had.
pub fn listeners(address: &str) -> Result<Vec<TcpListener>> {
    let handed_over = handed_over()?;
    if !handed_over.is_empty() {
        return Ok(handed_over);
    }
    let resolved = address.to_socket_addrs().with_context(|| {
        format!("--listen {address}: expected an address and a port, such as 127.0.0.1:8080 or [::1]:8080")
    })?;
    let addresses: Vec<SocketAddr> = resolved.collect();
    ensure!(!addresses.is_empty(), "--listen {address}: no such address");
    let listener = TcpListener::bind(addresses.as_slice());
    let listener = listener.with_context(|| format!("--listen {address}"))?;
    Ok(vec![listener])
}

/// The addresses of listeners.
///
/// # Errors
/// A socket that has none.
pub fn addresses(listeners: &[TcpListener]) -> io::Result<Vec<SocketAddr>> {
    listeners.iter().map(TcpListener::local_addr).collect()
}

fn handed_over() -> Result<Vec<TcpListener>> {
    let mut sockets = ListenFd::from_env();
    let mut listeners = Vec::new();
    for number in 0..sockets.len() {
        let listener = sockets.take_tcp_listener(number);
        match listener.with_context(|| format!("socket {number} that was handed over"))? {
            Some(listener) => listeners.push(listener),
            None => bail!("socket {number} that was handed over is not there"),
        }
    }
    Ok(listeners)
}

/// The address as a browser takes it: one that listens everywhere is reached here.
pub fn url(address: SocketAddr) -> String {
    let mut reached = address;
    if reached.ip().is_unspecified() {
        reached.set_ip(match reached {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    format!("http://{reached}/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_for_browsers_is_one_that_can_be_reached() {
        for (address, expected) in [
            ("127.0.0.1:80", "http://127.0.0.1:80/"),
            ("0.0.0.0:8080", "http://127.0.0.1:8080/"),
            ("[::]:8080", "http://[::1]:8080/"),
        ] {
            assert_eq!(url(address.parse().expect("an address")), expected);
        }
    }
}
