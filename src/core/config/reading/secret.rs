//! Secrets are read from where they are kept.

use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};

use super::{Key, Report, SecretFile, key::Step, redaction::is_reference};
use crate::config::Config;

/// Whether the key is, holds or lies in a secret, so that its value must not be shown.
pub(in crate::config) fn touches_secret(key: &Key) -> bool {
    const PLACES: [&[&str]; 9] = [
        &["redis", "url"],
        &["rabbitmq", "url"],
        &["api", "tokens"],
        &["handlers", "http", "url"],
        &["handlers", "exec", "env"],
        &["handlers", "http", "headers"],
        &["probes", "target"],
        &["probes", "env"],
        &["probes", "headers"],
    ];
    let names: Vec<&str> = key.0.iter().filter_map(Step::as_name).collect();
    PLACES.iter().any(|place| place.starts_with(&names) || names.starts_with(place))
}

/// Puts what `env:NAME` and `file:PATH` name in the place of these references.
pub(in crate::config) fn resolve(
    config: &mut Config,
    env: &dyn Fn(&str) -> Option<String>,
    report: &mut Report,
) {
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
        replace(variables.chain(headers), env, report);
    }
    for (index, probe) in config.probes.iter_mut().enumerate() {
        let key = Key::from("probes").index(index);
        let variables = probe.env.iter_mut().map(|(name, value)| (key.name("env").name(name), value));
        let headers = probe.headers.iter_mut().map(|(name, value)| (key.name("headers").name(name), value));
        replace(variables.chain(headers), env, report);
    }
}

fn replace<'a>(
    values: impl Iterator<Item = (Key, &'a mut String)>,
    env: &dyn Fn(&str) -> Option<String>,
    report: &mut Report,
) {
    for (key, value) in values {
        if let Some(found) = look_up(&key, value, env, report) {
            *value = found;
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
    let file = kept_in(key, text, report);
    report.secrets.extend(file.map(|file| SecretFile { key: report.original(key).to_string(), file }));
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

/// The file that holds a secret. Of a program's variables nobody knows which are secrets.
fn kept_in(key: &Key, text: &str, report: &Report) -> Option<PathBuf> {
    if let Some(file) = text.strip_prefix("file:") {
        return Some(file.into());
    }
    let names: Vec<&str> = key.0.iter().filter_map(Step::as_name).collect();
    let is_secret = match names.as_slice() {
        ["redis" | "rabbitmq", ..] => text.contains('@'),
        ["handlers", "exec", ..] => false,
        _ => true,
    };
    report.file_of(key).filter(|_| is_secret && !is_reference(text))
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
