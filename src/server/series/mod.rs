//! Series of figures, of attempts and of machines: what was counted in which window of time, read with as few
//! windows as possible, and windows that are over summed up to longer ones.
//!
//! Guarantees: each attempt of a span is read once, whatever was summed up by then. Never does: count.

mod cover;
pub(crate) mod hosts;
mod sum;
mod summed;

use tokio_util::sync::CancellationToken;

use self::{
    cover::cover,
    summed::{ATTEMPTS, Summed},
};
use clawpool_backends::store::{Fence, Store, StoreError};
use clawpool_core::{
    figures::{Step, Summary},
    task::Timestamp,
};

pub(crate) use self::sum::INTERVAL;

/// Keeps the series for as long as this process leads.
pub(crate) async fn keep(store: &dyn Store, fence: Fence, stop: &CancellationToken) {
    tokio::join!(sum::sum_up(store, fence, stop), hosts::keep(store, fence, stop));
}

/// All that was counted in windows that began from `from` on and before `to`.
pub(crate) async fn summary(
    store: &dyn Store,
    from: Timestamp,
    to: Timestamp,
) -> Result<Summary, StoreError> {
    let summed = Summed::read(store, ATTEMPTS).await?;
    summary_of(store, &summed, from, to).await
}

/// Each window of a step from the one that `from` lies in on, also those in which nothing was counted. Of
/// the last ones, which are not summed up yet, what is counted by now.
pub(crate) async fn windows(
    store: &dyn Store,
    step: Step,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<(Timestamp, Summary)>, StoreError> {
    let summed = Summed::read(store, ATTEMPTS).await?;
    let begins: Vec<Timestamp> =
        std::iter::successors(Some(step.window(from)), |at| Some(*at + step.length()))
            .take_while(|at| *at < to)
            .collect();
    let whole = begins.partition_point(|at| summed.has(step, *at));
    let mut read = match (begins.first(), begins.get(whole)) {
        (Some(first), end) => store.figures(step, *first, end.copied().unwrap_or(to)).await?,
        (None, _) => Vec::new(),
    }
    .into_iter()
    .peekable();
    let mut windows = Vec::with_capacity(begins.len());
    for (number, at) in begins.into_iter().enumerate() {
        let summary = match read.next_if(|window| window.at == at) {
            Some(window) => Summary::of(&window.counts),
            None if number < whole => Summary::default(),
            None => summary_of(store, &summed, at, at + step.length()).await?,
        };
        windows.push((at, summary));
    }
    Ok(windows)
}

async fn summary_of(
    store: &dyn Store,
    summed: &Summed,
    from: Timestamp,
    to: Timestamp,
) -> Result<Summary, StoreError> {
    let mut summary = Summary::default();
    for part in cover(from, to, Timestamp::now(), |step, at| summed.has(step, at)) {
        for window in store.figures(part.step, part.from, part.to).await? {
            window.counts.iter().for_each(|(name, count)| summary.add(name, *count));
        }
    }
    Ok(summary)
}
