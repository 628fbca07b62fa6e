use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a machine is doing. What its system does not tell is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Machine {
    /// Processors.
    pub cpus: u32,
    /// The share of all processors that was busy since the reading before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_ratio: Option<f64>,
    /// The share of processor time that waited for disks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub io_wait_ratio: Option<f64>,
    /// Processes that want to run, on average over one, five and fifteen minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load: Option<[f64; 3]>,
    /// Changes of the running thread.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_switches_per_second: Option<f64>,
    /// In use, of `memory_bytes`.
    pub memory_used_bytes: u64,
    /// All there is.
    pub memory_bytes: u64,
    /// In use, of `swap_bytes`.
    pub swap_used_bytes: u64,
    /// All there is.
    pub swap_bytes: u64,
    /// Absent where the folder is on no disk that the system names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk: Option<Disk>,
    /// Absent at the first reading.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
}

/// Space is of the disk that the folder is on, all else of all disks since the reading before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Disk {
    /// In use, of `bytes`.
    pub used_bytes: u64,
    /// All there is.
    pub bytes: u64,
    /// Read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_bytes_per_second: Option<f64>,
    /// Written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written_bytes_per_second: Option<f64>,
    /// The share of time that the busiest disk was busy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub busy_ratio: Option<f64>,
    /// Requests at the disk with the most, on average.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<f64>,
}

/// Of all connections but loopback, since the reading before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Network {
    /// Received.
    pub received_bytes_per_second: f64,
    /// Sent.
    pub sent_bytes_per_second: f64,
    /// In the buffers of all TCP connections.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_bytes: Option<u64>,
}
