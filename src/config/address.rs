//! The address of a server, and whether it may be used.

use crate::http::is_loopback;

/// What is wrong with a server's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// It is none.
    NoUrl,
    /// It names no host.
    NoHost,
    /// A name or a password stands in it.
    Password,
    /// It is plain `http` to another machine, and the owner did not allow that.
    Plain,
}

/// The host of an address that may be used: `https` anywhere, `http` on loopback or where the owner
/// allowed it. Without TLS anyone on the way can read what is said and answer in the other's name.
pub(super) fn host_of(url: &str, allow_http: bool) -> Result<&str, Wrong> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    match scheme {
        _ if authority.contains('@') => Err(Wrong::Password),
        _ if host.is_empty() => Err(Wrong::NoHost),
        "https" => Ok(host),
        "http" if allow_http || is_loopback(host) => Ok(host),
        "http" => Err(Wrong::Plain),
        _ => Err(Wrong::NoUrl),
    }
}
