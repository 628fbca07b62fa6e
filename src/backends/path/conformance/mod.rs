//! What every path must do, as named cases. A composition runs them all with one line in its tests:
//! `crate::path::conformance::suite!(open);`, where `open` is an `async fn(Config) -> impl Fixture`.
//!
//! The configuration given to `open` sets limits; the composition adds its own addresses and a prefix or
//! folder of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod ending;
pub mod model;
pub mod offering;
pub mod recovery;
pub mod rerouting;
pub mod scheduling;
pub mod taken;
pub mod taking;
pub mod worker;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

pub use self::{taken::taken, worker::Worker};
use super::*;
pub use crate::{
    backend::waiting::{eventually, guarded},
    store::conformance::sample::{admission, message, message_on, message_with, queues},
};
use crate::{
    broker::{BrokerError, conformance::small},
    store::{Admission, DeadLetter, End, Fence, Role},
};
use clawpool_core::{
    config::Config,
    task::{
        DeadReason, ErrorClass, Failure, Fingerprint, Message, Payload, Priority, ProcessId, Queue, State,
        Task, TaskId, Timestamp,
    },
};

/// One fresh, isolated backend, or two. It owns what must live as long as they do (a temporary folder).
#[async_trait]
pub trait Fixture: Send + Sync {
    /// Handles of their own on the backend, as another process would have.
    async fn servers(&self) -> Servers;
}

/// How many tasks may wait where a case fills a queue.
pub const SMALL_LIMIT: u64 = 5;

const HOUR: Duration = Duration::from_secs(3600);

/// The configuration for one case. The heartbeat leaves a stalled test machine room.
pub fn config(case: &str) -> Config {
    let mut config = Config::default();
    config.worker.heartbeat = Duration::from_secs(2);
    if case.starts_with("a_full_queue") {
        config.queues.push(small(Queue::P4));
    }
    config
}

#[cfg(test)]
macro_rules! cases {
    ($open:path; $($module:ident::$case:ident,)+) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            let fixture = $open($crate::path::conformance::config(stringify!($case))).await;
            let case = $crate::path::conformance::$module::$case(&fixture);
            $crate::path::conformance::guarded(case).await;
        }
    )+};
}

#[cfg(test)]
macro_rules! suite {
    ($open:path) => {
        $crate::path::conformance::cases! { $open;
            offering::inv_1_a_task_is_taken_and_finished_once,
            offering::a_known_id_is_answered_not_added,
            offering::a_known_id_of_another_task_is_a_conflict,
            offering::a_unique_key_is_held_while_unfinished,
            offering::a_full_queue_refuses_and_leaves_no_record,
            offering::inv_1_a_known_task_whose_message_is_lost_is_put_back,
            taking::gives_the_most_urgent_first_and_the_oldest_of_each,
            taking::keeps_within_the_total_and_the_most_of_each,
            taking::asks_a_queue_twice,
            taking::a_paused_queue_gives_nothing,
            taking::wakes_for_a_new_task,
            taking::wakes_for_a_released_task,
            taking::wakes_for_a_promoted_task,
            taking::a_dropped_wait_loses_nothing,
            taking::inv_2_two_sources_never_get_the_same_task,
            taking::a_closed_source_leaves_what_it_did_not_take,
            taking::an_unreadable_body_becomes_a_dead_letter,
            ending::inv_8_a_released_task_comes_again_without_an_attempt,
            ending::a_retry_waits_in_the_schedule_set,
            ending::a_task_that_is_put_off_comes_when_it_is_due,
            ending::a_dead_task_has_its_letter,
            ending::a_task_cancelled_while_it_waits_is_never_taken,
            ending::a_task_cancelled_while_it_runs_ends_so,
            ending::inv_2_an_old_token_ends_nothing_and_the_message_is_not_lost,
            ending::inv_5_a_completed_task_that_comes_again_does_not_run,
            ending::an_accepted_end_adds_to_the_figures,
            ending::answers_each_attempt_in_order,
            recovery::inv_3_a_dead_workers_tasks_pass_and_count_a_crash,
            recovery::inv_3_the_third_crash_is_poison,
            recovery::what_a_worker_disowns_waits_again,
            recovery::inv_1_what_a_lost_take_brought_comes_back,
            recovery::reconciling_takes_nothing_that_is_known,
            recovery::inv_2_reconciling_leaves_a_retried_task_with_its_worker,
            recovery::a_worker_that_leaves_holds_nothing,
            scheduling::a_delayed_task_waits_until_it_is_promoted,
            scheduling::a_promotion_is_limited_and_says_when_the_next_is_due,
            scheduling::a_stale_fence_moves_nothing,
            scheduling::a_full_queue_keeps_due_tasks_in_the_set,
            rerouting::inv_1_inv_2_a_rerouted_task_runs_once_from_its_new_queue,
            rerouting::a_rerouted_delayed_task_keeps_its_time,
            rerouting::a_search_looks_inside_of_tasks_wherever_they_are,
            model::inv_1_every_task_is_somewhere_and_ends_once,
        }
    };
}

#[cfg(test)]
pub(crate) use {cases, suite};

/// Offers tasks and expects each to be taken. One that was refused is offered again: a queue that is just
/// being made may not store its first ones.
async fn offer(servers: &Servers, messages: &[Message]) {
    let mut tasks: Vec<Admission> = messages.iter().map(admission).collect();
    eventually(async || {
        let answers = servers.path.offer(&tasks).await;
        let mut answers = answers.into_iter();
        tasks.retain(|_| match answers.next() {
            Some(Offered::New) => false,
            Some(Offered::Refused(Refusal::Refused(PathError::Broker(BrokerError::Unconfirmed {
                ..
            })))) => true,
            answer => panic!("{answer:?}"),
        });
        tasks.is_empty()
    })
    .await;
}

async fn offer_one(servers: &Servers, priority: Priority) -> Message {
    let message = message(priority);
    offer(servers, std::slice::from_ref(&message)).await;
    message
}

async fn offer_at(servers: &Servers, message: &Message, at: Timestamp) {
    let task = Admission { at: Some(at), ..admission(message) };
    let answers = servers.path.offer(&[task]).await;
    assert!(matches!(answers[..], [Offered::New]), "{answers:?}");
}

async fn state(servers: &Servers, id: TaskId) -> State {
    servers.store.record(id).await.unwrap().expect("a record").state
}

/// Leadership for an hour.
async fn lead(servers: &Servers) -> Fence {
    let led = servers.store.lead(Role::Maintenance, ProcessId::new(), HOUR).await.unwrap();
    led.expect("no other process leads")
}

/// How many due tasks went to their queues.
async fn promote(servers: &Servers, fence: Fence) -> usize {
    let promoted = servers.path.promote(fence, 1_000).await.unwrap();
    assert!(promoted.left == 0 && promoted.refusal.is_none(), "{promoted:?}");
    promoted.moved
}

/// What the leader does about a worker that has died.
async fn end(servers: &Servers, worker: ProcessId) {
    servers.store.end_lease(worker, None).await.unwrap();
    servers.path.reclaim(worker).await.unwrap();
}

/// Proves without waiting for silence that nothing else waits on a queue: the next task to come is one that
/// is offered just now.
async fn assert_drained(worker: &mut Worker, priority: Priority) {
    let sentinel = offer_one(&worker.servers, priority).await;
    let taken = worker.take(1).await;
    assert_eq!(taken[0].task.id, sentinel.id, "only what was just offered is there");
    assert!(worker.finish(&taken[0], completed()).await);
}

fn ids(tasks: &[TakenTask]) -> Vec<TaskId> {
    tasks.iter().map(|taken| taken.task.id).collect()
}

fn sent(messages: &[Message]) -> Vec<TaskId> {
    messages.iter().map(|message| message.id).collect()
}

fn sorted(mut ids: Vec<TaskId>) -> Vec<TaskId> {
    ids.sort();
    ids
}

fn completed() -> End {
    End::Completed { result: Payload::encode("done").unwrap(), keep: HOUR }
}

fn failure() -> Failure {
    Failure::new(ErrorClass::Network, "the line is dead")
}

fn retry(taken: &TakenTask, at: Timestamp) -> End {
    let task = Task {
        generation: taken.task.generation + 1,
        attempt: taken.task.attempt + 1,
        ..Task::clone(&taken.task)
    };
    End::Retry { message: task.to_message().unwrap(), at, failure: failure() }
}

fn put_off(taken: &TakenTask, at: Timestamp) -> End {
    End::PutOff { message: taken.task.to_message().unwrap(), at }
}

fn dead(taken: &TakenTask, reason: DeadReason) -> End {
    End::Dead(DeadLetter {
        message: taken.task.to_message().unwrap(),
        kind: taken.task.kind.clone(),
        tenant: None,
        reason,
        failure: failure(),
        crashes: taken.crashes,
        died_at: Timestamp::now(),
    })
}
