use std::process::ExitStatus;

/// How a process ended, for people: `exit code 3`, `SIGKILL (9)`, `0xC0000005 (access violation)`.
pub fn describe(status: ExitStatus) -> String {
    match (status.code(), signal(status)) {
        (Some(code), _) => exit_code(code),
        (None, Some(signal)) => {
            signal_name(signal).map_or_else(|| format!("signal {signal}"), |name| format!("{name} ({signal})"))
        }
        (None, None) => status.to_string(),
    }
}

#[cfg(unix)]
pub fn signal(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

/// Windows ends processes with codes alone.
#[cfg(windows)]
pub const fn signal(_: ExitStatus) -> Option<i32> {
    None
}

/// Windows ends a process that faults with the fault's own number, which is negative as an exit code.
fn exit_code(code: i32) -> String {
    let number = code.cast_unsigned();
    let name = match number {
        0xC000_0005 => "access violation",
        0xC000_0017 => "no memory",
        0xC000_001D => "illegal instruction",
        0xC000_0094 => "division by zero",
        0xC000_00FD => "stack overflow",
        0xC000_012D => "commitment limit",
        0xC000_0135 => "a library is missing",
        0xC000_0139 => "a library lacks an entry",
        0xC000_013A => "Ctrl-C or window closed",
        0xC000_0142 => "a library failed to start",
        0xC000_0374 => "heap corruption",
        0xC000_0409 => "abort",
        0xC000_0000..=0xCFFF_FFFF => return format!("exit code {number:#010X}"),
        _ => return format!("exit code {code}"),
    };
    format!("exit code {number:#010X} ({name})")
}

/// Those that have the same number on every Unix.
const fn signal_name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_faults_of_windows() {
        assert_eq!(exit_code(0xC000_0005_u32.cast_signed()), "exit code 0xC0000005 (access violation)");
        assert_eq!(exit_code(0xC000_0006_u32.cast_signed()), "exit code 0xC0000006");
        assert_eq!((exit_code(3), exit_code(-1)), ("exit code 3".into(), "exit code -1".into()));
    }

    #[cfg(unix)]
    #[test]
    fn names_codes_and_signals() {
        use std::os::unix::process::ExitStatusExt;

        assert_eq!(describe(ExitStatus::from_raw(3 << 8)), "exit code 3");
        assert_eq!(describe(ExitStatus::from_raw(9)), "SIGKILL (9)");
        assert_eq!(describe(ExitStatus::from_raw(31)), "signal 31");
    }
}
