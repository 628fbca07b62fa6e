//! The addresses of servers, as the sections `redis` and `rabbitmq` have them.
//!
//! Guarantees: a fault of an address is shown without its password, whatever is wrong with it (INV-10).

use url::Url;

use super::reading::{Key, Report, redaction::redact};

/// Holds the setting `key` to one of the schemes.
pub(super) fn check(key: &str, text: &str, schemes: &[&str], report: &mut Report) {
    if let Some(problem) = problem(text, schemes) {
        let write = schemes.join(":// or ");
        let fix = format!("write {write}://user:password@host:port/…, special characters as %xx");
        report.add_broken("CP-1012", &[&Key::from(key)], redact(text), problem, fix);
    }
    known_password(key, text, report);
}

fn problem(text: &str, schemes: &[&str]) -> Option<String> {
    match Url::parse(text) {
        Err(error) => Some(format!("it is not an address ({error})")),
        Ok(url) if !schemes.contains(&url.scheme()) => {
            Some(format!("its scheme is not {}", schemes.join(" or ")))
        }
        Ok(url) if url.host_str().is_none_or(str::is_empty) => Some("it names no host".to_owned()),
        Ok(_) => raw_in_password(text).map(|character| {
            format!("its user or password has a raw {character:?}, so that the host is not what was meant")
        }),
    }
}

/// A character that ends the user and password, or the host, earlier than was meant: `amqp://user:pa#ss@host`
/// names the host `user` and the port `pa`. The last `@` stands before the host, since no host, path or
/// database has one.
fn raw_in_password(url: &str) -> Option<char> {
    let (_, rest) = url.split_once("://")?;
    let (credentials, _) = rest.rsplit_once('@')?;
    credentials.chars().find(|character| matches!(character, '@' | '#' | '/' | '?' | '[' | ']' | ' ' | '\\'))
}

/// Passwords that come with a server or with an example are known to all.
fn known_password(key: &str, text: &str, report: &mut Report) {
    const KNOWN: [&str; 9] =
        ["guest", "password", "changeme", "change-me", "secret", "admin", "redis", "rabbitmq", "clawpool"];
    let Ok(url) = Url::parse(text) else { return };
    let known = url.password().is_some_and(|password| KNOWN.contains(&password.to_lowercase().as_str()));
    if known && !is_here(&url) {
        let rule = "a well-known password is none, and this server is not on this machine alone";
        let fix = "give the server a random password, as `clawpool init` makes them";
        report.add_broken("CP-1010", &[&Key::from(key)], redact(text), rule, fix);
    }
}

/// Whether an address leads to this machine alone.
pub(super) fn is_here(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Prefixes become part of key and queue names; braces would move Redis' hash slot.
pub(super) fn check_prefix(key: &str, prefix: &str, report: &mut Report) {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':');
    if prefix.is_empty() || prefix.len() > 64 || !prefix.chars().all(allowed) {
        let rule = "a prefix has 1 to 64 ASCII letters, digits and . _ - :";
        report.refuse(&Key::from(key), format!("{prefix:?}"), rule, "write for example \"clawpool\"");
    }
}
