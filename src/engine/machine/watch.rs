use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use super::Reader;
use clawpool_core::figures::Machine;

/// Between two readings (spec S17).
const PAUSE: Duration = Duration::from_secs(10);

/// The first two follow one another sooner: what is a rate is known from the second one on.
const SOON: Duration = Duration::from_secs(1);

/// Reads the machine's figures on a thread of its own, for as long as this is there.
pub struct MachineWatch {
    last: Arc<Mutex<Option<Machine>>>,
    /// Its end is the thread's.
    _stop: mpsc::Sender<()>,
}

impl MachineWatch {
    /// `folder`: the disk that it is on is the one whose space counts.
    pub fn start(folder: PathBuf) -> Self {
        let last = Arc::<Mutex<Option<Machine>>>::default();
        let (stop, stopped) = mpsc::channel();
        let seen = Arc::clone(&last);
        let watch = move || watch(Reader::new(folder), &seen, &stopped);
        // Without a thread nothing is known of the machine, which the figures can say.
        if let Err(error) = thread::Builder::new().name("clawpool-machine".into()).spawn(watch) {
            tracing::warn!(%error, "the machine's figures are not read");
        }
        Self { last, _stop: stop }
    }

    /// The last reading that has its rates.
    pub fn last(&self) -> Option<Machine> {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn watch(mut reader: Reader, seen: &Mutex<Option<Machine>>, stopped: &mpsc::Receiver<()>) {
    reader.read();
    let mut pause = SOON;
    while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(pause) {
        let machine = reader.read();
        *seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(machine);
        pause = PAUSE;
    }
}
