use std::time::Duration;

use super::{Layer, ProbeClass};
use crate::config::tests::{load, report};

const SECOND: Duration = Duration::from_secs(1);

fn probe(keys: &str) -> super::Probe {
    load(&format!("[[probes]]\nname = 'a'\n{keys}"), &[], &[]).unwrap().probes.remove(0)
}

/// The figures of the specification.
#[test]
fn each_layer_has_its_own_pace() {
    let rows = [
        ("layer = 'tcp'\ntarget = 'h:1'", 5, 2, 3),
        ("layer = 'http'\ntarget = 'http://h'", 10, 5, 3),
        ("layer = 'application'\ntarget = 'http://h'\nstatus = [200]", 30, 10, 2),
        ("layer = 'deep'\ncommand = ['x']", 60, 30, 1),
    ];
    for (keys, interval, timeout, failures) in rows {
        let probe = probe(keys);
        let told = (probe.interval(), probe.timeout(), probe.failures());
        assert_eq!(told, (SECOND * interval, SECOND * timeout, failures), "{keys}");
    }
}

#[test]
fn a_class_says_how_often_unless_the_probe_does_itself() {
    for (class, interval, timeout) in [("critical", 5, 5), ("standard", 30, 30), ("extended", 300, 30)] {
        let probe = probe(&format!("layer = 'deep'\ncommand = ['x']\nclass = '{class}'"));
        assert_eq!((probe.interval(), probe.timeout()), (SECOND * interval, SECOND * timeout), "{class}");
    }
    let own = probe("layer = 'tcp'\ntarget = '[::1]:1'\nclass = 'extended'\ninterval = '1s'\nslow = '0s'");
    assert_eq!((own.interval(), own.timeout(), own.slow()), (SECOND, SECOND, None));
    assert_eq!((own.layer, own.class), (Layer::Tcp, Some(ProbeClass::Extended)));
}

#[test]
fn an_external_answer_is_slow_after_200_ms() {
    let slow = |keys| probe(keys).slow();
    assert_eq!(slow("layer = 'dns'\ntarget = 'h'"), Some(Duration::from_millis(200)));
    assert_eq!(slow("layer = 'exec'\ncommand = ['x']"), None);
}

#[test]
fn which_statuses_are_well() {
    let http = probe("layer = 'http'\ntarget = 'http://h'");
    assert!(http.takes_status(302) && !http.takes_status(404));
    let field = "field = { path = 'status', equals = 'ok' }";
    let application = probe(&format!("layer = 'application'\ntarget = 'http://h'\n{field}"));
    assert!(application.takes_status(204) && !application.takes_status(302));
    let own = probe("layer = 'http'\ntarget = 'http://h'\nstatus = [401]");
    assert!(own.takes_status(401) && !own.takes_status(200));
}

#[test]
fn every_mistake_says_where_it_is_and_what_to_write() {
    let rows = [
        ("layer = 'ping'", "CP-1004 probes[0].layer"),
        ("layer = 'tcp'", "it has no target; add target = \"host:port\""),
        ("layer = 'tcp'\ntarget = 'h'", "CP-1012 probes[0].target = h"),
        ("layer = 'tcp'\ntarget = '::1:80'", "write host:port, or [address]:port"),
        ("layer = 'tcp'\ntarget = 'h:0'", "it is not a host and a port"),
        ("layer = 'dns'\ntarget = 'http://h'", "it is not a name"),
        ("layer = 'http'\ntarget = 'ftp://h'", "ftp:// is not HTTP"),
        ("layer = 'http'\ntarget = 'http://'", "it is not an address"),
        ("layer = 'exec'\ntarget = 'h'", "has no use for target"),
        ("layer = 'exec'\ncommand = ['']", "the command names no program"),
        ("layer = 'application'\ntarget = 'http://h'", "by what the application shows that it is well"),
        ("layer = 'tcp'\ntarget = 'h:1'\nstatus = [200]", "has no use for status"),
        ("layer = 'http'\ntarget = 'http://h'\nstatus = [99]", "HTTP has no such status"),
        ("layer = 'deep'", "exactly one of steps, command and target"),
        ("layer = 'deep'\nsteps = ['b']", "probes[0].steps[0] = \"b\" (pool.toml:4): no probe has this name"),
        ("layer = 'deep'\nsteps = ['a']", "a deep probe is no step of another one"),
        ("layer = 'tcp'\ntarget = 'h:1'\ninterval = '0s'", "probes[0].interval = 0s"),
        ("layer = 'tcp'\ntarget = 'h:1'\ntimeout = '6s'", "not be longer than probes[0].interval (5s)"),
        ("layer = 'tcp'\ntarget = 'h:1'\nfailures = 0", "probes[0].failures = 0"),
        ("layer = 'tcp'\ntarget = 'h:1'\nslow = '3s'", "not be longer than probes[0].timeout (2s)"),
    ];
    for (keys, told) in rows {
        let report = report(&format!("[[probes]]\nname = 'a'\n{keys}"));
        assert!(report.contains(told), "{keys}\n{report}");
    }
}

#[test]
fn names_are_ones_own() {
    let tcp = |name: &str| format!("[[probes]]\nname = '{name}'\nlayer = 'tcp'\ntarget = 'h:1'\n");
    assert!(report(&(tcp("a") + &tcp("a"))).contains("CP-1007 probes[1].name = \"a\""));
    assert!(report(&tcp("redis")).contains("a server of the pool itself"));
    assert!(report(&tcp("a b")).contains("letters, digits and . _ -"));
}
