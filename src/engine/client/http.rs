use std::{error::Error, net::IpAddr, time::Duration};

use reqwest::{Certificate, Method, RequestBuilder, Response, StatusCode, Url, header};
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    ClientError,
    health::{HealthView, ReadyView},
    view::ErrorView,
};
use clawpool_backends::install_tls;

/// Asks a dispatcher.
pub struct Client {
    http: reqwest::Client,
    base: Url,
    token: Option<SecretString>,
}

/// The longest answer is a wait of 60 s.
const PATIENCE: Duration = Duration::from_secs(90);

impl Client {
    /// For the dispatcher at `url`: `http://HOST:PORT`, with a path where a proxy has put it below one.
    pub fn new(url: &str, token: Option<SecretString>) -> Result<Self, ClientError> {
        Self::build(url, token, None)
    }

    /// The same over TLS, for a server whose certificate goes back to one of these authorities (PEM), and to
    /// no other.
    pub fn trusting(authorities: &[u8], url: &str, token: Option<SecretString>) -> Result<Self, ClientError> {
        let unusable =
            |reason: String| ClientError::Setup(format!("the authorities cannot be used: {reason}"));
        let read = Certificate::from_pem_bundle(authorities).map_err(|error| unusable(cause(&error)))?;
        if read.is_empty() {
            return Err(unusable("there is no certificate in it".to_owned()));
        }
        Self::build(url, token, Some(read))
    }

    fn build(
        url: &str,
        token: Option<SecretString>,
        authorities: Option<Vec<Certificate>>,
    ) -> Result<Self, ClientError> {
        install_tls();
        let base = base(url).map_err(|reason| ClientError::Address { url: url.to_owned(), reason })?;
        let mut builder =
            reqwest::Client::builder().connect_timeout(Duration::from_secs(5)).read_timeout(PATIENCE);
        if base.host_str().is_some_and(is_loopback) {
            // A proxy has no way to this machine's loopback.
            builder = builder.no_proxy();
        }
        if let Some(authorities) = authorities {
            builder = builder.tls_certs_only(authorities);
        }
        let http = builder.build().map_err(|error| ClientError::Setup(cause(&error)))?;
        Ok(Self { http, base, token })
    }

    /// GET of `path`, below the address of the dispatcher, with `query`; the answer as `T`.
    pub async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<T, ClientError> {
        self.answer(self.request(Method::GET, path, query)?).await
    }

    /// DELETE of `path`; the answer as `T`.
    pub async fn delete<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<T, ClientError> {
        self.answer(self.request(Method::DELETE, path, query)?).await
    }

    /// POST of `body` as JSON to `path`; the answer as `T`.
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        self.answer(self.request(Method::POST, path, &[])?.json(body)).await
    }

    /// POST without a body; the status alone is the answer.
    pub async fn order(&self, path: &str) -> Result<(), ClientError> {
        let request = self.request(Method::POST, path, &[])?;
        self.send(request).await.map(drop)
    }

    /// The state of the dispatcher. An answer with status 503 is an answer too.
    pub async fn health(&self) -> Result<HealthView, ClientError> {
        self.state("health").await
    }

    /// Whether it takes tasks.
    pub async fn ready(&self) -> Result<ReadyView, ClientError> {
        self.state("readyz").await
    }

    /// An answer that is one whatever its status.
    async fn state<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let sent = self.request(Method::GET, path, &[])?.send().await;
        let answer = match sent {
            Ok(response) => response.json().await,
            Err(error) => Err(error),
        };
        answer.map_err(|error| self.unreachable(&error))
    }

    /// For long answers, read piece by piece.
    pub async fn stream(&self, path: &str, query: &[(&str, String)]) -> Result<Response, ClientError> {
        let request = self.request(Method::GET, path, query)?;
        self.send(request).await
    }

    /// Posts a JSON document that is ready.
    pub async fn post_json<T: DeserializeOwned>(&self, path: &str, json: String) -> Result<T, ClientError> {
        let request = self.request(Method::POST, path, &[])?;
        let request = request.header(header::CONTENT_TYPE, "application/json").body(json);
        // An answer that breaks off says as little as none.
        self.send(request).await?.json().await.map_err(|error| self.unreachable(&error))
    }

    pub(super) fn request(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<RequestBuilder, ClientError> {
        let joined = self.base.join(path);
        let mut url = joined
            .map_err(|error| ClientError::Address { url: path.to_owned(), reason: error.to_string() })?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self.http.request(method, url);
        Ok(match &self.token {
            Some(token) => request.bearer_auth(token.expose_secret()),
            None => request,
        })
    }

    pub(super) async fn answer<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
    ) -> Result<T, ClientError> {
        let answer = self.send(request).await?.json().await;
        answer.map_err(|error| self.unreadable(&cause(&error)))
    }

    pub(super) fn unreadable(&self, reason: &str) -> ClientError {
        ClientError::Unreadable { url: self.base.to_string(), reason: reason.to_owned() }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let wait =
            response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let text = response.text().await.unwrap_or_default();
        let view = Box::new(serde_json::from_str(&text).unwrap_or_else(|_| foreign(status)));
        Err(match status {
            StatusCode::SERVICE_UNAVAILABLE => {
                ClientError::Busy { view, wait: Duration::from_secs(wait.unwrap_or(1)) }
            }
            _ => ClientError::Refused { status: status.as_u16(), view },
        })
    }

    pub(super) fn silent(&self, span: Duration) -> ClientError {
        ClientError::Unreachable { url: self.base.to_string(), reason: format!("nothing came for {span:?}") }
    }

    pub(super) fn unreachable(&self, error: &reqwest::Error) -> ClientError {
        ClientError::Unreachable { url: self.base.to_string(), reason: cause(error) }
    }
}

/// The address that all paths are below.
fn base(url: &str) -> Result<Url, String> {
    let mut base = Url::parse(url).map_err(|error| error.to_string())?;
    if !matches!(base.scheme(), "http" | "https") {
        return Err("it must start with http:// or https://".to_owned());
    }
    if !base.path().ends_with('/') {
        base.set_path(&format!("{}/", base.path()));
    }
    Ok(base)
}

/// Something else than a dispatcher answered.
fn foreign(status: StatusCode) -> ErrorView {
    ErrorView::new("CP-1805", format!("the server answered {status}, and not as a dispatcher does"))
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The innermost cause; it is the one that helps.
fn cause(error: &dyn Error) -> String {
    error.source().map_or_else(|| error.to_string(), cause)
}
