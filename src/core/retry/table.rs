use std::collections::BTreeMap;

use super::{Backoff, BadBackoff, RetryPolicy, RetryTable};
use crate::task::ErrorClass;

/// The retry table, checked and ready: a row for each class of error, and the user's own by name.
#[derive(Clone, Debug)]
pub struct Table(BTreeMap<String, Row>);

#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) retries: u32,
    pub(super) backoff: Backoff,
}

impl Row {
    /// For a class that even the shipped table lacks; there is none, and a test holds it so.
    const NEVER: Self = Self { retries: 0, backoff: Backoff::NONE };
}

/// A row of the retry table that cannot be kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("retry.{row}: {reason}")]
pub struct BadTable {
    /// The class of error, or the name of the user's own policy.
    pub row: String,
    /// What is wrong with its waits.
    pub reason: BadBackoff,
}

impl Table {
    /// Rows of classes that `table` leaves out are those of the shipped table.
    pub fn compile(table: &RetryTable) -> Result<Self, BadTable> {
        let mut rows = RetryTable::default().0;
        rows.extend(table.0.clone());
        rows.into_iter()
            .map(|(name, policy)| Ok((name.clone(), row(name, &policy)?)))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    pub(super) fn class(&self, class: ErrorClass) -> Row {
        self.0.get(class.name()).copied().unwrap_or(Row::NEVER)
    }

    /// The row a task asked for. A name that the configuration no longer has counts for nothing.
    pub(super) fn named(&self, name: Option<&str>) -> Option<Row> {
        self.0.get(name?).copied()
    }
}

fn row(name: String, policy: &RetryPolicy) -> Result<Row, BadTable> {
    let jitter = if policy.jitter { 1.0 } else { 0.0 };
    match Backoff::new(policy.first, policy.max) {
        Ok(backoff) => Ok(Row { retries: policy.retries, backoff: backoff.jitter(jitter) }),
        Err(reason) => Err(BadTable { row: name, reason }),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Spec S9, row by row, and our own rows for what it does not name.
    #[test]
    fn ships_the_rows_of_the_specification() {
        let table = Table::compile(&RetryTable::default()).unwrap();
        let rows = [
            (ErrorClass::Network, 5, 1_000, 32_000, true),
            (ErrorClass::RateLimit, 10, 1_000, 60_000, true),
            (ErrorClass::ServiceUnavailable, 5, 1_000, 16_000, true),
            (ErrorClass::Timeout, 3, 5_000, 5_000, false),
            (ErrorClass::Connection, 5, 1_000, 16_000, true),
            (ErrorClass::LlmRateLimit, 10, 2_000, 120_000, true),
            (ErrorClass::Database, 3, 500, 10_000, true),
            (ErrorClass::FileSystem, 3, 100, 5_000, false),
            (ErrorClass::Resource, 2, 5_000, 60_000, true),
            (ErrorClass::Authentication, 0, 0, 0, false),
            (ErrorClass::Validation, 0, 0, 0, false),
            (ErrorClass::Configuration, 0, 0, 0, false),
            (ErrorClass::Security, 0, 0, 0, false),
            (ErrorClass::Panic, 2, 1_000, 30_000, true),
            (ErrorClass::Other, 2, 1_000, 60_000, true),
        ];
        assert_eq!(rows.len(), ErrorClass::ALL.len());
        for (class, retries, first, max, jitter) in rows {
            let row = table.class(class);
            let backoff = Backoff::new(Duration::from_millis(first), Duration::from_millis(max)).unwrap();
            let backoff = backoff.jitter(if jitter { 1.0 } else { 0.0 });
            assert_eq!((row.retries, row.backoff), (retries, backoff), "{class}");
        }
    }

    #[test]
    fn names_the_row_that_is_wrong() {
        let policy = RetryPolicy {
            retries: 1,
            first: Duration::from_secs(9),
            max: Duration::from_secs(3),
            jitter: true,
        };
        let wrong = Table::compile(&RetryTable([("slow".to_owned(), policy)].into())).unwrap_err();
        assert_eq!(
            wrong.to_string(),
            "retry.slow: first is 9s and max is 3s: max must not be shorter than first"
        );
    }

    #[test]
    fn a_missing_class_keeps_its_shipped_row() {
        let table = Table::compile(&RetryTable(BTreeMap::new())).unwrap();
        assert_eq!(table.class(ErrorClass::Network).retries, 5);
        assert!(table.named(Some("gone")).is_none() && table.named(None).is_none());
    }
}
