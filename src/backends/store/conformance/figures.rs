//! Figures: counted with the ends of attempts, and summed up by the leader.

use std::{collections::BTreeMap, sync::Arc};

use super::*;
use crate::store::{Counters, HostWindow, Window};
use clawpool_core::figures::{HostFigures, MOST_COUNTERS, Machine, Step, WITHOUT_PLACE};

fn counters(names: &[&str]) -> Counters {
    names.iter().map(|name| Arc::from(*name)).collect()
}

/// All that was counted lately.
async fn counted(store: &dyn Store) -> BTreeMap<String, u64> {
    let now = Timestamp::now();
    let from = Timestamp::from_millis(now.as_millis() - 60_000);
    let mut all = BTreeMap::new();
    for window in store.figures(Step::TenSeconds, from, now + HOUR).await.unwrap() {
        for (name, count) in window.counts {
            *all.entry(name).or_default() += count;
        }
    }
    all
}

/// Also where some of a call are refused, and where a window has the counter already.
pub async fn ends_are_counted_where_they_are_accepted(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let worker = worker(&*store).await;
    let mut settlements = Vec::new();
    for number in 0..4 {
        let message = admit(&*store, Priority::P4).await;
        let mut claimed = start(&*store, worker, &message).await;
        let is_stale = number == 1;
        claimed.token -= u64::from(is_stale);
        let end = if number == 2 { End::Cancelled } else { completed() };
        let names = if number == 3 { &["all", "other"][..] } else { &["all", "some"] };
        settlements.push(Settlement { counters: counters(names), ..Settlement::uncounted(claimed, end) });
    }
    let accepted = store.settle(worker, &settlements).await.unwrap();
    assert_eq!(accepted, [true, false, true, true]);
    let expected = |all, some, other| {
        let named = [("all", all), ("some", some), ("other", other)];
        BTreeMap::from(named.map(|(name, count)| (name.to_owned(), count)))
    };
    assert_eq!(counted(&*store).await, expected(3, 2, 1));
    assert_eq!(store.settle(worker, &settlements).await.unwrap(), [false; 4], "all are over");
    assert_eq!(counted(&*store).await, expected(3, 2, 1), "an end counts once");
    let message = admit(&*store, Priority::P4).await;
    let claimed = start(&*store, worker, &message).await;
    let one = Settlement { counters: counters(&["all"]), ..Settlement::uncounted(claimed, completed()) };
    assert_eq!(store.settle(worker, &[one]).await.unwrap(), [true]);
    assert_eq!(counted(&*store).await, expected(4, 2, 1));
}

pub async fn what_has_no_place_is_counted_together(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let worker = worker(&*store).await;
    let each = 6;
    let names: Vec<Arc<str>> = (0..MOST_COUNTERS + 12).map(|number| format!("c{number}").into()).collect();
    for chunk in names.chunks(each * 500) {
        let mut settlements = Vec::new();
        for counters in chunk.chunks(each) {
            let message = message(Priority::P4);
            let claimed = start(&*store, worker, &message).await;
            settlements.push(Settlement {
                counters: counters.into(),
                ..Settlement::uncounted(claimed, completed())
            });
        }
        store.settle(worker, &settlements).await.unwrap();
    }
    let counted = counted(&*store).await;
    // The window may have changed meanwhile.
    assert!(counted.len() <= 2 * (MOST_COUNTERS + 1));
    assert_eq!(counted.values().sum::<u64>(), names.len() as u64, "nothing is lost");
    let within_one = counted.len() == MOST_COUNTERS + 1;
    assert!(!within_one || counted[WITHOUT_PLACE] == 12);
}

pub async fn windows_are_replaced_and_come_in_order(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let fence = lead(&*store).await;
    let now = Step::Minute.window(Timestamp::now());
    let minute = |ago: u64| Timestamp::from_millis(now.as_millis() - ago * 60_000);
    let window = |ago, count| Window { at: minute(ago), counts: BTreeMap::from([("a".into(), count)]) };
    for (ago, count) in [(3, 1), (1, 2), (3, 7)] {
        store.put_figures(fence, Step::Minute, &window(ago, count)).await.unwrap();
    }
    let all = store.figures(Step::Minute, minute(5), now).await.unwrap();
    assert_eq!(all, [window(3, 7), window(1, 2)]);
    assert_eq!(store.figures(Step::Minute, minute(1), now).await.unwrap(), [window(1, 2)]);
    assert_eq!(store.figures(Step::Minute, minute(5), minute(1)).await.unwrap(), [window(3, 7)]);
    assert!(store.figures(Step::Hour, minute(600), now).await.unwrap().is_empty());
}

pub async fn a_stale_fence_writes_no_window(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let fence = lead(&*store).await;
    let stale = Fence { number: fence.number - 1, ..fence };
    let window =
        Window { at: Step::Minute.window(Timestamp::now()), counts: BTreeMap::from([("a".into(), 1)]) };
    let refused = store.put_figures(stale, Step::Minute, &window).await;
    assert!(matches!(refused, Err(StoreError::Fenced { .. })), "{refused:?}");
}

pub async fn windows_of_machines_are_replaced_and_come_in_order(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let fence = lead(&*store).await;
    let now = Step::Minute.window(Timestamp::now());
    let minute = |ago: u64| Timestamp::from_millis(now.as_millis() - ago * 60_000);
    let figures = |cpus| HostFigures::of(&Machine { cpus, cpu_ratio: Some(0.5), ..Machine::default() });
    let window = |ago, hosts: &[(&str, u32)]| HostWindow {
        at: minute(ago),
        hosts: hosts.iter().map(|(host, cpus)| ((*host).to_owned(), figures(*cpus))).collect(),
    };
    let all = [window(3, &[("a", 1), ("b", 2)]), window(1, &[("a", 2)]), window(3, &[("b", 7)])];
    for window in &all {
        store.put_host_figures(fence, Step::Minute, window).await.unwrap();
    }
    let [_, later, replaced] = all;
    let found = store.host_figures(Step::Minute, minute(5), now).await.unwrap();
    assert_eq!(found, [replaced.clone(), later.clone()]);
    assert_eq!(store.host_figures(Step::Minute, minute(1), now).await.unwrap(), std::slice::from_ref(&later));
    assert_eq!(store.host_figures(Step::Minute, minute(5), minute(1)).await.unwrap(), [replaced]);
    assert!(store.host_figures(Step::TenSeconds, minute(5), now).await.unwrap().is_empty());
    assert!(
        store.figures(Step::Minute, minute(5), now).await.unwrap().is_empty(),
        "those of attempts are others"
    );
    let stale = Fence { number: fence.number - 1, ..fence };
    let refused = store.put_host_figures(stale, Step::Minute, &later).await;
    assert!(matches!(refused, Err(StoreError::Fenced { .. })), "{refused:?}");
}
