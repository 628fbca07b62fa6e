use std::fmt::Display;

use bytes::{BufMut, Bytes, BytesMut};
use serde::Serialize;

use super::places::Places;
use crate::{api, supervise::CrashReport};
use clawpool_backends::store::{Entry, Place, Topic};
use clawpool_core::task::Timestamp;
use clawpool_engine::client::event::{
    EndReason, EndView, EventTopic, GapView, JournalEventView, OpenView, RestartView,
};

/// So soon a client asks again that has lost its stream.
const RETRY_MS: u64 = 2_000;
/// The id of the end of a task's stream.
pub(super) const ENDED: &str = "ended";
/// What says that the stream is alive while nothing happens.
pub(super) const HEARTBEAT: Bytes = Bytes::from_static(b":\n\n");

/// One event of the journal, written once for all streams.
pub(super) struct Frame {
    pub(super) topic: Topic,
    pub(super) what: What,
    /// Who has heard this has heard all until here.
    pub(super) places: Places,
    text: Text,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// It stands at this place.
    Entry(Place),
    /// What came after this place is forgotten.
    Gap(Place),
}

struct Text {
    whole: Bytes,
    /// Without the id.
    bare: Bytes,
}

impl Frame {
    /// None: another version's, which cannot be shown.
    pub(super) fn entry(place: Place, entry: Entry, places: Places) -> Option<Self> {
        let topic = entry.topic;
        let bare = told(entry)?;
        Some(Self { topic, what: What::Entry(place), places, text: Text::new(&bare, places) })
    }

    pub(super) fn gap(topic: Topic, after: Place, places: Places) -> Self {
        let name = "gap".to_owned();
        let view = GapView { name, at_ms: now(), topic: super::topics::told_as(topic) };
        Self { topic, what: What::Gap(after), places, text: Text::new(&event("gap", &view), places) }
    }

    /// For a stream that has heard all until `places`, which may be more than those before this event.
    pub(super) fn told(&self, places: &Places) -> Bytes {
        if self.places.cover(places) { self.text.whole.clone() } else { with_id(&self.text.bare, places) }
    }

    pub(super) const fn len(&self) -> usize {
        self.text.whole.len()
    }
}

impl Text {
    fn new(bare: &[u8], places: Places) -> Self {
        let whole = with_id(bare, &places);
        Self { bare: whole.slice(whole.len() - bare.len()..), whole }
    }
}

fn with_id(bare: &[u8], id: &impl Display) -> Bytes {
    [format!("id: {id}\n").as_bytes(), bare].concat().into()
}

/// An event without an id.
pub(super) fn event(name: &str, data: &impl Serialize) -> Bytes {
    written(name, &serde_json::to_string(data).unwrap_or_default())
}

/// The same, where the data is written already. JSON has no line breaks.
pub(super) fn written(name: &str, data: &str) -> Bytes {
    let mut text = BytesMut::with_capacity(name.len() + data.len() + 20);
    for part in ["event: ", name, "\ndata: ", data, "\n\n"] {
        text.put_slice(part.as_bytes());
    }
    text.freeze()
}

/// The first event of a stream.
pub(super) fn open(view: &OpenView, places: Option<&Places>) -> Bytes {
    let bare = event("open", view);
    let event = places.map_or_else(|| bare.clone(), |places| with_id(&bare, places));
    [format!("retry: {RETRY_MS}\n").as_bytes(), &event].concat().into()
}

/// The last one. After a task's end its id keeps a browser from asking again and again.
pub(super) fn end(reason: EndReason) -> Bytes {
    let end = event("end", &EndView { name: "end".to_owned(), at_ms: now(), reason });
    match reason {
        EndReason::TaskEnded | EndReason::TaskForgotten => with_id(&end, &ENDED),
        EndReason::Stopping | EndReason::Token => end,
    }
}

pub(super) fn now() -> u64 {
    Timestamp::now().as_millis()
}

/// As the list of the same entries shows it.
fn told(entry: Entry) -> Option<Bytes> {
    let at = entry.at;
    let topic = super::topics::told_as(entry.topic);
    match entry.topic {
        Topic::Alert => api::alerts::view(entry).map(|view| item(topic, at, view)),
        Topic::Audit => api::audit::view(entry).map(|view| item(topic, at, view)),
        Topic::Scaling => api::autoscaler::view(entry).map(|view| item(topic, at, view)),
        Topic::Crash => {
            let report: Option<CrashReport> = serde_json::from_value(entry.body).ok();
            report.map(|report| item(topic, at, report))
        }
        Topic::Restart => {
            let after = entry.body.get("after").cloned().unwrap_or_default();
            Some(item(topic, at, RestartView { at, pool: entry.subject, after }))
        }
    }
}

fn item(topic: EventTopic, at: Timestamp, item: impl Serialize) -> Bytes {
    let name = topic.event();
    event(name, &JournalEventView { name: name.to_owned(), at_ms: at.as_millis(), item })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn restart(at: u64) -> Entry {
        let at = Timestamp::from_millis(at);
        Entry { topic: Topic::Restart, at, subject: "main".into(), body: json!({"after": "x\ny"}) }
    }

    #[test]
    fn an_event_is_written_once_and_its_id_says_where_to_go_on() {
        let mut places = Places::default();
        places.set(Topic::Restart, Place(7, 0));
        let frame = Frame::entry(Place(7, 0), restart(1_700_000_000_000), places).unwrap();
        let text = frame.told(&Places::default());
        let shown = "id: 0.0.0.0.7\nevent: restart\ndata: {\"type\":\"restart\",\"at_ms\":1700000000000,\
            \"item\":{\"at\":\"2023-11-14T22:13:20.000Z\",\"pool\":\"main\",\"after\":\"x\\ny\"}}\n\n";
        assert_eq!(std::str::from_utf8(&text).unwrap(), shown);
        assert_eq!(text.as_ptr(), frame.told(&places).as_ptr(), "shared");
        let mut ahead = places;
        ahead.set(Topic::Audit, Place(9, 1));
        assert!(frame.told(&ahead).starts_with(b"id: 0.0.0.9-1.7\nevent: restart\n"));
    }

    #[test]
    fn what_another_version_wrote_is_left_out() {
        let entry = Entry { topic: Topic::Alert, ..restart(1) };
        assert!(Frame::entry(Place(1, 0), entry, Places::default()).is_none());
    }
}
