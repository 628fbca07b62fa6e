//! What can be injected. Pure: how it is done is in `inject.rs`, what comes when in `plan.rs`.

use std::{fmt, time::Duration};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    // Links.
    Reset,
    Refuse,
    Swallow,
    HalfOpen,
    HangUp,
    Hold,
    Slow,
    // Programs and servers.
    Kill,
    Stop,
    Restart,
    // Redis that answers and takes no writes.
    OutOfMemory,
    ReadOnly,
    NoReplicas,
    Busy,
    // RabbitMQ's alarms.
    MemoryAlarm,
    DiskAlarm,
    FillDisk,
    /// So many seconds, and back again.
    StepClock(i64),
}

impl Action {
    pub const LINKS: [Self; 7] =
        [Self::Reset, Self::Refuse, Self::Swallow, Self::HalfOpen, Self::HangUp, Self::Hold, Self::Slow];
    pub const REDIS: [Self; 4] = [Self::OutOfMemory, Self::ReadOnly, Self::NoReplicas, Self::Busy];
    pub const RABBITMQ: [Self; 2] = [Self::MemoryAlarm, Self::DiskAlarm];

    /// Over as soon as it has been done.
    pub const fn is_instant(self) -> bool {
        matches!(self, Self::Reset | Self::HalfOpen | Self::HangUp)
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Refuse => "reset and refuse",
            Self::Swallow => "swallow",
            Self::HalfOpen => "half-open",
            Self::HangUp => "hang up unheard",
            Self::Hold => "hold back",
            Self::Slow => "delay",
            Self::Kill => "kill -9",
            Self::Stop => "SIGSTOP",
            Self::Restart => "SIGTERM",
            Self::OutOfMemory => "out of memory",
            Self::ReadOnly => "read-only",
            Self::NoReplicas => "too few replicas",
            Self::Busy => "busy with a script",
            Self::MemoryAlarm => "memory alarm",
            Self::DiskAlarm => "disk alarm",
            Self::FillDisk => "full disk",
            Self::StepClock(_) => "clock step",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Fault {
    pub action: Action,
    /// A program, a server, or a link as `from-to`; `all-redis` stands for every link to Redis.
    pub target: String,
    pub length: Duration,
}

impl Fault {
    /// Faults of one kind are counted and timed together: which of two dispatchers it was is left out.
    pub fn kind(&self) -> String {
        let number = |letter: char| letter.is_ascii_digit();
        let target = match self.target.split_once('-') {
            Some((from, to)) => {
                format!("link {}-{}", from.trim_end_matches(number), to.trim_end_matches(number))
            }
            None => self.target.trim_end_matches(number).to_owned(),
        };
        format!("{} {target}", self.action.words())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.action.words(), self.target)?;
        if let Action::StepClock(seconds) = self.action {
            write!(f, " by {seconds:+} s")?;
        }
        if self.action.is_instant() { Ok(()) } else { write!(f, ", {:.1} s", self.length.as_secs_f64()) }
    }
}
