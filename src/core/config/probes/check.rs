//! The rules of `[[probes]]`.

use http::{HeaderName, HeaderValue};
use url::Url;

use super::{Layer, Probe, shown};
use crate::config::reading::{Key, Report, redaction::HIDDEN};

/// What `/health` calls the servers of the pool.
const TAKEN: [&str; 5] = ["broker", "store", "redis", "rabbitmq", "sqlite"];

pub(in crate::config) fn check(probes: &[Probe], report: &mut Report) {
    for (index, probe) in probes.iter().enumerate() {
        let key = Key::from("probes").index(index);
        probe.check_name(&key.name("name"), &probes[..index], report);
        probe.check_means(&key, report);
        probe.check_request(&key, report);
        probe.check_steps(&key.name("steps"), probes, report);
        probe.check_times(&key, report);
    }
}

impl Probe {
    fn check_name(&self, key: &Key, earlier: &[Self], report: &mut Report) {
        let name = &self.name;
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if name.is_empty() || name.len() > 64 || !name.bytes().all(fits) {
            let rule = "a name has letters, digits and . _ -, 64 at most";
            report.refuse(key, format!("{name:?}"), rule, "write for example \"crm\"");
        }
        if TAKEN.contains(&name.as_str()) {
            let rule = "this is what /health calls a server of the pool itself";
            report.refuse(key, format!("{name:?}"), rule, "give the probe another name");
        }
        if earlier.iter().any(|other| other.name == *name) {
            report.conflict(&[key], format!("{name:?}"), "another probe has this name", "give each its own");
        }
    }

    /// What is looked at, and nothing that this layer does not use.
    fn check_means(&self, key: &Key, report: &mut Report) {
        let layer = self.layer;
        let web = matches!(layer, Layer::Http | Layer::Application | Layer::Deep);
        let given = [
            ("target", self.target.is_some(), layer != Layer::Exec),
            ("command", !self.command.is_empty(), matches!(layer, Layer::Exec | Layer::Deep)),
            ("env", !self.env.is_empty(), !self.command.is_empty()),
            ("steps", !self.steps.is_empty(), layer == Layer::Deep),
            ("status", !self.status.is_empty(), web && self.target.is_some()),
            ("field", self.field.is_some(), web && layer != Layer::Http && self.target.is_some()),
            ("headers", !self.headers.is_empty(), web && self.target.is_some()),
        ];
        for (name, _, _) in given.into_iter().filter(|(_, is_given, is_used)| *is_given && !is_used) {
            let rule = format!("a probe of the layer {} has no use for {name} here", layer.name());
            report.conflict(&[&key.name(name)], format!("{:?}", self.name), rule, "take it out");
        }
        let means = [self.target.is_some(), !self.command.is_empty(), !self.steps.is_empty()];
        let (rule, fix) = match (layer, means) {
            (Layer::Deep, means) if means.into_iter().filter(|is_given| *is_given).count() == 1 => return,
            (Layer::Deep, _) => (
                "a deep probe needs exactly one of steps, command and target",
                "add steps = [\"other-probe\"], command = [\"program\"] or target = \"https://…\"",
            ),
            (Layer::Exec, [_, true, _]) | (Layer::Tcp | Layer::Http | Layer::Dns, [true, ..]) => return,
            (Layer::Application, [true, ..]) if self.status.is_empty() && self.field.is_none() => (
                "it does not say by what the application shows that it is well",
                "add field = { path = \"status\", equals = \"ok\" }, or status = [200]",
            ),
            (Layer::Application, [true, ..]) => return,
            (Layer::Exec, _) => ("it names no program", "add command = [\"program\", \"argument\"]"),
            (Layer::Tcp, _) => ("it has no target", "add target = \"host:port\""),
            (Layer::Dns, _) => ("it has no target", "add target = \"www.example.com\""),
            (Layer::Http | Layer::Application, _) => ("it has no target", "add target = \"https://…\""),
        };
        report.conflict(&[key], format!("{:?}", self.name), rule, fix);
    }

    fn check_request(&self, key: &Key, report: &mut Report) {
        if let Some(target) = &self.target
            && let Some((problem, fix)) = fault(self.layer, target)
        {
            report.add_broken("CP-1012", &[&key.name("target")], shown(target), problem, fix);
        }
        if self.command.first().is_some_and(String::is_empty) {
            let shown = format!("{:?}", self.command);
            let fix = "write [\"program\", \"argument\"]";
            report.refuse(&key.name("command"), shown, "the command names no program", fix);
        }
        for (index, status) in self.status.iter().enumerate().filter(|(_, at)| !(100..=599).contains(*at)) {
            let key = key.name("status").index(index);
            report.refuse(&key, status, "HTTP has no such status", "write for example 200");
        }
        if let Some(field) = &self.field {
            field.check(&key.name("field"), report);
        }
        for (name, value) in &self.headers {
            if HeaderName::from_bytes(name.as_bytes()).is_err() || HeaderValue::from_str(value).is_err() {
                let rule = "its name or its value cannot stand in a header";
                let key = key.name("headers").name(name);
                report.refuse(&key, HIDDEN, rule, "use visible ASCII characters");
            }
        }
        for name in self.env.keys().filter(|name| name.is_empty() || name.contains(['=', '\0'])) {
            let rule = "this is no name of an environment variable";
            report.refuse(&key.name("env"), format!("{name:?}"), rule, "use letters, digits and _");
        }
    }

    fn check_steps(&self, key: &Key, probes: &[Self], report: &mut Report) {
        for (index, step) in self.steps.iter().enumerate() {
            let rule = match probes.iter().find(|probe| probe.name == *step) {
                None => "no probe has this name",
                Some(probe) if probe.layer == Layer::Deep => "a deep probe is no step of another one",
                Some(_) => continue,
            };
            let fix = "name other entries of [[probes]] that are not deep";
            report.refuse(&key.index(index), format!("{step:?}"), rule, fix);
        }
    }

    fn check_times(&self, key: &Key, report: &mut Report) {
        let spans = [("interval", self.interval), ("timeout", self.timeout)];
        for (name, span) in spans.into_iter().filter_map(|(name, span)| Some((name, span?))) {
            report.positive(key.name(name), span);
        }
        if let Some(failures) = self.failures {
            report.at_least_one(key.name("failures"), failures);
        }
        let interval = (key.name("interval"), self.interval());
        report.ordered((key.name("timeout"), self.timeout()), interval);
        if let Some(slow) = self.slow {
            report.ordered((key.name("slow"), slow), (key.name("timeout"), self.timeout()));
        }
    }
}

/// What is wrong with a target, and what to write.
fn fault(layer: Layer, target: &str) -> Option<(String, &'static str)> {
    match layer {
        Layer::Tcp => {
            let (host, port) = target.rsplit_once(':').unwrap_or((target, ""));
            let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
            let is_host = !bare.is_empty() && !bare.contains(['/', '@', ' ']);
            let is_port = port.parse::<u16>().is_ok_and(|port| port > 0);
            let fits = is_host && is_port && (bare != host || !host.contains(':'));
            (!fits).then(|| ("it is not a host and a port".into(), "write host:port, or [address]:port"))
        }
        Layer::Dns => {
            let fits = !target.is_empty() && !target.contains([':', '/', '@', ' ']);
            (!fits).then(|| ("it is not a name".into(), "write a host's name alone, \"www.example.com\""))
        }
        Layer::Exec => None,
        Layer::Http | Layer::Application | Layer::Deep => {
            let problem = match Url::parse(target) {
                Err(error) => format!("it is not an address ({error})"),
                Ok(url) if !matches!(url.scheme(), "http" | "https") => {
                    format!("{}:// is not HTTP", url.scheme())
                }
                Ok(_) => return None,
            };
            Some((problem, "write http://host:port/path or https://…"))
        }
    }
}
