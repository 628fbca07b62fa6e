//! What every store must do, as named cases. A backend runs them all with one line in its tests:
//! `crate::store::conformance::suite!(open);`, where `open` is an `async fn(Config) -> impl Fixture`.
//!
//! The configuration given to `open` sets heartbeats and limits; the backend adds its own address and a
//! prefix or folder of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod admission;
pub mod cancelling;
pub mod claiming;
pub mod control;
pub mod dead;
pub mod figures;
pub mod journal;
pub mod listing;
pub mod logs;
pub mod model;
pub mod notes;
pub mod rerouting;
pub mod sample;
pub mod schedule;
pub mod settling;
pub mod unreadable;
pub mod unreadable_records;
pub mod waiting;
pub mod workers;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

pub use self::sample::{Log, admission, message, message_on, message_with, other_id, own_queue, queues};
use super::*;
pub use crate::backend::waiting::{eventually, guarded};
use clawpool_core::{
    config::Config,
    task::{
        DeadReason, ErrorClass, Failure, Fingerprint, Message, Payload, Priority, ProcessId, Queue, State,
        Story, Task, TaskId, Timestamp,
    },
};

/// One fresh, isolated backend. Whatever must live as long as it does (a temporary folder) is kept inside.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// A handle of its own on the backend, as another process would have.
    async fn store(&self) -> Arc<dyn Store>;

    /// Writes in its place what no version of this crate would have written.
    async fn garble(&self, what: Garbled);
}

/// What the cases spoil.
pub enum Garbled {
    Record(TaskId),
    /// In the schedule set, at generation 0.
    Entry(TaskId),
    DeadLetter(TaskId),
    /// The latest one is a new one.
    Journal(Topic),
    Heartbeat(ProcessId),
}

/// The configuration for the cases: the heartbeat leaves a stalled test machine room.
pub fn config() -> Config {
    let mut config = Config::default();
    config.worker.heartbeat = HEARTBEAT;
    config
}

pub const HEARTBEAT: Duration = Duration::from_secs(2);
const HOUR: Duration = Duration::from_secs(3600);
/// For cases that wait for a lease to end.
const SHORT: Duration = Duration::from_millis(300);

#[cfg(test)]
macro_rules! cases {
    ($open:path; $($module:ident::$case:ident,)+) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            let fixture = $open($crate::store::conformance::config()).await;
            $crate::store::conformance::guarded($crate::store::conformance::$module::$case(&fixture)).await;
        }
    )+};
}

#[cfg(test)]
macro_rules! suite {
    ($open:path) => {
        $crate::store::conformance::cases! { $open;
            admission::answers_each_task_in_order,
            admission::a_known_id_is_answered_not_added,
            admission::a_unique_key_is_held_while_unfinished,
            admission::a_unique_key_is_free_after_every_end,
            admission::a_unique_key_admits_one_of_many_at_once,
            admission::a_delayed_task_is_scheduled_in_the_same_step,
            admission::withdraw_forgets_task_key_and_entry,
            admission::a_record_remembers_the_token_that_enqueued_it,
            admission::a_fingerprint_stays_with_its_task,
            admission::a_withdrawn_tasks_late_message_is_dropped,
            admission::a_withdrawn_id_can_be_admitted_again_and_runs_once,
            admission::what_began_or_is_confirmed_is_not_withdrawn,
            claiming::runs_queued_and_unknown_tasks,
            claiming::inv_2_one_of_many_claims_runs,
            claiming::older_generations_are_dropped_newer_ones_run,
            claiming::a_scheduled_task_may_be_claimed_once,
            claiming::is_held_while_its_owner_beats,
            claiming::inv_3_a_dead_workers_task_passes_and_counts_a_crash,
            claiming::inv_3_the_third_crash_is_poison,
            claiming::the_tasks_of_a_dead_worker_start_again_at_once,
            claiming::inv_3_a_poison_task_is_found_among_many_and_no_innocent_dies,
            claiming::inv_3_who_was_being_polled_bears_the_death_and_all_others_start_at_once,
            claiming::the_end_of_a_lease_brings_forward_what_is_held,
            claiming::a_dead_workers_tasks_are_shown_as_queued,
            claiming::a_claim_asked_again_is_answered_alike,
            claiming::a_silent_workers_task_passes_after_its_lease,
            claiming::takeover_needs_one_and_a_half_silent_heartbeats,
            claiming::the_old_owner_is_told_what_it_lost,
            settling::inv_5_a_completed_task_does_not_run_again,
            settling::inv_2_a_lost_claim_settles_nothing,
            settling::only_the_first_settlement_counts,
            settling::a_retry_waits_in_the_schedule_set,
            settling::a_dead_task_has_its_letter,
            settling::inv_8_released_costs_no_attempt,
            settling::a_token_is_never_given_twice,
            settling::answers_each_settlement_in_order,
            settling::a_result_is_forgotten_after_its_time,
            settling::what_is_told_of_a_task_stays_with_its_record,
            schedule::an_entry_can_be_looked_at,
            admission::only_what_waits_moves_to_another_queue,
            cancelling::waiting_tasks_end_at_once,
            cancelling::a_running_task_is_signalled_through_its_worker,
            cancelling::finished_and_unknown_tasks_stay_as_they_are,
            cancelling::a_signalled_task_never_starts_again,
            waiting::wakes_when_another_handle_settles,
            waiting::wakes_for_every_end,
            waiting::returns_the_record_as_it_stands_at_the_timeout,
            waiting::a_dropped_wait_disturbs_no_other,
            schedule::due_comes_earliest_first_and_stays_until_promoted,
            schedule::entries_move_to_a_new_time,
            schedule::an_entry_scheduled_again_outlives_promotion,
            schedule::promoted_tasks_are_queued,
            schedule::promotion_leaves_later_generations_alone,
            schedule::run_now_makes_an_entry_due,
            schedule::a_stale_fence_is_refused,
            schedule::wait_due_wakes_for_an_earlier_entry,
            schedule::wait_due_returns_at_its_time,
            schedule::pages_through_all_entries,
            dead::dead_letters_are_marked_and_listed,
            dead::a_dead_letter_leaves_final_running_and_later_tasks_alone,
            dead::filters_by_everything,
            dead::filters_by_what_is_inside,
            dead::pages_latest_first,
            dead::requeue_schedules_the_next_generation,
            dead::inv_3_a_requeued_task_answers_for_no_death_before,
            dead::requeue_counts_only_letters_that_are_there,
            dead::requeue_keeps_one_unfinished_task_for_each_unique_key,
            dead::discard_keeps_the_record,
            workers::beats_register_and_renew,
            workers::drain_is_ordered_with_every_beat,
            workers::a_lease_ends_at_once_and_a_beat_renews_it,
            workers::the_end_of_a_lease_answers_what_the_worker_ran,
            workers::forget_removes,
            workers::progress_shows_in_the_record,
            workers::a_worker_is_asked_about_claims_that_still_are_its_own,
            workers::pauses_reach_workers,
            workers::whose_process_has_ended_is_not_connected_any_more,
            control::one_leads_at_a_time,
            control::leadership_passes_when_the_lease_ends,
            control::resigning_passes_leadership_at_once,
            control::tokens_are_shared_and_refill,
            control::inv_1_totals_balance,
            control::another_handle_sees_every_write,
            control::a_probe_is_answered,
            listing::filters_and_pages_records,
            listing::lists_the_latest_first_page_by_page,
            listing::lists_tasks_with_ids_of_any_kind_by_their_times,
            listing::lists_several_states_and_one_queue,
            listing::a_page_that_finds_little_ends_and_goes_on,
            listing::goes_on_after_each_record,
            listing::the_end_of_an_id_means_those_that_end_so,
            rerouting::a_waiting_task_comes_to_its_new_queue_by_the_schedule_set,
            rerouting::a_scheduled_task_keeps_its_time,
            rerouting::what_runs_is_over_or_went_on_is_left_alone,
            listing::refuses_a_cursor_of_somewhere_else,
            unreadable_records::an_unreadable_record_costs_its_own_task_alone,
            unreadable_records::a_batch_goes_on_beside_an_unreadable_record,
            unreadable_records::a_task_whose_record_was_set_aside_can_be_enqueued_again,
            unreadable_records::a_walk_over_unfinished_tasks_sets_aside_what_it_cannot_read,
            unreadable::an_unreadable_entry_of_the_schedule_set_costs_itself_alone,
            unreadable::an_unreadable_entry_that_is_not_due_costs_itself_alone,
            unreadable::a_task_whose_entry_was_set_aside_is_due_at_no_time,
            unreadable::an_unreadable_dead_letter_costs_itself_alone,
            unreadable::an_unreadable_journal_entry_costs_itself_alone,
            unreadable::an_unreadable_heartbeat_costs_itself_alone,
            journal::comes_latest_first_and_by_subject,
            journal::pages_through_every_entry,
            journal::keeps_its_latest_entries_and_only_about_so_many,
            journal::refuses_a_stale_fence,
            journal::refuses_a_foreign_cursor,
            journal::is_followed_from_its_end_without_a_gap_or_a_double,
            journal::says_to_who_follows_it_what_it_has_forgotten,
            journal::is_followed_past_what_cannot_be_read,
            figures::ends_are_counted_where_they_are_accepted,
            figures::what_has_no_place_is_counted_together,
            figures::windows_are_replaced_and_come_in_order,
            figures::a_stale_fence_writes_no_window,
            figures::windows_of_machines_are_replaced_and_come_in_order,
            logs::lines_of_an_attempt_come_one_after_the_other,
            logs::a_log_keeps_its_latest_whole_lines,
            logs::logs_of_the_latest_attempts_are_kept,
            logs::logs_are_forgotten_after_their_time,
            notes::are_replaced_read_and_erased,
            notes::are_listed_by_prefix_in_order,
            notes::end_when_their_time_is_over,
            notes::refuse_a_stale_fence,
            model::every_life_is_as_the_model_says,
        }
    };
}

#[cfg(test)]
pub(crate) use {cases, suite};

/// Admits one new task of this priority.
async fn admit(store: &dyn Store, priority: Priority) -> Message {
    let message = message(priority);
    assert_eq!(store.admit(&[admission(&message)]).await.unwrap(), [Admitted::New]);
    message
}

fn claim_of(message: &Message) -> Claim {
    Claim {
        id: message.id,
        generation: message.generation,
        ticket: rand::random(),
        kind: "test.echo".into(),
        queue: message.queue,
        attempt: message.task().unwrap().attempt,
        enqueued_at: message.enqueued_at,
        expires_at: message.expires_at,
    }
}

async fn claim(store: &dyn Store, worker: ProcessId, message: &Message) -> ClaimOutcome {
    store.claim(worker, &[claim_of(message)], false).await.unwrap()[0]
}

/// Claims and expects to run.
async fn start(store: &dyn Store, worker: ProcessId, message: &Message) -> Claimed {
    match claim(store, worker, message).await {
        ClaimOutcome::Run { token, .. } | ClaimOutcome::Poison { token, .. } => claimed(message, token),
        outcome => panic!("{outcome:?}"),
    }
}

fn claimed(message: &Message, token: u64) -> Claimed {
    Claimed { id: message.id, queue: message.queue, token }
}

async fn settle(store: &dyn Store, worker: ProcessId, claimed: Claimed, end: End) -> bool {
    store.settle(worker, &[Settlement::uncounted(claimed, end)]).await.unwrap()[0]
}

fn completed() -> End {
    End::Completed { result: Payload::encode("done").unwrap(), keep: HOUR }
}

fn failure() -> Failure {
    Failure::new(ErrorClass::Network, "the line is dead")
}

/// The next generation of a message, after a failure or a requeue.
fn next_generation(message: &Message, attempt: u32) -> Message {
    let task = Task { generation: message.generation + 1, attempt, ..message.task().unwrap() };
    task.to_message().unwrap()
}

fn retry(message: &Message, at: Timestamp) -> End {
    let attempt = message.task().unwrap().attempt + 1;
    End::Retry { message: next_generation(message, attempt), at, failure: failure() }
}

fn letter(message: &Message, reason: DeadReason) -> DeadLetter {
    DeadLetter {
        message: message.clone(),
        kind: "test.echo".into(),
        tenant: None,
        reason,
        failure: failure(),
        crashes: 0,
        died_at: Timestamp::now(),
    }
}

pub fn beat_of(worker: ProcessId, lease: Duration) -> Beat {
    Beat {
        worker,
        pool: "default".into(),
        version: Some("1.2.3".into()),
        host: "here".into(),
        pid: 1,
        started_at: Timestamp::now(),
        slots: 4,
        draining: false,
        queues: Queue::CLASSES.to_vec(),
        serves: None,
        running: vec![0; Queue::CLASSES.len()],
        progress: Vec::new(),
        lease,
        usage: None,
        machine: None,
        done: Default::default(),
        paused: None,
        kinds: None,
        unhandled: Vec::new(),
    }
}

async fn beat(store: &dyn Store, worker: ProcessId) -> Orders {
    store.beat(&beat_of(worker, HOUR)).await.unwrap()
}

/// A worker that lives as long as the case.
async fn worker(store: &dyn Store) -> ProcessId {
    let worker = ProcessId::new();
    beat(store, worker).await;
    worker
}

async fn state(store: &dyn Store, message: &Message) -> State {
    store.record(message.id).await.unwrap().expect("a record").state
}

/// Leadership for an hour.
async fn lead(store: &dyn Store) -> Fence {
    store.lead(Role::Maintenance, ProcessId::new(), HOUR).await.unwrap().expect("no other process leads")
}

/// Two reigns, the later one second.
async fn two_leaders(store: &dyn Store) -> [Fence; 2] {
    let old = lead(store).await;
    store.resign(old).await.unwrap();
    [old, lead(store).await]
}
