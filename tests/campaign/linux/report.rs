//! Runs the compositions and prints what came of it.

use futures::future::join_all;

use super::{
    campaign::{self, Outcome},
    options::Options,
};

/// Whether all is well.
pub async fn run(options: &Options) -> bool {
    let compositions = options.compositions();
    println!("seed {}, {compositions:?}", options.seed);
    let mut outcomes = Vec::new();
    if options.smoke || options.together {
        outcomes =
            join_all(compositions.into_iter().map(|composition| campaign::run(composition, options))).await;
    } else {
        // One after the other, so that none of them waits for another one's work.
        for composition in compositions {
            outcomes.push(campaign::run(composition, options).await);
        }
    }
    outcomes.iter().for_each(print);
    let injections: usize = outcomes.iter().map(|outcome| outcome.injections).sum();
    let bad = outcomes.iter().filter(|outcome| !outcome.verdict.is_good()).count();
    println!(
        "\n{injections} faults injected; {} of {} compositions are well",
        outcomes.len() - bad,
        outcomes.len()
    );
    bad == 0
}

pub fn print(outcome: &Outcome) {
    println!("\n== {}: {} faults", outcome.composition.name(), outcome.injections);
    print!("{}", outcome.verdict);
    outcome
        .answers
        .iter()
        .for_each(|(answer, count)| println!("  {count:>6}  times producers got: {answer}"));
    outcome.left.iter().for_each(|left| println!("          {left}"));
    print!("{}", outcome.recovery.table());
}
