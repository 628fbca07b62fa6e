//! A pool of its own: servers, links, programs, a clock and a disk that can be broken, and producers.

use std::{
    collections::{BTreeMap, HashSet},
    path::PathBuf,
    time::Duration,
};

use clap::ValueEnum;
use tempfile::TempDir;

use super::{
    clock::Clock,
    disk::Disk,
    effects::Effects,
    link::Link,
    load::{LANES, Load},
    program::{Program, signal},
    settings,
    support::{Api, Server, clawpool, free_port, in_time},
};

/// What the pool stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Composition {
    /// One SQLite file.
    Embedded,
    /// Redis carries every lane.
    Redis,
    /// RabbitMQ carries every lane, Redis keeps the records.
    Rabbitmq,
}

impl Composition {
    pub const ALL: [Self; 3] = [Self::Embedded, Self::Redis, Self::Rabbitmq];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Redis => "redis",
            Self::Rabbitmq => "rabbitmq",
        }
    }

    /// What the campaign starts itself. `up` and `autoscaler` keep two workers each, `lone` is a worker that
    /// nobody keeps.
    pub const fn programs(self) -> &'static [&'static str] {
        match self {
            Self::Embedded => &["up", "lone"],
            Self::Redis | Self::Rabbitmq => &["dispatcher0", "dispatcher1", "autoscaler", "lone"],
        }
    }

    pub const fn servers(self) -> &'static [&'static str] {
        match self {
            Self::Embedded => &[],
            Self::Redis => &["redis"],
            Self::Rabbitmq => &["redis", "rabbitmq"],
        }
    }

    /// The programs that serve HTTP.
    pub const fn doors(self) -> &'static [&'static str] {
        match self {
            Self::Embedded => &["up"],
            Self::Redis | Self::Rabbitmq => &["dispatcher0", "dispatcher1"],
        }
    }

    /// Whose disk can be full.
    pub const fn disk(self) -> Option<&'static str> {
        match self {
            Self::Embedded => Some("sqlite"),
            Self::Redis => Some("redis"),
            Self::Rabbitmq => None,
        }
    }
}

/// Dropped in this order: what runs before what it stands on.
pub struct World {
    pub composition: Composition,
    pub load: Load,
    /// Past every link.
    pub apis: Vec<Api>,
    pub programs: Vec<Program>,
    pub servers: BTreeMap<&'static str, Server>,
    pub links: Vec<Link>,
    pub clocks: BTreeMap<String, Clock>,
    pub disk: Option<Disk>,
    /// What workers ran when they were stopped for longer than their lease: it runs on beside its second run,
    /// because nobody can reach it. Only its outcome can be refused.
    pub stopped: HashSet<u32>,
    /// Who ended without being told to.
    pub left: Vec<String>,
    pub folder: TempDir,
}

impl World {
    /// Returns when every lane has done a task.
    pub async fn start(composition: Composition) -> Self {
        let folder = TempDir::with_prefix(format!("clawpool-campaign-{}-", composition.name())).unwrap();
        let clocked = composition.programs().iter().chain(composition.servers());
        let mut world = Self {
            composition,
            load: Load::new(Vec::new(), Effects::new(folder.path())),
            apis: Vec::new(),
            programs: Vec::new(),
            servers: BTreeMap::new(),
            links: Vec::new(),
            clocks: clocked.map(|name| ((*name).to_owned(), Clock::new(folder.path(), name))).collect(),
            disk: composition.disk().map(|_| Disk::mount(folder.path())),
            stopped: HashSet::new(),
            left: Vec::new(),
            folder,
        };
        world.start_servers().await;
        let ports = world.open_doors().await;
        settings::write(&world, "worker", None);
        for name in composition.programs() {
            let config = settings::write(&world, name, ports.get(name).copied());
            world.launch(name, config);
        }
        world.works().await;
        world
    }

    async fn start_servers(&mut self) {
        for name in self.composition.servers() {
            let folder = self.disk_folder();
            let server = match *name {
                "redis" => Server::redis_with(&folder, self.clocks[*name].variables()).await,
                _ => Server::rabbitmq().await,
            };
            for from in self.composition.programs().iter().chain(["worker"].iter()) {
                self.links.push(Link::to(format!("{from}-{name}"), server.address()).await);
            }
            self.servers.insert(*name, server);
        }
    }

    /// Ports that a program has again after its restart, and links to them.
    async fn open_doors(&mut self) -> BTreeMap<&'static str, u16> {
        let mut ports = BTreeMap::new();
        let mut doors = Vec::new();
        for name in self.composition.doors() {
            let port = free_port();
            let link = Link::to(format!("producers-{name}"), format!("127.0.0.1:{port}")).await;
            doors.push(link.address.clone());
            self.apis.push(Api::new(format!("http://127.0.0.1:{port}")));
            self.links.push(link);
            ports.insert(*name, port);
        }
        self.load = Load::new(doors, self.load.effects.clone());
        ports
    }

    fn launch(&mut self, name: &'static str, config: PathBuf) {
        let role = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
        let role = if role == "lone" { "worker" } else { role };
        let clock = self.clocks[name].variables();
        self.programs.push(Program::start(name, move || {
            let mut command = clawpool(&config);
            command.arg(role).envs(clock.iter().cloned());
            command
        }));
    }

    async fn works(&self) {
        let probes = LANES.map(|lane| self.load.probe(lane));
        in_time("every lane to work", futures::future::join_all(probes)).await;
        if self.servers.contains_key("rabbitmq") {
            // RabbitMQ writes a new quorum queue's registration some seconds later. One that was declared
            // right before kill -9 answers nobody after the restart; that is RabbitMQ's own and not what is
            // tested here.
            tokio::time::sleep(Duration::from_secs(6)).await;
        }
    }

    /// Where the data lie whose disk can be full.
    pub fn disk_folder(&self) -> PathBuf {
        self.disk.as_ref().map_or_else(|| self.folder.path().to_owned(), |disk| disk.path.clone())
    }

    pub fn link(&self, name: &str) -> &Link {
        self.links.iter().find(|link| link.name == name).unwrap()
    }

    pub fn program(&mut self, name: &str) -> &mut Program {
        self.programs.iter_mut().find(|program| program.name == name).unwrap()
    }

    /// The workers that are kept.
    pub fn workers(&self) -> Vec<u32> {
        self.programs.iter().filter(|program| program.name != "lone").flat_map(Program::workers).collect()
    }

    /// Everybody is told to end, workers first. Answers who did not do it well.
    pub async fn leave(&mut self) -> Vec<String> {
        let mut badly = Vec::new();
        for program in self.programs.iter_mut().rev() {
            signal(program.pid(), "TERM");
            let status = program.ended().await;
            if !status.success() {
                badly.push(format!("{}: {status}", program.name));
            }
        }
        badly
    }
}
