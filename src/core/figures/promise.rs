//! How well a promise was kept: of so many starts some were late.

/// Starts over a span of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Starts {
    /// All of them.
    pub all: u64,
    /// Those that began later than promised.
    pub late: u64,
}

impl Starts {
    /// The share that was in time. None of nothing.
    pub fn kept(self) -> Option<f64> {
        (self.all > 0).then(|| rounded(1.0 - self.late_share()))
    }

    /// How fast the error budget is used up: at 1 it lasts exactly as long as the objective is for.
    pub fn burn_rate(self, objective: f64) -> f64 {
        rounded(self.late_share() / (1.0 - objective))
    }

    /// What is left of the error budget of this span: 1 is all of it, below 0 the objective is missed.
    pub fn budget_left(self, objective: f64) -> f64 {
        1.0 - self.burn_rate(objective)
    }

    #[allow(clippy::cast_precision_loss)]
    fn late_share(self) -> f64 {
        if self.all == 0 { 0.0 } else { self.late.min(self.all) as f64 / self.all as f64 }
    }
}

/// To six digits after the point: 0.975, and not 0.97499999999999998.
fn rounded(share: f64) -> f64 {
    (share * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(one: f64, other: f64) -> bool {
        (one - other).abs() < 1e-9
    }

    #[test]
    fn one_late_start_of_a_thousand_uses_up_the_budget_of_three_nines() {
        let starts = Starts { all: 1_000, late: 1 };
        assert!(close(starts.kept().unwrap(), 0.999));
        assert!(close(starts.burn_rate(0.999), 1.0));
        assert!(close(starts.budget_left(0.999), 0.0));
        assert!(close(Starts { late: 20, ..starts }.burn_rate(0.99), 2.0));
    }

    #[test]
    fn nothing_breaks_no_promise() {
        let nothing = Starts::default();
        assert_eq!(nothing.kept(), None);
        assert!(close(nothing.burn_rate(0.999), 0.0) && close(nothing.budget_left(0.999), 1.0));
    }
}
