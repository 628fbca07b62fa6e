//! How secrets are written where they must not be seen (INV-10): in reports, in dumps, in `Debug`.

use std::{collections::BTreeMap, fmt};

use secrecy::{ExposeSecret, SecretString};
use serde::Serializer;

/// Stands in the place of a secret.
pub(in crate::config) const HIDDEN: &str = "***";

const SCHEMES: [&str; 6] = ["redis", "rediss", "amqp", "amqps", "http", "https"];

/// Parameters of a URL that carry secrets.
const SECRET_PARAMETERS: [&str; 4] = ["pass", "token", "secret", "key"];

/// The addresses of a list: a comma separates two where a scheme follows it, so that a password may hold one.
pub(in crate::config) fn addresses(list: &str) -> Vec<&str> {
    let mut all = Vec::new();
    let mut from = 0;
    for (at, _) in list.match_indices(',') {
        let next = list[at + 1..].trim_start();
        if SCHEMES.iter().any(|scheme| next.strip_prefix(scheme).is_some_and(|rest| rest.starts_with("://")))
        {
            all.push(list[from..at].trim());
            from = at + 1;
        }
    }
    all.push(list[from..].trim());
    all
}

/// Addresses of servers without their users, passwords and secret parameters.
pub fn redact(list: &str) -> String {
    let all = addresses(list).into_iter().map(redact_one);
    all.collect::<Vec<_>>().join(", ")
}

fn redact_one(url: &str) -> String {
    if is_reference(url) {
        return url.to_owned();
    }
    // Anything else might be a password in the wrong place.
    let Some((scheme, rest)) = url.split_once("://").filter(|(scheme, _)| SCHEMES.contains(scheme)) else {
        return HIDDEN.to_owned();
    };
    // The last @: a password may hold one, and a slash or a question mark too.
    let (user, rest) = rest.rsplit_once('@').map_or(("", rest), |(_, rest)| ("***@", rest));
    let (address, query) =
        rest.split_once('?').map_or((rest, None), |(address, query)| (address, Some(query)));
    let query = query.map(|query| query.split('&').map(parameter).collect::<Vec<_>>().join("&"));
    format!("{scheme}://{user}{address}{}", query.map(|query| format!("?{query}")).unwrap_or_default())
}

pub(in crate::config) fn is_reference(text: &str) -> bool {
    text.starts_with("env:") || text.starts_with("file:")
}

fn parameter(text: &str) -> String {
    let name = text.split('=').next().unwrap_or_default();
    let lower = name.to_lowercase();
    let secret = SECRET_PARAMETERS.iter().any(|word| lower.contains(word));
    if secret { format!("{name}={HIDDEN}") } else { text.to_owned() }
}

/// For `#[serde(serialize_with)]` on addresses.
pub(in crate::config) fn redacted<S: Serializer>(
    url: &SecretString,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&redact(url.expose_secret()))
}

/// The same for addresses that are plain text.
pub(in crate::config) fn redacted_text<S: Serializer>(url: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&redact(url))
}

/// For `#[serde(serialize_with)]` on tokens. A reference is no secret.
pub(in crate::config) fn hidden<S: Serializer>(
    secret: &SecretString,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let secret = secret.expose_secret();
    serializer.serialize_str(if is_reference(secret) { secret } else { HIDDEN })
}

/// A table of values that may be secrets, with only its names shown: for `serialize_with` and for `Debug`.
pub(in crate::config) struct Masked<'a>(pub(in crate::config) &'a BTreeMap<String, String>);

impl fmt::Debug for Masked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.keys().map(|name| (name, HIDDEN))).finish()
    }
}

pub(in crate::config) fn masked<S: Serializer>(
    table: &BTreeMap<String, String>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(table.keys().map(|name| (name, HIDDEN)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inv_10_each_address_of_a_list_is_shown_without_its_password() {
        let list = "amqp://ada:pa,ss@one:5672/%2f, amqps://bob:word@two/%2f";
        assert_eq!(addresses(list), ["amqp://ada:pa,ss@one:5672/%2f", "amqps://bob:word@two/%2f"]);
        assert_eq!(redact(list), "amqp://***@one:5672/%2f, amqps://***@two/%2f");
        assert_eq!(redact("amqp://ada:word@one, nonsense:secret@two"), "amqp://***@two");
    }
}
