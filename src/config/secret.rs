//! Secrets: read from where they are kept, and never shown (INV-10).

use secrecy::{ExposeSecret, SecretString};
use serde::Serializer;

use super::{
    Config,
    key::{Key, Step},
    report::Report,
};

pub(super) const HIDDEN: &str = "***";

/// Parameters of a URL that carry secrets.
const SECRET_PARAMETERS: [&str; 4] = ["pass", "token", "secret", "key"];

/// Whether the key is, holds or lies in a secret, so that its value must not be shown.
pub(super) fn touches_secret(key: &Key) -> bool {
    const PLACES: [&[&str]; 5] = [
        &["redis", "url"],
        &["rabbitmq", "url"],
        &["api", "tokens"],
        &["handlers", "exec", "env"],
        &["handlers", "http", "headers"],
    ];
    let names: Vec<&str> = key
        .0
        .iter()
        .filter_map(|step| match step {
            Step::Name(name) => Some(name.as_str()),
            Step::Index(_) => None,
        })
        .collect();
    PLACES.iter().any(|place| place.starts_with(&names) || names.starts_with(place))
}

/// Puts what `env:NAME` and `file:PATH` name in the place of these references.
pub(super) fn resolve(config: &mut Config, env: &dyn Fn(&str) -> Option<String>, report: &mut Report) {
    let mut places: Vec<(Key, &mut SecretString)> =
        vec![(Key::from("redis.url"), &mut config.redis.url), (Key::from("rabbitmq.url"), &mut config.rabbitmq.url)];
    for (index, token) in config.api.tokens.iter_mut().enumerate() {
        places.push((Key::from("api.tokens").index(index).name("secret"), &mut token.secret));
    }
    for (key, secret) in places {
        match fetch(secret.expose_secret(), env) {
            None => {}
            Some(Ok(found)) => *secret = found.into(),
            Some(Err(problem)) => {
                let (key, reference) = (report.original(&key), secret.expose_secret().to_owned());
                report.unreadable("CP-1008", &key, Some(reference), problem, "provide the secret there".into());
            }
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
    Some(found.and_then(|secret| if secret.is_empty() { Err("the secret is empty".to_owned()) } else { Ok(secret) }))
}

/// A server's address without its user, password and secret parameters.
pub(super) fn redact(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        let reference = url.starts_with("env:") || url.starts_with("file:");
        return if reference { url.to_owned() } else { HIDDEN.to_owned() };
    };
    // The last @: a password may hold one, and a slash or a question mark too.
    let (user, rest) = rest.rsplit_once('@').map_or(("", rest), |(_, rest)| ("***@", rest));
    let (address, query) = rest.split_once('?').map_or((rest, None), |(address, query)| (address, Some(query)));
    let query = query.map(|query| query.split('&').map(parameter).collect::<Vec<_>>().join("&"));
    format!("{scheme}://{user}{address}{}", query.map(|query| format!("?{query}")).unwrap_or_default())
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

/// For `#[serde(serialize_with)]` on tokens. A reference is no secret.
pub(super) fn hidden<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    let secret = secret.expose_secret();
    let reference = secret.starts_with("env:") || secret.starts_with("file:");
    serializer.serialize_str(if reference { secret } else { HIDDEN })
}
