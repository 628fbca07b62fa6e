use super::Row;

/// HTTP and workers.
pub(super) const ROWS: &[Row] = &[
    (
        "CP-1401",
        "Body unreadable",
        "The body is not JSON (or MessagePack), is not UTF-8, or did not arrive in time.",
        "Send one JSON value, with Content-Type application/json.",
    ),
    (
        "CP-1402",
        "Field unknown or of the wrong type",
        "A field does not exist or is not of its type. The answer names it.",
        "Correct the field; the reference of tasks lists all of them.",
    ),
    (
        "CP-1403",
        "Body too large",
        "The request is larger than a full batch of full payloads may be, or too many long ones arrive at \
        once.",
        "Send fewer tasks in one request.",
    ),
    (
        "CP-1404",
        "Who are you?",
        "The request has no token, or one that nobody knows.",
        "Send Authorization: Bearer <secret> with a secret of [[api.tokens]] or of `clawpool tokens add`.",
    ),
    (
        "CP-1405",
        "Not allowed",
        "The token's scopes do not allow this.",
        "Use another token, or add the scope to this one.",
    ),
    (
        "CP-1406",
        "Not found",
        "There is no such path, method, task, queue or worker. Records of finished tasks are kept for a \
        time only.",
        "Check the path and the id.",
    ),
    ("CP-1407", "Batch too long", "The request has more tasks than limits.batch.", "Split the batch."),
    ("CP-1408", "Too late", "The task's state does not allow this any more.", "Look at the task again."),
    (
        "CP-1409",
        "Internal fault",
        "Something failed that is not the caller's fault. The log has the details.",
        "Try again; if it stays, read the log of the dispatcher at the time of the request.",
    ),
    (
        "CP-1410",
        "Media type not known",
        "The Content-Type is none that can be read here.",
        "Send application/json or application/msgpack.",
    ),
    (
        "CP-1411",
        "Queue with other settings",
        "A queue of this name is there, with another priority or on another lane.",
        "Remove it first (`clawpool queues remove`), or choose another name.",
    ),
    (
        "CP-1412",
        "Queue cannot be removed",
        "The queue has unfinished tasks, or is one of the configuration's.",
        "Use `clawpool queues remove NAME --drain` or `--move-to QUEUE`, or take it out of [[queues]].",
    ),
    (
        "CP-1413",
        "Token expired",
        "The token was made for a time, which is over.",
        "Make another one: `clawpool tokens add`.",
    ),
    (
        "CP-1414",
        "Read only",
        "This dispatcher changes nothing over HTTP: api.read_only is set.",
        "Send the request to a dispatcher that takes changes, or set api.read_only = false.",
    ),
    (
        "CP-1415",
        "Token cannot be made or revoked",
        "A token of this name is there already, there are too many, or it is one of the configuration's.",
        "Choose another name, revoke tokens that nobody uses, or change [[api.tokens]].",
    ),
    (
        "CP-1420",
        "Key of another request",
        "The Idempotency-Key was sent before, by the same caller and with other tasks, and these are \
        remembered.",
        "Send a new key with each new request. To repeat a request, send it as it was.",
    ),
    (
        "CP-1430",
        "Too many streams",
        "As many streams of events are open as this dispatcher has room for.",
        "Close pages that nobody looks at, ask another dispatcher, or raise api.streams (and \
        api.connections).",
    ),
    (
        "CP-1431",
        "Short id of several tasks",
        "More than one task that came lately has an id with this end. The answer lists them.",
        "Write more of the id's end, or all of it.",
    ),
    (
        "CP-1432",
        "Messages that cannot be read where they wait",
        "Tasks are queued on RabbitMQ, where nobody can look at a message without taking it, or their \
        messages were not found where they should be. They were left alone.",
        "Let them be started, or change them while they are scheduled. A lane on Redis (lanes.normal = \
        \"redis\") has queues that can be read.",
    ),
    (
        "CP-1501",
        "No handler",
        "No worker of the task's queue has a handler for its kind. The task waits for one, without an \
        attempt, until it expires.",
        "Start a worker that has one, add it to [[handlers]], or correct the kind where it is produced and \
        cancel the task.",
    ),
    (
        "CP-1502",
        "Handler hangs",
        "A handler went on after its deadline and would not stop; its worker left, to be replaced.",
        "Let the handler yield or watch its cancellation; move blocking work to its own threads.",
    ),
    (
        "CP-1503",
        "System refuses",
        "The operating system refused the worker a thread, a signal handler or a file.",
        "Raise the limits of the user or the container.",
    ),
    (
        "CP-1504",
        "Not registered",
        "The worker could not register with the store, or lost its registration, and will run nothing \
        without it.",
        "Check the store; the log names the cause. The worker may be started again.",
    ),
    (
        "CP-1505",
        "Queue without workers",
        "Tasks wait on a queue that no live worker serves. They stay there until one does, or expire.",
        "Start workers that serve the queue: worker.queues, or the queues and kinds of a pool in [[pools]].",
    ),
    (
        "CP-1506",
        "Worker broken",
        "A part of the worker ended by itself, which none should; the worker left so that another one can \
        take its place.",
        "Start it again (a supervisor does). Report it with the log line before, which names the part.",
    ),
    (
        "CP-1507",
        "Queue stalled",
        "Tasks are ready on a queue, live workers have free slots for them, and none has started for \
        health.stalled.",
        "`clawpool workers list` shows who serves it: look at the workers' logs, and drain or restart them. \
        Their tasks start elsewhere.",
    ),
];
