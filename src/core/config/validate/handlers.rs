use std::collections::HashSet;

use http::{HeaderName, HeaderValue};
use url::Url;

use super::{Key, Report};
use crate::config::{Exec, HandlerSpec, Http, secret};

pub(super) fn check(handlers: &[HandlerSpec], report: &mut Report) {
    let mut kinds = HashSet::new();
    for (index, handler) in handlers.iter().enumerate() {
        let key = Key::from("handlers").index(index);
        if !kinds.insert(&handler.kind) {
            let rule = "another handler runs this kind";
            report.conflict(
                &[&key.name("kind")],
                format!("{:?}", handler.kind.as_str()),
                rule,
                "keep one of them",
            );
        }
        match (&handler.exec, &handler.http) {
            (Some(command), None) => exec(&key.name("exec"), command, report),
            (None, Some(service)) => http(&key.name("http"), service, report),
            (both, _) => {
                let rule =
                    if both.is_some() { "it has both exec and http" } else { "it has neither exec nor http" };
                report.conflict(
                    &[&key],
                    format!("{:?}", handler.kind.as_str()),
                    rule,
                    "give it exactly one of them",
                );
            }
        }
    }
}

fn exec(key: &Key, exec: &Exec, report: &mut Report) {
    if exec.command.first().is_none_or(String::is_empty) {
        let fix = "write [\"program\", \"argument\"]";
        report.refuse(
            &key.name("command"),
            format!("{:?}", exec.command),
            "the command names no program",
            fix,
        );
    }
    for (index, code) in exec.retry_codes.iter().enumerate() {
        if *code == 0 {
            let rule = "the exit code 0 means success";
            report.refuse(&key.name("retry_codes").index(index), code, rule, "name codes other than 0");
        }
        if exec.fatal_codes.contains(code) {
            let keys = [&key.name("retry_codes").index(index), &key.name("fatal_codes")];
            report.conflict(&keys, code, "fatal_codes has the same exit code", "keep it in one of the two");
        }
    }
    for name in exec.env.keys().chain(&exec.pass_env) {
        if name.is_empty() || name.contains(['=', '\0']) {
            let rule = "this is no name of an environment variable";
            report.refuse(&key.name("env"), format!("{name:?}"), rule, "use letters, digits and _");
        }
    }
}

fn http(key: &Key, http: &Http, report: &mut Report) {
    let problem = match Url::parse(&http.url) {
        Err(error) => Some(format!("it is not an address ({error})")),
        Ok(url) if !matches!(url.scheme(), "http" | "https") => {
            Some(format!("{}:// is not HTTP", url.scheme()))
        }
        Ok(_) => None,
    };
    if let Some(problem) = problem {
        let fix = "write http://host:port/path or https://…";
        report.add_broken("CP-1012", &[&key.name("url")], secret::redact(&http.url), problem, fix);
    }
    for (name, value) in &http.headers {
        if HeaderName::from_bytes(name.as_bytes()).is_err() || HeaderValue::from_str(value).is_err() {
            let rule = "its name or its value cannot stand in a header";
            report.refuse(
                &key.name("headers").name(name),
                secret::HIDDEN,
                rule,
                "use visible ASCII characters",
            );
        }
    }
    if http.connect_timeout.is_zero() {
        report.refuse(
            &key.name("connect_timeout"),
            "0s",
            "it must be longer than zero",
            "write for example \"5s\"",
        );
    }
}
