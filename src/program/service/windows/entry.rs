//! The way in that the service manager takes.

use std::{
    ffi::OsString,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use windows_service::{
    define_windows_service,
    service::{ServiceControl, ServiceState},
    service_control_handler::{self, ServiceControlHandlerResult},
    service_dispatcher,
};

use super::{
    ServiceError,
    control::fault,
    said::{STEP, Said},
};
use clawpool_engine::process;

struct Job {
    name: String,
    patience: Duration,
    work: Box<dyn FnOnce() -> Result<(), u32> + Send>,
}

/// The service manager calls a plain function; this is where it finds what to do.
static JOB: Mutex<Option<Job>> = Mutex::new(None);

define_windows_service!(entrance, service_main);

/// Gives this process to the service manager and returns when the service has stopped. `work` runs in
/// `folder`, the service's own, on a thread of its own, and returns its exit code when it fails;
/// `supervise::Shutdown` tells it when to end.
pub fn enter(
    name: &str,
    folder: &Path,
    patience: Duration,
    work: impl FnOnce() -> Result<(), u32> + Send + 'static,
) -> Result<(), ServiceError> {
    std::env::set_current_dir(folder)
        .map_err(|error| ServiceError::from_io(format!("enter {}", folder.display()), error))?;
    let job = Job { name: name.to_owned(), patience, work: Box::new(work) };
    *JOB.lock().unwrap_or_else(PoisonError::into_inner) = Some(job);
    service_dispatcher::start(name, entrance).map_err(|error| fault(name, "reach the service manager", error))
}

fn service_main(_: Vec<OsString>) {
    let job = JOB.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(job) = job
        && let Err(error) = serve(job)
    {
        tracing::error!(%error, "the service manager does not listen");
    }
}

fn serve(job: Job) -> windows_service::Result<()> {
    let said = Arc::new(Said::default());
    let patience = job.patience;
    let handle = service_control_handler::register(&job.name, {
        let said = Arc::clone(&said);
        move |control| match control {
            ServiceControl::Stop | ServiceControl::Shutdown | ServiceControl::Preshutdown => {
                let _ = said.say(ServiceState::StopPending, patience, 0);
                process::request_stop();
                ServiceControlHandlerResult::NoError
            }
            ServiceControl::ParamChange => {
                process::request_reload();
                ServiceControlHandlerResult::NoError
            }
            ServiceControl::Interrogate => ServiceControlHandlerResult::NoError,
            _ => ServiceControlHandlerResult::NotImplemented,
        }
    })?;
    let _ = said.handle.set(handle);
    said.say(ServiceState::StartPending, STEP * 3, 0)?;
    let begun = Arc::clone(&said);
    process::on_ready(move || {
        let _ = begun.say(ServiceState::Running, Duration::ZERO, 0);
    });
    let starting = Arc::clone(&said);
    std::thread::spawn(move || starting.keep_starting());
    let code = (job.work)().err().unwrap_or_default();
    said.say(ServiceState::Stopped, Duration::ZERO, code)
}
