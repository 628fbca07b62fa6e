//! Posts each task to a web service.

pub(super) mod status;
#[cfg(test)]
mod tests;

use std::error::Error;

use async_trait::async_trait;
use reqwest::{
    Client, Response, Url,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION},
    redirect,
};

use super::{
    Reason,
    reply::{self, ErrorReply},
    request::Request,
};
use clawpool_core::{
    config,
    task::{ErrorClass, Failure, Payload, Timestamp},
};
use clawpool_engine::{
    install_tls,
    worker::{Context, Handler},
};

/// The service gets the task as JSON and answers with a status, mapped by the table in `status`, and the
/// result.
pub struct Http {
    client: Client,
    url: Url,
    /// For messages: the address without what may be secret in it.
    name: String,
    /// Bytes of an answer.
    limit: usize,
}

impl Http {
    pub fn new(spec: &config::Http, limit: usize) -> Result<Self, Reason> {
        let url = address(&spec.url).map_err(|error| Reason::Url { url: spec.url.clone(), error })?;
        install_tls();
        let client = Client::builder()
            .connect_timeout(spec.connect_timeout)
            .default_headers(headers(spec)?)
            // A redirected POST arrives as a GET, or with our headers at another server.
            .redirect(redirect::Policy::none())
            .build()?;
        let name = format!("{}{}", url.origin().ascii_serialization(), url.path());
        Ok(Self { client, url, name, limit })
    }

    async fn post(&self, context: &Context) -> Result<Payload, Failure> {
        let request = Request::new(context);
        let body = request.to_json()?;
        let mut call = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("idempotency-key", context.task.id.to_string())
            .header("x-clawpool-attempt", context.attempt())
            .header("x-clawpool-deadline", request.deadline.to_string())
            .timeout(context.time_left())
            .body(body);
        if let Some(parent) = context.traceparent() {
            call = call.header("traceparent", parent);
        }
        if let Some(state) = context.tracestate() {
            call = call.header("tracestate", state);
        }
        let answer = call.send().await.map_err(|error| self.unreachable(error))?;
        self.judge(answer).await
    }

    async fn judge(&self, answer: Response) -> Result<Payload, Failure> {
        let code = answer.status();
        let retry_after = status::retry_after(answer.headers(), Timestamp::now());
        let location = answer.headers().get(LOCATION).map(|to| format!(" to {to:?}")).unwrap_or_default();
        let body = self.body(answer).await?;
        if code.is_success() {
            return reply::result(&body);
        }
        let (class, fatal) = status::class(code);
        let message = format!("{} answered {code}{location}: {}", self.name, reply::excerpt(&body));
        let failure = Failure { retry_after, fatal, ..Failure::new(class, message) };
        Err(match ErrorReply::read(&body) {
            Some(reply) => reply.refine(&failure),
            None => failure,
        })
    }

    /// The body, or a failure as soon as it has passed the limit.
    async fn body(&self, mut answer: Response) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| self.unreachable(error))? {
            if body.len() + chunk.len() > self.limit {
                let message =
                    format!("{} answered with more than {} bytes (limits.result)", self.name, self.limit);
                return Err(Failure::new(ErrorClass::Other, message).fatal());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn unreachable(&self, error: reqwest::Error) -> Failure {
        let class = if error.is_builder() {
            ErrorClass::Configuration
        } else if error.is_dns() {
            ErrorClass::Network
        } else if error.is_connect() {
            ErrorClass::Connection
        } else if error.is_timeout() {
            ErrorClass::Timeout
        } else {
            ErrorClass::Network
        };
        Failure::new(class, format!("{} cannot be reached: {}", self.name, causes(&error.without_url())))
    }
}

#[async_trait]
impl Handler for Http {
    async fn run(&self, context: Context) -> Result<Payload, Failure> {
        match context.cancelled().run_until_cancelled(self.post(&context)).await {
            Some(result) => result,
            None => {
                Err(Failure::new(ErrorClass::Timeout, format!("the call of {} was broken off", self.name)))
            }
        }
    }
}

fn address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("its scheme is {:?}, use http or https", url.scheme()));
    }
    Ok(url)
}

fn headers(spec: &config::Http) -> Result<HeaderMap, Reason> {
    let header = |(name, value): (&String, &String)| {
        let mut value = HeaderValue::from_str(value).ok()?;
        // Tokens live here (INV-10).
        value.set_sensitive(true);
        Some((HeaderName::from_bytes(name.as_bytes()).ok()?, value))
    };
    spec.headers
        .iter()
        .map(|pair| header(pair).ok_or_else(|| Reason::Header { name: pair.0.clone() }))
        .collect()
}

/// The error and what lies under it, outermost first.
fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
