//! The pool's own servers: which there are, what each is for, and whether tasks can be taken.

use clawpool_backends::broker::Probed;
use clawpool_core::config::{Backend, Config, Lanes, Profile};

use super::Standing;

/// One server, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    pub name: &'static str,
    /// It remembers tasks.
    pub is_store: bool,
    /// It carries queues.
    pub is_broker: bool,
    pub standing: Standing,
}

/// All of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerList(Vec<Server>);

impl ServerList {
    /// `store`: what its probe came to. `brokers`: those of servers that are no store.
    pub fn new(config: &Config, store: Standing, brokers: Vec<Probed>) -> Self {
        let (name, is_broker) = match config.profile {
            Profile::Embedded => ("sqlite", brokers.is_empty()),
            Profile::Cluster => ("redis", carries(&config.lanes, Backend::Redis)),
        };
        let store = Server { name, is_store: true, is_broker, standing: store };
        let broker = |(name, answer): Probed| Server {
            name,
            is_store: false,
            is_broker: true,
            standing: answer.into(),
        };
        Self(std::iter::once(store).chain(brokers.into_iter().map(broker)).collect())
    }

    pub fn iter(&self) -> impl Iterator<Item = &Server> {
        self.0.iter()
    }

    /// How the store stands.
    pub fn store(&self) -> &Standing {
        self.standing(|server| server.is_store)
    }

    /// How the brokers stand: as the worst of them.
    pub fn broker(&self) -> &Standing {
        self.standing(|server| server.is_broker)
    }

    fn standing(&self, which: impl Fn(&Server) -> bool) -> &Standing {
        let servers = self.0.iter().filter(|server| which(server));
        servers.map(|server| &server.standing).max().unwrap_or(&Standing::Unknown)
    }

    /// Whether a task of some queue would be taken now.
    pub fn take_tasks(&self) -> bool {
        self.store().is_up() && self.0.iter().any(|server| server.is_broker && server.standing.is_up())
    }

    /// Whether none is taken, because the store or every broker is silent.
    pub fn are_silent(&self) -> bool {
        let mut brokers = self.0.iter().filter(|server| server.is_broker);
        self.store().is_down() || brokers.all(|server| server.standing.is_down())
    }

    pub fn are_up(&self) -> bool {
        self.0.iter().all(|server| server.standing.is_up())
    }
}

fn carries(lanes: &Lanes, backend: Backend) -> bool {
    clawpool_backends::broker::Lanes::backends(lanes).contains(&backend)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clawpool_backends::{broker::BrokerError, store::StoreError};

    fn cluster(store: Result<(), StoreError>, rabbitmq: Result<(), BrokerError>) -> ServerList {
        let config = Config { profile: Profile::Cluster, ..Config::default() };
        ServerList::new(&config, store.into(), vec![("rabbitmq", rabbitmq)])
    }

    fn blocked() -> BrokerError {
        BrokerError::Blocked { broker: "RabbitMQ", reason: "low on memory".into() }
    }

    #[test]
    fn a_server_that_answers_and_takes_nothing_is_degraded() {
        let servers = cluster(Ok(()), Err(blocked()));
        let told: Vec<_> = servers.iter().map(|server| (server.name, server.standing.word())).collect();
        assert_eq!(told, [("redis", "up"), ("rabbitmq", "degraded")]);
        assert_eq!(servers.broker().told(true), "degraded: RabbitMQ takes no messages now: low on memory");
        assert_eq!(servers.broker().told(false), "degraded");
        assert!(servers.take_tasks(), "P0 and P1 are on Redis");
        assert!(!servers.are_up() && !servers.are_silent());
    }

    #[test]
    fn without_a_store_that_writes_no_task_is_taken() {
        let full = StoreError::Blocked { store: "redis", reason: "OOM".into() };
        let servers = cluster(Err(full), Ok(()));
        assert_eq!((servers.store().word(), servers.broker().word()), ("degraded", "degraded"));
        assert!(!servers.take_tasks() && !servers.are_silent());
        let silent = StoreError::Unavailable { store: "redis", reason: "gone".into() };
        assert!(cluster(Err(silent), Ok(())).are_silent());
    }

    #[test]
    fn one_file_is_store_and_broker() {
        let servers = ServerList::new(&Config::default(), Standing::Up, Vec::new());
        let all: Vec<_> =
            servers.iter().map(|server| (server.name, server.is_store, server.is_broker)).collect();
        assert_eq!(all, [("sqlite", true, true)]);
        assert!(servers.take_tasks() && servers.are_up());
    }
}
