/// What all counters are made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Workers that are alive.
    pub workers: u64,
    /// Tasks that they run.
    pub running: u64,
    /// Tasks that wait, on all queues together.
    pub waiting: u64,
    /// Requests that this process has answered.
    pub requests: u64,
    /// Tasks that were completed, ever.
    pub completed: u64,
    /// Attempts that were retried, and tasks that became dead letters, ever.
    pub failed: u64,
    /// Tasks that became dead letters, ever.
    pub dead: u64,
    /// Attempts of the kinds `llm.*` that ended within the last minute.
    pub llm_ended: u64,
    /// How long these took on average, in milliseconds.
    pub llm_millis: u64,
}

/// What the system makes of a value before it shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// It is shown as it is.
    Gauge,
    /// It only rises, and how fast is shown: by the second.
    Rate,
}

impl Shape {
    /// In a manifest.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gauge => "perf_counter_large_rawcount",
            Self::Rate => "perf_counter_bulk_count",
        }
    }

    /// In calls: the numbers that `winperf.h` has under these names.
    pub const fn code(self) -> u32 {
        match self {
            Self::Gauge => 0x0001_0100,
            Self::Rate => 0x1041_0500,
        }
    }
}

/// One counter of the set `Clawpool`.
#[derive(Clone, Copy, Debug)]
pub struct Counter {
    pub id: u32,
    pub name: &'static str,
    pub help: &'static str,
    pub shape: Shape,
    pub value: fn(&Reading) -> u64,
}

const fn gauge(id: u32, name: &'static str, value: fn(&Reading) -> u64, help: &'static str) -> Counter {
    Counter { id, name, help, shape: Shape::Gauge, value }
}

const fn rate(id: u32, name: &'static str, value: fn(&Reading) -> u64, help: &'static str) -> Counter {
    Counter { id, name, help, shape: Shape::Rate, value }
}

/// All of them. What one is called and says stays; a new one takes the next id.
#[rustfmt::skip]
pub const COUNTERS: [Counter; 9] = [
    gauge(1, "Active workers", |reading| reading.workers,
        "Workers that are alive, on all machines together."),
    gauge(2, "Running tasks", |reading| reading.running,
        "Tasks that run, as the workers last said."),
    gauge(3, "Waiting tasks", |reading| reading.waiting,
        "Tasks that wait, on all queues together."),
    rate(4, "HTTP requests/sec", |reading| reading.requests,
        "Requests that the HTTP API of this process answers in a second."),
    rate(5, "Tasks completed/sec", |reading| reading.completed,
        "Tasks that are completed in a second."),
    rate(6, "Attempts failed/sec", |reading| reading.failed,
        "Attempts that are retried and tasks that become dead letters, in a second."),
    gauge(7, "Dead letters (total)", |reading| reading.dead,
        "Tasks that became dead letters since the store was made."),
    gauge(8, "LLM response time (ms)", |reading| reading.llm_millis,
        "Mean run time of the attempts of kinds llm.* that ended in the last minute; 0 where none did."),
    gauge(9, "LLM responses/min", |reading| reading.llm_ended,
        "Attempts of kinds llm.* that ended in the last minute."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_counter_says_what_its_name_says() {
        let reading = Reading {
            workers: 1,
            running: 2,
            waiting: 3,
            requests: 4,
            completed: 5,
            failed: 6,
            dead: 7,
            llm_millis: 8,
            llm_ended: 9,
        };
        // Ids go up by one, and so do the values above.
        let values = COUNTERS.map(|counter| (counter.value)(&reading));
        assert_eq!(values, COUNTERS.map(|counter| u64::from(counter.id)));
        assert_eq!(values, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn the_page_on_windows_has_every_counter() {
        let row = |counter: &Counter| format!("| `{}` | {} |\n", counter.name, counter.help);
        let table: String = COUNTERS.iter().map(row).collect();
        let page = include_str!("../../../../docs/windows.md");
        assert!(page.contains(&table), "docs/windows.md lacks this table:\n{table}");
    }
}
