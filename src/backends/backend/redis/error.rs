//! What an error of Redis means. Written once, for the store and for the broker, which each make their own
//! error of it.
//!
//! Guarantees: a server that answers and cannot serve now is waited for, also where the error was raised
//! inside a script, whose text then names the script; people are told what to do about it.

use redis::{ErrorKind, RedisError};

pub(crate) const REDIS: &str = "redis";

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkError {
    /// No answer, or that it cannot serve now.
    Silent(String),
    /// It answers, and takes no writes.
    Blocked(String),
    /// It does not work until its settings or ours are changed.
    Refused(String),
    /// It holds values that are none of ours.
    Unreadable(String),
}

use LinkError::{Blocked, Refused, Silent, Unreadable};

/// Redis's first word, what it means, and what to do about it.
type Row = (&'static str, fn(String) -> LinkError, &'static str);

const KNOWN: [Row; 14] = [
    ("OOM", Blocked, "its memory is full: raise its maxmemory, or let more workers empty its queues"),
    (
        "READONLY",
        Blocked,
        "it is a replica: this ends with the failover; if not, let redis.url name the primary",
    ),
    (
        "NOREPLICAS",
        Blocked,
        "too few replicas are connected: bring them back, or lower its min-replicas-to-write",
    ),
    ("MISCONF", Blocked, "it cannot write its file: free its disk, and see its log"),
    ("LOADING", Silent, "it still reads its data after a start; this ends by itself"),
    ("BUSY", Silent, "a script of some program keeps it from everything else: end that with SCRIPT KILL"),
    ("TRYAGAIN", Silent, "the cluster moves these keys between its nodes; this ends by itself"),
    ("CLUSTERDOWN", Silent, "the cluster does not serve all slots: see CLUSTER INFO"),
    ("MASTERDOWN", Silent, "it is a replica that has lost its primary; this ends with the failover"),
    ("NOAUTH", Refused, "it wants a password: set it in redis.url"),
    ("WRONGPASS", Refused, "user or password in redis.url are wrong"),
    ("NOPERM", Refused, "its user may not do this: give it more rights with ACL SETUSER"),
    ("WRONGTYPE", Unreadable, "another program writes under the same prefix: change redis.prefix"),
    ("NOPROTO", Refused, "it does not speak RESP3: use Redis 6.2 or later"),
];

/// How Redis names a script in an error that was raised inside one.
const IN_SCRIPT: &str = "user_script";

impl LinkError {
    pub(crate) fn of(error: &RedisError) -> Self {
        let text = words(error);
        if let Some((_, kind, advice)) = known(error.code(), &text) {
            return kind(format!("{text}; {advice}"));
        }
        match error.kind() {
            ErrorKind::AuthenticationFailed
            | ErrorKind::RESP3NotSupported
            | ErrorKind::InvalidClientConfig => Refused(text),
            ErrorKind::UnexpectedReturnType | ErrorKind::Parse => Unreadable(text),
            // The script met values that it did not write.
            _ if text.contains(IN_SCRIPT) => Unreadable(text),
            _ => Silent(text),
        }
    }
}

/// As Redis said it; what the client alone has to say in its own words.
fn words(error: &RedisError) -> String {
    match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => format!("{code} {detail}"),
        _ => error.to_string(),
    }
}

/// By its own code, or by the one that Redis before 7 puts into the text of an error that a script ended
/// with: `-OOM …`.
fn known(code: Option<&str>, text: &str) -> Option<Row> {
    let raised = |word: &str| text.contains(IN_SCRIPT) && text.contains(&format!("-{word} "));
    KNOWN.into_iter().find(|(word, ..)| code == Some(word) || raised(word))
}

#[cfg(test)]
mod tests {
    use redis::{ErrorKind, RedisError, ServerError};

    use super::*;

    /// As it comes from the wire.
    fn said(line: &str) -> RedisError {
        match redis::parse_redis_value(format!("-{line}\r\n").as_bytes()) {
            Ok(redis::Value::ServerError(error)) => ServerError::into(error),
            other => panic!("{line}: {other:?}"),
        }
    }

    const PASSING: [&str; 9] = [
        "OOM",
        "READONLY",
        "NOREPLICAS",
        "MISCONF",
        "LOADING",
        "BUSY",
        "TRYAGAIN",
        "CLUSTERDOWN",
        "MASTERDOWN",
    ];

    /// As Redis 7 and Redis 6 say it, outside of scripts and inside.
    #[test]
    fn a_server_that_cannot_serve_now_is_waited_for() {
        for word in PASSING {
            for line in [
                format!("{word} for some reason."),
                format!("{word} for some reason. script: 59dd5a, on @user_script:57."),
                format!(
                    "ERR Error running script (call to f_59dd5a): @user_script:57: @user_script: 57: \
                    -{word} why"
                ),
            ] {
                let error = LinkError::of(&said(&line));
                let (Silent(text) | Blocked(text)) = &error else { panic!("{line}: {error:?}") };
                assert!(text.contains("; "), "{line}: {text} gives no advice");
            }
        }
    }

    #[test]
    fn a_server_that_takes_no_writes_is_told_from_one_that_is_silent() {
        let of = |word: &str| LinkError::of(&said(&format!("{word} x. script: 59dd5a, on @user_script:57.")));
        assert!(PASSING[..4].iter().all(|word| matches!(of(word), Blocked(_))));
        assert!(PASSING[4..].iter().all(|word| matches!(of(word), Silent(_))));
        let lost = RedisError::from((ErrorKind::Io, "the connection is lost"));
        assert!(matches!(LinkError::of(&lost), Silent(_)));
    }

    #[test]
    fn what_will_not_pass_is_not_waited_for() {
        for line in [
            "NOAUTH Authentication required.",
            "WRONGPASS invalid username-password pair",
            "NOPERM no rights",
        ] {
            assert!(matches!(LinkError::of(&said(line)), Refused(_)), "{line}");
        }
        for line in [
            "WRONGTYPE Operation against a key. script: 59dd5a, on @user_script:57.",
            "ERR user_script:57: attempt to compare nil with number script: 59dd5a, on @user_script:57.",
            "ERR Error running script (call to f_59dd5a): @user_script:57: user_script:57: data string too \
            short",
        ] {
            assert!(matches!(LinkError::of(&said(line)), Unreadable(_)), "{line}");
        }
    }
}
