use std::process::ExitStatus;

/// How a process ended, for people: `exit code 3`, `SIGKILL (9)`.
pub fn describe(status: ExitStatus) -> String {
    match (status.code(), signal(status)) {
        (Some(code), _) => format!("exit code {code}"),
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
#[cfg(unix)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn names_codes_and_signals() {
        assert_eq!(describe(ExitStatus::from_raw(3 << 8)), "exit code 3");
        assert_eq!(describe(ExitStatus::from_raw(9)), "SIGKILL (9)");
        assert_eq!(describe(ExitStatus::from_raw(31)), "signal 31");
    }
}
