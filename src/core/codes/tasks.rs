use super::Row;

pub(super) const ROWS: &[Row] = &[
    (
        "CP-1101",
        "Kind missing",
        "The task has no kind, so no handler could be found for it.",
        "Send a kind, for example \"email.send\".",
    ),
    (
        "CP-1102",
        "Kind has other characters",
        "A kind is made of ASCII letters, digits and . _ - : / so that it can stand in patterns, logs and \
        metrics.",
        "Rename the kind.",
    ),
    (
        "CP-1103",
        "Name too long",
        "The kind, tenant, session, unique key or a name in meta is longer than limits.name, or meta is \
         longer than limits.meta.",
        "Shorten it, for a unique key to a hash, or raise limits.name.",
    ),
    (
        "CP-1104",
        "Name empty or not printable",
        "The tenant, session, unique key or a name in meta is empty or has control characters, or a value \
         of meta has some.",
        "Leave the field out, or send a printable name.",
    ),
    (
        "CP-1105",
        "Payload too large",
        "The payload is larger than limits.payload. Brokers copy every message several times.",
        "Put the data into a store of files and its address into the payload, or raise limits.payload.",
    ),
    (
        "CP-1106",
        "Payload too deep",
        "The payload is nested deeper than limits.depth.",
        "Flatten it, or raise limits.depth.",
    ),
    (
        "CP-1107",
        "Payload malformed",
        "The payload is not one well-formed MessagePack value with UTF-8 text.",
        "Encode it with a MessagePack library, or send JSON.",
    ),
    (
        "CP-1108",
        "Two ways to say one time",
        "Both delay and not_before, or both ttl and expires_at are set.",
        "Send one of the two.",
    ),
    (
        "CP-1109",
        "Expiry of no use",
        "expires_at is past, is not after the task's start, or is further ahead than limits.ttl.",
        "Send a later (or nearer) time; check the clock of the producer.",
    ),
    (
        "CP-1110",
        "Start too far ahead",
        "The task is planned further ahead than limits.delay.",
        "Enqueue it later, or raise limits.delay.",
    ),
    (
        "CP-1111",
        "Time to live out of range",
        "The ttl is zero or longer than limits.ttl.",
        "Send a ttl in the range, or none.",
    ),
    (
        "CP-1112",
        "Attempts out of range",
        "max_attempts is zero or more than limits.attempts.",
        "Send a count in the range, or none.",
    ),
    (
        "CP-1113",
        "Unknown retry policy",
        "The task names a retry policy that the section [retry] does not have.",
        "Correct the name, or add the policy to the configuration of dispatchers and workers.",
    ),
    (
        "CP-1114",
        "Timeout out of range",
        "The timeout is zero or longer than limits.timeout.",
        "Send a timeout in the range, or none.",
    ),
    (
        "CP-1115",
        "Not a trace context",
        "The trace field is not a W3C traceparent, or trace_state is not a tracestate.",
        "Send 00-<32 hex digits>-<16 hex digits>-<2 hex digits> as trace, or leave both fields out.",
    ),
    (
        "CP-1116",
        "Result kept too long",
        "result_ttl is longer than limits.result_ttl.",
        "Send a shorter one and fetch the result sooner, or raise limits.result_ttl.",
    ),
    (
        "CP-1117",
        "Priority not allowed",
        "The task asks for a priority, and its producer may not choose one.",
        "Leave the priority to the classification table, or use a token with the scope \"priority\".",
    ),
    (
        "CP-1118",
        "Id of zeros",
        "The id is all zeros, which is what an unset variable looks like.",
        "Send a UUID of its own for each task (version 7 sorts by time), or none.",
    ),
    (
        "CP-1119",
        "Repeats a task that is going",
        "The id or unique key belonged to a task that ended or was withdrawn at this very moment.",
        "Send the task again after the time given.",
    ),
    (
        "CP-1120",
        "Task cannot be encoded",
        "The accepted task could not be written as a message. This is a fault of the program.",
        "Report it, with the task's kind and the log line.",
    ),
    (
        "CP-1121",
        "Value would change",
        "The payload has a value that not every handler reads as it was sent: an integer beyond 64 bits, \
         NaN or an infinity, a MessagePack extension or timestamp, or a key that is not text.",
        "Send the value at the place given as text.",
    ),
    (
        "CP-1122",
        "Key twice",
        "An object of the payload has one key twice. Readers differ in which value they take, so that a \
         rule and a handler could see different tasks.",
        "Send each key once.",
    ),
    (
        "CP-1123",
        "Time in seconds",
        "A number as time is milliseconds since 1970. This one would be a moment before March 1973, which \
         is what a number of seconds looks like.",
        "Multiply it by 1000, or send RFC 3339 text: \"2026-01-31T09:00:00Z\".",
    ),
    (
        "CP-1125",
        "Tenant not allowed",
        "The token is for certain tenants, and the task names none of them.",
        "Name one of the tenants that the token's entry in [[api.tokens]] lists, or use another token.",
    ),
    (
        "CP-1126",
        "Id taken",
        "A task with this id was enqueued with another token or for another tenant.",
        "Send a UUID of its own for each task (version 7 sorts by time), or none.",
    ),
    (
        "CP-1127",
        "Queue and priority",
        "The task names a queue and a priority. A queue has its own priority.",
        "Name one of them.",
    ),
    (
        "CP-1128",
        "Unknown queue",
        "The task names a queue that is not there, or is being removed and takes no new tasks.",
        "Correct the name (`clawpool queues` lists all), add it to [[queues]], or make it with \
        `clawpool queues add`.",
    ),
    (
        "CP-1129",
        "Queue of others",
        "The token is held to certain queues, and the task goes to another one.",
        "Name one of the token's queues, change the rule that chose this one, or use another token.",
    ),
    (
        "CP-1130",
        "Id of another task",
        "A task with this id is there, with another kind, tenant or payload. A task may be sent again with \
        its id, as it was: then it is answered, and not added a second time.",
        "Send a UUID of its own for each task (version 7 sorts by time), or none. To run a dead letter with \
        another payload, requeue it with one.",
    ),
];
