//! What a token is held to: its name, which its tasks keep, and its tenants.

use super::{Key, Report};
use crate::config::{Scope, Token};

pub(super) fn check(tokens: &[Token], report: &mut Report) {
    for (index, token) in tokens.iter().enumerate() {
        let key = Key::from("api.tokens").index(index);
        if !is_name(&token.name) && !token.name.is_empty() {
            let rule = "a name has no control characters";
            report.refuse(&key.name("name"), format!("{:?}", token.name), rule, "name who uses it");
        }
        let tenants = key.name("tenants");
        for (place, tenant) in token.tenants.iter().enumerate().filter(|(_, tenant)| !is_name(tenant)) {
            let rule = "a tenant's name is not empty and has no control characters";
            let fix = "write it as the tasks do, or leave tenants out for all";
            report.refuse(&tenants.index(place), format!("{tenant:?}"), rule, fix);
        }
        if !token.tenants.is_empty() && token.scopes.contains(&Scope::Admin) {
            let rule = "the scope admin reaches the tasks of every tenant";
            let fix = "leave one of the two out, and give operators a token of their own";
            report.conflict(&[&tenants, &key.name("scopes")], format!("{:?}", token.tenants), rule, fix);
        }
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.contains(char::is_control)
}
