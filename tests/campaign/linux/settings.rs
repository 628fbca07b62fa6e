//! Each program's own configuration: it reaches every server by links that nobody else uses.

use std::path::{Path, PathBuf};

use toml::Value;

use super::{
    support::Settings,
    world::{Composition, World},
};

/// Whatever may be killed again and again is: nothing becomes poison for it, and nobody waits long to be
/// started again.
const COMMON: &str = r#"
    worker = { crashes = 1000 }
    results.ttl = "1day"
    classes.P0.ttl = "1day"
    classes.P2.ttl = "1day"
    classes.P4.ttl = "1day"
"#;

const POOL: &str = r#"
    [[pools]]
    name = "main"
    workers = 2
    restart = { initial = "100ms", max = "1s", limit = 10000, per_hour = 10000, breaker = { failures = 1000 } }
"#;

/// Writes the file of the program `name`, which serves HTTP on `port` if on any.
pub fn write(world: &World, name: &str, port: Option<u16>) -> PathBuf {
    let folder = world.folder.path().join(name);
    std::fs::create_dir(&folder).unwrap();
    let mut settings =
        Settings::quick().with(COMMON).with(&log(&folder)).with(&handler(&world.load.effects.handler));
    settings = match world.composition {
        Composition::Embedded => {
            settings.with(&format!("embedded.data = {}", path(&world.disk_folder().join("data"))))
        }
        Composition::Redis => settings.with(&cluster(world, name, "redis")),
        Composition::Rabbitmq => settings.with(&cluster(world, name, "rabbitmq")),
    };
    if let Some(port) = port {
        settings = settings.with(&format!("api.listen = \"127.0.0.1:{port}\""));
    }
    if matches!(name, "up" | "autoscaler") {
        let workers = world.folder.path().join("worker/clawpool.toml");
        let command = [env!("CARGO_BIN_EXE_clawpool"), "--config", &workers.display().to_string(), "worker"];
        settings = settings.with(&format!("{POOL}command = {}", Value::from(command.to_vec())));
    }
    settings.write(&folder)
}

fn log(folder: &Path) -> String {
    format!("log.file = {}", path(&folder.join("log")))
}

fn handler(program: &Path) -> String {
    format!("[[handlers]]\nkind = \"campaign.*\"\nexec.command = [{}]", path(program))
}

fn cluster(world: &World, name: &str, lanes: &str) -> String {
    let servers: String =
        world.composition.servers().iter().map(|server| section(world, name, server)).collect();
    let lanes: String =
        ["critical", "high", "normal", "background"].map(|lane| format!("{lane} = {lanes:?}\n")).concat();
    format!("profile = \"cluster\"\n{servers}[lanes]\n{lanes}")
}

fn section(world: &World, name: &str, server: &str) -> String {
    let address = &world.link(&format!("{name}-{server}")).address;
    match server {
        "redis" => format!("[redis]\nurl = \"redis://{address}/0\"\ntimeout = \"2s\"\n"),
        _ => format!("[rabbitmq]\nurl = \"amqp://guest:guest@{address}/%2f\"\nheartbeat = \"2s\"\n"),
    }
}

fn path(path: &Path) -> Value {
    Value::from(path.display().to_string())
}
