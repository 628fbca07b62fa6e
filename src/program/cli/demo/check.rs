use std::collections::{HashMap, HashSet};

use futures::future::join_all;

use super::{
    ledger::Ledger,
    plan::{Fate, POISON, Planned},
    record,
    report::{Report, Row},
    site::Site,
};
use crate::cli::failure::Failure;
use clawpool_backends::store::Record;
use clawpool_core::task::{Priority, State, TaskId};
use clawpool_engine::client::{
    Client,
    view::{BatchLine, DeadView, QueueView},
};

/// Follows every accepted task to its end.
pub(super) struct Check<'a> {
    site: &'a Site,
    fates: HashMap<TaskId, Expected>,
    ended: HashMap<TaskId, (Record, Fate)>,
    open: Vec<TaskId>,
}

struct Expected {
    priority: Priority,
    fate: Fate,
}

/// Tasks asked about in one look.
const LOOK: usize = 400;

impl<'a> Check<'a> {
    pub(super) fn new(site: &'a Site) -> Self {
        Self { site, fates: HashMap::new(), ended: HashMap::new(), open: Vec::new() }
    }

    pub(super) fn accept(&mut self, planned: &[Planned], answers: Vec<BatchLine>) -> Result<(), Failure> {
        for (planned, answer) in planned.iter().zip(answers) {
            let accepted = match answer {
                BatchLine::Accepted(accepted) => accepted,
                BatchLine::Refused { error } => {
                    return Err(Failure::failed(format_args!("{}: {}", error.code, error.message)));
                }
            };
            self.open.push(accepted.id);
            self.fates.insert(accepted.id, Expected { priority: planned.priority, fate: planned.fate });
        }
        Ok(())
    }

    pub(super) fn accepted(&self) -> usize {
        self.fates.len()
    }

    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    /// Whether the task that crashes its workers is dead.
    pub(super) fn poison_is_dead(&self) -> bool {
        self.ended.values().any(|(record, _)| record.kind == POISON)
    }

    pub(super) fn waiting_to_cancel(&self) -> Vec<TaskId> {
        self.expected(Fate::IsCancelled)
    }

    /// The task that runs until it is cancelled. It outlives the killed worker.
    pub(super) fn running_to_cancel(&self) -> Vec<TaskId> {
        self.expected(Fate::IsCancelledWhileItRuns)
    }

    fn expected(&self, fate: Fate) -> Vec<TaskId> {
        self.fates.iter().filter(|(_, expected)| expected.fate == fate).map(|(id, _)| *id).collect()
    }

    /// Ended tasks of a priority.
    pub(super) fn progress(&self, priority: Priority) -> usize {
        let of = |id: &&TaskId| self.fates.get(id).is_some_and(|expected| expected.priority == priority);
        self.ended.keys().filter(of).count()
    }

    /// Asks after some of the open tasks. False when none is left.
    pub(super) async fn look(&mut self, client: &Client) -> Result<bool, Failure> {
        let asked: Vec<TaskId> = self.open.drain(..self.open.len().min(LOOK)).collect();
        for chunk in asked.chunks(32) {
            for found in join_all(chunk.iter().map(|id| record(client, *id))).await {
                let found = found?;
                match fate(client, &found).await? {
                    Some(fate) => drop(self.ended.insert(found.id, (found, fate))),
                    None => self.open.push(found.id),
                }
            }
        }
        Ok(!self.open.is_empty())
    }

    /// Compares what the system says with what was expected and with what the handlers wrote down.
    pub(super) fn finish(&self, queues: &[QueueView]) -> Result<Report, Failure> {
        let ledger = Ledger::read(&self.site.ledger())?;
        let mut report =
            Report { retried: queues.iter().map(|queue| queue.totals.retried).sum(), ..Report::default() };
        for priority in Priority::ALL {
            let mut row = Row::new(priority, ledger.waits.get(&priority).map_or(&[][..], Vec::as_slice));
            for (id, expected) in self.fates.iter().filter(|(_, expected)| expected.priority == priority) {
                self.count(*id, expected, &ledger, &mut row, &mut report);
            }
            report.rows.push(row);
        }
        report.unasked = ledger
            .starts
            .keys()
            .collect::<HashSet<_>>()
            .iter()
            .filter(|id| !self.fates.contains_key(id))
            .count();
        Ok(report)
    }

    fn count(&self, id: TaskId, expected: &Expected, ledger: &Ledger, row: &mut Row, report: &mut Report) {
        row.accepted += 1;
        let Some((record, fate)) = self.ended.get(&id) else {
            row.lost += 1;
            return;
        };
        let done = ledger.done.contains_key(&id);
        match *fate {
            // A completion that no handler vouches for is a lost task.
            Fate::Completes if !done => row.lost += 1,
            Fate::Completes => row.completed += 1,
            Fate::IsCancelled | Fate::IsCancelledWhileItRuns => row.cancelled += 1,
            Fate::Dies(reason) => {
                row.dead += 1;
                *report.dead.entry(reason).or_default() += 1;
            }
        }
        let cancelled = [*fate, expected.fate] == [Fate::IsCancelled, Fate::IsCancelledWhileItRuns];
        if *fate != expected.fate && !cancelled {
            let why = record.failure.as_ref().map(|failure| format!(": {failure}")).unwrap_or_default();
            report
                .surprises
                .push(format!("{id} {}: {fate:?}, expected {:?}{why}", record.kind, expected.fate));
        }
        report.repeated += usize::from(ledger.done.get(&id).is_some_and(|times| *times > 1));
    }
}

/// How a task ended, if it did; for a dead one its letter knows why.
async fn fate(client: &Client, record: &Record) -> Result<Option<Fate>, Failure> {
    Ok(match record.state {
        State::Completed => Some(Fate::Completes),
        State::Cancelled => Some(Fate::IsCancelled),
        State::Dead => {
            let letter: DeadView = client.get(&format!("v1/dead/{}", record.id), &[]).await?;
            Some(Fate::Dies(letter.reason))
        }
        _ => None,
    })
}
