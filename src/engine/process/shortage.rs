//! Tells what the system is short of for a moment from a program's own faults: the one passes by itself.

use std::{io, time::Duration};

/// Until the next try. Nothing is wrong with the program, so it is soon, and every time alike.
pub const SHORTAGE_RETRY: Duration = Duration::from_secs(1);

/// Whether a program was not started because files, memory or processes ran out.
pub fn is_shortage(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::OutOfMemory
        || error.raw_os_error().is_some_and(|code| CODES.contains(&code))
}

/// Files of this process and of the system, memory, processes.
#[cfg(unix)]
const CODES: [i32; 4] = {
    use rustix::io::Errno;

    [
        Errno::MFILE.raw_os_error(),
        Errno::NFILE.raw_os_error(),
        Errno::NOMEM.raw_os_error(),
        Errno::AGAIN.raw_os_error(),
    ]
};

/// Too many open files, not enough memory (twice), no system resources, commitment limit.
#[cfg(windows)]
const CODES: [i32; 5] = [4, 8, 14, 1450, 1455];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_table_passes_and_a_missing_program_does_not() {
        assert!(CODES.into_iter().all(|code| is_shortage(&io::Error::from_raw_os_error(code))));
        for kind in [io::ErrorKind::NotFound, io::ErrorKind::PermissionDenied, io::ErrorKind::InvalidInput] {
            assert!(!is_shortage(&io::Error::from(kind)), "{kind:?}");
        }
    }
}
