//! A queue whose messages may wait in two places, because it moved.

use async_trait::async_trait;
use futures::future::select_all;

use super::consumer::RabbitConsumer;
use crate::broker::{BrokerError, Consumer, Delivery};

/// The consumers of one queue's places: none, one or two.
pub(super) struct PlacesConsumer {
    places: Vec<RabbitConsumer>,
}

impl PlacesConsumer {
    pub(super) const fn new(places: Vec<RabbitConsumer>) -> Self {
        Self { places }
    }
}

#[async_trait]
impl Consumer for PlacesConsumer {
    async fn next(&mut self, want: usize) -> Result<Vec<Delivery>, BrokerError> {
        if self.places.is_empty() {
            return std::future::pending().await;
        }
        // Dropping the others loses none of their messages.
        select_all(self.places.iter_mut().map(|place| place.next(want))).await.0
    }

    async fn pause(&mut self) -> Result<(), BrokerError> {
        for place in &mut self.places {
            place.pause().await?;
        }
        Ok(())
    }
}
