//! What an error of another crate means for a task that met it, so that `?` works in handlers.
//!
//! Guarantees: what a later attempt may mend is retried, what none mends is not. Never does: look into the
//! text of an error.

use std::{env::VarError, error::Error, io, num, str::Utf8Error, string::FromUtf8Error};

use crate::task::{ErrorClass, Failure};

/// Says of which class an error is, where its type does not: `fetch().await.or_fail(ErrorClass::Network)?`.
pub trait OrFail<T> {
    /// The value, or a [`Failure`] of this class with the error's text.
    fn or_fail(self, class: ErrorClass) -> Result<T, Failure>;
}

impl<T, E: std::fmt::Display> OrFail<T> for Result<T, E> {
    fn or_fail(self, class: ErrorClass) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(class, error.to_string()))
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new(class_of(error.kind()), error.to_string())
    }
}

fn class_of(kind: io::ErrorKind) -> ErrorClass {
    use io::ErrorKind::{
        AddrInUse, AddrNotAvailable, BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset,
        HostUnreachable, InvalidData, InvalidInput, NetworkDown, NetworkUnreachable, NotConnected,
        OutOfMemory, PermissionDenied, QuotaExceeded, StorageFull, TimedOut, UnexpectedEof,
    };
    match kind {
        ConnectionRefused | ConnectionReset | ConnectionAborted | NotConnected | BrokenPipe
        | UnexpectedEof => ErrorClass::Connection,
        HostUnreachable | NetworkUnreachable | NetworkDown | AddrInUse | AddrNotAvailable => {
            ErrorClass::Network
        }
        TimedOut => ErrorClass::Timeout,
        OutOfMemory | StorageFull | QuotaExceeded => ErrorClass::Resource,
        InvalidData | InvalidInput => ErrorClass::Validation,
        PermissionDenied => ErrorClass::Security,
        _ => ErrorClass::FileSystem,
    }
}

/// Errors that always mean the same.
macro_rules! classes {
    ($($error:ty => $class:ident,)+) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::new(ErrorClass::$class, error.to_string())
            }
        })+
    };
}

classes! {
    serde_json::Error => Validation,
    rmp_serde::decode::Error => Validation,
    rmp_serde::encode::Error => Other,
    Utf8Error => Validation,
    FromUtf8Error => Validation,
    num::ParseIntError => Validation,
    num::ParseFloatError => Validation,
    url::ParseError => Validation,
    VarError => Configuration,
}

#[cfg(feature = "tokio")]
classes! {
    tokio::time::error::Elapsed => Timeout,
    tokio::task::JoinError => Panic,
}

/// For errors of many kinds that were put into one box.
impl From<Box<dyn Error + Send + Sync>> for Failure {
    fn from(error: Box<dyn Error + Send + Sync>) -> Self {
        match error.downcast::<io::Error>() {
            Ok(error) => (*error).into(),
            Err(error) => Self::new(ErrorClass::Other, error.to_string()),
        }
    }
}

impl From<String> for Failure {
    fn from(text: String) -> Self {
        Self::new(ErrorClass::Other, text)
    }
}

impl From<&str> for Failure {
    fn from(text: &str) -> Self {
        Self::new(ErrorClass::Other, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handler(step: impl FnOnce() -> Result<(), Failure>) -> Failure {
        step().unwrap_err()
    }

    #[test]
    fn a_question_mark_gives_each_error_its_class() {
        let lost = handler(|| Err(io::Error::from(io::ErrorKind::ConnectionReset))?);
        assert_eq!(lost.class, ErrorClass::Connection);
        let full = handler(|| Err(io::Error::from(io::ErrorKind::StorageFull))?);
        assert_eq!(full.class, ErrorClass::Resource);
        let wrong = handler(|| {
            serde_json::from_str::<u8>("[]")?;
            Ok(())
        });
        assert_eq!(wrong.class, ErrorClass::Validation);
        let boxed: Box<dyn Error + Send + Sync> = io::Error::from(io::ErrorKind::TimedOut).into();
        assert_eq!(handler(|| Err(boxed)?).class, ErrorClass::Timeout);
        assert_eq!(handler(|| Err("no such model")?).message, "no such model");
    }

    #[test]
    fn a_class_can_be_said_where_it_is_known() {
        let failure = "x".parse::<u8>().or_fail(ErrorClass::Configuration).unwrap_err();
        assert_eq!(failure.class, ErrorClass::Configuration);
    }
}
