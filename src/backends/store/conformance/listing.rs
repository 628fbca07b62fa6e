//! Listings of records.

use std::collections::HashSet;

use super::*;

async fn list(store: &dyn Store, filter: &RecordFilter) -> HashSet<TaskId> {
    let mut seen = HashSet::new();
    let mut cursor = None;
    loop {
        let page = store.records(filter, cursor.as_deref(), 5).await.unwrap();
        assert!(page.items.len() <= 5 && page.items.iter().all(|record| filter.matches(record)));
        seen.extend(page.items.iter().map(|record| record.id));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    seen
}

pub async fn filters_and_pages_records(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let worker = worker(&*store).await;
    let admissions: Vec<_> = (0..24_usize)
        .map(|index| Admission {
            kind: if index % 2 == 0 { "email.send".into() } else { "voice.call".into() },
            tenant: (index % 3 == 0).then(|| "acme".into()),
            ..admission(&message(Priority::ALL[index % 7]))
        })
        .collect();
    store.admit(&admissions).await.unwrap();
    for admission in &admissions[..4] {
        start(&*store, worker, &admission.message).await;
    }
    let expect = |keep: &dyn Fn(usize) -> bool| {
        let kept = admissions.iter().enumerate().filter(|(index, _)| keep(*index));
        kept.map(|(_, admission)| admission.message.id).collect::<HashSet<_>>()
    };
    let plain = RecordFilter::default;
    assert_eq!(list(&*store, &plain()).await, expect(&|_| true));
    let filter = RecordFilter { state: Some(State::Running), ..plain() };
    assert_eq!(list(&*store, &filter).await, expect(&|index| index < 4));
    let filter = RecordFilter { state: Some(State::Dead), ..plain() };
    assert_eq!(list(&*store, &filter).await, HashSet::new());
    let filter = RecordFilter { kind: "email.*".parse().ok(), ..plain() };
    assert_eq!(list(&*store, &filter).await, expect(&|index| index % 2 == 0));
    let filter = RecordFilter { kind: "voice.call".parse().ok(), priority: Some(Priority::P1), ..plain() };
    assert_eq!(list(&*store, &filter).await, expect(&|index| index % 2 == 1 && index % 7 == 1));
    let filter = RecordFilter { tenant: Some("acme".into()), ..plain() };
    assert_eq!(list(&*store, &filter).await, expect(&|index| index % 3 == 0));
}

pub async fn refuses_a_cursor_of_somewhere_else(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let nonsense = Some("what is this?");
    let errors = [
        store.records(&RecordFilter::default(), nonsense, 5).await.map(drop),
        store.dead(&DeadFilter::default(), nonsense, 5).await.map(drop),
        store.scheduled(nonsense, 5).await.map(drop),
    ];
    for error in errors {
        assert!(matches!(error, Err(StoreError::BadCursor(_))), "{error:?}");
    }
}
