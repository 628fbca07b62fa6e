//! Taking: off the queue and claimed in the same step.

use crate::{
    backend::sqlite::Write,
    broker::{
        Delivery,
        sqlite::{held::Held, queue},
    },
    path::{
        Wants,
        apart::claims::{claim, unreadable},
    },
    store::{
        ClaimOutcome, Scheduled,
        sqlite::{
            Rules,
            claim::{Claimant, Claiming},
            dead, schedule,
            tally::Tally,
        },
    },
};

/// A message whose task runs now.
pub(super) struct Claimed {
    pub delivery: Delivery,
    pub token: u64,
    pub crashes: u32,
    pub is_poison: bool,
}

/// What is wanted, most wanted first. What must not run leaves its queue, and the next ones are taken in its
/// place.
pub(super) fn take(
    write: &mut Write<'_>,
    rules: &Rules,
    held: &Held,
    by: &Claimant,
    wants: &Wants,
) -> rusqlite::Result<Vec<Claimed>> {
    let mut claiming = Claiming::new(write, rules, by)?;
    let mut tally = Tally::default();
    let mut taken = Vec::new();
    for want in &wants.queues {
        let mut left = want.most.min(wants.total - taken.len());
        while left > 0 {
            let deliveries = queue::take_to_claim(write, by.worker, want.queue, left)?;
            // Before the commit: so no claim is unknown at any moment.
            held.add(&deliveries);
            let is_last = deliveries.len() < left;
            for delivery in deliveries {
                if let Some(claimed) = start(write, rules, &mut claiming, delivery, &mut tally)? {
                    taken.push(claimed);
                    left -= 1;
                }
            }
            if is_last {
                break;
            }
        }
    }
    tally.write(write)?;
    Ok(taken)
}

/// `None` where it does not run: then its message is off its queue.
fn start(
    write: &mut Write<'_>,
    rules: &Rules,
    claiming: &mut Claiming<'_>,
    delivery: Delivery,
    tally: &mut Tally,
) -> rusqlite::Result<Option<Claimed>> {
    let message = &delivery.message;
    let row = delivery.receipt.tag;
    let outcome = match claiming.plain(message.id, message.generation, rand::random(), Some(row))? {
        Some(ClaimOutcome::Run { token, crashes }) => {
            return Ok(Some(Claimed { delivery, token, crashes, is_poison: false }));
        }
        Some(outcome) => outcome,
        None => match message.task() {
            Ok(task) => claiming.decide(write, &claim(&task), tally)?,
            Err(error) => {
                dead::add(write, rules, &[unreadable(message.clone(), &error.to_string())])?;
                ClaimOutcome::Drop
            }
        },
    };
    let (token, crashes, is_poison) = match outcome {
        ClaimOutcome::Run { token, crashes } => (token, crashes, false),
        ClaimOutcome::Poison { token, crashes } => (token, crashes, true),
        ClaimOutcome::Held { retry_in } => {
            let entry = Scheduled { message: message.clone(), at: write.now + retry_in };
            schedule::put(write, &entry)?;
            queue::remove(write.sql, &[delivery.receipt])?;
            return Ok(None);
        }
        ClaimOutcome::Drop => {
            queue::remove(write.sql, &[delivery.receipt])?;
            return Ok(None);
        }
    };
    claiming.bind(write, message.id, row)?;
    Ok(Some(Claimed { delivery, token, crashes, is_poison }))
}
