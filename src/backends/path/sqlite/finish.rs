use super::SqlitePath;
use crate::{
    backend::sqlite::Write,
    broker::{Receipt, sqlite::queue},
    path::{Attempt, PathError},
    store::{
        End, Settlement,
        sqlite::{Rules, settle},
    },
};

impl SqlitePath {
    pub(super) async fn settle(&self, attempts: &[Attempt]) -> Result<Vec<bool>, PathError> {
        let receipts: Vec<Receipt> = attempts.iter().map(|attempt| attempt.receipt.clone()).collect();
        let settlements: Vec<Settlement> = attempts.iter().map(Attempt::settlement).collect();
        let rules = self.store.rules;
        let settled = receipts.clone();
        let accepted = self.write(move |write| finish(write, &rules, &settlements, settled)).await?;
        self.broker.held.remove(&receipts);
        Ok(accepted)
    }
}

/// Outcomes, and the messages that go with them. What was refused leaves its message to whom it belongs now.
fn finish(
    write: &mut Write<'_>,
    rules: &Rules,
    settlements: &[Settlement],
    receipts: Vec<Receipt>,
) -> rusqlite::Result<Vec<bool>> {
    let accepted = settle::settle(write, rules, settlements)?;
    let ended = settlements.iter().zip(&accepted);
    let is_done: Vec<bool> =
        ended.map(|(settlement, accepted)| *accepted && !matches!(settlement.end, End::Released)).collect();
    let (done, back): (Vec<_>, Vec<_>) = receipts.into_iter().zip(is_done).partition(|(_, is_done)| *is_done);
    queue::remove(write.sql, &without_mark(done))?;
    queue::put_back(write, &without_mark(back))?;
    Ok(accepted)
}

fn without_mark(receipts: Vec<(Receipt, bool)>) -> Vec<Receipt> {
    receipts.into_iter().map(|(receipt, _)| receipt).collect()
}
