//! How long the windows of a series are, and how long they are kept.

use std::{fmt, str::FromStr, time::Duration};

use crate::task::Timestamp;

/// The length of a window. Each is summed up from those of the step before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Of what is counted now.
    TenSeconds,
    /// Kept for a day.
    Minute,
    /// Kept for 30 days.
    QuarterHour,
    /// Kept for 90 days.
    Hour,
    /// Kept for a year.
    Day,
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

impl Step {
    /// From the shortest to the longest.
    pub const ALL: [Self; 5] = [Self::TenSeconds, Self::Minute, Self::QuarterHour, Self::Hour, Self::Day];

    /// Of each window.
    pub const fn length(self) -> Duration {
        Duration::from_secs(match self {
            Self::TenSeconds => 10,
            Self::Minute => MINUTE,
            Self::QuarterHour => 15 * MINUTE,
            Self::Hour => HOUR,
            Self::Day => DAY,
        })
    }

    /// How long a window is kept after it began.
    pub const fn kept(self) -> Duration {
        Duration::from_secs(match self {
            Self::TenSeconds => HOUR,
            Self::Minute => DAY,
            Self::QuarterHour => 30 * DAY,
            Self::Hour => 90 * DAY,
            Self::Day => 365 * DAY,
        })
    }

    /// Of what this step is summed up.
    pub fn finer(self) -> Option<Self> {
        let before = Self::ALL.iter().position(|step| *step == self)?.checked_sub(1)?;
        Some(Self::ALL[before])
    }

    /// The beginning of the window that this moment lies in.
    pub fn window(self, at: Timestamp) -> Timestamp {
        let length = self.length().as_millis() as u64;
        Timestamp::from_millis(at.as_millis() / length * length)
    }

    /// As people write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TenSeconds => "10s",
            Self::Minute => "1m",
            Self::QuarterHour => "15m",
            Self::Hour => "1h",
            Self::Day => "1d",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Step {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|step| step.name() == text).ok_or_else(|| {
            format!("{text:?} is no step: it is one of {}", Self::ALL.map(Self::name).join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_is_made_of_whole_windows_of_the_step_before_that_are_still_kept() {
        for step in Step::ALL {
            let Some(finer) = step.finer() else { continue };
            assert_eq!(step.length().as_secs() % finer.length().as_secs(), 0, "{step}");
            assert!(finer.kept() >= step.length() * 2, "{step}");
        }
    }

    #[test]
    fn names_are_read_back() {
        for step in Step::ALL {
            assert_eq!(step.name().parse::<Step>(), Ok(step));
        }
        assert!("2m".parse::<Step>().unwrap_err().contains("10s, 1m, 15m, 1h, 1d"));
    }

    #[test]
    fn a_window_begins_at_a_whole_length() {
        assert_eq!(Step::Minute.window(Timestamp::from_millis(119_999)), Timestamp::from_millis(60_000));
    }
}
