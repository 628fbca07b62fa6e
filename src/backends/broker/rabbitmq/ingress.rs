mod window;

use std::sync::Arc;

use bytes::Bytes;
use lapin::{
    BasicProperties,
    message::Delivery as Raw,
    types::{AMQPValue, ShortString},
};

use self::window::Window;
use super::{
    BrokerError, Fate, Intake, Lines, Link, Parcel, Publisher, Role, Settle, Topology,
    connect::{patient, unavailable},
    parcel::headers,
};
use clawpool_core::config::Rabbitmq;

/// The AMQP entrance: messages of producers, and the way back for what is not taken.
pub struct Ingress {
    intake: Intake,
    window: Window,
    /// Deliveries that came without their bodies, by line and tag.
    unread: Vec<(u64, u64)>,
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
    pub correlation_id: Option<String>,
    line: u64,
    tag: u64,
}

/// Something that was not taken, on its way back to whoever reads the rejects.
#[derive(Clone, Debug)]
pub struct Return {
    pub body: Bytes,
    pub content_type: Option<String>,
    pub correlation_id: Option<String>,
    pub code: &'static str,
    pub message: String,
    pub field: Option<String>,
}

impl Ingress {
    pub async fn open(settings: &Rabbitmq) -> Result<Self, BrokerError> {
        let topology = Topology::new(&settings.prefix);
        let window = Window::default();
        let consuming = Link::open(settings, Role::Ingress(window.allowance.clone())).await?;
        let publishing = Link::open(settings, Role::Publish).await?;
        let intake = Intake::new(consuming, Arc::new(Lines::default()), topology.ingress());
        let publisher = Publisher::start(publishing.clone(), settings.confirm_timeout);
        Ok(Self { intake, window, unread: Vec::new(), publisher, publishing, topology })
    }

    /// Makes the exchange, and the queue behind it, where they are missing: a producer may come before the first consumer.
    pub async fn declare(&self) -> Result<(), BrokerError> {
        let spec = self.topology.ingress();
        let declare = async { spec.declare(&self.publishing.session()?.channel().await?).await };
        patient("the declaration of the AMQP entrance", declare).await.map(drop)
    }

    /// Waits for a letter, then takes those that are here already. `held` bytes of letters are open: a longer letter waits
    /// with the server until there is room. Dropping the future loses none.
    pub async fn next(&mut self, held: u64) -> Result<Vec<Letter>, BrokerError> {
        loop {
            if self.window.changes() {
                // A prefetch only changes with a new consumer.
                self.intake.stop().await;
                self.window.change(held);
                self.requeue();
            }
            if !self.window.has_room(held) {
                std::future::pending::<()>().await;
            }
            let first = self.intake.next(self.window.prefetch).await?;
            let mut letters = Vec::new();
            letters.extend(self.letter(first));
            while let Some(raw) = self.intake.ready() {
                letters.extend(self.letter(raw));
            }
            if !letters.is_empty() {
                return Ok(letters);
            }
        }
    }

    fn letter(&mut self, raw: Raw) -> Option<Letter> {
        let line = self.intake.line()?.number;
        if let Some(size) = withheld(&raw) {
            self.send_away(line, raw.delivery_tag, size);
            return None;
        }
        self.window.took(raw.data.len() as u64);
        let text = |field: &Option<ShortString>| field.as_ref().map(ToString::to_string);
        Some(Letter {
            content_type: text(raw.properties.content_type()),
            message_id: text(raw.properties.message_id()),
            correlation_id: text(raw.properties.correlation_id()),
            body: raw.data.into(),
            line,
            tag: raw.delivery_tag,
        })
    }

    /// A letter that came without its body, for want of room: it comes again when there is some. One that no room is for
    /// goes to the rejects by the server's own hand.
    fn send_away(&mut self, line: u64, tag: u64, size: u64) {
        if size > window::LARGEST {
            tracing::warn!(
                bytes = size,
                most = window::LARGEST,
                "a message longer than the AMQP entrance takes is rejected"
            );
            self.intake.settle([tag], Settle::Reject);
        } else {
            self.window.lacks(size);
            self.unread.push((line, tag));
        }
    }

    /// Only once nobody consumes: the server would hand them out again at once.
    fn requeue(&mut self) {
        let line = self.intake.line().map(|line| line.number);
        let unread = std::mem::take(&mut self.unread).into_iter().filter(|(number, _)| Some(*number) == line);
        self.intake.settle(unread.map(|(_, tag)| tag), Settle::Requeue);
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
        let declare = async { spec.declare(&self.publishing.session()?.channel().await?).await };
        patient("the declaration of the rejects", declare).await?;
        Ok(spec.name)
    }
}

impl Return {
    /// All its headers fit into one frame, whatever the producer wrote: a longer one would end the connection.
    fn parcel(self, exchange: ShortString) -> Parcel {
        let mut table = headers([("code", self.code), ("message", &cut(self.message, 2000))]);
        if let Some(field) = self.field {
            table.insert("field".into(), AMQPValue::LongString(cut(field, 200).into()));
        }
        let id: ShortString = uuid::Uuid::now_v7().to_string().into();
        let mut properties = BasicProperties::default().with_headers(table).with_message_id(id).with_delivery_mode(2);
        if let Some(content_type) = self.content_type.and_then(|text| ShortString::try_new(text).ok()) {
            properties = properties.with_content_type(content_type);
        }
        if let Some(correlation_id) = self.correlation_id.and_then(|text| ShortString::try_new(text).ok()) {
            properties = properties.with_correlation_id(correlation_id);
        }
        Parcel { exchange, routing_key: "".into(), properties, body: self.body, mandatory: true }
    }
}

/// The size that the shield noted on a message whose body it kept back.
fn withheld(raw: &Raw) -> Option<u64> {
    raw.properties.cluster_id().as_ref()?.as_str().parse().ok()
}

/// What a producer wrote comes back to it, but not by the megabyte.
fn cut(mut text: String, most: usize) -> String {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.push('…');
    }
    text
}

fn answer(fate: Fate) -> Result<(), BrokerError> {
    match fate {
        Fate::Stored => Ok(()),
        Fate::Unroutable => Err(unavailable("the rejects queue has just been deleted")),
        Fate::Failed(error) => Err(error),
    }
}
