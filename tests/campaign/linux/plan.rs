//! Which fault comes when: drawn by the seed alone, so that a run can be repeated.

use std::time::Duration;

use rand::{RngExt, SeedableRng, rngs::StdRng, seq::SliceRandom};

use super::{
    fault::{Action, Fault},
    world::Composition,
};

/// Each sort of fault is a pack of cards, dealt to its end before it is shuffled again.
pub struct Plan {
    rng: StdRng,
    packs: Vec<Pack>,
    /// By their places. Links come twice as often: there are by far the most of them.
    order: Vec<usize>,
    turn: usize,
}

struct Pack {
    all: Vec<(Action, String)>,
    left: Vec<(Action, String)>,
}

/// A worker's lease is 3 s (`Settings::quick`): some silences are shorter, some longer.
const LENGTHS: [f64; 4] = [0.4, 1.2, 2.5, 5.0];
const STEPS: [i64; 4] = [-20, -2, 2, 20];

impl Plan {
    /// Everything that can befall a composition.
    pub fn new(composition: Composition, seed: u64) -> Self {
        let sorts = [links(composition), programs(composition), servers(composition), world(composition)];
        Self::of(sorts, seed)
    }

    /// Without what ends a process for good: the soak compares what each takes over time.
    pub fn gentle(composition: Composition, seed: u64) -> Self {
        let spared = |(action, target): &(Action, String)| {
            let servers = composition.servers().contains(&target.as_str());
            !matches!(action, Action::Kill | Action::Restart) || target == "worker" || servers
        };
        let sorts = [links(composition), programs(composition), servers(composition), world(composition)];
        Self::of(sorts.map(|sort| sort.into_iter().filter(spared).collect()), seed)
    }

    fn of(sorts: [Vec<(Action, String)>; 4], seed: u64) -> Self {
        let order = [0, 1, 0, 2, 3].into_iter().filter(|place| !sorts[*place].is_empty()).collect();
        let packs = sorts.into_iter().map(|all| Pack { all, left: Vec::new() }).collect();
        Self { rng: StdRng::seed_from_u64(seed), packs, order, turn: 0 }
    }

    /// One of each sort in turn.
    pub fn next(&mut self) -> Fault {
        let place = self.order[self.turn % self.order.len()];
        self.turn += 1;
        let pack = &mut self.packs[place];
        if pack.left.is_empty() {
            pack.left = pack.all.clone();
            pack.left.shuffle(&mut self.rng);
        }
        let (action, target) = pack.left.pop().unwrap();
        let length = LENGTHS[self.rng.random_range(0..LENGTHS.len())] * self.rng.random_range(0.8..1.2);
        Fault { action, target, length: Duration::from_secs_f64(length) }
    }

    /// Between two faults.
    pub fn pause(&mut self) -> Duration {
        Duration::from_millis(self.rng.random_range(100..800))
    }

    pub fn rng(&mut self) -> StdRng {
        StdRng::seed_from_u64(self.rng.random())
    }
}

fn links(composition: Composition) -> Vec<(Action, String)> {
    let froms = composition.programs().iter().copied().chain(["worker", "all"]);
    let pairs = froms.flat_map(|from| composition.servers().iter().map(move |to| format!("{from}-{to}")));
    let doors = composition.doors().iter().map(|door| format!("producers-{door}"));
    cards(&Action::LINKS, &pairs.chain(doors).collect::<Vec<_>>())
}

fn programs(composition: Composition) -> Vec<(Action, String)> {
    let programs = composition.programs().iter().copied().chain(["worker", "worker"]);
    cards(
        &[Action::Kill, Action::Kill, Action::Stop, Action::Stop, Action::Restart],
        &programs.collect::<Vec<_>>(),
    )
}

fn servers(composition: Composition) -> Vec<(Action, String)> {
    let refusals = |server: &str| match server {
        "redis" => cards(&Action::REDIS, &[server]),
        _ => cards(&Action::RABBITMQ, &[server]),
    };
    let both = |server: &&str| {
        [cards(&[Action::Kill, Action::Stop, Action::Stop], &[*server]), refusals(server)].concat()
    };
    composition.servers().iter().flat_map(both).collect()
}

/// Disks and clocks.
fn world(composition: Composition) -> Vec<(Action, String)> {
    let clocks = composition
        .programs()
        .iter()
        .chain(composition.servers().iter().filter(|server| **server == "redis"));
    let steps = clocks.flat_map(|clock| STEPS.map(|step| (Action::StepClock(step), (*clock).to_owned())));
    let disk = composition.disk().map(|of| (Action::FillDisk, of.to_owned()));
    // As often as clocks are stepped.
    let disks = disk.into_iter().cycle().take(if composition.disk().is_some() { 8 } else { 0 });
    steps.chain(disks).collect()
}

fn cards<T: ToString>(actions: &[Action], targets: &[T]) -> Vec<(Action, String)> {
    targets
        .iter()
        .flat_map(|target| actions.iter().map(move |action| (*action, target.to_string())))
        .collect()
}
