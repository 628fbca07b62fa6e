//! The way in that the service manager takes.

use std::{
    ffi::OsString,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use windows_service::{
    define_windows_service,
    service::{ServiceControl, ServiceControlAccept, ServiceExitCode, ServiceState, ServiceStatus, ServiceType},
    service_control_handler::{self, ServiceControlHandlerResult, ServiceStatusHandle},
    service_dispatcher,
};

use super::{ServiceError, control::fault, home};
use crate::supervise;

struct Job {
    name: String,
    patience: Duration,
    work: Box<dyn FnOnce() -> Result<(), u32> + Send>,
}

/// The service manager calls a plain function; this is where it finds what to do.
static JOB: Mutex<Option<Job>> = Mutex::new(None);

define_windows_service!(entrance, service_main);

/// Gives this process to the service manager and returns when the service has stopped. `work` runs in the service's own
/// folder, on a thread of its own, and returns its exit code when it fails; `supervise::Shutdown` tells it when to end.
pub fn enter(
    name: &str,
    patience: Duration,
    work: impl FnOnce() -> Result<(), u32> + Send + 'static,
) -> Result<(), ServiceError> {
    let folder = home(name);
    std::env::set_current_dir(&folder)
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
    let reporter: Arc<OnceLock<ServiceStatusHandle>> = Arc::default();
    let patience = job.patience;
    let handle = service_control_handler::register(&job.name, {
        let reporter = Arc::clone(&reporter);
        move |control| match control {
            ServiceControl::Stop | ServiceControl::Shutdown | ServiceControl::Preshutdown => {
                if let Some(reporter) = reporter.get() {
                    let _ = reporter.set_service_status(state(ServiceState::StopPending, patience, 0));
                }
                supervise::order_stop();
                ServiceControlHandlerResult::NoError
            }
            ServiceControl::Interrogate => ServiceControlHandlerResult::NoError,
            _ => ServiceControlHandlerResult::NotImplemented,
        }
    })?;
    let _ = reporter.set(handle);
    handle.set_service_status(state(ServiceState::Running, Duration::ZERO, 0))?;
    let code = (job.work)().err().unwrap_or_default();
    handle.set_service_status(state(ServiceState::Stopped, Duration::ZERO, code))
}

fn state(current_state: ServiceState, wait_hint: Duration, code: u32) -> ServiceStatus {
    let running = current_state == ServiceState::Running;
    let controls = ServiceControlAccept::STOP | ServiceControlAccept::SHUTDOWN | ServiceControlAccept::PRESHUTDOWN;
    ServiceStatus {
        service_type: ServiceType::OWN_PROCESS,
        current_state,
        controls_accepted: if running { controls } else { ServiceControlAccept::empty() },
        exit_code: match code {
            0 => ServiceExitCode::NO_ERROR,
            code => ServiceExitCode::ServiceSpecific(code),
        },
        checkpoint: 0,
        wait_hint,
        process_id: None,
    }
}
