//! What a worker can run: the handlers that ship with Clawpool, and those that the configuration names.
//!
//! Guarantees: a handler that floods its output, hangs or leaves programs behind costs its own attempt alone;
//! a program gets no variable of the worker's that its configuration did not name (INV-10). Never does:
//! retry. A failure goes to the retry table with its class.

mod exec;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
mod http;
mod noop;
mod reply;
mod request;
mod retry_after;
mod sleep;

use std::{io, sync::Arc};

use clawpool_core::config::{Config, HandlerSpec, SHIPPED_KINDS};
use clawpool_engine::worker::Handler;

pub use exec::Exec;
pub use http::Http;

/// A kind, or a pattern of kinds, and what runs it.
pub type Entry = (String, Arc<dyn Handler>);

/// One for each kind that ships, in their order. Add a handler here, in its own file, and its kind to
/// [`SHIPPED_KINDS`].
fn shipped() -> Vec<Entry> {
    let handlers: [Arc<dyn Handler>; SHIPPED_KINDS.len()] = [Arc::new(noop::Noop), Arc::new(sleep::Sleep)];
    SHIPPED_KINDS.map(str::to_owned).into_iter().zip(handlers).collect()
}

/// The shipped handlers and those of the configuration.
pub fn from_config(config: &Config) -> Result<Vec<Entry>, BadHandler> {
    let mut entries = shipped();
    for spec in &config.handlers {
        let handler =
            build(spec, config).map_err(|reason| BadHandler { kind: spec.kind.to_string(), reason })?;
        entries.push((spec.kind.to_string(), handler));
    }
    Ok(entries)
}

fn build(spec: &HandlerSpec, config: &Config) -> Result<Arc<dyn Handler>, Reason> {
    let limit = usize::try_from(config.limits.result.as_u64()).unwrap_or(usize::MAX);
    match (&spec.exec, &spec.http) {
        (Some(exec), None) => Ok(Arc::new(Exec::new(exec.clone(), limit, &config.worker)?)),
        (None, Some(http)) => Ok(Arc::new(Http::new(http, limit)?)),
        _ => Err(Reason::NotOne),
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the handler of {kind:?} cannot be used: {reason}")]
pub struct BadHandler {
    pub kind: String,
    pub reason: Reason,
}

#[derive(Debug, thiserror::Error)]
pub enum Reason {
    #[error("give it exactly one of exec and http")]
    NotOne,
    #[error("exec.command is empty; its first word is the program")]
    NoProgram,
    #[error("http.url {url:?} is not a web address: {error}")]
    Url { url: String, error: String },
    #[error("http.headers.{name} is not a valid header")]
    Header { name: String },
    #[error("the HTTP client cannot be made: {0}")]
    Client(#[from] reqwest::Error),
    #[error("the HTTP client cannot be made: {0}")]
    Io(#[from] io::Error),
}

#[cfg(test)]
mod testing;

#[cfg(test)]
mod tests {
    use super::*;
    use clawpool_core::config;

    fn spec(exec: Option<Vec<&str>>, url: Option<&str>) -> HandlerSpec {
        let exec = exec.map(|command| testing::exec(&command));
        let http = url.map(testing::http);
        HandlerSpec { kind: "email.*".parse().unwrap(), exec, http }
    }

    fn fault(spec: HandlerSpec) -> String {
        let config = Config { handlers: vec![spec], ..Config::default() };
        from_config(&config).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn the_configurations_handlers_follow_the_shipped_ones() {
        let config = Config { handlers: vec![spec(Some(vec!["true"]), None)], ..Config::default() };
        let kinds: Vec<_> = from_config(&config).unwrap().into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(kinds, ["clawpool.noop", "clawpool.sleep", "email.*"]);
    }

    #[test]
    fn faults_name_the_handler_and_the_fix() {
        assert!(fault(spec(None, None)).contains("\"email.*\""));
        assert!(fault(spec(Some(vec!["true"]), Some("http://localhost"))).contains("exactly one"));
        assert!(fault(spec(Some(vec![]), None)).contains("exec.command is empty"));
        assert!(fault(spec(None, Some("not an address"))).contains("\"not an address\""));
        let mut http = testing::http("http://localhost");
        http.headers.insert("bad name".into(), "x".into());
        let config::HandlerSpec { kind, exec, .. } = spec(None, None);
        assert!(fault(HandlerSpec { kind, exec, http: Some(http) }).contains("http.headers.bad name"));
    }
}
