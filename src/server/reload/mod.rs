//! The configuration is read again while its program runs.
//!
//! Guarantees: a configuration with a mistake changes nothing, and every mistake is told (INV-9); when a
//! reload is answered, what it applied holds; what needs a restart is named. Never does: stop a worker or a
//! task.

use std::{
    ffi::OsStr,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::telemetry::{LogError, reopen_logs};
use clawpool_core::config::{Adopted, Config, ConfigError, ConfigErrors, Origins, Part, Reach, Setting};
use clawpool_engine::{client::view::ReloadView, live::Live, process::reload_requests};

type Read = Box<dyn Fn() -> Result<Config, ConfigErrors> + Send + Sync>;

/// Holds the configuration of this process, and reads it again when asked.
pub struct Reloader {
    read: Read,
    /// The parts of this process.
    parts: Vec<Part>,
    /// Why the file may not be what its user means.
    note: Option<String>,
    config: watch::Sender<Arc<Config>>,
    live: Live,
    /// One at a time.
    turn: Mutex<()>,
    /// Where the values come from.
    origins: Arc<Mutex<Origins>>,
}

impl Reloader {
    /// `read` gives the configuration from where it comes from, `file` among it, and puts into `origins`
    /// where that is; `config` is what it gave at the start.
    pub fn new(
        config: Config,
        parts: &[Part],
        file: Option<&Path>,
        origins: Arc<Mutex<Origins>>,
        read: impl Fn() -> Result<Config, ConfigErrors> + Send + Sync + 'static,
    ) -> Arc<Self> {
        let (config, live) = Live::channel(config);
        let credentials = std::env::var_os("CREDENTIALS_DIRECTORY");
        let note = file.and_then(|file| note(file, credentials.as_deref()));
        let (read, parts, turn) = (Box::new(read), parts.to_vec(), Mutex::default());
        Arc::new(Self { read, parts, note, config, live, turn, origins })
    }

    /// For those who read the configuration at the moment of use.
    pub fn live(&self) -> &Live {
        &self.live
    }

    /// Every value as it holds, and where it comes from; secrets hidden.
    pub fn settings(&self) -> Vec<Setting> {
        let origins = self.origins.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.live.now().settings(&origins)
    }

    /// Reads, checks and applies. Blocks its thread for as long as the files take.
    pub fn reload(&self) -> Result<ReloadView, ConfigErrors> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let new = (self.read)().inspect_err(tell_refused)?;
        let Adopted { config, changes } = self.live.now().adopt(&new);
        // The last thing that can fail.
        reopen_logs(&config.log).map_err(|error| refused(&error)).inspect_err(tell_refused)?;
        self.config.send_replace(Arc::new(config));
        let view = ReloadView { note: self.note.clone(), ..view(&changes, &self.parts) };
        tell(&view);
        Ok(view)
    }

    /// Reloads whenever this process is asked to, by a signal, its service manager or its supervisor.
    pub async fn serve(self: Arc<Self>, stop: &CancellationToken) {
        let mut requests = reload_requests();
        while stop.run_until_cancelled(requests.next()).await.is_some() {
            let this = Arc::clone(&self);
            // Told in the log.
            drop(tokio::task::spawn_blocking(move || this.reload().map(drop)).await);
        }
    }
}

/// What this process does with each change.
fn view(changes: &[(String, Reach)], parts: &[Part]) -> ReloadView {
    let mut view = ReloadView::default();
    for (key, reach) in changes {
        let list = match reach {
            Reach::Live(part) if parts.contains(part) => &mut view.applied,
            Reach::Live(_) => &mut view.elsewhere,
            // A process that is a worker itself.
            Reach::NewWorkers if parts == [Part::Log] => &mut view.restart,
            Reach::NewWorkers => &mut view.new_workers,
            Reach::Restart => &mut view.restart,
        };
        list.push(key.clone());
    }
    view
}

/// systemd hands a credential over once, when it starts a service.
fn note(file: &Path, credentials: Option<&OsStr>) -> Option<String> {
    let is_copy = credentials.is_some_and(|folder| file.starts_with(folder));
    is_copy.then(|| {
        format!(
            "{} is a copy of the configuration file that systemd made when it started the service: restart \
             the service after changes of the file",
            file.display()
        )
    })
}

fn tell(view: &ReloadView) {
    let ReloadView { applied, new_workers, restart, elsewhere, note } = view;
    let join = |keys: &[String]| keys.join(", ");
    tracing::info!(
        applied = join(applied),
        new_workers = join(new_workers),
        restart = join(restart),
        elsewhere = join(elsewhere),
        "the configuration was read again"
    );
    if !restart.is_empty() {
        tracing::warn!(keys = join(restart), "these keys hold after a restart");
    }
    if let Some(note) = note {
        tracing::warn!("{note}");
    }
}

/// INV-9: nothing was changed.
fn tell_refused(errors: &ConfigErrors) {
    tracing::error!(code = "CP-1014", "the configuration is refused, and the one before holds on: {errors}");
}

fn refused(error: &LogError) -> ConfigErrors {
    let (key, fix) = match error {
        LogError::Filter { .. } => ("log.filter", "correct the variable RUST_LOG, which wins over the file"),
        LogError::File { .. } => ("log.file", "make its folder writable for this process"),
    };
    let (key, rule, fix) = (key.to_owned(), error.to_string(), fix.to_owned());
    ConfigErrors(vec![ConfigError { code: "CP-1006", key, value: None, origin: None, rule, fix }])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(change: impl FnOnce(&mut Config)) -> Config {
        let mut config = Config::default();
        change(&mut config);
        config
    }

    #[test]
    fn what_is_applied_holds_when_it_is_answered_and_the_rest_is_named() {
        let new = config(|config| {
            config.limits.batch = 7;
            config.worker.slots = 7;
            config.api.connections = 7;
            config.autoscale.max = 7;
        });
        let reloader = Reloader::new(
            Config::default(),
            &[Part::Log, Part::Dispatcher],
            None,
            Arc::default(),
            move || Ok(new.clone()),
        );
        let view = reloader.reload().unwrap();
        assert_eq!(
            (view.applied, view.elsewhere),
            (vec!["limits.batch".to_owned()], vec!["autoscale.max".into()])
        );
        assert_eq!(
            (view.new_workers, view.restart),
            (vec!["worker.slots".to_owned()], vec!["api.connections".into()])
        );
        let holds = reloader.live().now();
        assert_eq!((holds.limits.batch, holds.api.connections), (7, 10_000));
        assert_eq!(reloader.reload().unwrap().applied, [""; 0]);
    }

    #[test]
    fn inv_9_a_bad_configuration_changes_nothing_and_says_all_its_faults() {
        let bad = config(|config| {
            config.worker.slots = 0;
            config.limits.batch = 0;
        });
        let reloader = Reloader::new(Config::default(), &[Part::Log], None, Arc::default(), move || {
            bad.check().map(|()| bad.clone())
        });
        let errors = reloader.reload().unwrap_err();
        assert!(errors.0.len() >= 2, "{errors}");
        assert_eq!(reloader.live().now().limits.batch, Config::default().limits.batch);
    }

    /// A worker has no other workers.
    #[test]
    fn a_worker_names_what_it_has_until_its_end() {
        let new = config(|config| config.worker.slots = 7);
        let reloader =
            Reloader::new(Config::default(), &[Part::Log], None, Arc::default(), move || Ok(new.clone()));
        assert_eq!(reloader.reload().unwrap().restart, ["worker.slots"]);
    }

    #[test]
    fn a_copy_of_the_file_is_told_of() {
        let file = Path::new("/run/credentials/clawpool.service/clawpool.toml");
        assert!(note(file, Some(OsStr::new("/run/credentials/clawpool.service"))).is_some());
        assert_eq!((note(file, Some(OsStr::new("/run/other"))), note(file, None)), (None, None));
    }

    #[tokio::test]
    async fn a_request_is_followed() {
        let new = config(|config| config.limits.batch = 7);
        let reloader =
            Reloader::new(Config::default(), &[Part::Dispatcher], None, Arc::default(), move || {
                Ok(new.clone())
            });
        let stop = CancellationToken::new();
        let mut live = reloader.live().clone();
        let serving = {
            let stop = stop.clone();
            tokio::spawn(async move { reloader.serve(&stop).await })
        };
        // Requests from before it listens are not heard.
        let asked = async {
            loop {
                clawpool_engine::process::request_reload();
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        let changed = tokio::select! {
            config = live.changed() => config,
            () = asked => unreachable!("it asks for ever"),
        };
        assert_eq!(changed.limits.batch, 7);
        stop.cancel();
        serving.await.unwrap();
    }
}
