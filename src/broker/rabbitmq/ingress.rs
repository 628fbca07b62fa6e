use bytes::Bytes;
use lapin::{BasicProperties, message::Delivery as Raw};

use super::{
    BrokerError, Fate, Parcel, Publisher, Topology, intake::Intake, lines::Settle, link::Link, parcel::headers,
};

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
    line: u64,
    tag: u64,
}

/// Something that was not taken, on its way back to whoever reads the rejects.
#[derive(Clone, Debug)]
pub struct Return {
    pub body: Bytes,
    pub content_type: Option<String>,
    pub code: String,
    pub message: String,
    pub field: Option<String>,
}

impl Ingress {
    /// Letters that are held at once, those that wait for a full queue among them.
    pub(super) const PREFETCH: u16 = 256;

    pub(super) const fn new(intake: Intake, publisher: Publisher, publishing: Link, topology: Topology) -> Self {
        Self { intake, publisher, publishing, topology }
    }

    /// Waits for a letter, then takes those that are here already, up to `want`. Dropping the future loses none.
    pub async fn next(&mut self, want: usize) -> Result<Vec<Letter>, BrokerError> {
        let first = self.intake.next(Self::PREFETCH).await?;
        let mut letters = Vec::new();
        letters.extend(self.letter(first));
        while letters.len() < want
            && let Some(raw) = self.intake.ready()
        {
            letters.extend(self.letter(raw));
        }
        Ok(letters)
    }

    fn letter(&self, raw: Raw) -> Option<Letter> {
        let line = self.intake.line()?.number;
        let content_type = raw.properties.content_type().as_ref().map(ToString::to_string);
        Some(Letter { body: raw.data.into(), content_type, line, tag: raw.delivery_tag })
    }

    /// The letters are dealt with; those of a lost connection come again.
    pub fn close(&self, letters: &[Letter]) {
        let present = self.intake.line().map(|line| line.number);
        let tags = letters.iter().filter(|letter| Some(letter.line) == present).map(|letter| letter.tag);
        self.intake.settle(tags, Settle::Ack);
    }

    /// Sends things back, durably. One answer each, in order.
    pub async fn give_back(&self, returns: Vec<Return>) -> Vec<Result<(), BrokerError>> {
        if returns.is_empty() {
            return Vec::new();
        }
        let count = returns.len();
        match self.parcels(returns).await {
            Ok(parcels) => self.publisher.send(parcels).await.into_iter().map(answer).collect(),
            Err(error) => vec![Err(error); count],
        }
    }

    async fn parcels(&self, returns: Vec<Return>) -> Result<Vec<Parcel>, BrokerError> {
        let channel = self.publishing.session()?.channel().await?;
        let rejects = self.topology.rejects();
        rejects.declare(&channel).await?;
        // By the exchange, so that a queue of the user's own may be bound beside ours.
        Ok(returns.into_iter().map(|back| back.parcel(rejects.name.clone())).collect())
    }
}

impl Return {
    fn parcel(self, exchange: lapin::types::ShortString) -> Parcel {
        let mut table = headers([("code", self.code.as_str()), ("message", self.message.as_str())]);
        if let Some(field) = &self.field {
            table.insert("field".into(), lapin::types::AMQPValue::LongString(field.as_str().into()));
        }
        let mut properties = BasicProperties::default().with_headers(table).with_delivery_mode(2);
        if let Some(content_type) = self.content_type.and_then(|text| lapin::types::ShortString::try_new(text).ok()) {
            properties = properties.with_content_type(content_type);
        }
        Parcel { exchange, routing_key: "".into(), properties, body: self.body }
    }
}

fn answer(fate: Fate) -> Result<(), BrokerError> {
    match fate {
        Fate::Stored => Ok(()),
        Fate::Unroutable => Err(super::connect::unavailable("the rejects queue was deleted; it is declared again")),
        Fate::Failed(error) => Err(error),
    }
}
