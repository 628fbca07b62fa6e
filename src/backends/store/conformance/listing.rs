//! Listings of records.

use std::collections::HashSet;

use super::*;

async fn list(store: &dyn Store, filter: &RecordFilter) -> HashSet<TaskId> {
    listed(store, filter).await.into_iter().collect()
}

/// In the order of the pages.
async fn listed(store: &dyn Store, filter: &RecordFilter) -> Vec<TaskId> {
    let mut seen = Vec::new();
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
    let filter = RecordFilter { states: vec![State::Running], ..plain() };
    assert_eq!(list(&*store, &filter).await, expect(&|index| index < 4));
    let filter = RecordFilter { states: vec![State::Dead], ..plain() };
    assert_eq!(list(&*store, &filter).await, HashSet::new());
    let filter = RecordFilter { kind: "email.*".parse().ok(), ..plain() };
    assert_eq!(list(&*store, &filter).await, expect(&|index| index % 2 == 0));
    let filter = RecordFilter { kind: "voice.call".parse().ok(), priority: Some(Priority::P1), ..plain() };
    assert_eq!(list(&*store, &filter).await, expect(&|index| index % 2 == 1 && index % 7 == 1));
    let filter = RecordFilter { tenant: Some("acme".into()), ..plain() };
    assert_eq!(list(&*store, &filter).await, expect(&|index| index % 3 == 0));
}

pub async fn lists_the_latest_first_page_by_page(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let batches = [7_usize, 1, 12].map(|count| (0..count).map(|_| message(Priority::P4)).collect::<Vec<_>>());
    for batch in &batches {
        let admissions: Vec<_> = batch.iter().map(admission).collect();
        store.admit(&admissions).await.unwrap();
        // Repeated tasks keep their place.
        store.admit(&admissions[..1]).await.unwrap();
    }
    let mut expected: Vec<_> = batches.iter().flatten().map(|message| message.id).collect();
    expected.reverse();
    assert_eq!(listed(&*store, &RecordFilter::default()).await, expected);
    let last = store.record(expected[0]).await.unwrap().unwrap();
    let before = RecordFilter { until: Some(last.enqueued_at), ..RecordFilter::default() };
    let since = RecordFilter { since: Some(last.enqueued_at), ..RecordFilter::default() };
    let both = [listed(&*store, &since).await, listed(&*store, &before).await].concat();
    assert_eq!(both, expected, "each task is on one side of a point in time");
}

/// Whether an id tells its time or not.
pub async fn lists_tasks_with_ids_of_any_kind_by_their_times(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let mut expected = Vec::new();
    for round in 0..12 {
        let id = if round % 3 == 0 { TaskId::new() } else { other_id() };
        let message = message_with(Priority::P4, |task| task.id = id);
        store.admit(&[admission(&message)]).await.unwrap();
        expected.insert(0, id);
        eventually(async || Timestamp::now() > message.enqueued_at).await;
    }
    assert_eq!(listed(&*store, &RecordFilter::default()).await, expected);
}

pub async fn lists_several_states_and_one_queue(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let worker = worker(&*store).await;
    let [queued, running, cancelled, other] =
        [Priority::P4, Priority::P4, Priority::P4, Priority::P1].map(message);
    store.admit(&[&queued, &running, &cancelled, &other].map(admission)).await.unwrap();
    start(&*store, worker, &running).await;
    store.cancel(cancelled.id).await.unwrap();
    let states = vec![State::Running, State::Cancelled];
    let some = RecordFilter { states, ..RecordFilter::default() };
    assert_eq!(list(&*store, &some).await, HashSet::from([running.id, cancelled.id]));
    let queue = RecordFilter { queue: Some(queued.queue), ..RecordFilter::default() };
    assert_eq!(list(&*store, &queue).await, HashSet::from([queued.id, running.id, cancelled.id]));
}

/// However many tasks there are, a page looks at some thousands.
pub async fn a_page_that_finds_little_ends_and_goes_on(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let rare = admission(&message(Priority::P1));
    store.admit(std::slice::from_ref(&rare)).await.unwrap();
    let many: Vec<_> = (0..10_100).map(|_| admission(&message(Priority::P4))).collect();
    for batch in many.chunks(1_000) {
        store.admit(batch).await.unwrap();
    }
    let filter = RecordFilter { priority: Some(Priority::P1), ..RecordFilter::default() };
    let first = store.records(&filter, None, 5).await.unwrap();
    assert!(first.items.is_empty() && first.next.is_some(), "it was not looked for among all tasks");
    let second = store.records(&filter, first.next.as_deref(), 5).await.unwrap();
    assert_eq!(second.items.iter().map(|record| record.id).collect::<Vec<_>>(), [rare.message.id]);
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

pub async fn goes_on_after_each_record(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    for _ in 0..7 {
        admit(&*store, Priority::P4).await;
    }
    let all = listed(&*store, &RecordFilter::default()).await;
    let looked = store.look(&RecordFilter::default(), None, 7).await.unwrap();
    assert_eq!(looked.items.len(), 7);
    assert!((7..=8).contains(&looked.looked_at), "{}", looked.looked_at);
    for (index, seen) in looked.items.iter().enumerate() {
        let page = store.records(&RecordFilter::default(), Some(&seen.after), 10).await.unwrap();
        let rest: Vec<_> = page.items.iter().map(|record| record.id).collect();
        assert_eq!(rest, all[index + 1..]);
    }
}

pub async fn the_end_of_an_id_means_those_that_end_so(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let with_id = |id: &str| message_with(Priority::P4, |task| task.id = id.parse().unwrap());
    let ids = ["01920000-0000-7000-8000-0000abcdef01", "01930000-0000-7000-8000-1111abcdef01"];
    let [one, two] = ids.map(with_id);
    let dead = with_id("01940000-0000-7000-8000-2222abcdef02");
    store.admit(&[admission(&one), admission(&two)]).await.unwrap();
    store.add_dead_letters(&[letter(&dead, DeadReason::Expired)]).await.unwrap();
    let ending = async |end: &str| {
        let mut ids = store.ending_in(&end.parse().unwrap()).await.unwrap();
        ids.sort_unstable();
        ids
    };
    assert_eq!(ending("0000abcdef01").await, [one.id]);
    assert_eq!(ending("ABCDEF01").await, [one.id, two.id]);
    assert_eq!(ending("cdef02").await, [dead.id]);
    assert_eq!(ending("cdef03").await, []);
    let forgotten = Withdrawal { id: two.id, until: None };
    store.withdraw(&[forgotten]).await.unwrap();
    assert_eq!(ending("abcdef01").await, [one.id], "what is withdrawn is unknown");
}
