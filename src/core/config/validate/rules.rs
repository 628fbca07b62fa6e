use serde_json::Value;

use super::{Key, Report};
use crate::config::Rule;

pub(super) fn check(rules: &[Rule], report: &mut Report) {
    for (index, rule) in rules.iter().enumerate() {
        let key = Key::from("rules").index(index);
        conditions(&key, rule, report);
        if let Some(earlier) = rules[..index].iter().position(|earlier| earlier.covers(rule)) {
            let earlier_key = Key::from("rules").index(earlier);
            let shown = report.original(&earlier_key);
            let text = format!("{shown} matches every task that it matches, so it never decides");
            let fix = format!("move it before {shown}, or take it out");
            report.add_broken("CP-1011", &[&key, &earlier_key], rule.priority, text, fix);
        }
    }
}

fn conditions(key: &Key, rule: &Rule, report: &mut Report) {
    if rule.due_within.is_some_and(|span| span.is_zero()) {
        report.refuse(
            &key.name("due_within"),
            "0s",
            "no deadline is nearer than now",
            "write for example \"1m\"",
        );
    }
    let Some(test) = &rule.field else { return };
    let field = key.name("field");
    if test.path.split('.').any(str::is_empty) {
        let fix = "write for example \"user.plan\"";
        report.refuse(&field.name("path"), format!("{:?}", test.path), "a step of the path is empty", fix);
    }
    if matches!(test.equals, Value::Null | Value::Array(_) | Value::Object(_)) {
        let rule = "a field is compared with text, a number or true/false";
        report.refuse(&field.name("equals"), &test.equals, rule, "compare with a single value");
    }
}
