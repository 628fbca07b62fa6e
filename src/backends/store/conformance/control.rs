//! Leadership, pacing and totals.

use super::*;

pub async fn one_leads_at_a_time(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let other = fixture.store().await;
    let one = ProcessId::new();
    let two = ProcessId::new();
    let fence = store.lead(Role::Maintenance, one, HOUR).await.unwrap().expect("no process leads yet");
    assert_eq!(other.lead(Role::Maintenance, two, HOUR).await.unwrap(), None);
    assert_eq!(
        store.lead(Role::Maintenance, one, HOUR).await.unwrap(),
        Some(fence),
        "renewing keeps the fence"
    );
    // Of many at once, one leads.
    store.resign(fence).await.unwrap();
    let mut racing = Vec::new();
    for _ in 0..8 {
        let store = fixture.store().await;
        racing.push(tokio::spawn(async move {
            store.lead(Role::Maintenance, ProcessId::new(), HOUR).await.unwrap().is_some()
        }));
    }
    let mut leaders = 0;
    for racer in racing {
        leaders += usize::from(racer.await.unwrap());
    }
    assert_eq!(leaders, 1);
}

pub async fn leadership_passes_when_the_lease_ends(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let old = store.lead(Role::Maintenance, ProcessId::new(), SHORT).await.unwrap().unwrap();
    let heir = ProcessId::new();
    let new = loop {
        match store.lead(Role::Maintenance, heir, HOUR).await.unwrap() {
            Some(fence) => break fence,
            None => tokio::time::sleep(SHORT / 3).await,
        }
    };
    assert!(new.number > old.number);
    store.resign(old).await.unwrap();
    assert_eq!(
        store.lead(Role::Maintenance, heir, HOUR).await.unwrap(),
        Some(new),
        "the old leader cannot resign for it"
    );
}

pub async fn resigning_passes_leadership_at_once(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let old = lead(&*store).await;
    store.resign(old).await.unwrap();
    assert!(lead(&*store).await.number > old.number, "taking it anew raises the fence");
}

pub async fn tokens_are_shared_and_refill(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let other = fixture.store().await;
    // Too slow to refill while the case looks.
    let slow = 1.0 / 3600.0;
    let (got, _) = store.take_tokens("pace", 4, slow, 10).await.unwrap();
    assert_eq!(got, 4, "a new bucket is full");
    let (got, wait) = other.take_tokens("pace", 100, slow, 10).await.unwrap();
    assert_eq!(got, 6, "what is left");
    assert!(wait > Duration::from_secs(1800), "{wait:?}");
    assert_eq!(store.take_tokens("pace", 1, slow, 10).await.unwrap().0, 0);
    assert_eq!(
        store.take_tokens("another", 1, slow, 10).await.unwrap(),
        (1, Duration::ZERO),
        "more are there"
    );
    // A fast bucket fills again, and never beyond its burst.
    assert_eq!(store.take_tokens("fast", 5, 1000.0, 5).await.unwrap().0, 5);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(store.take_tokens("fast", 100, 1000.0, 5).await.unwrap().0, 5);
}

pub async fn inv_1_totals_balance(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let worker = worker(&*store).await;
    let messages: Vec<_> = (0..6).map(|_| message(Priority::P2)).collect();
    let admissions: Vec<_> = messages.iter().map(admission).collect();
    store.admit(&admissions).await.unwrap();
    store.admit(&admissions[..2]).await.unwrap();
    let at = Timestamp::now() + HOUR;
    for (message, end) in [
        (&messages[0], completed()),
        (&messages[1], End::Dead(letter(&messages[1], DeadReason::Fatal))),
        (&messages[2], retry(&messages[2], at)),
        (&messages[3], End::Cancelled),
        (&messages[4], End::Released),
    ] {
        let claimed = start(&*store, worker, message).await;
        assert!(settle(&*store, worker, claimed, end.clone()).await);
        assert!(!settle(&*store, worker, claimed, end).await, "counted once");
    }
    store.add_dead_letters(&[letter(&messages[4], DeadReason::Expired)]).await.unwrap();
    store.cancel(messages[5].id).await.unwrap();
    let totals = store.totals().await.unwrap();
    let high = totals[&Queue::P2];
    assert_eq!((high.enqueued, high.completed, high.retried), (6, 1, 1));
    assert_eq!((high.dead, high.cancelled), (2, 2));
    assert_eq!(totals.get(&Queue::P0).copied().unwrap_or_default(), QueueTotals::default());
}

pub async fn another_handle_sees_every_write(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let worker = worker(&*store).await;
    for _ in 0..20 {
        let message = admit(&*store, Priority::P1).await;
        let claimed = start(&*store, worker, &message).await;
        assert!(settle(&*store, worker, claimed, completed()).await);
        assert_eq!(claim(&*fixture.store().await, ProcessId::new(), &message).await, ClaimOutcome::Drop);
    }
}

pub async fn a_probe_is_answered(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    store.probe().await.unwrap();
    store.probe().await.unwrap();
}
