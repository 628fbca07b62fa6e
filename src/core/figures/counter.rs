//! What is counted. The stores know its name alone.

use std::time::Duration;

use super::rounded;

/// What one attempt adds one to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Counter {
    /// Attempts that ended so.
    Attempts(Attempts),
    /// Attempts that began so long after they could: the microseconds where a bucket begins.
    Wait(Subject, u64),
    /// Attempts that ran for so long.
    Run(Subject, u64),
    /// Attempts that began later than the class of this queue promises.
    Late(String),
    /// Tasks that were completed after an attempt that had failed.
    Recovered(Subject),
    /// Attempts of this customer's tasks that ended so.
    Tenant(String, AttemptEnd),
}

/// The tasks of one kind on one queue.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    /// Their queue.
    pub queue: String,
    /// Their kind, or `other`.
    pub kind: String,
}

/// Attempts that are alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attempts {
    /// Of which tasks.
    pub subject: Subject,
    /// Of the worker.
    pub pool: String,
    /// Of the worker's program.
    pub version: String,
    /// How they ended.
    pub end: AttemptEnd,
    /// Of the failure; empty where there was none.
    pub class: String,
}

/// How an attempt ended. What a worker gives back is no attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AttemptEnd {
    /// The task is done.
    Completed,
    /// It failed, and is tried again.
    Retried,
    /// It failed, and the task is a dead letter.
    Dead,
    /// The task was cancelled while it ran.
    Cancelled,
}

/// What stands for labels that there are too many of.
pub const OTHER: &str = "other";

/// So many different counters have a place in a window. What is beyond them is counted together.
pub const MOST_COUNTERS: usize = 5_000;

/// The name of what had no place. Read back as nothing that is known.
pub const WITHOUT_PLACE: &str = "-";

/// Between the parts of a name. No name of a kind, queue, pool or tenant has it.
const BETWEEN: char = '\u{1f}';

impl AttemptEnd {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Completed, Self::Retried, Self::Dead, Self::Cancelled];

    /// Its name in answers, metrics and stores.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Retried => "retried",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|end| end.name() == name)
    }
}

impl Subject {
    /// The tasks of this kind on this queue.
    pub fn new(queue: impl Into<String>, kind: impl Into<String>) -> Self {
        Self { queue: queue.into(), kind: kind.into() }
    }

    /// What counts waits as long as this one.
    pub fn wait(&self, span: Duration) -> Counter {
        Counter::Wait(self.clone(), rounded(span))
    }

    /// What counts runs as long as this one.
    pub fn run(&self, span: Duration) -> Counter {
        Counter::Run(self.clone(), rounded(span))
    }
}

impl Counter {
    /// What a store keeps its count under.
    pub fn name(&self) -> String {
        let of =
            |code: &str, subject: &Subject, rest: &str| joined(&[code, &subject.queue, &subject.kind, rest]);
        match self {
            Self::Attempts(Attempts { subject: Subject { queue, kind }, pool, version, end, class }) => {
                joined(&["a", queue, kind, pool, version, end.name(), class])
            }
            Self::Wait(subject, micros) => of("w", subject, &micros.to_string()),
            Self::Run(subject, micros) => of("r", subject, &micros.to_string()),
            Self::Late(queue) => joined(&["l", queue]),
            Self::Recovered(subject) => of("o", subject, ""),
            Self::Tenant(tenant, end) => joined(&["t", tenant, end.name()]),
        }
    }

    /// None for a name that a later version has made.
    pub fn read(name: &str) -> Option<Self> {
        let parts: Vec<&str> = name.split(BETWEEN).collect();
        Some(match parts[..] {
            ["a", queue, kind, pool, version, end, class] => Self::Attempts(Attempts {
                subject: Subject::new(queue, kind),
                pool: pool.into(),
                version: version.into(),
                end: AttemptEnd::named(end)?,
                class: class.into(),
            }),
            ["w", queue, kind, micros] => Self::Wait(Subject::new(queue, kind), micros.parse().ok()?),
            ["r", queue, kind, micros] => Self::Run(Subject::new(queue, kind), micros.parse().ok()?),
            ["l", queue] => Self::Late(queue.into()),
            ["o", queue, kind, ""] => Self::Recovered(Subject::new(queue, kind)),
            ["t", tenant, end] => Self::Tenant(tenant.into(), AttemptEnd::named(end)?),
            _ => return None,
        })
    }
}

fn joined(parts: &[&str]) -> String {
    let clean = parts.iter().map(|part| part.replace(BETWEEN, " "));
    clean.collect::<Vec<String>>().join(&BETWEEN.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        let calls = Subject::new("critical.p0", "voice.call");
        let attempts = |end| {
            Counter::Attempts(Attempts {
                subject: calls.clone(),
                pool: "default".into(),
                version: "1.2.3".into(),
                end,
                class: "transient".into(),
            })
        };
        let mut all = vec![
            calls.wait(Duration::from_millis(3)),
            calls.run(Duration::ZERO),
            Counter::Late("critical.p0".into()),
            Counter::Recovered(calls.clone()),
        ];
        all.extend(AttemptEnd::ALL.map(attempts));
        all.extend(AttemptEnd::ALL.map(|end| Counter::Tenant("acme".into(), end)));
        for counter in all {
            assert_eq!(Counter::read(&counter.name()), Some(counter));
        }
        assert_eq!(Counter::read("z\u{1f}of a later version"), None);
    }

    #[test]
    fn a_label_cannot_forge_another_name() {
        let forged = Counter::Late("a\u{1f}b".into());
        assert_eq!(Counter::read(&forged.name()), Some(Counter::Late("a b".into())));
    }
}
