use proptest::prelude::*;

use super::*;
use clawpool_core::task::Queue;

fn new_task() -> impl Strategy<Value = NewTask> {
    let kind = prop_oneof!["[a-c]\\.[a-c]{1,2}", ".{0,5}"];
    let span = || prop::option::of((0u64..100_000).prop_map(Duration::from_millis));
    let time = || {
        prop::option::of(
            (-100i64..100).prop_map(|s| Timestamp::from_millis((NOW.as_millis() as i64 + s * 1000) as u64)),
        )
    };
    let tenant = prop::option::of("[a-c]{0,2}");
    (
        kind,
        prop::option::of(0u64..7),
        tenant,
        span(),
        time(),
        span(),
        time(),
        prop::collection::vec(any::<u8>(), 0..4),
    )
        .prop_map(|(kind, priority, tenant, delay, not_before, ttl, expires_at, bytes)| NewTask {
            priority: priority.and_then(Priority::from_index),
            tenant,
            delay,
            not_before,
            ttl,
            expires_at,
            payload: Payload::from_message_pack(bytes.into()),
            ..task(&kind)
        })
}

fn rules() -> impl Strategy<Value = Vec<Rule>> {
    let kinds = prop::collection::vec("[a-c]\\.[a-c*]{1,2}|\\*|[a-c]\\*", 0..3);
    let tenants = prop::collection::vec("[a-c]{1,2}", 0..2);
    let due = prop::option::of((1u64..100).prop_map(Duration::from_secs));
    let one = (kinds, tenants, due, 0u64..7).prop_map(|(kinds, tenants, due_within, priority)| Rule {
        kinds: kinds.iter().map(|kind| kind.parse().unwrap()).collect(),
        tenants,
        due_within,
        priority: Priority::from_index(priority),
        ..Rule::default()
    });
    prop::collection::vec(one, 0..5)
}

proptest! {
    /// Any task is either refused or becomes one that keeps every promise the envelope makes.
    #[test]
    fn what_passes_the_door_is_sound(new in new_task(), rules in rules(), may in any::<bool>()) {
        let control = AdmissionControl::new(&config(rules));
        let rights = Rights { priority: may, token: None };
        let explained = control.explain(&new, &rights, None, NOW);
        match control.admit(new.clone(), &rights, None, NOW) {
            Err(rejection) => prop_assert_eq!(explained.unwrap_err(), rejection),
            Ok(admission) => {
                let task = admission.message.task().unwrap();
                let explained = explained.unwrap();
                prop_assert_eq!(explained.priority, task.priority);
                prop_assert_eq!(explained.expires_at, task.expires_at);
                prop_assert!(task.expires_at > admission.at.unwrap_or(NOW));
                prop_assert!(admission.at.is_none_or(|at| at > NOW));
                prop_assert!(new.priority.is_none_or(|wish| may && wish == task.priority));
                prop_assert_eq!((task.attempt, task.generation), (0, 0));
            }
        }
    }

    /// The rule that decides is the first of the table that decides alone.
    #[test]
    fn the_first_match_decides(new in new_task(), rules in rules()) {
        let new = NewTask { priority: None, ..new };
        let due = Some(Duration::from_secs(20));
        let alone = |rule: &Rule| Classifier::new(&config(vec![rule.clone()])).classify(&new, due);
        let first = rules.iter().position(|rule| alone(rule).by == DecidedBy::Rule(0));
        let expected = first.map_or(DecidedBy::Default, DecidedBy::Rule);
        prop_assert_eq!(Classifier::new(&config(rules)).classify(&new, due).by, expected);
    }

    #[test]
    fn every_priority_has_its_queue(index in 0u64..7) {
        let priority = Priority::from_index(index).unwrap();
        let explained = explain(&Config::default(), &NewTask { priority: Some(priority), ..task("a") });
        prop_assert_eq!(explained.queue, priority.queue());
        prop_assert!(Queue::CLASSES.contains(&explained.queue));
    }
}
