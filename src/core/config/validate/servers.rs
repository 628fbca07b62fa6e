use secrecy::ExposeSecret;
use tracing_subscriber::EnvFilter;
use url::Url;

use super::{Config, Key, Report, at_least_one, positive};
use crate::config::{Api, secret};

pub(super) fn check(config: &Config, report: &mut Report) {
    address("redis.url", config.redis.url.expose_secret(), &["redis", "rediss"], report);
    address("rabbitmq.url", config.rabbitmq.url.expose_secret(), &["amqp", "amqps"], report);
    known_password("redis.url", config.redis.url.expose_secret(), report);
    known_password("rabbitmq.url", config.rabbitmq.url.expose_secret(), report);
    encryption(config.rabbitmq.url.expose_secret(), report);
    prefix("redis.prefix", &config.redis.prefix, report);
    prefix("rabbitmq.prefix", &config.rabbitmq.prefix, report);
    positive("redis.timeout", config.redis.timeout, report);
    positive("rabbitmq.confirm_timeout", config.rabbitmq.confirm_timeout, report);
    heartbeat(config, report);
    at_least_one(&Key::from("rabbitmq.prefetch"), u64::from(config.rabbitmq.prefetch), report);
    if config.embedded.data.as_os_str().is_empty() {
        report.refuse(
            &Key::from("embedded.data"),
            "\"\"",
            "the folder has no name",
            "write for example \"clawpool-data\"",
        );
    }
    if let Err(error) = EnvFilter::builder().parse(&config.log.filter) {
        let fix = "write for example \"info\" or \"clawpool=debug,lapin=warn\"";
        report.refuse(&Key::from("log.filter"), format!("{:?}", config.log.filter), error.to_string(), fix);
    }
    at_least_one(&Key::from("log.size"), config.log.size.as_u64(), report);
    at_least_one(&Key::from("log.keep"), u64::from(config.log.keep), report);
    api(&config.api, report);
}

/// Shown without its password, whatever is wrong with it.
fn address(key: &str, url: &str, schemes: &[&str], report: &mut Report) {
    let problem = match Url::parse(url) {
        Err(error) => format!("it is not an address ({error})"),
        Ok(url) if !schemes.contains(&url.scheme()) => format!("its scheme is not {}", schemes.join(" or ")),
        Ok(url) if url.host_str().is_none_or(str::is_empty) => "it names no host".to_owned(),
        Ok(_) => match raw_in_password(url) {
            Some(character) => {
                format!(
                    "its user or password has a raw {character:?}, so that the host is not what was meant"
                )
            }
            None => return,
        },
    };
    let fix =
        format!("write {}://user:password@host:port/…, special characters as %xx", schemes.join(":// or "));
    report.add_broken("CP-1012", &[&Key::from(key)], secret::redact(url), problem, fix);
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
fn known_password(key: &str, url: &str, report: &mut Report) {
    const KNOWN: [&str; 9] =
        ["guest", "password", "changeme", "change-me", "secret", "admin", "redis", "rabbitmq", "clawpool"];
    let Ok(parsed) = Url::parse(url) else { return };
    let known = parsed.password().is_some_and(|password| KNOWN.contains(&password.to_lowercase().as_str()));
    if known && !is_here(&parsed) {
        let rule = "a well-known password is none, and this server is not on this machine alone";
        let fix = "give the server a random password, as `clawpool init` makes them";
        report.add_broken("CP-1010", &[&Key::from(key)], secret::redact(url), rule, fix);
    }
}

/// Whether an address leads to this machine alone.
pub(in crate::config) fn is_here(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn encryption(url: &str, report: &mut Report) {
    if url.starts_with("amqps://") && !cfg!(feature = "amqp-tls") {
        let rule = "this program was built without TLS for RabbitMQ";
        let fix = "build it with `--features amqp-tls`, or use amqp://";
        report.add_broken("CP-1012", &[&Key::from("rabbitmq.url")], secret::redact(url), rule, fix);
    }
}

/// Prefixes become part of key and queue names; braces would move Redis' hash slot.
fn prefix(key: &str, prefix: &str, report: &mut Report) {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':');
    if prefix.is_empty() || prefix.len() > 64 || !prefix.chars().all(allowed) {
        let rule = "a prefix has 1 to 64 ASCII letters, digits and . _ - :";
        report.refuse(&Key::from(key), format!("{prefix:?}"), rule, "write for example \"clawpool\"");
    }
}

fn heartbeat(config: &Config, report: &mut Report) {
    let heartbeat = config.rabbitmq.heartbeat;
    if heartbeat.as_secs() == 0 || heartbeat.subsec_nanos() > 0 || heartbeat.as_secs() > u64::from(u16::MAX) {
        let shown = humantime::format_duration(heartbeat);
        let rule = "AMQP counts heartbeats in whole seconds, 1 to 65535";
        report.refuse(&Key::from("rabbitmq.heartbeat"), shown, rule, "write for example \"5s\"");
    }
}

fn api(api: &Api, report: &mut Report) {
    at_least_one(&Key::from("api.connections"), u64::from(api.connections), report);
    let tokens = Key::from("api.tokens");
    if !api.listen.ip().is_loopback() && api.tokens.is_empty() {
        let rule = "an address beyond this machine needs tokens, or anybody could run tasks";
        let fix = "add [[api.tokens]] with name, secret and scopes, or listen on 127.0.0.1";
        report.add_broken("CP-1010", &[&Key::from("api.listen"), &tokens], api.listen, rule, fix);
    }
    for (index, token) in api.tokens.iter().enumerate() {
        let key = tokens.index(index);
        let earlier = &api.tokens[..index];
        if token.name.is_empty() || earlier.iter().any(|other| other.name == token.name) {
            let rule = "each token needs a name of its own";
            report.refuse(&key.name("name"), format!("{:?}", token.name), rule, "name who uses it");
        }
        let secret = token.secret.expose_secret();
        if let Some(problem) = weakness(secret).filter(|_| !secret::is_reference(secret)) {
            let fix = "use 16 random characters or more, for example from `openssl rand -hex 24`";
            report.add_broken("CP-1010", &[&key.name("secret")], secret::HIDDEN, problem, fix);
        }
        if earlier.iter().any(|other| other.secret.expose_secret() == secret) {
            let rule = "another token has the same secret";
            report.add_broken("CP-1010", &[&key.name("secret")], secret::HIDDEN, rule, "give each its own");
        }
        if token.scopes.is_empty() {
            let fix = "name some of enqueue, priority, read and admin";
            report.refuse(&key.name("scopes"), "[]", "a token without scopes allows nothing", fix);
        }
    }
}

/// Why a secret is soon guessed.
fn weakness(secret: &str) -> Option<&'static str> {
    let bytes = secret.as_bytes();
    let different = bytes.iter().collect::<std::collections::HashSet<_>>().len();
    let repeats = |unit: usize| bytes.iter().skip(unit).zip(bytes).all(|(later, earlier)| later == earlier);
    if bytes.len() < 16 {
        Some("the secret is too short")
    } else if different < 5 || (1..=bytes.len() / 2).any(repeats) {
        Some("the secret repeats itself, which is soon guessed")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_that_repeat_themselves_are_weak() {
        let repeated = [
            "a".repeat(40),
            "ab".repeat(20),
            "12341234123412341".into(),
            "secret".repeat(3),
            "passwordpassword".into(),
        ];
        for secret in repeated {
            assert_eq!(
                weakness(&secret),
                Some("the secret repeats itself, which is soon guessed"),
                "{secret}"
            );
        }
        assert!(weakness("fifteen letters").is_some());
        for secret in ["a1b2c3d4e5f60718", "producer-token-1", "f3a9c0d17e6b4825f3a9c0d17e6b4826"] {
            assert_eq!(weakness(secret), None, "{secret}");
        }
    }
}
