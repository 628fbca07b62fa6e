//! What a handler returns, as far as its type tells.
//!
//! Guarantees: the schema of an answer is that of the type which the handler returns; the compiler sees to
//! it.

use axum::{Json, http::StatusCode, response::Response};
use schemars::JsonSchema;
use utoipa::openapi::{RefOr, schema::Schema};

use super::Schemas;
use crate::api::error::ApiError;

/// A type that handlers return.
pub(in crate::api) trait Answer {
    /// None where there is no body, or where the type does not tell.
    fn body(schemas: &mut Schemas) -> Option<RefOr<Schema>>;
}

impl<A: Answer> Answer for Result<A, ApiError> {
    fn body(schemas: &mut Schemas) -> Option<RefOr<Schema>> {
        A::body(schemas)
    }
}

impl<T: JsonSchema> Answer for Json<T> {
    fn body(schemas: &mut Schemas) -> Option<RefOr<Schema>> {
        Some(schemas.written::<T>())
    }
}

impl<T: JsonSchema> Answer for (StatusCode, Json<T>) {
    fn body(schemas: &mut Schemas) -> Option<RefOr<Schema>> {
        Some(schemas.written::<T>())
    }
}

impl Answer for StatusCode {
    fn body(_: &mut Schemas) -> Option<RefOr<Schema>> {
        None
    }
}

impl Answer for Response {
    fn body(_: &mut Schemas) -> Option<RefOr<Schema>> {
        None
    }
}

impl Answer for &'static str {
    fn body(_: &mut Schemas) -> Option<RefOr<Schema>> {
        None
    }
}

/// A handler, by the type of its answer. `T`: what axum knows it by.
pub(in crate::api) trait Answering<T> {
    type Answer: Answer;
}

impl<F, Fut, A> Answering<((),)> for F
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = A>,
    A: Answer,
{
    type Answer = A;
}

macro_rules! answering {
    ($($argument:ident),*) => {
        impl<F, Fut, A, M, $($argument),*> Answering<(M, $($argument,)*)> for F
        where
            F: FnOnce($($argument),*) -> Fut,
            Fut: Future<Output = A>,
            A: Answer,
        {
            type Answer = A;
        }
    };
}

answering!(T1);
answering!(T1, T2);
answering!(T1, T2, T3);
answering!(T1, T2, T3, T4);
answering!(T1, T2, T3, T4, T5);
answering!(T1, T2, T3, T4, T5, T6);
