use std::{
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{extract::FromRequestParts, http::request::Parts};
use serde_json::Value;

/// What a handler tells of its change.
#[derive(Clone, Default)]
pub(in crate::api) struct Trail(Arc<Mutex<Told>>);

#[derive(Clone, Default)]
pub(super) struct Told {
    pub(super) subject: String,
    pub(super) parameters: Value,
    pub(super) is_nothing_new: bool,
}

/// An entry is read by people: longer ones are cut.
const LONGEST: usize = 2_000;
const SUBJECT: usize = 200;

impl Trail {
    /// What is changed, where the path does not name it.
    pub(in crate::api) fn about(&self, subject: &str) {
        self.lock().subject = cut(subject, SUBJECT);
    }

    /// What the request said. Without secrets.
    pub(in crate::api) fn tell(&self, parameters: Value) {
        self.lock().parameters = shortened(parameters);
    }

    /// The request repeats one that is recorded, or is the token's own business.
    pub(in crate::api) fn leave_out(&self) {
        self.lock().is_nothing_new = true;
    }

    pub(super) fn told(&self) -> Told {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Without what is empty, and not longer than an entry may be.
fn shortened(mut parameters: Value) -> Value {
    if let Value::Object(fields) = &mut parameters {
        fields.retain(|_, value| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty()));
    }
    let text = parameters.to_string();
    if text.len() <= LONGEST { parameters } else { cut(&text, LONGEST).into() }
}

fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(most)])
}

impl<S: Sync> FromRequestParts<S> for Trail {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parameters_are_cut_and_what_is_empty_is_left_out() {
        assert_eq!(shortened(json!({"a": null, "b": [], "c": 1})), json!({"c": 1}));
        let long = shortened(json!({"ids": vec!["ü"; 5_000]}));
        assert!(long.as_str().is_some_and(|text| text.len() < LONGEST + 10), "{long}");
    }
}
