//! What a check has found, and what it comes to.

use tokio::time::Instant;

use super::{Machine, ServerList, Service, Standing, Workload};
use clawpool_core::{config::Config, task::Timestamp};
use clawpool_engine::{alert::Event, client::health::Status};

#[derive(Clone, Debug)]
pub struct Findings {
    pub at: Instant,
    pub servers: ServerList,
    /// What `[[probes]]` names.
    pub services: Vec<Service>,
    pub troubles: Vec<Trouble>,
    /// Tasks that wait, on all queues together.
    pub ready: Option<u64>,
    /// None while the store does not answer.
    pub workload: Option<Workload>,
    pub machine: Machine,
}

/// Something that keeps tasks from their way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    pub event: Event,
    /// What has it: a server, a service, a queue.
    pub subject: String,
    pub text: String,
    pub since: Timestamp,
    /// It was there at the check before as well, and an alert was raised.
    pub(super) lasting: bool,
}

impl Trouble {
    pub(super) fn is(&self, other: &Self) -> bool {
        (self.event, &self.subject) == (other.event, &other.subject)
    }
}

impl Findings {
    /// Nothing was answered yet.
    pub(crate) fn none(config: &Config) -> Self {
        let silent = Standing::Down("it has not answered yet".to_owned());
        Self {
            at: Instant::now(),
            servers: ServerList::new(config, silent, Vec::new()),
            services: Vec::new(),
            troubles: Vec::new(),
            ready: None,
            workload: None,
            machine: Machine::default(),
        }
    }

    /// Unhealthy: no task is taken because the servers are silent, tasks that could start do not, or a
    /// service of the class critical is down. Degraded: anything else that is wrong.
    pub fn status(&self) -> Status {
        let stalled = self.troubles.iter().any(|trouble| trouble.event == Event::Stalled);
        if self.servers.are_silent() || stalled || self.services.iter().any(Service::is_fatal) {
            return Status::Unhealthy;
        }
        if self.troubles.is_empty() && self.servers.are_up() { Status::Healthy } else { Status::Degraded }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clawpool_core::config::{Layer, ProbeClass};

    fn findings() -> Findings {
        Findings { servers: servers(Standing::Up), ..Findings::none(&Config::default()) }
    }

    fn servers(standing: Standing) -> ServerList {
        ServerList::new(&Config::default(), standing, Vec::new())
    }

    fn trouble(event: Event) -> Vec<Trouble> {
        let subject = "it".to_owned();
        vec![Trouble { event, subject, text: String::new(), since: Timestamp::now(), lasting: true }]
    }

    #[test]
    fn what_is_found_comes_to_one_word() {
        assert_eq!(findings().status(), Status::Healthy);
        let blocked = Findings { servers: servers(Standing::Degraded("full".into())), ..findings() };
        assert_eq!(blocked.status(), Status::Degraded);
        let silent = Findings { servers: servers(Standing::Down("gone".into())), ..findings() };
        assert_eq!(silent.status(), Status::Unhealthy);
        let lost = Findings { troubles: trouble(Event::TasksLost), ..findings() };
        assert_eq!(lost.status(), Status::Degraded);
        let stalled = Findings { troubles: trouble(Event::Stalled), ..findings() };
        assert_eq!(stalled.status(), Status::Unhealthy);
    }

    #[test]
    fn a_service_makes_the_pool_unhealthy_only_where_it_is_critical() {
        let down = |class| Service {
            name: "crm".into(),
            layer: Layer::Tcp,
            class,
            standing: Standing::Down("no connection".into()),
            failures: 3,
            took: None,
            looked: None,
        };
        let troubles = trouble(Event::ServiceDown);
        for (class, status) in [
            (None, Status::Degraded),
            (Some(ProbeClass::Extended), Status::Degraded),
            (Some(ProbeClass::Standard), Status::Degraded),
            (Some(ProbeClass::Critical), Status::Unhealthy),
        ] {
            let services = vec![down(class)];
            let found = Findings { services, troubles: troubles.clone(), ..findings() };
            assert_eq!(found.status(), status, "{class:?}");
        }
    }
}
