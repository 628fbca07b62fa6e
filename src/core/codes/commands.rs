use super::Row;

/// What commands say of their own; what a server says has the server's codes.
pub(super) const ROWS: &[Row] = &[
    (
        "CP-1801",
        "Wrong usage",
        "The command's arguments are wrong, or do not go together (exit code 2).",
        "Read the message, or `clawpool COMMAND --help`.",
    ),
    (
        "CP-1802",
        "No server answers",
        "Nothing answers where the dispatcher was to be, or the connection broke off (exit code 69).",
        "Start one with `clawpool up`, or name another with --url or CLAWPOOL_URL.",
    ),
    (
        "CP-1803",
        "Not in time",
        "What was waited for had not come when the time was over (exit code 75).",
        "Give the same command again later, or let it wait for longer.",
    ),
    (
        "CP-1804",
        "Command failed",
        "Something went wrong at the command's own end, or the answer is no; the message says what (exit \
        code 1).",
        "Do what the message says.",
    ),
    (
        "CP-1805",
        "Not a dispatcher's answer",
        "What answered is no dispatcher, or one of another version: a proxy, another program.",
        "Check --url and CLAWPOOL_URL, and what lies between.",
    ),
    (
        "CP-1806",
        "Wrong configuration",
        "The configuration that the command was to use has mistakes (exit code 78). With --json, faults has \
        each of them.",
        "Correct them; `clawpool config check` looks again.",
    ),
];
