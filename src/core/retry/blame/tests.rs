//! Pools in a world without clocks and stores: which tasks die with a poison task, and how long the others
//! wait.

use rand::{Rng, RngExt, SeedableRng, rngs::SmallRng, seq::SliceRandom};

use super::{polled::Polled, *};
use crate::task::TaskId;

const TICK: u64 = 20;
const LIMIT: u32 = 3;

/// When its future is being polled.
#[derive(Clone, Copy, PartialEq)]
enum Polls {
    /// So often of a thousand looks, by chance.
    Rarely(u32),
    /// When it kills.
    Killing,
    /// All the time; it is watched for its first so many milliseconds alone.
    Always(u64),
}

struct Actor {
    id: TaskId,
    polls: Polls,
    /// Kills its worker so long after its start.
    kills_after: Option<u64>,
    /// Runs for so long otherwise.
    lasts: u64,
    suspicion: Suspicion,
    due: u64,
    running: Option<(usize, u64)>,
    over: bool,
    /// The last death that it was in, while it waits for its next start.
    fell: Option<u64>,
}

struct World {
    actors: Vec<Actor>,
    /// When each worker is up again.
    workers: Vec<u64>,
    slots: usize,
    /// How long a worker takes to start.
    rise: u64,
    /// A supervisor sees which tasks are being polled.
    seen: bool,
    now: u64,
    deaths: u32,
    longest_wait: u64,
    rng: SmallRng,
}

#[derive(Debug)]
struct Summary {
    deaths: u32,
    poison: usize,
    innocent: usize,
    longest_wait: u64,
}

impl World {
    fn new(workers: usize, slots: usize, rise: u64, seed: u64) -> Self {
        let rng = SmallRng::seed_from_u64(seed);
        Self {
            actors: vec![],
            workers: vec![0; workers],
            slots,
            rise,
            seen: false,
            now: 0,
            deaths: 0,
            longest_wait: 0,
            rng,
        }
    }

    fn add(&mut self, count: usize, kills_after: Option<u64>, lasts: u64) {
        self.add_polled(count, Polls::Rarely(0), kills_after, lasts);
    }

    fn add_polled(&mut self, count: usize, polls: Polls, kills_after: Option<u64>, lasts: u64) {
        for _ in 0..count {
            let id = TaskId::from_bytes(self.rng.random());
            let suspicion = Suspicion::default();
            self.actors.push(Actor {
                id,
                polls,
                kills_after,
                lasts,
                suspicion,
                due: 0,
                running: None,
                over: false,
                fell: None,
            });
        }
        self.actors.shuffle(&mut self.rng);
    }

    fn run(mut self) -> Summary {
        while self.actors.iter().any(|actor| !actor.over) && self.now < 3_600_000 && self.deaths < 40 {
            self.start();
            self.now += TICK;
            self.end();
        }
        let count = |poison: bool| {
            let dead =
                |actor: &&Actor| actor.suspicion.is_poison(LIMIT) && actor.kills_after.is_some() == poison;
            self.actors.iter().filter(dead).count()
        };
        Summary {
            deaths: self.deaths,
            poison: count(true),
            innocent: count(false),
            longest_wait: self.longest_wait,
        }
    }

    fn start(&mut self) {
        for index in 0..self.actors.len() {
            let actor = &self.actors[index];
            if actor.over || actor.running.is_some() || actor.due > self.now {
                continue;
            }
            let first = self.rng.random_range(0..self.workers.len());
            let mut order = (0..self.workers.len()).map(|n| (first + n) % self.workers.len());
            let Some(worker) = order.find(|worker| self.takes(*worker, index)) else { continue };
            let now = self.now;
            let actor = &mut self.actors[index];
            actor.running = Some((worker, now));
            if let Some(fell) = actor.fell.take() {
                self.longest_wait = self.longest_wait.max(now - fell);
            }
        }
    }

    /// As the stores do it: suspects that were to start apart do.
    fn takes(&self, worker: usize, index: usize) -> bool {
        let mine = &self.actors[index];
        let there = self.actors.iter().filter(|actor| actor.running.is_some_and(|(at, _)| at == worker));
        if self.workers[worker] > self.now || there.clone().count() >= self.slots {
            return false;
        }
        if mine.suspicion.crashes == 0 {
            return true;
        }
        let at = Timestamp::from_millis;
        let now = Timestamp::from_millis(self.now);
        let known = there.filter(|actor| actor.suspicion.crashes > 0);
        let known: Vec<Suspect> = known
            .map(|actor| {
                let since = actor.running.map_or(0, |(_, since)| since);
                Suspect { suspicion: actor.suspicion, due: at(actor.due), started: at(since) }
            })
            .collect();
        let patience = PATIENCE.as_millis() as u64;
        let waits = |actor: &Actor| actor.running.is_none() && !actor.over && actor.due + patience > self.now;
        let alone = self.actors.iter().any(|actor| actor.suspicion.is_alone() && waits(actor));
        hold(mine.suspicion, at(mine.due), now, &known, alone).is_none()
    }

    fn end(&mut self) {
        let now = self.now;
        let mut dying = vec![];
        for actor in &mut self.actors {
            let Some((worker, since)) = actor.running else { continue };
            if actor.kills_after.is_some_and(|after| now >= since + after) {
                dying.push(worker);
            } else if now >= since + actor.lasts {
                (actor.running, actor.over) = (None, true);
            }
        }
        dying.sort_unstable();
        dying.dedup();
        dying.into_iter().for_each(|worker| self.die(worker));
    }

    fn die(&mut self, worker: usize) {
        self.deaths += 1;
        self.workers[worker] = self.now + self.rise;
        let now = self.now;
        let group: Vec<&mut Actor> = self
            .actors
            .iter_mut()
            .filter(|actor| actor.running.is_some_and(|(at, _)| at == worker))
            .collect();
        let members: Vec<Member> = group
            .iter()
            .map(|actor| {
                let age = now - actor.running.map_or(now, |(_, since)| since);
                Member { id: actor.id, age: Duration::from_millis(age), suspicion: actor.suspicion }
            })
            .collect();
        let rng = &mut self.rng;
        let mut polled = |actor: &Actor, age: Duration| match actor.polls {
            Polls::Rarely(chance) => rng.random_range(0..1000) < chance,
            Polls::Killing => actor.kills_after.is_some_and(|after| age.as_millis() as u64 >= after),
            Polls::Always(watched) => age.as_millis() as u64 <= watched,
        };
        let polled = group.iter().zip(&members).filter(|(actor, member)| polled(actor, member.age));
        let polled: Vec<TaskId> = polled.map(|(actor, _)| actor.id).collect();
        let polled = self.seen.then_some(&polled[..]);
        for (actor, consequence) in group.into_iter().zip(share_blame(&members, polled)) {
            actor.suspicion = consequence.suspicion;
            actor.due = now + consequence.wait.as_millis() as u64;
            (actor.running, actor.fell) = (None, Some(now));
            actor.over = actor.suspicion.is_poison(LIMIT);
        }
    }
}

fn world(workers: usize, poisons: &[u64], seed: u64) -> Summary {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut world = World::new(workers, 600 / workers, 50 + rng.next_u64() % 600, seed);
    world.add(500, None, 60_000);
    for after in poisons {
        world.add(1, Some(*after), 60_000);
    }
    world.run()
}

/// Whatever the poison does, and however many workers there are: it is found, and no other task dies of it.
#[test]
fn inv_3_one_poison_task_among_five_hundred_is_found_and_no_innocent_dies() {
    for (workers, after, deaths, wait) in [
        (1, 20, 12, 3_500),
        (5, 20, 10, 3_500),
        (1, 900, 24, 5_000),
        (5, 900, 18, 5_000),
        (5, 3_000, 18, 10_000),
    ] {
        for seed in 0..2 {
            let summary = world(workers, &[after], seed);
            println!("{workers} workers, kills after {after} ms: {summary:?}");
            assert_eq!(
                (summary.poison, summary.innocent),
                (1, 0),
                "{workers} workers, {after} ms: {summary:?}"
            );
            assert!(summary.deaths <= deaths, "{workers} workers, {after} ms: {summary:?}");
            assert!(summary.longest_wait <= wait, "{workers} workers, {after} ms: {summary:?}");
        }
    }
}

#[test]
fn inv_3_no_innocent_dies_of_several_poison_tasks() {
    for (workers, poisons) in [(1, &[20, 20][..]), (5, &[20, 20]), (5, &[100, 3_000]), (5, &[20; 8])] {
        let summary = world(workers, poisons, 1);
        println!("{workers} workers, kill after {poisons:?} ms: {summary:?}");
        assert_eq!(summary.innocent, 0, "{workers} workers, {poisons:?} ms: {summary:?}");
    }
}

/// Workers whose supervisor sees which tasks are being polled.
fn seen(workers: usize, seed: u64, chance: u32, others: &[(usize, Polls, Option<u64>)]) -> Summary {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut world = World::new(workers, 600 / workers, 50 + rng.next_u64() % 600, seed);
    world.seen = true;
    world.add_polled(500, Polls::Rarely(chance), None, 60_000);
    for (count, polls, kills_after) in others {
        world.add_polled(*count, *polls, *kills_after, 60_000);
    }
    world.run()
}

/// As many as a worker has threads may be polled beside it.
#[test]
fn inv_3_a_task_that_kills_in_its_poll_is_found_at_its_third_death() {
    for (workers, after) in [(1, 20), (5, 20), (1, 900), (5, 3_000)] {
        for (chance, deaths) in [(0, 3), (2, 4), (10, 5)] {
            for seed in 0..3 {
                let summary = seen(workers, seed, chance, &[(1, Polls::Killing, Some(after))]);
                println!(
                    "{workers} workers, kills after {after} ms, {chance}/1000 polled beside it: {summary:?}"
                );
                assert_eq!(
                    (summary.poison, summary.innocent),
                    (1, 0),
                    "{workers}, {after} ms, {chance}: {summary:?}"
                );
                assert!(summary.deaths <= deaths, "{workers}, {after} ms, {chance}: {summary:?}");
            }
        }
    }
}

/// It kills from a thread of its own, and others are polled then.
#[test]
fn inv_3_no_innocent_dies_of_being_polled_while_another_one_kills() {
    for (workers, after, chance, busy) in
        [(1, 20, 0, 1), (1, 20, 10, 5), (5, 20, 10, 5), (1, 900, 2, 5), (5, 900, 10, 2), (5, 3_000, 2, 2)]
    {
        for seed in [0, 5, 7] {
            let others =
                [(1, Polls::Rarely(0), Some(after)), (busy, Polls::Always(WATCHED.as_millis() as u64), None)];
            let summary = seen(workers, seed, chance, &others);
            println!(
                "{workers} workers, kills after {after} ms, {chance}/1000 and {busy} polled: {summary:?}"
            );
            assert_eq!(
                (summary.poison, summary.innocent),
                (1, 0),
                "{workers}, {after} ms, {chance}: {summary:?}"
            );
            assert!(summary.deaths <= 30, "{workers}, {after} ms, {chance}: {summary:?}");
        }
    }
}

fn member(age: u64, suspicion: Suspicion) -> Member {
    Member { id: TaskId::new(), age: Duration::from_millis(age), suspicion }
}

#[test]
fn inv_3_alone_the_third_death_is_poison_and_nobody_waits() {
    for age in [5, 5_000] {
        let mut suspicion = Suspicion::default();
        for death in 1..=3 {
            let [consequence] = share_blame(&[member(age, suspicion)], None)[..] else {
                panic!("one for one")
            };
            suspicion = consequence.suspicion;
            assert_eq!((suspicion.crashes, consequence.wait), (death, Duration::ZERO));
            assert_eq!(suspicion.is_poison(LIMIT), death == 3);
        }
    }
}

/// Whatever kills the workers, tasks that take their time are started again at once, and are not taken for
/// poison.
#[test]
fn inv_3_many_tasks_killed_again_and_again_start_again_at_once() {
    let mut group: Vec<Member> = (0..12).map(|_| member(6_000, Suspicion::default())).collect();
    for _ in 0..QUICK {
        let consequences = share_blame(&group, None);
        for (member, consequence) in group.iter_mut().zip(consequences) {
            assert_eq!(consequence.wait, Duration::ZERO);
            assert!(!consequence.suspicion.is_poison(LIMIT));
            member.suspicion = consequence.suspicion;
        }
    }
}

#[test]
fn a_suspicion_keeps_in_a_record() {
    for suspicion in [
        Suspicion::default(),
        Suspicion { crashes: 3, blame: 140, doubt: 15, window: 120, polled: Polled::unpacked(3) },
        Suspicion { crashes: 255, blame: 4095, doubt: 1, window: 255, polled: Polled::unpacked(30) },
    ] {
        assert_eq!(Suspicion::unpacked(suspicion.crashes, suspicion.packed()), suspicion);
    }
    assert_eq!(
        Suspicion::unpacked(2, 0),
        Suspicion { crashes: 2, ..Suspicion::default() },
        "an earlier version counted crashes alone"
    );
}
