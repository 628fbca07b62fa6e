use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use clawpool_backends::{
    backend::Unreadable,
    broker::{Broker, BrokerError, Consumer, DeadLettered, Depth, Probed, Receipt},
    store::{
        Admission, Admitted, AttemptLog, Beat, Cancelled, Claim, ClaimOutcome, ControlStore, DeadFilter,
        DeadLetter, DeadStore, Due, Entry, Fence, FigureStore, Followed, HostWindow, JournalStore, LogLines,
        LogRules, LogStore, Looked, NoteStore, Orders, Page, Place, Question, Record, RecordFilter, Requeued,
        Role, ScheduleStore, Scheduled, ScheduledTask, Settlement, StoreError, TaskStore, Topic, Totals,
        UnfinishedTask, Window, Withdrawal, Withdrawn, WorkerInfo, WorkerStore,
    },
};
use clawpool_core::{
    figures::Step,
    task::{IdEnd, Message, ProcessId, Queue, TaskId, Timestamp},
};

/// A broker and a store that never answer.
pub(super) struct Down;

fn no_broker<T>() -> Result<T, BrokerError> {
    Err(BrokerError::Unavailable { broker: "the test's broker", reason: "it is down".into() })
}

fn no_store<T>() -> Result<T, StoreError> {
    Err(StoreError::Unavailable { store: "the test's", reason: "it is down".into() })
}

macro_rules! down {
    ($trait:ident, $error:ident, $answer:ident { $($name:ident($($type:ty),*) -> $value:ty;)* }) => {
        #[async_trait]
        impl $trait for Down {
            $(async fn $name(&self, $(_: $type),*) -> Result<$value, $error> { $answer() })*
        }
    };
}

#[async_trait]
impl Broker for Down {
    async fn publish(&self, messages: Vec<Message>) -> Vec<Result<(), BrokerError>> {
        messages.iter().map(|_| no_broker()).collect()
    }

    async fn consume(&self, _: ProcessId, _: Queue) -> Result<Box<dyn Consumer>, BrokerError> {
        no_broker()
    }

    async fn ack(&self, _: Vec<Receipt>) -> Result<(), BrokerError> {
        no_broker()
    }

    async fn release(&self, _: Vec<Receipt>) -> Result<(), BrokerError> {
        no_broker()
    }

    async fn reclaim(&self, _: ProcessId) -> Result<u64, BrokerError> {
        no_broker()
    }

    async fn take_dead_lettered(&self, _: ProcessId, _: usize) -> Result<Vec<DeadLettered>, BrokerError> {
        no_broker()
    }

    async fn depth(&self, _: Queue) -> Result<Depth, BrokerError> {
        no_broker()
    }

    async fn probe(&self, _: Duration) -> Vec<Probed> {
        vec![("the test's broker", no_broker())]
    }
}

down!(TaskStore, StoreError, no_store {
    admit(&[Admission]) -> Vec<Admitted>;
    withdraw(&[Withdrawal]) -> Vec<Withdrawn>;
    confirm(TaskId) -> bool;
    move_to(&[Message], Queue) -> Vec<bool>;
    claim(ProcessId, &[Claim], bool) -> Vec<ClaimOutcome>;
    settle(ProcessId, &[Settlement]) -> Vec<bool>;
    cancel(TaskId) -> Cancelled;
    record(TaskId) -> Option<Record>;
    wait(TaskId, Duration) -> Option<Record>;
    look(&RecordFilter, Option<&str>, usize) -> Looked;
    ending_in(&IdEnd) -> Vec<TaskId>;
    reroute(&[Message]) -> Vec<bool>;
    unfinished(Option<&str>, usize) -> Page<UnfinishedTask>;
    unreadable(&[Unreadable]) -> Vec<Unreadable>;
});

down!(ScheduleStore, StoreError, no_store {
    schedule(&[Scheduled]) -> ();
    due(Fence, usize) -> Due;
    promoted(Fence, &[(TaskId, u32)]) -> ();
    wait_due(Option<Timestamp>) -> ();
    run_now(TaskId) -> bool;
    entry(TaskId, u32) -> Option<Message>;
    scheduled(Option<&str>, usize) -> Page<ScheduledTask>;
});

down!(DeadStore, StoreError, no_store {
    add_dead_letters(&[DeadLetter]) -> ();
    dead(&DeadFilter, Option<&str>, usize) -> Page<DeadLetter>;
    dead_letter(TaskId) -> Option<DeadLetter>;
    requeue(&[Message]) -> Requeued;
    discard(&[TaskId]) -> u64;
});

down!(WorkerStore, StoreError, no_store {
    beat(&Beat) -> Orders;
    ask(&[Question]) -> ();
    workers() -> Vec<WorkerInfo>;
    connected(&[ProcessId]) -> Option<Vec<ProcessId>>;
    drain(ProcessId) -> bool;
    end_lease(ProcessId, Option<&[TaskId]>) -> Vec<TaskId>;
    forget(ProcessId) -> ();
});

down!(ControlStore, StoreError, no_store {
    lead(Role, ProcessId, Duration) -> Option<Fence>;
    resign(Fence) -> ();
    set_paused(Queue, bool) -> ();
    paused() -> Vec<Queue>;
    take_tokens(&str, u32, f64, u32) -> (u32, Duration);
    totals() -> Totals;
    probe() -> ();
});

down!(LogStore, StoreError, no_store {
    append_logs(LogRules, &[LogLines]) -> ();
    logs(TaskId) -> Vec<AttemptLog>;
});

down!(JournalStore, StoreError, no_store {
    append(Option<Fence>, &[Entry]) -> ();
    journal(Topic, Option<&str>, Option<&str>, usize) -> Page<Entry>;
    follow(&[(Topic, Option<Place>)], usize) -> Vec<Followed>;
});

down!(NoteStore, StoreError, no_store {
    put_note(Option<Fence>, &str, Bytes, Option<Duration>) -> ();
    note(&str) -> Option<Bytes>;
    notes(&str) -> Vec<(String, Bytes)>;
    erase_note(&str) -> bool;
});

down!(FigureStore, StoreError, no_store {
    figures(Step, Timestamp, Timestamp) -> Vec<Window>;
    put_figures(Fence, Step, &Window) -> ();
    host_figures(Step, Timestamp, Timestamp) -> Vec<HostWindow>;
    put_host_figures(Fence, Step, &HostWindow) -> ();
});
