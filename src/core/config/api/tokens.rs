//! The list `[[api.tokens]]`: who may call, and what a token is held to.

use std::collections::HashSet;

use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::config::reading::{
    Key, Report,
    redaction::{HIDDEN, hidden, is_reference},
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
    /// Pause, drain, requeue, discard.
    Admin,
}

impl Token {
    pub(super) fn check(&self, key: &Key, earlier: &[Self], report: &mut Report) {
        self.check_name(&key.name("name"), earlier, report);
        self.check_secret(&key.name("secret"), earlier, report);
        if self.scopes.is_empty() {
            let fix = "name some of enqueue, priority, read and admin";
            report.refuse(&key.name("scopes"), "[]", "a token without scopes allows nothing", fix);
        }
        self.check_tenants(key, report);
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
        if !self.tenants.is_empty() && self.scopes.contains(&Scope::Admin) {
            let rule = "the scope admin reaches the tasks of every tenant";
            let fix = "leave one of the two out, and give operators a token of their own";
            report.conflict(&[&tenants, &key.name("scopes")], format!("{:?}", self.tenants), rule, fix);
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
    fn a_token_for_some_tenants_is_held_to_them() {
        let token = |name: &str, rest: &str| {
            format!(
                "[[api.tokens]]\nname = \"{name}\"\nsecret = \"env:ANY\"\nscopes = [\"enqueue\", \
                \"admin\"]\n{rest}\n"
            )
        };
        let text =
            [token("a\\u001fb", ""), token("b", "tenants = [\"acme\"]"), token("c", "tenants = [\"\"]")]
                .concat();
        let report = load(&text, &[("ANY", "0123456789abcdef0123")], &[]).unwrap_err().to_string();
        for (key, rule) in [
            ("api.tokens[0].name", "control characters"),
            ("api.tokens[1].tenants", "every tenant"),
            ("api.tokens[2].tenants[0]", "not empty"),
        ] {
            assert!(report.contains(key) && report.contains(rule), "{key}, {rule}:\n{report}");
        }
    }
}
