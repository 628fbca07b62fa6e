use std::{io::Write, path::PathBuf};

use clap::Args;
use uuid::Uuid;

use super::{Globals, failure::Failure};

/// Write the .env file of docker-compose.yml, with random passwords
///
/// Only its owner may read it. An existing file is left as it is.
#[derive(Debug, Args)]
pub(super) struct Init {
    /// The file
    #[arg(value_name = "FILE", default_value = ".env")]
    file: PathBuf,
}

/// What docker-compose.yml refuses to start without.
const SECRETS: [&str; 7] = [
    "REDIS_PASSWORD",
    "RABBITMQ_PASSWORD",
    "GRAFANA_PASSWORD",
    "CLAWPOOL_PRODUCER_TOKEN",
    "CLAWPOOL_AGENT_TOKEN",
    "CLAWPOOL_ADMIN_TOKEN",
    "CLAWPOOL_METRICS_TOKEN",
];

impl Init {
    pub(super) fn run(&self, globals: &Globals) -> Result<(), Failure> {
        let shown = self.file.display();
        let unwritable = |error| Failure::failed(format_args!("{shown} cannot be written: {error}"));
        let folder = self.file.parent().filter(|folder| !folder.as_os_str().is_empty());
        // Readable for its owner alone from the first moment, and there whole or not at all.
        let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(".".as_ref())).map_err(unwritable)?;
        file.write_all(text().as_bytes()).map_err(unwritable)?;
        file.persist_noclobber(&self.file).map_err(|error| match error.error.kind() {
            std::io::ErrorKind::AlreadyExists => Failure::failed(format_args!(
                "{shown} exists, and its passwords are in use: keep it, or move it away and remove the \
                volumes"
            )),
            _ => unwritable(error.error),
        })?;
        globals.output().text(&format!("{shown} written: next, docker compose up --detach\n"))
    }
}

fn text() -> String {
    let secrets = SECRETS.map(|name| format!("{name}={}\n", secret()));
    format!(
        "# Made by `clawpool init`. Secret: never commit it.\n{}\
         # The group that may write to the container engine's socket, for the autoscaler.\nDOCKER_GID={}\n",
        secrets.concat(),
        socket_group()
    )
}

/// 244 random bits, in characters that need no quoting anywhere.
fn secret() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}

#[cfg(unix)]
fn socket_group() -> u32 {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/var/run/docker.sock").map_or(0, |socket| socket.gid())
}

/// Docker Desktop lets the root group write.
#[cfg(windows)]
const fn socket_group() -> u32 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_secret_is_its_own_and_long() {
        let text = text();
        let values: std::collections::BTreeSet<&str> = SECRETS
            .iter()
            .map(|name| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).unwrap())
            .collect();
        assert_eq!(values.len(), SECRETS.len());
        assert!(values.iter().all(|value| value.len() == 64));
    }

    #[test]
    fn the_compose_file_asks_for_these_secrets() {
        let compose = include_str!("../../../docker-compose.yml");
        for name in SECRETS {
            assert!(compose.contains(&format!("${{{name}:?run clawpool init}}")), "{name}");
        }
    }
}
