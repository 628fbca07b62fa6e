//! Notes: replaced, listed, forgotten, fenced.

use bytes::Bytes;

use super::*;

async fn put(store: &dyn Store, name: &str, value: &'static str) {
    store.put_note(None, name, Bytes::from_static(value.as_bytes()), None).await.unwrap();
}

async fn names(store: &dyn Store, prefix: &str) -> Vec<String> {
    store.notes(prefix).await.unwrap().into_iter().map(|(name, _)| name).collect()
}

pub async fn are_replaced_read_and_erased(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let other = fixture.store().await;
    assert_eq!(store.note("scale/voice").await.unwrap(), None);
    put(&*store, "scale/voice", "one").await;
    assert_eq!(other.note("scale/voice").await.unwrap().unwrap(), "one");
    let binary = Bytes::from_static(&[0, 255, 128, 0]);
    other.put_note(None, "scale/voice", binary.clone(), Some(HOUR)).await.unwrap();
    assert_eq!(store.note("scale/voice").await.unwrap(), Some(binary));
    assert!(store.erase_note("scale/voice").await.unwrap());
    assert!(!other.erase_note("scale/voice").await.unwrap(), "it is gone");
    assert_eq!(other.note("scale/voice").await.unwrap(), None);
    assert_eq!(other.notes("").await.unwrap(), []);
}

pub async fn are_listed_by_prefix_in_order(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    for name in
        ["pause/b", "scale/voice", "pause/a", "pause", "pausé", "pause/ä", "PAUSE/c", "pa%se/d", "pause_e"]
    {
        put(&*store, name, "value").await;
    }
    assert_eq!(names(&*store, "pause/").await, ["pause/a", "pause/b", "pause/ä"]);
    assert_eq!(names(&*store, "pa%").await, ["pa%se/d"], "no pattern");
    assert_eq!(names(&*store, "nothing").await, Vec::<String>::new());
    assert_eq!(names(&*store, "").await.len(), 9);
}

pub async fn end_when_their_time_is_over(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    put(&*store, "stays", "value").await;
    store.put_note(None, "goes", Bytes::from_static(b"value"), Some(SHORT)).await.unwrap();
    store.put_note(None, "renewed", Bytes::from_static(b"value"), Some(SHORT)).await.unwrap();
    put(&*store, "renewed", "for ever").await;
    eventually(async || store.note("goes").await.unwrap().is_none()).await;
    assert_eq!(names(&*store, "").await, ["renewed", "stays"]);
    assert!(!store.erase_note("goes").await.unwrap());
    assert_eq!(store.note("renewed").await.unwrap().unwrap(), "for ever");
}

pub async fn refuse_a_stale_fence(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let [old, new] = two_leaders(&*store).await;
    store.put_note(Some(new), "state", Bytes::from_static(b"new"), None).await.unwrap();
    match store.put_note(Some(old), "state", Bytes::from_static(b"old"), None).await {
        Err(StoreError::Fenced { held, current }) => assert_eq!((held, current), (old.number, new.number)),
        answer => panic!("{answer:?}"),
    }
    assert_eq!(store.note("state").await.unwrap().unwrap(), "new");
}
