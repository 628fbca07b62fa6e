use clawpool_core::task::ProcessId;

/// Who a worker is, as it says with its heartbeats and its figures.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub id: ProcessId,
    pub pool: String,
    /// Of the program.
    pub version: String,
}

impl Identity {
    /// Where a program does not say its own version.
    pub const LIBRARY_VERSION: &str = env!("CARGO_PKG_VERSION");

    #[cfg(test)]
    pub fn of_test(id: ProcessId) -> Self {
        Self { id, pool: "test".into(), version: "1.0.0".into() }
    }
}
