//! A broker that moves nothing, for tests of what counts tasks.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;

use super::{Broker, BrokerError, Consumer, DeadLettered, Delivery, Depth, Receipt};
use clawpool_core::task::{Message, ProcessId, Queue};

#[derive(Default)]
pub struct TestBroker {
    state: Mutex<State>,
}

/// What the broker says of itself, for a test to change.
#[derive(Default)]
pub struct State {
    /// It takes nothing, and does not say how full its queues are.
    pub away: bool,
    /// Messages that wait on each queue.
    pub ready: u64,
}

impl TestBroker {
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

#[async_trait]
impl Broker for TestBroker {
    async fn publish(&self, messages: Vec<Message>) -> Vec<Result<(), BrokerError>> {
        let away = self.state().away;
        messages.iter().map(|_| if away { Err(unavailable()) } else { Ok(()) }).collect()
    }

    async fn consume(&self, _: ProcessId, _: Queue) -> Result<Box<dyn Consumer>, BrokerError> {
        Ok(Box::new(Nothing))
    }

    async fn ack(&self, _: Vec<Receipt>) -> Result<(), BrokerError> {
        Ok(())
    }

    async fn release(&self, _: Vec<Receipt>) -> Result<(), BrokerError> {
        Ok(())
    }

    async fn reclaim(&self, _: ProcessId) -> Result<u64, BrokerError> {
        Ok(0)
    }

    async fn take_dead_lettered(&self, _: ProcessId, _: usize) -> Result<Vec<DeadLettered>, BrokerError> {
        Ok(Vec::new())
    }

    async fn depth(&self, _: Queue) -> Result<Depth, BrokerError> {
        let state = self.state();
        if state.away {
            return Err(unavailable());
        }
        Ok(Depth { ready: state.ready, oldest: None })
    }
}

fn unavailable() -> BrokerError {
    BrokerError::Unavailable { broker: "test", reason: "away".into() }
}

/// A consumer to which no message comes.
struct Nothing;

#[async_trait]
impl Consumer for Nothing {
    async fn next(&mut self, _: usize) -> Result<Vec<Delivery>, BrokerError> {
        std::future::pending().await
    }

    async fn pause(&mut self) -> Result<(), BrokerError> {
        Ok(())
    }
}
