use std::{collections::VecDeque, fmt::Display, str::FromStr, time::Duration};

use axum::{
    extract::{FromRequestParts, Path, Query},
    http::request::Parts,
};
use serde::{Deserialize, de::IntoDeserializer};

use super::error::ApiError;
use clawpool_core::task::{Inside, Timestamp};

/// The parameters of a request, taken one by one, so that a wrong one is named and an unknown one is not
/// overlooked.
pub(super) struct Params(VecDeque<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Query(pairs) =
            Query::<VecDeque<(String, String)>>::from_request_parts(parts, state).await.map_err(|error| {
                ApiError::malformed(format!("the query string cannot be read: {}", error.body_text()))
            })?;
        // Without it more would be listed or changed than was meant. An empty cursor is the first page.
        match pairs.iter().find(|(name, value)| value.is_empty() && name != "cursor") {
            Some((name, _)) => {
                Err(ApiError::field(name, format!("{name} is empty: give a value, or leave it out")))
            }
            None => Ok(Self(pairs)),
        }
    }
}

/// Entries of a page when the client does not say, and at most.
pub(super) const PAGE: usize = 100;
pub(super) const LARGEST_PAGE: usize = 1000;

/// Longer waits are asked for again: proxies cut silent connections.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

impl Params {
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(key, _)| key == name)?;
        self.0.remove(at).map(|(_, value)| value).filter(|value| !value.is_empty())
    }

    pub(super) fn value<T: FromStr<Err: Display>>(&mut self, name: &str) -> Result<Option<T>, ApiError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|error| ApiError::field(name, format!("{name}: {error}")))
    }

    /// Several with commas between them: `state=queued,running`.
    pub(super) fn values<T: FromStr<Err: Display>>(&mut self, name: &str) -> Result<Vec<T>, ApiError> {
        let text = self.text(name).unwrap_or_default();
        let values = text.split(',').map(str::trim).filter(|value| !value.is_empty()).map(str::parse);
        values.collect::<Result<_, _>>().map_err(|error| ApiError::field(name, format!("{name}: {error}")))
    }

    /// RFC 3339, milliseconds since 1970, or how long ago: `1h`.
    pub(super) fn time(&mut self, name: &str) -> Result<Option<Timestamp>, ApiError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let time = match text.parse::<u64>() {
            Ok(millis) if Timestamp::from_millis(millis).looks_like_seconds() => {
                return Err(ApiError::seconds_for_milliseconds(name, millis));
            }
            Ok(millis) => Ok(Timestamp::from_millis(millis)),
            Err(_) => match humantime::parse_duration(&text) {
                Ok(span) => Ok(Timestamp::ago(span)),
                Err(_) => Timestamp::deserialize(text.as_str().into_deserializer()),
            },
        };
        time.map(Some)
            .map_err(|error: serde::de::value::Error| ApiError::field(name, format!("{name}: {error}")))
    }

    /// What is looked for inside of tasks.
    pub(super) fn inside(&mut self) -> Result<Inside, ApiError> {
        let [session, tag, text] = ["session", "tag", "text"].map(|name| self.text(name));
        checked(Inside { session, tag, text }, "")
    }

    pub(super) fn limit(&mut self) -> Result<usize, ApiError> {
        match self.value("limit")?.unwrap_or(PAGE) {
            limit @ 1..=LARGEST_PAGE => Ok(limit),
            limit => {
                Err(ApiError::field("limit", format!("limit is {limit}: it must be 1 to {LARGEST_PAGE}")))
            }
        }
    }

    pub(super) fn wait(&mut self) -> Result<Option<Duration>, ApiError> {
        let Some(text) = self.text("wait") else { return Ok(None) };
        let wait = humantime::parse_duration(&text)
            .or_else(|error| text.parse().map(Duration::from_secs).map_err(|_| error));
        match wait {
            Ok(wait) if wait <= LONGEST_WAIT => Ok(Some(wait)),
            Ok(_) => Err(ApiError::field(
                "wait",
                format!("wait is {text}: it must be 60s or less; ask again after that"),
            )),
            Err(error) => {
                Err(ApiError::field("wait", format!("wait: {text:?} is not a duration ({error}): write 10s")))
            }
        }
    }

    /// To be called last: anything left is a mistake.
    pub(super) fn done(mut self) -> Result<(), ApiError> {
        match self.0.pop_front() {
            Some((name, _)) => Err(ApiError::field(&name, format!("unknown or repeated parameter {name:?}"))),
            None => Ok(()),
        }
    }
}

/// Goes on where no condition is too long; a refusal names its field below `path`.
pub(super) fn checked(inside: Inside, path: &str) -> Result<Inside, ApiError> {
    match inside.too_long() {
        None => Ok(inside),
        Some(field) => {
            let message = format!("{field} is longer than {} bytes: look for a part of it", Inside::LONGEST);
            Err(ApiError::field(format!("{path}{field}"), message))
        }
    }
}

/// The part of the path that names what a request is about.
pub(super) struct Name(String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = Path::from_request_parts(parts, state).await;
        path.map(|Path(name)| Self(name)).map_err(|error| ApiError::malformed(error.body_text()))
    }
}

impl Name {
    /// `field` says in a refusal which name was wrong.
    pub(super) fn parse<T: FromStr<Err: Display>>(&self, field: &str) -> Result<T, ApiError> {
        self.0.parse().map_err(|error| ApiError::field(field, format!("{field} {:?}: {error}", self.0)))
    }
}
