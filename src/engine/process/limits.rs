//! What the system holds a worker and everything it starts to. Windows does, in a job object of its own
//! around the one that ends the tree; elsewhere units and containers have such limits, and a configuration
//! that asks for them is refused.

/// Of one tree of processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes that all together may commit. Beyond it allocations fail.
    pub memory: Option<u64>,
    /// Beyond it no process starts.
    pub processes: Option<u32>,
}

#[cfg(windows)]
pub(super) use windows::Limited;

#[cfg(windows)]
#[allow(unsafe_code, reason = "the system's own calls; no library offers these limits")]
mod windows {
    use std::{
        ffi::c_void,
        io,
        os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle, RawHandle},
    };

    use process_wrap::tokio::{CommandWrap, CommandWrapper};
    use tokio::process::{Child, Command};
    use windows::Win32::{
        Foundation::HANDLE,
        System::JobObjects::{
            AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_ACTIVE_PROCESS,
            JOB_OBJECT_LIMIT_JOB_MEMORY, JOBOBJECT_EXTENDED_LIMIT_INFORMATION,
            JobObjectExtendedLimitInformation, SetInformationJobObject,
        },
    };

    use super::Limits;

    /// Puts the process into its job while it is still suspended: `JobObject` resumes it later. One that
    /// cannot be put there does not run, because the tree is killed when it is dropped.
    #[derive(Debug)]
    pub(in crate::process) struct Limited(pub(in crate::process) Limits);

    impl CommandWrapper for Limited {
        fn post_spawn(&mut self, _: &mut Command, child: &mut Child, _: &CommandWrap) -> io::Result<()> {
            let process = child.raw_handle().ok_or(io::ErrorKind::NotFound)?;
            Job::of(self.0)?.take(process)
        }
    }

    /// It lives as long as a process is in it, also without this handle.
    struct Job(OwnedHandle);

    impl Job {
        fn of(limits: Limits) -> io::Result<Self> {
            // SAFETY: a job without name and attributes; the handle is new, and owned here alone.
            let job = Self(unsafe { OwnedHandle::from_raw_handle(CreateJobObjectW(None, None)?.0) });
            let info = information(limits);
            let size = u32::try_from(size_of_val(&info)).map_err(io::Error::other)?;
            let data = (&raw const info).cast::<c_void>();
            // SAFETY: the data is of the kind and the size that the call is told.
            unsafe { SetInformationJobObject(job.handle(), JobObjectExtendedLimitInformation, data, size)? };
            Ok(job)
        }

        fn take(&self, process: RawHandle) -> io::Result<()> {
            // SAFETY: the job is open, and the process's handle is its child's own.
            unsafe { AssignProcessToJobObject(self.handle(), HANDLE(process))? };
            Ok(())
        }

        fn handle(&self) -> HANDLE {
            HANDLE(self.0.as_raw_handle())
        }
    }

    fn information(limits: Limits) -> JOBOBJECT_EXTENDED_LIMIT_INFORMATION {
        let mut info = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
        if let Some(memory) = limits.memory {
            info.JobMemoryLimit = usize::try_from(memory).unwrap_or(usize::MAX);
            info.BasicLimitInformation.LimitFlags |= JOB_OBJECT_LIMIT_JOB_MEMORY;
        }
        if let Some(processes) = limits.processes {
            info.BasicLimitInformation.ActiveProcessLimit = processes;
            info.BasicLimitInformation.LimitFlags |= JOB_OBJECT_LIMIT_ACTIVE_PROCESS;
        }
        info
    }

    #[cfg(test)]
    mod tests {
        use std::process::Stdio;

        use super::*;
        use crate::process::Tree;

        #[test]
        fn what_is_not_limited_is_left_alone() {
            let flags = |limits| information(limits).BasicLimitInformation.LimitFlags;
            assert_eq!(flags(Limits::default()).0, 0);
            let both = Limits { memory: Some(1 << 30), processes: Some(7) };
            assert_eq!(flags(both), JOB_OBJECT_LIMIT_JOB_MEMORY | JOB_OBJECT_LIMIT_ACTIVE_PROCESS);
            let info = information(both);
            assert_eq!((info.JobMemoryLimit, info.BasicLimitInformation.ActiveProcessLimit), (1 << 30, 7));
        }

        #[tokio::test]
        async fn a_program_runs_in_both_jobs_and_ends_with_its_own_code() {
            let limits = Limits { memory: Some(1 << 30), processes: Some(50) };
            let mut command = Command::new("cmd");
            command.args(["/c", "exit 3"]).stdin(Stdio::null());
            let mut tree = Tree::spawn_within(command, limits).unwrap();
            assert_eq!(tree.wait().await.unwrap().code(), Some(3));
        }
    }
}
