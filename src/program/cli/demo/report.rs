use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

use crate::cli::output::table;
use clawpool_core::{
    config::Classes,
    task::{DeadReason, Priority},
};

/// How the demo ended.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    pub rows: Vec<Row>,
    pub retried: u64,
    pub dead: BTreeMap<DeadReason, usize>,
    /// Work that was done twice because its worker died between doing and saying so: at least once, never
    /// less.
    pub repeated: usize,
    /// Handlers that ran for a task that was not enqueued.
    pub unasked: usize,
    /// Tasks that ended otherwise than they should.
    pub surprises: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub priority: Priority,
    pub accepted: usize,
    pub completed: usize,
    pub cancelled: usize,
    pub dead: usize,
    pub lost: usize,
    pub wait_p50_ms: u64,
    pub wait_p99_ms: u64,
    /// What the class aims at.
    pub sla_ms: u64,
}

impl Row {
    /// `waits` in ascending order.
    pub(super) fn new(priority: Priority, waits: &[Duration]) -> Self {
        let at = |percent: usize| waits.get((waits.len() * percent / 100).min(waits.len().saturating_sub(1)));
        let millis =
            |percent| at(percent).map_or(0, |wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        let sla = Classes::default().get(priority).sla;
        Self {
            priority,
            accepted: 0,
            completed: 0,
            cancelled: 0,
            dead: 0,
            lost: 0,
            wait_p50_ms: millis(50),
            wait_p99_ms: millis(99),
            sla_ms: u64::try_from(sla.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

impl Report {
    pub(super) fn balanced(&self) -> bool {
        self.rows.iter().all(|row| row.lost == 0) && self.unasked == 0 && self.surprises.is_empty()
    }

    pub(super) fn table(&self) -> String {
        let rows = self.rows.iter().map(|row| {
            let counts = [row.accepted, row.completed, row.cancelled, row.dead, row.lost]
                .map(|count| count.to_string());
            let [accepted, completed, cancelled, dead, lost] = counts;
            let [p50, p99] = [row.wait_p50_ms, row.wait_p99_ms].map(|wait| format!("{wait} ms"));
            [row.priority.to_string(), accepted, completed, cancelled, dead, lost, p50, p99]
        });
        let header =
            ["priority", "accepted", "completed", "cancelled", "dead", "lost", "wait p50", "wait p99"];
        let mut text = format!("{}\n\n", table(header, rows));
        let sum = |of: fn(&Row) -> usize| self.rows.iter().map(of).sum::<usize>();
        let reasons: Vec<String> =
            self.dead.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
        text += &format!("accepted   {}\ncompleted  {}\n", sum(|row| row.accepted), sum(|row| row.completed));
        text += &format!("cancelled  {}\nretried    {}\n", sum(|row| row.cancelled), self.retried);
        text += &format!("dead       {} ({})\n", sum(|row| row.dead), reasons.join(", "));
        text += &format!("repeated   {}\nlost       {}\n", self.repeated, sum(|row| row.lost));
        for row in self.rows.iter().filter(|row| row.wait_p99_ms > row.sla_ms) {
            let Row { priority, wait_p99_ms, sla_ms, .. } = row;
            text += &format!(
                "{priority} waited up to {wait_p99_ms} ms (p99), more than the {sla_ms} ms it aims at: "
            );
            text += "all tasks came at once, and crashes took workers away\n";
        }
        self.surprises.iter().for_each(|surprise| text += &format!("unexpected {surprise}\n"));
        text + if self.balanced() { "the ledger balances\n" } else { "THE LEDGER DOES NOT BALANCE\n" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_beyond_its_aim_is_said() {
        let waits = |millis| [Duration::from_millis(millis)];
        let rows = vec![Row::new(Priority::P0, &waits(340)), Row::new(Priority::P1, &waits(340))];
        let text = Report { rows, ..Report::default() }.table();
        assert!(text.contains("P0 waited up to 340 ms (p99), more than the 200 ms it aims at"), "{text}");
        assert!(!text.contains("P1 waited"), "{text}");
    }
}
