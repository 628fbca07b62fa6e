//! The journal: latest first, bounded, fenced.

use super::*;

fn entry(topic: Topic, subject: &str, number: usize) -> Entry {
    let body = serde_json::json!({ "number": number, "share": 0.5, "name": null });
    Entry { topic, at: Timestamp::from_millis(1_000 + number as u64), subject: subject.into(), body }
}

fn number(entry: &Entry) -> usize {
    entry.body["number"].as_u64().unwrap() as usize
}

async fn all(store: &dyn Store, topic: Topic, subject: Option<&str>, limit: usize) -> Vec<Entry> {
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let page = store.journal(topic, subject, cursor.as_deref(), limit).await.unwrap();
        assert!(page.items.len() <= limit);
        seen.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            return seen;
        }
    }
}

pub async fn comes_latest_first_and_by_subject(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let other = fixture.store().await;
    assert!(store.journal(Topic::Crash, None, None, 10).await.unwrap().items.is_empty());
    let entries = [
        entry(Topic::Crash, "voice", 0),
        entry(Topic::Alert, "voice", 1),
        entry(Topic::Crash, "mail", 2),
        entry(Topic::Crash, "voice", 3),
    ];
    store.append(None, &entries[..2]).await.unwrap();
    other.append(None, &entries[2..]).await.unwrap();
    let of = |wanted: &[usize]| wanted.iter().map(|index| entries[*index].clone()).collect::<Vec<_>>();
    assert_eq!(all(&*store, Topic::Crash, None, 10).await, of(&[3, 2, 0]), "as they were written");
    assert_eq!(all(&*store, Topic::Crash, Some("voice"), 10).await, of(&[3, 0]));
    assert_eq!(all(&*store, Topic::Alert, None, 10).await, of(&[1]));
    assert_eq!(all(&*store, Topic::Scaling, None, 10).await, []);
    assert_eq!(all(&*store, Topic::Crash, Some("nobody"), 10).await, []);
}

pub async fn pages_through_every_entry(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let entries: Vec<_> =
        (0..250).map(|n| entry(Topic::Scaling, if n % 7 == 0 { "mail" } else { "voice" }, n)).collect();
    store.append(None, &entries).await.unwrap();
    let numbers = |seen: Vec<Entry>| seen.iter().map(number).collect::<Vec<_>>();
    assert_eq!(numbers(all(&*store, Topic::Scaling, None, 9).await), (0..250).rev().collect::<Vec<_>>());
    let mail = (0..250).rev().filter(|n| n % 7 == 0).collect::<Vec<_>>();
    assert_eq!(numbers(all(&*store, Topic::Scaling, Some("mail"), 4).await), mail);
    let page = store.journal(Topic::Scaling, Some("mail"), None, mail.len()).await.unwrap();
    assert_eq!((page.items.len(), page.next), (mail.len(), None), "a full last page is the last one");
}

pub async fn keeps_its_latest_entries_and_only_about_so_many(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let written = Topic::Crash.kept() * 2;
    let entries: Vec<_> = (0..written).map(|n| entry(Topic::Crash, "voice", n)).collect();
    for chunk in entries.chunks(500) {
        store.append(None, chunk).await.unwrap();
    }
    store.append(None, &[entry(Topic::Alert, "voice", 0)]).await.unwrap();
    let kept = all(&*store, Topic::Crash, None, 500).await;
    assert!((Topic::Crash.kept()..Topic::Crash.kept() * 3 / 2).contains(&kept.len()), "{}", kept.len());
    let numbers: Vec<_> = kept.iter().map(number).collect();
    assert_eq!(numbers, (written - kept.len()..written).rev().collect::<Vec<_>>(), "the oldest went");
    assert_eq!(all(&*store, Topic::Alert, None, 10).await.len(), 1, "each topic has its own bound");
}

pub async fn refuses_a_stale_fence(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let [old, new] = two_leaders(&*store).await;
    match store.append(Some(old), &[entry(Topic::Scaling, "voice", 1)]).await {
        Err(StoreError::Fenced { held, current }) => assert_eq!((held, current), (old.number, new.number)),
        answer => panic!("{answer:?}"),
    }
    store.append(Some(new), &[entry(Topic::Scaling, "voice", 2)]).await.unwrap();
    let numbers: Vec<_> = all(&*store, Topic::Scaling, None, 10).await.iter().map(number).collect();
    assert_eq!(numbers, [2]);
}

pub async fn refuses_a_foreign_cursor(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    for cursor in ["what is this?", "", "5-", "5-é"] {
        let answer = store.journal(Topic::Crash, None, Some(cursor), 5).await;
        assert!(matches!(answer, Err(StoreError::BadCursor(_))), "{cursor:?}: {answer:?}");
    }
}

/// Goes on from `after` until there is nothing more, in steps of `limit`.
async fn followed(
    store: &dyn Store,
    topic: Topic,
    mut after: Place,
    limit: usize,
) -> (Vec<(Place, usize)>, Vec<bool>) {
    let (mut seen, mut lost) = (Vec::new(), Vec::new());
    loop {
        let step = store.follow(&[(topic, Some(after))], limit).await.unwrap().remove(0);
        assert!(step.topic == topic && step.entries.len() <= limit);
        seen.extend(step.entries.iter().map(|(place, entry)| (*place, number(entry))));
        lost.push(step.lost);
        after = step.next;
        if !step.more {
            return (seen, lost);
        }
    }
}

pub async fn is_followed_from_its_end_without_a_gap_or_a_double(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let other = fixture.store().await;
    let topics = [(Topic::Audit, None), (Topic::Crash, None)];
    let ends = store.follow(&topics, 10).await.unwrap();
    assert!(ends.iter().all(|end| end.entries.is_empty() && !end.lost && !end.more), "{ends:?}");
    let entries: Vec<_> = (0..40).map(|n| entry(topics[n % 2].0, "voice", n)).collect();
    for (n, entry) in entries.iter().enumerate() {
        [&store, &other][n % 3 % 2].append(None, std::slice::from_ref(entry)).await.unwrap();
    }
    for (n, (topic, _)) in topics.into_iter().enumerate() {
        let (seen, lost) = followed(&*other, topic, ends[n].next, 7).await;
        let numbers: Vec<_> = seen.iter().map(|(_, number)| *number).collect();
        assert_eq!(numbers, (n..40).step_by(2).collect::<Vec<_>>(), "all, in order, on another process");
        assert!(seen.is_sorted() && lost.iter().all(|lost| !lost));
        let rest = followed(&*store, topic, seen[12].0, 100).await;
        assert_eq!(rest.0, seen[13..], "after any of them");
        let end = store.follow(&[(topic, None)], 10).await.unwrap().remove(0);
        assert_eq!(end.next, seen[19].0);
        assert_eq!(followed(&*store, topic, end.next, 10).await, (vec![], vec![false]));
    }
}

pub async fn says_to_who_follows_it_what_it_has_forgotten(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let start = store.follow(&[(Topic::Crash, None)], 10).await.unwrap().remove(0).next;
    store.append(None, &[entry(Topic::Crash, "voice", 0)]).await.unwrap();
    let first = followed(&*store, Topic::Crash, start, 10).await.0[0].0;
    let written = Topic::Crash.kept() * 2;
    let entries: Vec<_> = (1..written).map(|n| entry(Topic::Crash, "voice", n)).collect();
    for chunk in entries.chunks(500) {
        store.append(None, chunk).await.unwrap();
    }
    for place in [start, first] {
        let (seen, lost) = followed(&*store, Topic::Crash, place, 500).await;
        assert!(lost[0] && !lost[1..].contains(&true), "said once: {lost:?}");
        let kept: Vec<_> = seen.iter().map(|(_, number)| *number).collect();
        assert_eq!(kept, (written - kept.len()..written).collect::<Vec<_>>());
    }
    let beyond = Place(u64::MAX / 4, 0);
    let odd = store.follow(&[(Topic::Crash, Some(beyond))], 10).await.unwrap().remove(0);
    let end = store.follow(&[(Topic::Crash, None)], 10).await.unwrap().remove(0);
    assert!(odd.lost && odd.entries.is_empty() && odd.next == end.next, "of another store: {odd:?}");
}

pub async fn is_followed_past_what_cannot_be_read(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let start = store.follow(&[(Topic::Alert, None)], 10).await.unwrap().remove(0).next;
    store.append(None, &[entry(Topic::Alert, "voice", 1)]).await.unwrap();
    fixture.garble(Garbled::Journal(Topic::Alert)).await;
    let end = store.follow(&[(Topic::Alert, None)], 10).await.unwrap().remove(0).next;
    store.append(None, &[entry(Topic::Alert, "voice", 2)]).await.unwrap();
    let numbers = async |after| -> Vec<usize> {
        followed(&*store, Topic::Alert, after, 10).await.0.iter().map(|(_, number)| *number).collect()
    };
    assert_eq!(numbers(start).await, [1, 2]);
    assert_eq!(numbers(end).await, [2]);
}
