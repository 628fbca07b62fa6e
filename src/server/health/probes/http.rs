//! Looks at web services.

use std::sync::OnceLock;

use reqwest::{Client, Response, redirect::Policy};
use serde_json::Value;

use clawpool_backends::install_tls;
use clawpool_core::config::{FieldTest, Probe};

/// Bytes of an answer that are read: it says how a service is, and no more.
const LONGEST: usize = 1 << 20;

/// A client, made when it is first needed.
#[derive(Default)]
pub(super) struct Http(OnceLock<Result<Client, String>>);

impl Http {
    pub(super) async fn ask(&self, probe: &Probe, target: &str) -> Result<(), String> {
        let client = self.0.get_or_init(client).as_ref().map_err(Clone::clone)?;
        let request = probe
            .headers
            .iter()
            .fold(client.get(target), |request, (name, value)| request.header(name, value));
        let response = request.send().await.map_err(|error| told(&error.without_url()))?;
        let status = response.status().as_u16();
        if !probe.takes_status(status) {
            return Err(format!("it answers with status {status}"));
        }
        match &probe.field {
            Some(field) => check(field, &body(response).await?),
            None => Ok(()),
        }
    }
}

/// Redirects are an answer.
fn client() -> Result<Client, String> {
    install_tls();
    let agent = concat!("clawpool/", env!("CARGO_PKG_VERSION"));
    let built = Client::builder().redirect(Policy::none()).user_agent(agent).build();
    built.map_err(|error| format!("no HTTP client can be made: {}", told(&error)))
}

async fn body(mut response: Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|error| told(&error.without_url()))? {
        body.extend_from_slice(&piece);
        if body.len() > LONGEST {
            return Err(format!("its answer is longer than {LONGEST} bytes"));
        }
    }
    Ok(body)
}

/// What the answer itself holds is not told: it may be anything.
fn check(field: &FieldTest, body: &[u8]) -> Result<(), String> {
    let answer: Value = serde_json::from_slice(body).map_err(|_| "its answer is not JSON".to_owned())?;
    let path = &field.path;
    let found = path.split('.').try_fold(&answer, |place, step| place.get(step));
    let found = found.ok_or_else(|| format!("its answer has no field {path}"))?;
    let is_same =
        *found == field.equals || found.as_f64().is_some_and(|it| field.equals.as_f64() == Some(it));
    if is_same { Ok(()) } else { Err(format!("its field {path} is not {}", field.equals)) }
}

/// The innermost cause says most.
fn told(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn checked(path: &str, equals: Value, body: &str) -> Result<(), String> {
        check(&FieldTest { path: path.into(), equals }, body.as_bytes())
    }

    #[test]
    fn a_field_says_whether_a_service_is_well() {
        let body = r#"{"status": "ok", "db": {"lag": 0, "up": true}}"#;
        assert_eq!(checked("status", json!("ok"), body), Ok(()));
        assert_eq!(checked("db.up", json!(true), body), Ok(()));
        assert_eq!(checked("db.lag", json!(0.0), body), Ok(()));
        assert_eq!(checked("db.lag", json!(1), body), Err("its field db.lag is not 1".into()));
        assert_eq!(
            checked("status.now", json!("ok"), body),
            Err("its answer has no field status.now".into())
        );
        assert_eq!(checked("status", json!("ok"), "OK"), Err("its answer is not JSON".into()));
    }
}
