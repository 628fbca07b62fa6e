//! Which keys of two configurations differ.

use secrecy::{ExposeSecret, SecretString};
use toml::{Table, Value};

use crate::config::{Config, reading::Key};

impl Config {
    /// The keys whose values are others in `new`, each as deep as tables go; a list is one key, but for
    /// pools that have kept their names.
    pub fn changes(&self, new: &Self) -> Vec<String> {
        let mut found = Vec::new();
        differ(&table(self), &table(new), &Key::default(), &mut found);
        self.secret_changes(new, &mut found);
        found.sort();
        found.dedup();
        found.iter().map(ToString::to_string).collect()
    }

    /// Secrets are written alike whatever they are.
    fn secret_changes(&self, new: &Self, found: &mut Vec<Key>) {
        let same = |one: &SecretString, other: &SecretString| one.expose_secret() == other.expose_secret();
        let tokens = |config: &Self| -> Vec<String> {
            config.api.tokens.iter().map(|token| token.secret.expose_secret().to_owned()).collect()
        };
        let values = |config: &Self| -> Vec<_> {
            let of = |handler: &crate::config::HandlerSpec| {
                let variables = handler.exec.iter().map(|exec| exec.env.clone());
                let http = handler.http.iter().map(|http| (http.url.clone(), http.headers.clone()));
                (variables.collect::<Vec<_>>(), http.collect::<Vec<_>>())
            };
            config.handlers.iter().map(of).collect()
        };
        let secrets = [
            ("redis.url", same(&self.redis.url, &new.redis.url)),
            ("rabbitmq.url", same(&self.rabbitmq.url, &new.rabbitmq.url)),
            ("api.tokens", tokens(self) == tokens(new)),
            ("handlers", values(self) == values(new)),
        ];
        found.extend(secrets.iter().filter(|(_, same)| !same).map(|(key, _)| Key::from(*key)));
    }
}

/// Fails only for values that TOML lacks, which no configuration has.
fn table(config: &Config) -> Table {
    Table::try_from(config).unwrap_or_default()
}

fn differ(old: &Table, new: &Table, parent: &Key, found: &mut Vec<Key>) {
    let names: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for name in names {
        let key = parent.name(name);
        match (old.get(name), new.get(name)) {
            (Some(Value::Table(old)), Some(Value::Table(new))) => differ(old, new, &key, found),
            (Some(Value::Array(old)), Some(Value::Array(new))) if names_of(old) == names_of(new) => {
                pairwise(old, new, &key, found);
            }
            (old, new) if old == new => {}
            _ => found.push(key),
        }
    }
}

/// Of elements that have some: what tells them apart.
fn names_of(list: &[Value]) -> Option<Vec<&str>> {
    list.iter().map(|item| item.get("name")?.as_str()).collect()
}

fn pairwise(old: &[Value], new: &[Value], list: &Key, found: &mut Vec<Key>) {
    let is_pools = *list == Key::from("pools");
    for (index, (old, new)) in old.iter().zip(new).enumerate() {
        match (old, new) {
            (Value::Table(old), Value::Table(new)) if is_pools => differ(old, new, &list.index(index), found),
            (old, new) if old == new => {}
            _ => found.push(list.clone()),
        }
    }
}
