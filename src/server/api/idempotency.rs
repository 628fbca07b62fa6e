//! The header `Idempotency-Key`, by which a request to enqueue is known again.
//!
//! Guarantees: a repetition of a request gets the ids of the first one and adds no second task, for as long
//! as these tasks are remembered; another request with the key is refused. Never does: keep keys. The ids of
//! the tasks are made of the key, and a task whose id is known is not added again.

use axum::{extract::FromRequestParts, http::StatusCode, http::request::Parts};
use ring::digest::{Context, SHA256};

use super::{Api, body::Format, caller::Caller, error::ApiError};
use clawpool_core::task::{Fingerprint, NewTask, TaskId};
use clawpool_engine::{
    client::{IdempotencyKey, WrongKey},
    dispatch::CONFLICT,
};

const HEADER: &str = "idempotency-key";

/// The key of a request, if it has one.
#[derive(Debug)]
pub(super) struct SentKey(Option<IdempotencyKey>);

impl<S: Sync> FromRequestParts<S> for SentKey {
    type Rejection = ApiError;

    async fn from_request_parts(request: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let mut values = request.headers.get_all(HEADER).iter();
        let Some(value) = values.next() else { return Ok(Self(None)) };
        let wrong = |message: String| ApiError::field("Idempotency-Key", message);
        if values.next().is_some() {
            return Err(wrong("the header Idempotency-Key is given more than once: send it once".to_owned()));
        }
        let key = value.to_str().map_err(|_| WrongKey::Characters).and_then(str::parse);
        key.map(|key| Self(Some(key))).map_err(|error| wrong(error.to_string()))
    }
}

impl SentKey {
    /// For the tasks of this caller's request. None without a key.
    pub(super) fn of(&self, caller: &Caller, request: impl FnOnce() -> Fingerprint) -> Option<Keyed> {
        let key = self.0.as_ref()?;
        let token = caller.name().unwrap_or_default();
        let mut context = Context::new(&SHA256);
        // No name has control characters.
        for part in ["clawpool.idempotency.v1", token, key.as_str()] {
            context.update(part.as_bytes());
            context.update(b"\0");
        }
        Some(Keyed { context, request: request() })
    }
}

/// A request with a key.
pub(super) struct Keyed {
    /// Of the caller and the key.
    context: Context,
    request: Fingerprint,
}

impl Keyed {
    /// The id of the request's task at this place.
    fn id(&self, index: usize) -> TaskId {
        let mut context = self.context.clone();
        context.update(&(index as u64).to_be_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&context.finish().as_ref()[..16]);
        // A UUID of version 8, which is made of whatever its maker likes.
        bytes[6] = bytes[6] & 0x0f | 0x80;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        TaskId::from_bytes(bytes)
    }

    /// The task as it is known again.
    pub(super) fn mark(&self, index: usize, task: NewTask) -> Result<NewTask, ApiError> {
        if task.id.is_some() {
            let message =
                "the request has an Idempotency-Key, which its tasks are known by: leave their ids out";
            return Err(ApiError::field("id", message));
        }
        Ok(NewTask { id: Some(self.id(index)), request: Some(self.request), ..task })
    }

    /// Goes on unless the task at this place is that of another request with the key. Without this look, a
    /// longer array would have its first tasks refused and the others added.
    pub(super) async fn check(&self, api: &Api, index: usize) -> Result<(), ApiError> {
        let record = api.store.record(self.id(index)).await?;
        match record.and_then(|record| record.fingerprint) {
            Some(first) if first != self.request => Err(reused()),
            _ => Ok(()),
        }
    }
}

/// A refusal as it is told to who sent a key, and no id.
pub(super) fn told(error: ApiError) -> ApiError {
    if error.code == CONFLICT { reused() } else { error }
}

fn reused() -> ApiError {
    let message = "this key was sent with another request before: send a new key with each new request, and \
        the same request again only as it was";
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "CP-1420", message).at(Some("Idempotency-Key"))
}

/// What a request asks for, without its trace: the same for the same tasks in the same order.
pub(super) fn fingerprint(parts: &[&[u8]], format: Format) -> Fingerprint {
    let of_part = |part: &&[u8]| match format.task(part) {
        Ok(task) => Fingerprint::of_value(&NewTask { trace: None, trace_state: None, ..task }),
        // It is refused, and still told apart from another one.
        Err(_) => Fingerprint::of_value(part),
    };
    let count = Fingerprint::from_bits(parts.len() as u64);
    parts.iter().map(of_part).fold(count, Fingerprint::and)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clawpool_engine::dispatch::ProducerToken;

    fn keyed(token: &str, key: &str) -> Keyed {
        let caller = Caller::new(&[], ProducerToken { name: token.into(), ..ProducerToken::default() });
        let none = || Fingerprint::from_bits(0);
        SentKey(Some(key.parse().unwrap())).of(&caller, none).unwrap()
    }

    #[test]
    fn each_caller_key_and_place_has_ids_of_its_own_which_stay() {
        let ids = [
            keyed("", "a").id(0),
            keyed("", "a").id(1),
            keyed("", "b").id(0),
            keyed("a", "c").id(0),
            keyed("a", "b").id(0),
        ];
        assert!(ids.iter().enumerate().all(|(index, id)| !ids[..index].contains(id)), "{ids:?}");
        // A dispatcher of another version must make the same.
        assert_eq!(keyed("shop", "order-42").id(0).to_string(), "18c0c4b7-843d-8c2e-9873-804827f5327a");
    }

    #[test]
    fn what_is_asked_for_is_told_by_what_is_meant() {
        let of = |parts: &[&str]| {
            let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
            fingerprint(&parts, Format::Json)
        };
        let first = of(&[r#"{"kind": "a", "payload": {"x": 1, "y": 2}, "trace": "t"}"#]);
        assert_eq!(of(&[r#"{"payload": {"y": 2, "x": 1}, "kind": "a"}"#]), first);
        for other in [r#"{"kind": "a", "payload": {"x": 1, "y": 2}, "delay": "1s"}"#, "{", "}"] {
            assert_ne!(of(&[other]), first, "{other}");
        }
        assert_ne!(of(&["{"]), of(&["}"]));
        let [one, two] = [r#"{"kind": "a"}"#, r#"{"kind": "b"}"#];
        assert_ne!(of(&[one, two]), of(&[two, one]));
        assert_ne!(of(&[one, two]), of(&[one]));
    }
}
