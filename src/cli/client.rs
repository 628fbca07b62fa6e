use std::{error::Error, net::IpAddr, time::Duration};

use reqwest::{Method, RequestBuilder, Response, StatusCode, Url, header};
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, de::DeserializeOwned};

use super::failure::{Exit, Failure};
use crate::api::view::{ErrorView, HealthView};

/// Asks a dispatcher.
pub struct Client {
    http: reqwest::Client,
    base: Url,
    token: Option<SecretString>,
}

/// The longest answer is a wait of 60 s.
const PATIENCE: Duration = Duration::from_secs(90);

/// What went wrong with one request.
#[derive(Debug)]
pub enum Refusal {
    /// Nobody there.
    Unreachable(String),
    /// 503: to be asked again after this long.
    Busy(ErrorView, Duration),
    Refused(StatusCode, ErrorView),
}

impl Client {
    pub fn new(url: &str, token: Option<SecretString>) -> Result<Self, Failure> {
        let wrong =
            |why: &dyn std::fmt::Display| Failure::usage(format!("--url {url:?}: {why}; write http://HOST:PORT"));
        let mut base = Url::parse(url).map_err(|error| wrong(&error))?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(wrong(&"it must start with http:// or https://"));
        }
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let mut builder = reqwest::Client::builder().connect_timeout(Duration::from_secs(5)).read_timeout(PATIENCE);
        if base.host_str().is_some_and(is_loopback) {
            // A proxy has no way to this machine's loopback.
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| Failure::failed(format!("no HTTP client: {}", cause(&error))))?;
        Ok(Self { http, base, token })
    }

    pub async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, String)]) -> Result<T, Failure> {
        self.answer(self.request(Method::GET, path, query)?).await
    }

    pub async fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.answer(self.request(Method::DELETE, path, &[])?).await
    }

    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Failure> {
        self.answer(self.request(Method::POST, path, &[])?.json(body)).await
    }

    /// For orders whose answer is their status.
    pub async fn order(&self, path: &str) -> Result<(), Failure> {
        let request = self.request(Method::POST, path, &[])?;
        self.send(request).await.map(drop).map_err(|refusal| self.failure(refusal))
    }

    /// The one address whose answer counts whatever its status.
    pub async fn health(&self) -> Result<HealthView, Failure> {
        let sent = self.request(Method::GET, "health", &[])?.send().await;
        let answer = match sent {
            Ok(response) => response.json().await,
            Err(error) => Err(error),
        };
        answer.map_err(|error| self.failure(Refusal::Unreachable(cause(&error))))
    }

    /// For long answers, read piece by piece.
    pub async fn stream(&self, path: &str, query: &[(&str, String)]) -> Result<Response, Failure> {
        let request = self.request(Method::GET, path, query)?;
        self.send(request).await.map_err(|refusal| self.failure(refusal))
    }

    /// Posts a JSON document that is ready; the caller deals with refusals.
    pub async fn post_json<T: DeserializeOwned>(
        &self,
        path: &str,
        json: String,
    ) -> Result<Result<T, Refusal>, Failure> {
        let request = self.request(Method::POST, path, &[])?;
        let request = request.header(header::CONTENT_TYPE, "application/json").body(json);
        match self.send(request).await {
            Ok(response) => match response.json().await {
                Ok(answer) => Ok(Ok(answer)),
                Err(error) => Ok(Err(Refusal::Unreachable(cause(&error)))),
            },
            Err(refusal) => Ok(Err(refusal)),
        }
    }

    fn request(&self, method: Method, path: &str, query: &[(&str, String)]) -> Result<RequestBuilder, Failure> {
        let mut url = self.base.join(path).map_err(|error| Failure::usage(format!("{path:?}: {error}")))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self.http.request(method, url);
        Ok(match &self.token {
            Some(token) => request.bearer_auth(token.expose_secret()),
            None => request,
        })
    }

    async fn answer<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Failure> {
        let response = self.send(request).await.map_err(|refusal| self.failure(refusal))?;
        let answer = response.json().await;
        answer.map_err(|error| {
            Failure::failed(format!("{} gave an answer that cannot be read: {}", self.base, cause(&error)))
        })
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, Refusal> {
        let response = request.send().await.map_err(|error| Refusal::Unreachable(cause(&error)))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let wait = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let text = response.text().await.unwrap_or_default();
        let view = serde_json::from_str(&text).unwrap_or_else(|_| foreign(status));
        Err(match status {
            StatusCode::SERVICE_UNAVAILABLE => Refusal::Busy(view, Duration::from_secs(wait.unwrap_or(1))),
            _ => Refusal::Refused(status, view),
        })
    }

    pub fn failure(&self, refusal: Refusal) -> Failure {
        match refusal {
            Refusal::Unreachable(reason) => Failure::new(
                Exit::Unreachable,
                format!(
                    "no dispatcher answers at {} ({reason}): start one with `clawpool up`, \
                     or name another with --url or CLAWPOOL_URL",
                    self.base
                ),
            ),
            Refusal::Busy(view, wait) => {
                Failure::new(Exit::Busy, format!("{}; try again in {}s", describe(&view), wait.as_secs()))
            }
            Refusal::Refused(_, view) => Failure::failed(describe(&view)),
        }
    }
}

pub(super) fn describe(view: &ErrorView) -> String {
    match &view.field {
        Some(field) => format!("{} {field}: {}", view.code, view.message),
        None => format!("{}: {}", view.code, view.message),
    }
}

/// Something else than a dispatcher answered.
fn foreign(status: StatusCode) -> ErrorView {
    ErrorView {
        code: "HTTP".to_owned(),
        message: format!("the server answered {status}"),
        field: None,
        retry_after: None,
        id: None,
    }
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The innermost cause; it is the one that helps.
fn cause(error: &dyn Error) -> String {
    error.source().map_or_else(|| error.to_string(), cause)
}
