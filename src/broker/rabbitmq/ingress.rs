use std::sync::Arc;

use bytes::Bytes;
use lapin::{
    BasicProperties,
    message::Delivery as Raw,
    types::{AMQPValue, ShortString},
};

use super::{
    BrokerError, Fate, Intake, Lines, Link, Parcel, Publisher, Role, Settle, Topology,
    connect::{patient, unavailable},
    parcel::headers,
};
use crate::config::Rabbitmq;

/// The AMQP entrance: messages of producers, and the way back for what is not taken.
pub struct Ingress {
    intake: Intake,
    publisher: Publisher,
    publishing: Link,
    topology: Topology,
}

/// What a producer sent. It stays with the server until it is closed.
#[derive(Clone, Debug)]
pub struct Letter {
    pub body: Bytes,
    pub content_type: Option<String>,
    pub message_id: Option<String>,
    line: u64,
    tag: u64,
}

/// Something that was not taken, on its way back to whoever reads the rejects.
#[derive(Clone, Debug)]
pub struct Return {
    pub body: Bytes,
    pub content_type: Option<String>,
    pub code: &'static str,
    pub message: String,
    pub field: Option<String>,
}

impl Ingress {
    /// Letters that are held at once, those that wait for a full queue among them. Each may be as large as the server
    /// allows.
    const PREFETCH: u16 = 128;

    pub async fn open(settings: &Rabbitmq) -> Result<Self, BrokerError> {
        let topology = Topology::new(&settings.prefix);
        let consuming = Link::open(settings, Role::Ingress).await?;
        let publishing = Link::open(settings, Role::Publish).await?;
        let intake = Intake::new(consuming, Arc::new(Lines::default()), topology.ingress());
        let publisher = Publisher::start(publishing.clone(), settings.confirm_timeout);
        Ok(Self { intake, publisher, publishing, topology })
    }

    /// Waits for a letter, then takes those that are here already. Dropping the future loses none.
    pub async fn next(&mut self) -> Result<Vec<Letter>, BrokerError> {
        let first = self.intake.next(Self::PREFETCH).await?;
        let mut letters = Vec::new();
        letters.extend(self.letter(first));
        while let Some(raw) = self.intake.ready() {
            letters.extend(self.letter(raw));
        }
        Ok(letters)
    }

    fn letter(&self, raw: Raw) -> Option<Letter> {
        let line = self.intake.line()?.number;
        let text = |field: &Option<ShortString>| field.as_ref().map(ToString::to_string);
        Some(Letter {
            content_type: text(raw.properties.content_type()),
            message_id: text(raw.properties.message_id()),
            body: raw.data.into(),
            line,
            tag: raw.delivery_tag,
        })
    }

    /// Whether closing the letter will be heard. One of a lost connection comes again.
    pub fn holds(&self, letter: &Letter) -> bool {
        self.intake.line().is_some_and(|line| line.number == letter.line)
    }

    /// The letters are dealt with.
    pub fn close<'a>(&self, letters: impl IntoIterator<Item = &'a Letter>) {
        let held = letters.into_iter().filter(|letter| self.holds(letter));
        self.intake.settle(held.map(|letter| letter.tag), Settle::Ack);
    }

    /// Sends things back, durably. One answer each, in order.
    pub async fn give_back(&self, returns: Vec<Return>) -> Vec<Result<(), BrokerError>> {
        if returns.is_empty() {
            return Vec::new();
        }
        let count = returns.len();
        match self.rejects().await {
            Ok(exchange) => {
                let parcels = returns.into_iter().map(|back| back.parcel(exchange.clone())).collect();
                self.publisher.send(parcels).await.into_iter().map(answer).collect()
            }
            Err(error) => vec![Err(error); count],
        }
    }

    /// The exchange for rejects, surely there. A queue of the user's own may be bound to it beside ours.
    async fn rejects(&self) -> Result<ShortString, BrokerError> {
        let spec = self.topology.rejects();
        patient(async { spec.declare(&self.publishing.session()?.channel().await?).await }).await?;
        Ok(spec.name)
    }
}

impl Return {
    fn parcel(self, exchange: ShortString) -> Parcel {
        let mut table = headers([("code", self.code), ("message", self.message.as_str())]);
        if let Some(field) = self.field {
            table.insert("field".into(), AMQPValue::LongString(field.into()));
        }
        let id: ShortString = uuid::Uuid::now_v7().to_string().into();
        let mut properties = BasicProperties::default().with_headers(table).with_message_id(id).with_delivery_mode(2);
        if let Some(content_type) = self.content_type.and_then(|text| ShortString::try_new(text).ok()) {
            properties = properties.with_content_type(content_type);
        }
        Parcel { exchange, routing_key: "".into(), properties, body: self.body, mandatory: true }
    }
}

fn answer(fate: Fate) -> Result<(), BrokerError> {
    match fate {
        Fate::Stored => Ok(()),
        Fate::Unroutable => Err(unavailable("the rejects queue has just been deleted")),
        Fate::Failed(error) => Err(error),
    }
}
