//! The list `[[api.tokens]]`: who may call, and what a token is held to.

use std::{collections::HashSet, fmt, str::FromStr};

use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::{
    config::reading::{
        Key, Report,
        redaction::{HIDDEN, hidden, is_reference},
    },
    task::QueuePattern,
};

/// A bearer token and what it allows.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// Who uses it; its tasks keep the name, and no two tokens share one.
    pub name: String,
    /// The token itself, or `env:NAME`, or `file:PATH`.
    #[serde(serialize_with = "hidden")]
    #[schemars(with = "String")]
    pub secret: SecretString,
    /// What its user may do; at least one thing.
    pub scopes: Vec<Scope>,
    /// Only for tasks of these tenants. Empty: for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tenants: Vec<String>,
    /// Only for tasks on these queues: names, patterns (`llm.*`), priorities or lanes. Empty: on all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub queues: Vec<QueuePattern>,
}

/// One thing that a token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Add tasks, read and cancel the token's own.
    Enqueue,
    /// Choose a task's priority.
    Priority,
    /// Look at everything.
    Read,
    /// Pause and resume, drain, scale, cancel, requeue and discard.
    Operate,
    /// All of `operate`; make and remove tokens and queues.
    Admin,
}

impl Scope {
    /// Every one.
    pub const ALL: [Self; 5] = [Self::Enqueue, Self::Priority, Self::Read, Self::Operate, Self::Admin];

    /// As a configuration writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Enqueue => "enqueue",
            Self::Priority => "priority",
            Self::Read => "read",
            Self::Operate => "operate",
            Self::Admin => "admin",
        }
    }

    /// Whether who has this one needs no `other`.
    pub fn contains(self, other: Self) -> bool {
        self == other || (self, other) == (Self::Admin, Self::Operate)
    }

    /// Whether it reaches tasks of every tenant and on every queue, so that no token can be held to some.
    pub const fn is_for_all(self) -> bool {
        matches!(self, Self::Operate | Self::Admin)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|scope| scope.name() == text);
        known.ok_or_else(|| format!("{text:?} is no scope: it is enqueue, priority, read, operate or admin"))
    }
}

impl Token {
    pub(super) fn check(&self, key: &Key, earlier: &[Self], report: &mut Report) {
        self.check_name(&key.name("name"), earlier, report);
        self.check_secret(&key.name("secret"), earlier, report);
        if self.scopes.is_empty() {
            let fix = "name some of enqueue, priority, read, operate and admin";
            report.refuse(&key.name("scopes"), "[]", "a token without scopes allows nothing", fix);
        }
        self.check_tenants(key, report);
        self.check_limits(key, report);
    }

    fn check_name(&self, key: &Key, earlier: &[Self], report: &mut Report) {
        let mut refuse = |rule: &str| {
            report.refuse(key, format!("{:?}", self.name), rule, "name who uses it");
        };
        if self.name.is_empty() || earlier.iter().any(|other| other.name == self.name) {
            refuse("each token needs a name of its own");
        }
        if self.name.contains(char::is_control) {
            refuse("a name has no control characters");
        }
    }

    fn check_secret(&self, key: &Key, earlier: &[Self], report: &mut Report) {
        let secret = self.secret.expose_secret();
        if let Some(problem) = weakness(secret).filter(|_| !is_reference(secret)) {
            let fix = "use 16 random characters or more, for example from `openssl rand -hex 24`";
            report.add_broken("CP-1010", &[key], HIDDEN, problem, fix);
        }
        if earlier.iter().any(|other| other.secret.expose_secret() == secret) {
            let rule = "another token has the same secret";
            report.add_broken("CP-1010", &[key], HIDDEN, rule, "give each its own");
        }
    }

    fn check_tenants(&self, key: &Key, report: &mut Report) {
        let tenants = key.name("tenants");
        for (place, tenant) in self.tenants.iter().enumerate() {
            if tenant.is_empty() || tenant.contains(char::is_control) {
                let rule = "a tenant's name is not empty and has no control characters";
                let fix = "write it as the tasks do, or leave tenants out for all";
                report.refuse(&tenants.index(place), format!("{tenant:?}"), rule, fix);
            }
        }
    }

    fn check_limits(&self, key: &Key, report: &mut Report) {
        let Some(scope) = self.scopes.iter().find(|scope| scope.is_for_all()) else { return };
        let queues: Vec<&str> = self.queues.iter().map(QueuePattern::as_str).collect();
        let limits = [("tenants", format!("{:?}", self.tenants)), ("queues", format!("{queues:?}"))];
        for (name, value) in limits.into_iter().filter(|(_, value)| value != "[]") {
            let rule = format!("the scope {scope} reaches the tasks of every tenant, on every queue");
            let fix = "leave one of the two out, and give operators a token of their own";
            report.conflict(&[&key.name(name), &key.name("scopes")], value, &rule, fix);
        }
    }
}

/// Why a secret is soon guessed.
fn weakness(secret: &str) -> Option<&'static str> {
    let bytes = secret.as_bytes();
    let different = bytes.iter().collect::<HashSet<_>>().len();
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
    use crate::config::tests::load;

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

    #[test]
    fn a_scope_is_read_as_it_is_written() {
        for scope in Scope::ALL {
            assert_eq!(scope.name().parse(), Ok(scope));
            assert_eq!(serde_json::to_value(scope).unwrap(), scope.name());
        }
        assert!("root".parse::<Scope>().unwrap_err().contains("operate"));
        let contained =
            Scope::ALL.map(|scope| Scope::ALL.iter().filter(|other| scope.contains(**other)).count());
        assert_eq!(contained, [1, 1, 1, 1, 2], "admin has operate, and none has another");
    }

    #[test]
    fn a_token_for_some_tenants_is_held_to_them() {
        let token = |name: &str, rest: &str| {
            format!(
                "[[api.tokens]]\nname = \"{name}\"\nsecret = \"env:ANY\"\nscopes = [\"enqueue\", \
                \"admin\"]\n{rest}\n"
            )
        };
        let text = [
            token("a\\u001fb", ""),
            token("b", "tenants = [\"acme\"]"),
            token("c", "tenants = [\"\"]"),
            token("d", "queues = [\"llm.*\"]"),
        ]
        .concat();
        let report = load(&text, &[("ANY", "0123456789abcdef0123")], &[]).unwrap_err().to_string();
        for (key, rule) in [
            ("api.tokens[0].name", "control characters"),
            ("api.tokens[1].tenants", "every tenant"),
            ("api.tokens[2].tenants[0]", "not empty"),
            ("api.tokens[3].queues", "every queue"),
        ] {
            assert!(report.contains(key) && report.contains(rule), "{key}, {rule}:\n{report}");
        }
    }
}
