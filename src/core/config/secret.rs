//! Secrets: read from where they are kept, and never shown (INV-10).

use std::{collections::BTreeMap, fmt};

use secrecy::{ExposeSecret, SecretString};
use serde::Serializer;

use super::{
    Config,
    key::{Key, Step},
    report::Report,
};

pub(super) const HIDDEN: &str = "***";

const SCHEMES: [&str; 6] = ["redis", "rediss", "amqp", "amqps", "http", "https"];

/// Parameters of a URL that carry secrets.
const SECRET_PARAMETERS: [&str; 4] = ["pass", "token", "secret", "key"];

/// Whether the key is, holds or lies in a secret, so that its value must not be shown.
pub(super) fn touches_secret(key: &Key) -> bool {
    const PLACES: [&[&str]; 6] = [
        &["redis", "url"],
        &["rabbitmq", "url"],
        &["api", "tokens"],
        &["handlers", "http", "url"],
        &["handlers", "exec", "env"],
        &["handlers", "http", "headers"],
    ];
    let names: Vec<&str> = key.0.iter().filter_map(Step::as_name).collect();
    PLACES.iter().any(|place| place.starts_with(&names) || names.starts_with(place))
}

/// Puts what `env:NAME` and `file:PATH` name in the place of these references.
pub(super) fn resolve(config: &mut Config, env: &dyn Fn(&str) -> Option<String>, report: &mut Report) {
    let mut secrets: Vec<(Key, &mut SecretString)> = vec![
        (Key::from("redis.url"), &mut config.redis.url),
        (Key::from("rabbitmq.url"), &mut config.rabbitmq.url),
    ];
    for (index, token) in config.api.tokens.iter_mut().enumerate() {
        secrets.push((Key::from("api.tokens").index(index).name("secret"), &mut token.secret));
    }
    for (key, secret) in secrets {
        if let Some(found) = look_up(&key, secret.expose_secret(), env, report) {
            *secret = found.into();
        }
    }
    for (index, handler) in config.handlers.iter_mut().enumerate() {
        let key = Key::from("handlers").index(index);
        let variables = handler.exec.iter_mut().flat_map(|exec| &mut exec.env);
        let variables = variables.map(|(name, value)| (key.name("exec").name("env").name(name), value));
        let headers = handler.http.iter_mut().flat_map(|http| &mut http.headers);
        let headers = headers.map(|(name, value)| (key.name("http").name("headers").name(name), value));
        for (key, value) in variables.chain(headers) {
            if let Some(found) = look_up(&key, value, env, report) {
                *value = found;
            }
        }
    }
}

/// What a reference names. `None` for text that is the value itself, and for a reference that leads nowhere.
fn look_up(
    key: &Key,
    text: &str,
    env: &dyn Fn(&str) -> Option<String>,
    report: &mut Report,
) -> Option<String> {
    match fetch(text, env)? {
        Ok(found) => Some(found),
        Err(problem) => {
            let key = report.original(key);
            report.unreadable(
                "CP-1008",
                &key,
                Some(text.to_owned()),
                problem,
                "provide the secret there".into(),
            );
            None
        }
    }
}

/// `None` when the text is the secret itself.
fn fetch(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Option<Result<String, String>> {
    let found = if let Some(name) = text.strip_prefix("env:") {
        env(name).ok_or_else(|| format!("the environment variable {name} is not set"))
    } else {
        let path = text.strip_prefix("file:")?;
        // Secret files usually end with a line break that is no part of the secret.
        let text = std::fs::read_to_string(path).map(|text| text.trim_end_matches(['\r', '\n']).to_owned());
        text.map_err(|error| format!("the file {path} cannot be read: {error}"))
    };
    Some(found.and_then(
        |secret| if secret.is_empty() { Err("the secret is empty".to_owned()) } else { Ok(secret) },
    ))
}

/// A server's address without its user, password and secret parameters.
pub(super) fn redact(url: &str) -> String {
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

pub(super) fn is_reference(text: &str) -> bool {
    text.starts_with("env:") || text.starts_with("file:")
}

fn parameter(text: &str) -> String {
    let name = text.split('=').next().unwrap_or_default();
    let lower = name.to_lowercase();
    let secret = SECRET_PARAMETERS.iter().any(|word| lower.contains(word));
    if secret { format!("{name}={HIDDEN}") } else { text.to_owned() }
}

/// For `#[serde(serialize_with)]` on addresses.
pub(super) fn redacted<S: Serializer>(url: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&redact(url.expose_secret()))
}

/// The same for addresses that are plain text.
pub(super) fn redacted_text<S: Serializer>(url: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&redact(url))
}

/// For `#[serde(serialize_with)]` on tokens. A reference is no secret.
pub(super) fn hidden<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    let secret = secret.expose_secret();
    serializer.serialize_str(if is_reference(secret) { secret } else { HIDDEN })
}

/// A table of values that may be secrets, with only its names shown: for `serialize_with` and for `Debug`.
pub(super) struct Masked<'a>(pub(super) &'a BTreeMap<String, String>);

impl fmt::Debug for Masked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.keys().map(|name| (name, HIDDEN))).finish()
    }
}

pub(super) fn masked<S: Serializer>(
    table: &BTreeMap<String, String>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(table.keys().map(|name| (name, HIDDEN)))
}
