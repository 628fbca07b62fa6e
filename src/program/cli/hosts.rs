use bytesize::ByteSize;
use clap::Args;

use super::{
    Globals,
    failure::Failure,
    output::{plain, table},
};
use clawpool_engine::client::view::{HostView, HostsView};

/// The machines with workers, and what they are doing
#[derive(Debug, Args)]
pub(super) struct Hosts {}

impl Hosts {
    pub(super) async fn run(self, globals: &Globals) -> Result<(), Failure> {
        let hosts: HostsView = globals.client()?.get("v1/hosts", &[]).await?;
        globals.output().show(&hosts, |hosts| listing(&hosts.items))
    }
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
    let machine = host.machine.unwrap_or_default();
    let disk = machine.disk.unwrap_or_default();
    let network = machine.network;
    [
        plain(&host.host, 40),
        host.workers.to_string(),
        format!("{}/{}", host.running, host.slots),
        plain(&host.versions.join(","), 30),
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
