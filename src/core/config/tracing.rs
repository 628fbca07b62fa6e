//! The section `[tracing]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::reading::{Key, Report, redact};

/// Where the spans of tasks are sent, and of how many.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Tracing {
    /// A collector that takes OTLP over HTTP. Without one nothing is recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otlp_endpoint: Option<String>,
    /// The share of tasks, 0 to 1, of those whose producers sent no trace context. One that did has decided
    /// itself.
    pub sample: f64,
}

impl Default for Tracing {
    fn default() -> Self {
        Self { otlp_endpoint: None, sample: 1.0 }
    }
}

impl Tracing {
    pub(super) fn check(&self, report: &mut Report) {
        if !(0.0..=1.0).contains(&self.sample) {
            let rule = "it is a share, from 0 to 1";
            report.refuse(
                &Key::from("tracing.sample"),
                self.sample,
                rule,
                "write for example 0.1 for a tenth",
            );
        }
        let Some(endpoint) = &self.otlp_endpoint else { return };
        if let Some((rule, fix)) = problem(endpoint) {
            report.add_broken("CP-1012", &[&Key::from("tracing.otlp_endpoint")], redact(endpoint), rule, fix);
        }
    }

    /// The address for spans. What has no path of its own gets that of OTLP.
    pub fn traces_url(&self) -> Option<String> {
        let mut url = Url::parse(self.otlp_endpoint.as_ref()?).ok()?;
        if url.path() == "/" {
            url.set_path("v1/traces");
        }
        Some(url.into())
    }
}

fn problem(endpoint: &str) -> Option<(&'static str, &'static str)> {
    let example = "write for example \"http://localhost:4318\"";
    let url = match Url::parse(endpoint) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => url,
        _ => return Some(("it is not an address of HTTP", example)),
    };
    if !url.username().is_empty() || url.password().is_some() {
        let fix = "put what the collector asks for into OTEL_EXPORTER_OTLP_HEADERS";
        return Some(("an address is no place for a password", fix));
    }
    let fix = "build it with `--features otlp`, or take the endpoint out";
    (!cfg!(feature = "otlp")).then_some(("this program was built without the export of spans", fix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(endpoint: &str, sample: f64) -> String {
        let mut report = Report::default();
        Tracing { otlp_endpoint: Some(endpoint.into()), sample }.check(&mut report);
        report.finish().err().map(|errors| errors.to_string()).unwrap_or_default()
    }

    #[test]
    fn faults_are_told_without_the_password() {
        assert!(told("localhost:4318", 1.0).contains("not an address of HTTP"));
        assert!(told("http://a.example", 1.5).contains("tracing.sample"));
        assert!(told("http://a.example", f64::NAN).contains("tracing.sample"));
        let told = told("http://me:hunter2@a.example", 1.0);
        assert!(told.contains("no place for a password") && !told.contains("hunter2"), "{told}");
    }

    #[test]
    fn an_endpoint_is_for_builds_that_can_export() {
        let told = told("http://localhost:4318", 0.1);
        assert_eq!(told.is_empty(), cfg!(feature = "otlp"), "{told}");
        assert!(told.is_empty() || told.contains("--features otlp"), "{told}");
    }

    #[test]
    fn the_path_of_otlp_is_added_where_there_is_none() {
        let url = |endpoint: &str| {
            Tracing { otlp_endpoint: Some(endpoint.into()), sample: 1.0 }.traces_url().unwrap()
        };
        assert_eq!(url("http://localhost:4318"), "http://localhost:4318/v1/traces");
        assert_eq!(url("http://localhost:4318/"), "http://localhost:4318/v1/traces");
        assert_eq!(url("https://tempo.example/otlp/v1/traces"), "https://tempo.example/otlp/v1/traces");
    }
}
