//! What the service has said of itself to the service manager: first that it starts, then that it runs, that
//! it stops, that it has stopped. Never goes back, whichever thread speaks last.

use std::{
    sync::{Mutex, OnceLock, PoisonError},
    thread::sleep,
    time::Duration,
};

use windows_service::{
    service::{ServiceControlAccept, ServiceExitCode, ServiceState, ServiceStatus, ServiceType},
    service_control_handler::ServiceStatusHandle,
};

/// Between two signs of life of a service that starts.
pub(super) const STEP: Duration = Duration::from_secs(1);

/// Who still waits for its servers by then is said to run, because Windows waits for services while it starts
/// itself. The work begins when they answer.
const STEPS: u32 = 30;

#[derive(Default)]
pub(super) struct Said {
    pub(super) handle: OnceLock<ServiceStatusHandle>,
    last: Mutex<Stage>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    #[default]
    Silent,
    /// With the count of its signs of life.
    Starting(u32),
    Running,
    Stopping,
    Stopped,
}

impl Stage {
    const fn after(self, state: ServiceState) -> Self {
        match (state, self) {
            (ServiceState::StartPending, Self::Starting(signs)) => Self::Starting(signs + 1),
            (ServiceState::StartPending, _) => Self::Starting(0),
            (ServiceState::Running, _) => Self::Running,
            (ServiceState::Stopped, _) => Self::Stopped,
            _ => Self::Stopping,
        }
    }
}

impl Said {
    pub(super) fn say(
        &self,
        state: ServiceState,
        wait_hint: Duration,
        code: u32,
    ) -> windows_service::Result<()> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let next = last.after(state);
        match self.handle.get() {
            Some(handle) if next > *last => {
                *last = next;
                handle.set_service_status(status(state, next, wait_hint, code))
            }
            _ => Ok(()),
        }
    }

    /// Signs of life until the work has begun, or for long enough.
    pub(super) fn keep_starting(&self) {
        for _ in 0..STEPS {
            sleep(STEP);
            if *self.last.lock().unwrap_or_else(PoisonError::into_inner) >= Stage::Running {
                return;
            }
            let _ = self.say(ServiceState::StartPending, STEP * 3, 0);
        }
        let _ = self.say(ServiceState::Running, Duration::ZERO, 0);
    }
}

fn status(current_state: ServiceState, stage: Stage, wait_hint: Duration, code: u32) -> ServiceStatus {
    let running = current_state == ServiceState::Running;
    let controls = ServiceControlAccept::STOP
        | ServiceControlAccept::SHUTDOWN
        | ServiceControlAccept::PRESHUTDOWN
        | ServiceControlAccept::PARAM_CHANGE;
    ServiceStatus {
        service_type: ServiceType::OWN_PROCESS,
        current_state,
        controls_accepted: if running { controls } else { ServiceControlAccept::empty() },
        exit_code: match code {
            0 => ServiceExitCode::NO_ERROR,
            code => ServiceExitCode::ServiceSpecific(code),
        },
        checkpoint: if let Stage::Starting(signs) = stage { signs } else { 0 },
        wait_hint,
        process_id: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_never_goes_back() {
        let starting = Stage::default().after(ServiceState::StartPending);
        assert!(starting > Stage::default() && starting.after(ServiceState::StartPending) > starting);
        for (earlier, later) in [
            (ServiceState::StartPending, ServiceState::Running),
            (ServiceState::Running, ServiceState::StopPending),
            (ServiceState::StopPending, ServiceState::Stopped),
            (ServiceState::StartPending, ServiceState::Stopped),
        ] {
            let earlier = Stage::default().after(earlier);
            let later = Stage::default().after(later);
            assert!(later > earlier);
        }
        assert!(Stage::Stopped.after(ServiceState::StartPending) < Stage::Stopped);
    }
}
