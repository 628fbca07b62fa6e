use std::process::ExitStatus;

/// How a process ended, for people: `exit code 3`, `SIGKILL (9)`, `0xC0000005 (access violation)`.
pub fn describe(status: ExitStatus) -> String {
    match (status.code(), signal(status)) {
        (Some(code), _) => exit_code(code),
        (None, Some(signal)) => signal_name(signal)
            .map_or_else(|| format!("signal {signal}"), |name| format!("{name} ({signal})")),
        (None, None) => status.to_string(),
    }
}

/// The signal that ended a process, if one did.
#[cfg(unix)]
pub fn signal(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

/// Windows ends processes with codes alone.
#[cfg(windows)]
pub const fn signal(_: ExitStatus) -> Option<i32> {
    None
}

/// Whether a process ended by what it did itself. A kill from outside, its own ways to stop and a panic of
/// its main thread are no task's doing.
pub fn is_self_inflicted(code: Option<i32>, signal: Option<i32>) -> bool {
    // A shell that ran the program says its signal so.
    let signal = signal.or_else(|| code.filter(|code| (129..=159).contains(code)).map(|code| code - 128));
    match (signal, code.map(i32::cast_unsigned)) {
        (Some(signal), _) => !matches!(signal, 1 | 2 | 3 | 9 | 15),
        // Windows: the window was closed; a library is missing at the start.
        (None, Some(0xC000_013A | 0xC000_0135 | 0xC000_0139 | 0xC000_0142)) => false,
        (None, Some(0xC000_0000..=0xCFFF_FFFF)) => true,
        (None, Some(0..=2 | 69 | 75 | 78 | 101 | 126 | 127)) => false,
        (None, code) => code.is_some_and(|code| code <= 0xFF),
    }
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

    #[test]
    fn faults_aborts_and_codes_are_its_own_doing_and_kills_are_not() {
        let windows = |code: u32| (Some(code.cast_signed()), None);
        for (code, signal) in [
            (None, Some(6)),
            (None, Some(11)),
            (None, Some(4)),
            (Some(134), None),
            (Some(3), None),
            windows(0xC000_0005),
            windows(0xC000_00FD),
            windows(0xC000_0409),
        ] {
            assert!(is_self_inflicted(code, signal), "{code:?} {signal:?}");
        }
        for (code, signal) in [
            (None, Some(9)),
            (None, Some(15)),
            (None, Some(2)),
            (None, Some(1)),
            (Some(137), None),
            (Some(0), None),
            (Some(1), None),
            (Some(78), None),
            (Some(101), None),
            (None, None),
            // Ctrl-C; as Stop-Process ends one.
            windows(0xC000_013A),
            windows(u32::MAX),
        ] {
            assert!(!is_self_inflicted(code, signal), "{code:?} {signal:?}");
        }
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
