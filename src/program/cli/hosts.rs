use bytesize::ByteSize;
use clap::Args;

use super::{
    Globals,
    failure::Failure,
    output::{plain, table},
};
use clawpool_core::figures::{Machine, Step};
use clawpool_engine::client::{
    host_series::{HostSeriesView, HostWindowView, HostWindowsView},
    view::{HostView, HostsView},
};

/// The machines with workers, and what they are doing
///
/// With --since what they did, window by window: means of ten seconds are kept for an hour, of a minute for a
/// day, of a quarter of an hour for 30 days.
#[derive(Debug, Args)]
pub(super) struct Hosts {
    /// Since when: 1h ago, or a time
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// With --since: until when
    #[arg(long, value_name = "WHEN", requires = "since")]
    until: Option<String>,
    /// With --since: how long each window is, 10s, 1m or 15m; without it one that fits
    #[arg(long, requires = "since")]
    step: Option<Step>,
    /// With --since: of this machine alone
    #[arg(long, requires = "since")]
    host: Option<String>,
}

impl Hosts {
    pub(super) async fn run(self, globals: &Globals) -> Result<(), Failure> {
        let client = globals.client()?;
        let Some(since) = self.since else {
            let hosts: HostsView = client.get("v1/hosts", &[]).await?;
            return globals.output().show(&hosts, |hosts| listing(&hosts.items));
        };
        let asked = [
            ("from", Some(since)),
            ("to", self.until),
            ("step", self.step.map(|step| step.to_string())),
            ("host", self.host),
        ];
        let query: Vec<_> = asked.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        let series: HostSeriesView = client.get("v1/hosts/series", &query).await?;
        globals.output().show(&series, windows)
    }
}

/// The oldest first.
fn windows(series: &HostSeriesView) -> String {
    let head = [
        "TIME",
        "HOST",
        "CPU",
        "LOAD",
        "MEMORY",
        "SWAP",
        "DISK",
        "READ/S",
        "WRITTEN/S",
        "IN/S",
        "OUT/S",
        "SWITCHES/S",
    ];
    let of_host = |host: &HostWindowsView| -> Vec<_> {
        host.windows.iter().map(|window| (window.at, window_row(&host.host, window))).collect()
    };
    let mut rows: Vec<_> = series.items.iter().flat_map(of_host).collect();
    rows.sort_by_key(|(at, _)| *at);
    table(head, rows.into_iter().map(|(_, row)| row))
}

fn window_row(host: &str, window: &HostWindowView) -> [String; 12] {
    let machine = window.machine;
    let [cpu, load, memory, swap, disk, read, written, received, sent] = figures(&machine);
    let switches = told(machine.context_switches_per_second.map(|switches| format!("{switches:.0}")));
    let time = window.at.to_string();
    [time, plain(host, 40), cpu, load, memory, swap, disk, read, written, received, sent, switches]
}

fn listing(hosts: &[HostView]) -> String {
    let head = [
        "HOST",
        "WORKERS",
        "RUNNING",
        "VERSION",
        "CPU",
        "LOAD",
        "MEMORY",
        "SWAP",
        "DISK",
        "READ/S",
        "WRITTEN/S",
        "IN/S",
        "OUT/S",
    ];
    table(head, hosts.iter().map(row))
}

/// What is not known is a dash.
fn row(host: &HostView) -> [String; 13] {
    let [cpu, load, memory, swap, disk, read, written, received, sent] =
        figures(&host.machine.unwrap_or_default());
    [
        plain(&host.host, 40),
        host.workers.to_string(),
        format!("{}/{}", host.running, host.slots),
        plain(&host.versions.join(","), 30),
        cpu,
        load,
        memory,
        swap,
        disk,
        read,
        written,
        received,
        sent,
    ]
}

fn figures(machine: &Machine) -> [String; 9] {
    let disk = machine.disk.unwrap_or_default();
    let network = machine.network;
    [
        told(machine.cpu_ratio.map(|ratio| format!("{:.0} % of {}", ratio * 100.0, machine.cpus))),
        told(machine.load.map(|[one, ..]| format!("{one:.2}"))),
        part(machine.memory_used_bytes, machine.memory_bytes),
        part(machine.swap_used_bytes, machine.swap_bytes),
        part(disk.used_bytes, disk.bytes),
        rate(disk.read_bytes_per_second),
        rate(disk.written_bytes_per_second),
        rate(network.map(|network| network.received_bytes_per_second)),
        rate(network.map(|network| network.sent_bytes_per_second)),
    ]
}

fn told(value: Option<String>) -> String {
    value.unwrap_or_else(|| "-".to_owned())
}

fn part(used: u64, all: u64) -> String {
    told((all > 0).then(|| format!("{} of {}", ByteSize(used), ByteSize(all))))
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn rate(bytes: Option<f64>) -> String {
    told(bytes.map(|bytes| ByteSize(bytes as u64).to_string()))
}
