//! The layout: the same bytes for Rust and for scripts, and the same that earlier versions wrote.

use bytes::Bytes;
use redis::{ToRedisArgs, Value, cmd};

use super::{
    super::{record, scripts},
    open,
};
use crate::{
    backend::redis::{
        layout::{Head, Header, Name, Tail, code_of},
        library::Library,
        link::Link,
        packed,
    },
    store::{Admission, Record},
};
use clawpool_core::{
    config::Config,
    task::{
        ErrorClass, Failure, Fingerprint, Message, Payload, Priority, ProcessId, Queue, State, TaskId,
        Timestamp,
    },
};

/// As the version before wrote it, with every field set.
const FULL: &str = "\
    5201010101050102030411121314212223240000000131323334000000014142434400000001515253540000000161626364\
    00000001717273740000000181828384919293947468652d776f726b65722d69732d313600000006612e6b696e6400000010\
    612d74656e616e741e612d746f6b656e00000005612d6b65790000000868616c662d77617900000005a4646f6e650000001c\
    82a5636c617373a774696d656f7574a76d657373616765a46c617465";
/// One with none: of a task that was just accepted.
const BARE: &str = "\
    5100000000030000000000000000000000000000000131323334000000014142434400000000000000000000000000000000\
    00000000000000000000000000000000000000000000000000000000000000000000000000000006612e6b696e6400000000\
    00000000000000000000000000000000";
/// Of a task that was just accepted for later, with a unique key, of a tenant and with a token.
const DELAYED: &str = "\
    5300000100030102030400000000000000000000000131323334000000014142434400000000000000000000000000000000\
    00000001717273740000000000000000000000000000000000000000000000000000000000000006612e6b696e6400000010\
    612d74656e616e741e612d746f6b656e00000005612d6b6579000000000000000000000000";
const MESSAGE: &str = "0300000001313233340000000141424344626f6479";

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().map(|digit| (digit as char).to_digit(16).unwrap() as u8).collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn id() -> TaskId {
    TaskId::from_bytes(*b"the-task-id-is16")
}

/// No two fields of a kind are alike.
fn head() -> Head {
    Head {
        state: State::Running,
        cancel_asked: true,
        awaited: true,
        has_key: true,
        has_progress: true,
        priority: Priority::P5,
        generation: 0x0102_0304,
        attempt: 0x1112_1314,
        crashes: 0x2122_2324,
        enqueued: at(0x1_3132_3334),
        expires: at(0x1_4142_4344),
        started: Some(at(0x1_5152_5354)),
        finished: Some(at(0x1_6162_6364)),
        due: Some(at(0x1_7172_7374)),
        token: 0x1_8182_8384,
        ticket: 0x9192_9394,
        worker: Some(ProcessId::from_bytes(*b"the-worker-is-16")),
    }
}

fn failure() -> Failure {
    Failure::new(ErrorClass::Timeout, "late")
}

fn tail() -> Tail<Vec<u8>> {
    Tail {
        kind: b"a.kind".to_vec(),
        whose: b"a-tenant\x1ea-token".to_vec(),
        unique_key: b"a-key".to_vec(),
        progress: b"half-way".to_vec(),
        result: b"\xa4done".to_vec(),
        failure: record::pack_failure(&failure()).unwrap(),
    }
}

fn packed(head: &Head, tail: &Tail<Vec<u8>>) -> Vec<u8> {
    let mut bytes = Vec::new();
    head.put(&mut bytes);
    tail.put(&mut bytes);
    bytes
}

fn message() -> Message {
    Message {
        id: id(),
        generation: 0x0102_0304,
        queue: Queue::P3,
        enqueued_at: at(0x1_3132_3334),
        expires_at: at(0x1_4142_4344),
        body: Bytes::from_static(b"body"),
    }
}

#[test]
fn rust_reads_and_writes_the_records_of_the_version_before() {
    assert_eq!(packed(&head(), &tail()), bytes(FULL));
    let mut full = Bytes::from(bytes(FULL));
    assert_eq!(Head::take(&mut full).unwrap(), head());
    let values = tail();
    let expected = Tail {
        kind: Bytes::from(values.kind),
        whose: values.whose.into(),
        unique_key: values.unique_key.into(),
        progress: values.progress.into(),
        result: values.result.into(),
        failure: values.failure.into(),
    };
    assert_eq!(Tail::take(&mut full).unwrap(), expected);
    assert!(full.is_empty());

    let delayed = Admission {
        message: message(),
        kind: "a.kind".into(),
        tenant: Some("a-tenant".into()),
        enqueued_by: Some("a-token".into()),
        unique_key: Some("a-key".into()),
        at: Some(at(0x1_7172_7374)),
        fingerprint: None,
    };
    assert_eq!(record::fresh(&delayed), bytes(DELAYED));
    let message = Message { generation: 0, ..message() };
    let bare =
        Admission { message, tenant: None, enqueued_by: None, unique_key: None, at: None, ..delayed.clone() };
    assert_eq!(record::fresh(&bare), bytes(BARE));
    let print = Some(Fingerprint::from_bits(0xff));
    for task in [&bare, &delayed] {
        let marked = record::fresh(&Admission { fingerprint: print, ..task.clone() });
        assert_eq!(
            marked.len(),
            record::fresh(task).len() + 17,
            "what it costs, and only where there is one"
        );
        let record = record::decode(id(), marked.into()).unwrap();
        assert_eq!(
            (record.fingerprint, &record.tenant, &record.enqueued_by),
            (print, &task.tenant, &task.enqueued_by)
        );
    }
}

fn shown(hex: &str) -> String {
    format!("{:?}", record::decode(id(), bytes(hex).into()).unwrap())
}

#[test]
fn the_records_of_the_version_before_are_shown_as_they_were() {
    let full = Record {
        id: id(),
        kind: "a.kind".into(),
        priority: Priority::P5,
        queue: Queue::P5,
        tenant: Some("a-tenant".into()),
        enqueued_by: Some("a-token".into()),
        state: State::Running,
        waiting: None,
        attempt: 0x1112_1314,
        crashes: 0x2122_2324,
        generation: 0x0102_0304,
        enqueued_at: at(0x1_3132_3334),
        started_at: Some(at(0x1_5152_5354)),
        finished_at: Some(at(0x1_6162_6364)),
        due_at: None,
        worker: Some(ProcessId::from_bytes(*b"the-worker-is-16")),
        progress: Some("half-way".into()),
        result: Some(Payload::encode("done").unwrap()),
        failure: Some(failure()),
        story: Bytes::new(),
        fingerprint: None,
    };
    assert_eq!(shown(FULL), format!("{full:?}"));
    let bare = Record {
        priority: Priority::P3,
        queue: Queue::P3,
        tenant: None,
        enqueued_by: None,
        state: State::Queued,
        attempt: 0,
        crashes: 0,
        generation: 0,
        started_at: None,
        finished_at: None,
        worker: None,
        progress: None,
        result: None,
        failure: None,
        ..full
    };
    assert_eq!(shown(BARE), format!("{bare:?}"));
    let delayed = record::decode(id(), bytes(DELAYED).into()).unwrap();
    assert_eq!((delayed.state, delayed.due_at), (State::Scheduled, Some(at(0x1_7172_7374))));
    for cut in 0..bytes(BARE).len() {
        assert!(
            record::decode(id(), Bytes::from(bytes(BARE)).slice(..cut)).is_err(),
            "the first {cut} bytes"
        );
    }
    assert!(record::decode(id(), [bytes(BARE), vec![0]].concat().into()).is_err(), "a byte more");
}

#[test]
fn messages_and_entries_are_those_of_the_version_before() {
    assert_eq!(packed::pack(&message()), bytes(MESSAGE));
    let entry = packed::entry(id(), 0x0102_0304);
    assert_eq!(entry[..], b"the-task-id-is16\x01\x02\x03\x04"[..]);
    assert_eq!(packed::unpack(&entry, &bytes(MESSAGE).into()).unwrap(), message());
}

/// Runs Lua text with the definitions that it speaks of.
async fn run<T: redis::FromRedisValue>(link: &Link, lua: &str, args: &[impl ToRedisArgs]) -> T {
    let script = Library::shared(scripts::PARTS).complete(lua);
    link.send(cmd("EVAL").arg(script).arg(1).arg(link.base()).arg(args)).await.unwrap()
}

async fn link() -> Link {
    Link::open(&open(Config::default()).await.0.redis).await.unwrap()
}

/// What a script is to find, as text: each field of the head and each value of the tail by its name.
fn told(head: &Head, tail: &Tail<Vec<u8>>) -> Vec<(&'static str, Vec<u8>)> {
    let Head {
        state,
        cancel_asked,
        awaited,
        has_key,
        has_progress,
        priority,
        generation,
        attempt,
        crashes,
        enqueued,
        expires,
        started,
        finished,
        due,
        token,
        ticket,
        worker,
    } = head;
    let Tail { kind, whose, unique_key, progress, result, failure } = tail.clone();
    let text = |number: u64| number.to_string().into_bytes();
    let flag = |flag: &bool| flag.to_string().into_bytes();
    let time = |time: &Option<Timestamp>| text(time.map_or(0, Timestamp::as_millis));
    vec![
        ("state", code_of(*state).to_string().into_bytes()),
        ("cancel_asked", flag(cancel_asked)),
        ("awaited", flag(awaited)),
        ("has_key", flag(has_key)),
        ("has_progress", flag(has_progress)),
        ("priority", text(*priority as u64)),
        ("generation", text((*generation).into())),
        ("attempt", text((*attempt).into())),
        ("crashes", text((*crashes).into())),
        ("enqueued", text(enqueued.as_millis())),
        ("expires", text(expires.as_millis())),
        ("started", time(started)),
        ("finished", time(finished)),
        ("due", time(due)),
        ("token", text(*token)),
        ("ticket", text((*ticket).into())),
        ("worker", worker.map_or(vec![0; 16], |worker| worker.as_bytes().to_vec())),
        ("kind", kind),
        ("whose", whose),
        ("unique_key", unique_key),
        ("progress", progress),
        ("result", result),
        ("failure", failure),
    ]
}

/// A record with all set, and one with nothing; then four with one flag alone, because flags that changed
/// places would not be seen where all are set.
fn records() -> Vec<(Head, Tail<Vec<u8>>)> {
    let bare = Head {
        state: State::Queued,
        cancel_asked: false,
        awaited: false,
        has_key: false,
        has_progress: false,
        priority: Priority::P3,
        generation: 0,
        attempt: 0,
        crashes: 0,
        enqueued: at(0x1_3132_3334),
        expires: at(0x1_4142_4344),
        started: None,
        finished: None,
        due: None,
        token: 0,
        ticket: 0,
        worker: None,
    };
    let kind = Tail { kind: b"a.kind".to_vec(), ..Tail::default() };
    assert_eq!(packed(&bare, &kind), bytes(BARE));
    let flags = [
        Head { cancel_asked: true, ..bare },
        Head { awaited: true, ..bare },
        Head { has_key: true, ..bare },
        Head { has_progress: true, ..bare },
    ];
    let mut all = vec![(head(), tail()), (bare, kind.clone())];
    all.extend(flags.map(|head| (head, kind.clone())));
    all
}

/// A field of which this test does not know makes it fail, so that none is added without it.
const READ: &str = "
local record = read(ARGV[1])
local values = unpack_tail(record.tail)
local answer = {}
for name, value in pairs(record) do
  local text = type(value) == 'number' and ('%.0f'):format(value) or tostring(value)
  if name ~= 'tail' then answer[#answer + 1] = { name, text } end
end
for name, value in pairs(values) do answer[#answer + 1] = { name, value } end
return answer";

#[tokio::test]
async fn a_script_reads_every_field_that_rust_wrote() {
    let link = link().await;
    for (head, tail) in records() {
        let key = record::key(link.base(), id());
        let () = link.send(cmd("SET").arg(key).arg(packed(&head, &tail))).await.unwrap();
        let mut found: Vec<(String, Vec<u8>)> = run(&link, READ, &[id().as_bytes()]).await;
        let mut expected = told(&head, &tail);
        found.sort();
        expected.sort();
        let expected: Vec<_> = expected.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        assert_eq!(found, expected);
    }
}

/// From names and texts in turn.
const WRITE: &str = "
local record, values = {}, {}
for i = 2, #ARGV, 2 do
  local name, text = ARGV[i], ARGV[i + 1]
  if text == 'true' or text == 'false' then record[name] = text == 'true' else record[name] = text end
  values[name] = text
end
record.tail = pack_tail(values)
write(ARGV[1], record)";

#[tokio::test]
async fn rust_reads_every_field_that_a_script_wrote() {
    let link = link().await;
    for (head, tail) in records() {
        let mut args = vec![id().as_bytes().to_vec()];
        args.extend(
            told(&head, &tail).into_iter().flat_map(|(name, value)| [name.as_bytes().to_vec(), value]),
        );
        let _: Value = run(&link, WRITE, &args).await;
        let mut found: Bytes = link.send(cmd("GET").arg(record::key(link.base(), id()))).await.unwrap();
        assert_eq!(found, packed(&head, &tail));
        assert_eq!(Head::take(&mut found).unwrap(), head);
    }
}

/// Scripts that look at single fields find them by offset and width.
#[tokio::test]
async fn a_script_finds_every_field_by_its_offset() {
    let link = link().await;
    let full = bytes(FULL);
    for (name, value) in told(&head(), &tail()) {
        let upper = name.to_uppercase();
        let is_value = ["kind", "whose", "unique_key", "progress", "result", "failure"].contains(&name);
        let lua = if is_value {
            format!(
                "local offset = value_offset(ARGV[1], {upper}_VALUE, TAIL_OFFSET)
                local length = struct.unpack(LENGTH_FORMAT, ARGV[1], offset)
                return ARGV[1]:sub(offset + LENGTH_WIDTH, offset + LENGTH_WIDTH + length - 1)"
            )
        } else {
            format!(
                "local value = struct.unpack({upper}_FORMAT, ARGV[1], {upper}_OFFSET)
                local bytes = ARGV[1]:sub({upper}_OFFSET, {upper}_OFFSET + {upper}_WIDTH - 1)
                if struct.pack({upper}_FORMAT, value) ~= bytes then return 'another width' end
                return type(value) == 'number' and ('%.0f'):format(value) or value"
            )
        };
        let found: Vec<u8> = run(&link, &lua, &[&full]).await;
        let is_flag = value == b"true";
        assert_eq!(found, if is_flag { b"1".to_vec() } else { value }, "{name}");
    }
}

#[tokio::test]
async fn a_script_finds_every_field_of_a_message_and_of_an_entry() {
    let link = link().await;
    let lua = "
local function number(format, bytes, offset) return ('%.0f'):format(struct.unpack(format, bytes, offset)) end
local found = {
  number(MESSAGE_PRIORITY_FORMAT, ARGV[1], MESSAGE_PRIORITY_OFFSET),
  number(MESSAGE_ENQUEUED_FORMAT, ARGV[1], MESSAGE_ENQUEUED_OFFSET),
  number(MESSAGE_EXPIRES_FORMAT, ARGV[1], MESSAGE_EXPIRES_OFFSET),
  MESSAGE_WIDTH,
  ARGV[2]:sub(ENTRY_ID_OFFSET, ENTRY_ID_OFFSET + ENTRY_ID_WIDTH - 1),
  number(ENTRY_GENERATION_FORMAT, ARGV[2], ENTRY_GENERATION_OFFSET),
  ENTRY_WIDTH,
  entry(id_of(ARGV[2]), struct.unpack(ENTRY_GENERATION_FORMAT, ARGV[2], ENTRY_GENERATION_OFFSET)),
  priority_of(ARGV[2], ARGV[1]),
}
for i, value in ipairs(found) do found[i] = tostring(value) end
return found";
    let message = message();
    let entry = packed::entry(message.id, message.generation).to_vec();
    let found: Vec<Bytes> = run(&link, lua, &[packed::pack(&message), entry.clone()]).await;
    let expected: Vec<Bytes> = vec![
        (message.priority() as u8).to_string().into(),
        message.enqueued_at.as_millis().to_string().into(),
        message.expires_at.as_millis().to_string().into(),
        Header::WIDTH.to_string().into(),
        message.id.as_bytes().to_vec().into(),
        message.generation.to_string().into(),
        Name::WIDTH.to_string().into(),
        entry.into(),
        (message.priority() as u8).to_string().into(),
    ];
    assert_eq!(found, expected);
}

/// Also those that no other test runs.
#[tokio::test]
async fn every_script_is_lua() {
    let link = link().await;
    for script in scripts::ALL.iter() {
        let _: String = link.send(cmd("SCRIPT").arg("LOAD").arg(script.code())).await.unwrap();
    }
}
